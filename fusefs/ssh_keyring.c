#include "fusefs/ssh_keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/ssh/agent.h"
#include "core/ssh/keyfile.h"
#include "fusefs/locked.h"

#define KEY_TEXT_MAX (64 * 1024)

static struct ssh_identity *add(struct ssh_keyring *keys, const char *name)
{
	struct ssh_identity *grown =
		realloc(keys->item, (keys->count + 1) * sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		keys->item = grown;
	if (!grown || !copy) {
		free(copy);
		return NULL;
	}
	grown[keys->count] = (struct ssh_identity){.name = copy};
	return &grown[keys->count++];
}

static bool set_blob(struct ssh_identity *identity, const uint8_t *ptr,
		     size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (!copy)
		return false;
	memcpy(copy, ptr, len);
	identity->blob = (struct wire_bytes){copy, len};
	return true;
}

static void forget_key(struct ssh_identity *identity)
{
	csftp_ssh_key_free(identity->key);
	identity->key = NULL;
}

static void release_one(struct ssh_identity *identity)
{
	forget_key(identity);
	locked_free(identity->secret, identity->secret_len);
	free((void *)(uintptr_t)identity->blob.ptr);
	free(identity->name);
}

/*
 * Files
 */

/* What has the file's key from now on; false: it cannot be kept. */
static bool keep_secret(struct ssh_identity *identity,
			const struct csftp_ssh_key *key)
{
	uint8_t text[SSH_KEYFILE_SECTION_MAX];
	struct wire_wr wr = {.base = text, .cap = sizeof(text)};
	bool ok = ssh_keyfile_write_section(key, &wr) == CSFTP_OK;

	if (ok)
		identity->secret = locked_new(wr.len);
	if (ok && identity->secret) {
		memcpy(identity->secret, text, wr.len);
		identity->secret_len = wr.len;
	}
	explicit_bzero(text, sizeof(text));
	return identity->secret != NULL;
}

bool ssh_identity_is_ready(const struct ssh_identity *identity)
{
	return identity->secret != NULL;
}

/* NUL behind; to be wiped and freed.  A FIFO would be waited for. */
static char *read_text(const char *path, size_t *len, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	ssize_t n = 1;

	*len = 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    st->st_size <= KEY_TEXT_MAX)
		text = calloc(1, KEY_TEXT_MAX + 1);
	while (text && n > 0 && *len < KEY_TEXT_MAX) {
		n = read(fd, text + *len, KEY_TEXT_MAX - *len);
		*len += n > 0 ? (size_t)n : 0;
	}
	(void)close(fd);
	return text;
}

static void forget_text(char *text)
{
	if (text)
		explicit_bzero(text, KEY_TEXT_MAX);
	free(text);
}

/* What others can read is no secret; ssh says so in these words. */
static bool is_protected(const struct stat *st, const char *path,
			 const struct talk *talk)
{
	static const char at_signs[] =
		"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

	if (st->st_uid != getuid() || (st->st_mode & 077) == 0)
		return true;
	talk_tell(talk, TALK_ERROR, "%s", at_signs);
	talk_tell(talk, TALK_ERROR,
		  "@         WARNING: UNPROTECTED PRIVATE KEY FILE!"
		  "          @");
	talk_tell(talk, TALK_ERROR, "%s", at_signs);
	talk_tell(talk, TALK_ERROR, "Permissions 0%3.3o for '%s' are too open.",
		  (unsigned)st->st_mode & 0777, path);
	talk_tell(talk, TALK_ERROR,
		  "It is required that your private key files are NOT "
		  "accessible by others.");
	talk_tell(talk, TALK_ERROR, "This private key will be ignored.");
	return false;
}

/* One line; what is none leaves the identity without a public half. */
static bool read_public(struct ssh_identity *identity, const char *path)
{
	struct csftp_ssh_key *key;
	struct csftp_ssh_bytes blob;
	struct stat st;
	size_t len;
	char *text = read_text(path, &len, &st);
	bool ok = true;

	if (!text)
		return true;
	if (csftp_ssh_key_read_public(&key, text, strcspn(text, "\r\n")) ==
	    CSFTP_OK) {
		blob = csftp_ssh_key_blob(key);
		ok = set_blob(identity, blob.ptr, blob.len);
		csftp_ssh_key_free(key);
	}
	forget_text(text);
	return ok;
}

/* "path.pub"; the private half may be with an agent. */
static bool read_beside(struct ssh_identity *identity)
{
	size_t size = strlen(identity->name) + sizeof(".pub");
	char *path = malloc(size);
	bool ok;

	if (!path)
		return false;
	(void)snprintf(path, size, "%s.pub", identity->name);
	ok = read_public(identity, path);
	free(path);
	return ok;
}

static bool read_private(struct ssh_identity *identity, const char *text,
			 size_t len, const struct talk *talk)
{
	uint8_t blob[SSH_KEYFILE_BLOB_MAX];
	size_t blob_len = 0;
	struct csftp_ssh_key *key = NULL;
	struct csftp_ssh_bytes own;
	enum csftp_err err = csftp_ssh_key_read(&key, text, len, NULL);
	bool ok;

	identity->has_private = err == CSFTP_OK || err == CSFTP_ERR_DENIED;
	if (!identity->has_private) {
		talk_detail(talk, "%s: %s", identity->name,
			    csftp_strerror(err));
		return true;
	}
	if (err == CSFTP_OK) {
		own = csftp_ssh_key_blob(key);
		ok = set_blob(identity, own.ptr, own.len);
		identity->has_private = keep_secret(identity, key);
		csftp_ssh_key_free(key);
		return ok;
	}
	if (ssh_keyfile_public(text, len, blob, &blob_len) == CSFTP_OK)
		return set_blob(identity, blob, blob_len);
	return read_beside(identity);
}

static bool read_file(struct ssh_identity *identity, const struct talk *talk)
{
	struct stat st;
	size_t len;
	char *text = read_text(identity->name, &len, &st);
	bool ok = true;

	identity->of_file = true;
	if (!text)
		return read_beside(identity);
	if (!strstr(text, "PRIVATE KEY"))
		ok = read_public(identity, identity->name);
	else if (is_protected(&st, identity->name, talk))
		ok = read_private(identity, text, len, talk);
	forget_text(text);
	return ok;
}

static bool read_files(struct ssh_keyring *keys,
		       const struct ssh_config *config, const struct talk *talk)
{
	bool ok = true;

	for (size_t i = 0; ok && i < config->identity_files.count; i++) {
		struct ssh_identity *identity =
			add(keys, config->identity_files.item[i]);

		ok = identity && read_file(identity, talk);
	}
	keys->files_read = ok;
	return ok;
}

/*
 * The agent
 */

static bool send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool recv_all(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, bytes, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* One question, one answer, which is to be freed; NULL: none. */
static uint8_t *converse(int fd, const struct wire_wr *ask, size_t *len)
{
	uint8_t head[4];
	uint8_t *message = NULL;

	if (wire_wr_end(ask) != CSFTP_OK ||
	    !send_all(fd, ask->base, ask->len) ||
	    !recv_all(fd, head, sizeof(head)))
		return NULL;
	*len = ssh_agent_length(head);
	if (*len > sizeof(head))
		message = malloc(*len);
	if (!message)
		return NULL;
	memcpy(message, head, sizeof(head));
	if (recv_all(fd, message + sizeof(head), *len - sizeof(head)))
		return message;
	free(message);
	return NULL;
}

/* IdentityAgent: a path, the name of a variable, or "none". */
static char *agent_path(const struct ssh_config *config)
{
	const char *said = config->identity_agent;
	const char *path;

	if (said && !strcmp(said, "none"))
		return NULL;
	if (!said || !strcmp(said, "SSH_AUTH_SOCK"))
		path = getenv("SSH_AUTH_SOCK");
	else if (said[0] == '$')
		path = getenv(said + 1);
	else
		path = said;
	return path && *path ? strdup(path) : NULL;
}

static bool open_agent(struct ssh_keyring *keys,
		       const struct ssh_config *config)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char *path = agent_path(config);
	int fd = -1;

	if (path && strlen(path) < sizeof(addr.sun_path)) {
		memcpy(addr.sun_path, path, strlen(path) + 1);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
	free(path);
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		(void)close(fd);
		return false;
	}
	keys->agent = fd;
	keys->agent_open = true;
	return true;
}

struct listing {
	struct ssh_keyring *keys;
	bool ok;
};

/* One that a file is known of is that one; what is unknown to us is left. */
static void take_agent_key(void *arg, struct wire_bytes key,
			   struct wire_bytes comment)
{
	struct listing *listing = arg;
	struct ssh_keyring *keys = listing->keys;
	struct ssh_identity *identity;
	char name[256];

	for (size_t i = 0; i < keys->count; i++) {
		const struct wire_bytes *blob = &keys->item[i].blob;

		if (!blob->ptr || blob->len != key.len ||
		    memcmp(blob->ptr, key.ptr, key.len) != 0)
			continue;
		keys->item[i].in_agent = true;
		return;
	}
	talk_clean(name, sizeof(name), comment.ptr, comment.len);
	identity = add(keys, name);
	listing->ok =
		listing->ok && identity && set_blob(identity, key.ptr, key.len);
	if (identity)
		identity->in_agent = true;
}

static bool list_agent(struct ssh_keyring *keys)
{
	struct listing listing = {.keys = keys, .ok = true};
	uint8_t text[16];
	struct wire_wr ask = {.base = text, .cap = sizeof(text)};
	uint8_t *answer;
	size_t len;

	ssh_agent_ask_keys(&ask);
	answer = converse(keys->agent, &ask, &len);
	if (answer && ssh_agent_read_keys(answer, len, take_agent_key,
					  &listing) != CSFTP_OK)
		ssh_keyring_end(keys);
	free(answer);
	return listing.ok;
}

/* Of the last login; what it holds now is asked anew. */
static void forget_agent(struct ssh_keyring *keys)
{
	size_t kept = 0;

	for (size_t i = 0; i < keys->count; i++) {
		keys->item[i].in_agent = false;
		if (keys->item[i].of_file)
			keys->item[kept++] = keys->item[i];
		else
			release_one(&keys->item[i]);
	}
	keys->count = kept;
}

static int rank(const struct ssh_identity *identity)
{
	if (identity->in_agent)
		return identity->of_file ? 0 : 1;
	return 2;
}

/* Few, and those of one rank stay in their order. */
static void sort(struct ssh_keyring *keys)
{
	for (size_t i = 1; i < keys->count; i++) {
		struct ssh_identity one = keys->item[i];
		size_t at = i;

		for (; at > 0 && rank(&keys->item[at - 1]) > rank(&one); at--)
			keys->item[at] = keys->item[at - 1];
		keys->item[at] = one;
	}
}

/* IdentitiesOnly: of the agent's keys those that were asked for by name. */
static void drop_strangers(struct ssh_keyring *keys)
{
	size_t kept = 0;

	for (size_t i = 0; i < keys->count; i++) {
		if (keys->item[i].of_file)
			keys->item[kept++] = keys->item[i];
		else
			release_one(&keys->item[i]);
	}
	keys->count = kept;
}

bool ssh_keyring_begin(struct ssh_keyring *keys,
		       const struct ssh_config *config, const struct talk *talk)
{
	if (!keys->files_read && !read_files(keys, config, talk))
		return false;
	forget_agent(keys);
	if (open_agent(keys, config) && !list_agent(keys))
		return false;
	if (config->identities_only)
		drop_strangers(keys);
	sort(keys);
	return true;
}

static bool copy_one(struct ssh_identity *to, const struct ssh_identity *from)
{
	to->of_file = true;
	to->has_private = from->has_private;
	if (from->blob.ptr && !set_blob(to, from->blob.ptr, from->blob.len))
		return false;
	if (!from->secret)
		return true;
	to->secret = locked_new(from->secret_len);
	if (!to->secret)
		return false;
	to->secret_len = from->secret_len;
	memcpy(to->secret, from->secret, from->secret_len);
	return true;
}

bool ssh_keyring_copy(struct ssh_keyring *to, const struct ssh_keyring *from)
{
	bool ok = true;

	for (size_t i = 0; ok && i < from->count; i++) {
		struct ssh_identity *copy;

		if (!from->item[i].of_file)
			continue;
		copy = add(to, from->item[i].name);
		ok = copy && copy_one(copy, &from->item[i]);
	}
	to->files_read = ok && from->files_read;
	return ok;
}

void ssh_keyring_end(struct ssh_keyring *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		forget_key(&keys->item[i]);
	if (keys->agent_open)
		(void)close(keys->agent);
	keys->agent_open = false;
}

void ssh_keyring_release(struct ssh_keyring *keys)
{
	ssh_keyring_end(keys);
	for (size_t i = 0; i < keys->count; i++)
		release_one(&keys->item[i]);
	free(keys->item);
	*keys = (struct ssh_keyring){0};
}

/*
 * Signing
 */

static enum csftp_err agent_sign(void *arg, const char *algorithm,
				 const uint8_t *data, size_t len, uint8_t *to,
				 size_t *to_len)
{
	const struct ssh_keyring *keys = arg;
	struct wire_rd rd = {.next = data, .left = len};
	struct wire_bytes key, signature;
	uint8_t *text = malloc(SSH_AGENT_MESSAGE_MAX);
	struct wire_wr ask = {.base = text, .cap = SSH_AGENT_MESSAGE_MAX};
	enum csftp_err err = CSFTP_ERR_NOMEM;
	uint8_t *answer = NULL;
	size_t answer_len;

	/* RFC 4252, 7: the key is the last field of what is signed. */
	(void)wire_rd_string(&rd, rd.left);
	(void)wire_rd_u8(&rd);
	for (int i = 0; i < 3; i++)
		(void)wire_rd_string(&rd, rd.left);
	(void)wire_rd_u8(&rd);
	(void)wire_rd_string(&rd, rd.left);
	key = wire_rd_string(&rd, rd.left);
	if (text)
		err = wire_rd_end(&rd);
	if (err == CSFTP_OK)
		err = ssh_agent_ask_signature(&ask, key, algorithm,
					      (struct wire_bytes){data, len});
	if (err == CSFTP_OK) {
		answer = converse(keys->agent, &ask, &answer_len);
		err = answer ? ssh_agent_read_signature(answer, answer_len,
							algorithm, &signature)
			     : CSFTP_ERR_IO;
	}
	if (err == CSFTP_OK) {
		memcpy(to, signature.ptr, signature.len);
		*to_len = signature.len;
	}
	free(answer);
	free(text);
	return err;
}

/* The passphrase, as often as ssh asks for it. */
static bool decrypt(struct ssh_identity *identity,
		    const struct ssh_config *config, const struct talk *talk)
{
	char prompt[1024];
	struct stat st;
	size_t len;
	char *text = read_text(identity->name, &len, &st);
	struct csftp_ssh_key *key = NULL;
	enum csftp_err err = CSFTP_ERR_DENIED;

	(void)snprintf(prompt, sizeof(prompt),
		       "Enter passphrase for key '%.900s': ", identity->name);
	for (unsigned i = 0; text && !config->batch_mode &&
			     i < config->prompts && err == CSFTP_ERR_DENIED;
	     i++) {
		char *answer = talk_ask(talk, prompt, TALK_HIDDEN);

		/* Nothing typed: without this key, then. */
		if (!answer || !*answer) {
			talk_forget(answer);
			break;
		}
		err = csftp_ssh_key_read(&key, text, len, answer);
		talk_forget(answer);
	}
	forget_text(text);
	/* As the text may have gone by the next connection. */
	if (err == CSFTP_OK && !keep_secret(identity, key))
		err = CSFTP_ERR_NOMEM;
	csftp_ssh_key_free(key);
	return err == CSFTP_OK;
}

static bool make_key(struct ssh_identity *identity)
{
	return identity->key ||
	       ssh_keyfile_read_section(
		       &identity->key,
		       (struct wire_bytes){identity->secret,
					   identity->secret_len}) == CSFTP_OK;
}

bool ssh_keyring_signer(struct ssh_keyring *keys, struct ssh_identity *identity,
			const struct ssh_config *config,
			const struct talk *talk,
			struct csftp_ssh_signer *signer)
{
	if (identity->in_agent && keys->agent_open) {
		*signer = (struct csftp_ssh_signer){
			.key = {identity->blob.ptr, identity->blob.len},
			.sign = agent_sign,
			.arg = keys,
		};
		return true;
	}
	if (!identity->has_private ||
	    (!identity->secret && !decrypt(identity, config, talk)) ||
	    !make_key(identity))
		return false;
	*signer = csftp_ssh_key_signer(identity->key);
	return true;
}
