#include "fusefs/ssh_hosts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/ssh/key.h"
#include "core/ssh/known_hosts.h"

#define FILE_BYTES_MAX (16 * 1024 * 1024)
#define LINE_BYTES_MAX 4096

static const char at_signs[] =
	"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

/* One look at a key. */
struct look {
	const struct ssh_config *config;
	const struct talk *talk;
	const char *peer;
	struct ssh_lib *lib;
	struct wire_bytes key;
	const char *type;
	char name[SSH_HOST_MAX];
	char fingerprint[SSH_FINGERPRINT_MAX];
	struct ssh_known known;
};

/* The whole file, to be freed; NULL: it cannot be read, as if it were empty. */
static char *read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	size_t have = 0;
	ssize_t n = 1;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= FILE_BYTES_MAX)
		text = malloc((size_t)st.st_size);
	while (text && n > 0 && have < (size_t)st.st_size) {
		n = read(fd, text + have, (size_t)st.st_size - have);
		have += n > 0 ? (size_t)n : 0;
	}
	(void)close(fd);
	*len = have;
	return text;
}

static const char *file_at(const struct ssh_config *config, uint32_t n)
{
	size_t users = config->user_known_hosts.count;

	if (n < users)
		return config->user_known_hosts.item[n];
	n -= (uint32_t)users;
	return n < config->global_known_hosts.count
		       ? config->global_known_hosts.item[n]
		       : NULL;
}

static void look_into_files(struct ssh_known *known,
			    const struct ssh_config *config)
{
	const char *path;

	for (uint32_t i = 0; (path = file_at(config, i)); i++) {
		size_t len = 0;
		char *text = read_file(path, &len);

		if (i > 0)
			ssh_known_next_file(known);
		if (text)
			ssh_known_text(known, text, len);
		free(text);
	}
}

/* An alias stands for host and port. */
static enum csftp_err name_of(char name[SSH_HOST_MAX],
			      const struct ssh_config *config)
{
	return ssh_known_name(name,
			      config->host_key_alias ? config->host_key_alias
						     : config->hostname,
			      config->host_key_alias ? 22 : config->port);
}

/* What files have under a name, whatever key its host will show. */
static struct ssh_known known_before(const struct ssh_config *config,
				     const char *name)
{
	struct wire_bytes none = {.ptr = NULL};
	struct ssh_known known = {.types = 0};
	struct ssh_lib *lib;

	if (ssh_lib_new(&lib) != CSFTP_OK)
		return known;
	ssh_known_start(&known, lib, name, none);
	look_into_files(&known, config);
	ssh_lib_free(lib);
	known.lib = NULL;
	return known;
}

static uint32_t known_types(const struct ssh_config *config)
{
	char name[SSH_HOST_MAX];

	return name_of(name, config) == CSFTP_OK
		       ? known_before(config, name).types
		       : 0;
}

/* A key under the plain name is as good, for a port that is not SSH's. */
static bool plain_name_of(char name[SSH_HOST_MAX],
			  const struct ssh_config *config)
{
	return !config->host_key_alias && config->port != 22 &&
	       ssh_known_name(name, config->hostname, 22) == CSFTP_OK;
}

bool ssh_hosts_has_authority(const struct ssh_config *config)
{
	char name[SSH_HOST_MAX];

	return (name_of(name, config) == CSFTP_OK &&
		known_before(config, name).authority) ||
	       (plain_name_of(name, config) &&
		known_before(config, name).authority);
}

static void put_name(char *list, const char *name, size_t len)
{
	size_t at = strlen(list);

	if (at > 0)
		list[at++] = ',';
	memcpy(list + at, name, len);
	list[at + len] = '\0';
}

/* The bit of the type of key that an algorithm signs with. */
static uint32_t type_of(const char *name, size_t len)
{
	static const struct {
		const char *name;
		enum csftp_ssh_key_type type;
	} types[] = {
		{"ssh-ed25519", CSFTP_SSH_ED25519},
		{"ecdsa-sha2-nistp256", CSFTP_SSH_P256},
		{"ecdsa-sha2-nistp384", CSFTP_SSH_P384},
		{"ecdsa-sha2-nistp521", CSFTP_SSH_P521},
		{"rsa-sha2-512", CSFTP_SSH_RSA},
		{"rsa-sha2-256", CSFTP_SSH_RSA},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strlen(types[i].name) == len &&
		    !strncmp(types[i].name, name, len))
			return 1U << types[i].type;
	return 0;
}

static void put_types(char *list, const char *names, uint32_t types, bool of)
{
	while (*names) {
		size_t len = strcspn(names, ",");

		if (((type_of(names, len) & types) != 0) == of)
			put_name(list, names, len);
		names += len + (names[len] ? 1 : 0);
	}
}

char *ssh_hosts_order(const struct ssh_config *config)
{
	uint32_t types = known_types(config);
	char all[512] = "";
	const char *names = config->hostkeys;
	const char *have;
	char *list;

	for (size_t i = 0;
	     !names && (have = csftp_ssh_algorithms(CSFTP_SSH_ALG_HOSTKEY, i));
	     i++)
		put_name(all, have, strlen(have));
	if (!names)
		names = all;
	list = calloc(1, strlen(names) + 2);
	if (!list)
		return NULL;
	put_types(list, names, types, true);
	put_types(list, names, types, false);
	return list;
}

/*
 * What ssh says
 */

static void tell_changed(const struct look *look)
{
	const struct talk *talk = look->talk;
	const struct ssh_known *known = &look->known;
	const char *changed = file_at(look->config, known->changed.file);
	const char *first = file_at(look->config, 0);

	talk_tell(talk, TALK_ERROR, "%s", at_signs);
	talk_tell(talk, TALK_ERROR,
		  "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"
		  "     @");
	talk_tell(talk, TALK_ERROR, "%s", at_signs);
	talk_tell(talk, TALK_ERROR,
		  "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING "
		  "NASTY!");
	talk_tell(talk, TALK_ERROR,
		  "Someone could be eavesdropping on you right now "
		  "(man-in-the-middle attack)!");
	talk_tell(talk, TALK_ERROR,
		  "It is also possible that a host key has just been "
		  "changed.");
	talk_tell(talk, TALK_ERROR,
		  "The fingerprint for the %s key sent by the remote host is",
		  look->type);
	talk_tell(talk, TALK_ERROR, "%s.", look->fingerprint);
	talk_tell(talk, TALK_ERROR,
		  "Please contact your system administrator.");
	talk_tell(talk, TALK_ERROR,
		  "Add correct host key in %s to get rid of this message.",
		  first ? first : "(no file)");
	talk_tell(talk, TALK_ERROR, "Offending %s key in %s:%u",
		  ssh_type_shown(known->changed_type), changed,
		  known->changed.line);
	talk_tell(talk, TALK_ERROR, "  remove with:");
	talk_tell(talk, TALK_ERROR, "  ssh-keygen -f \"%s\" -R \"%s\"", changed,
		  look->name);
}

static void tell_revoked(const struct look *look)
{
	const struct talk *talk = look->talk;

	talk_tell(talk, TALK_ERROR, "%s", at_signs);
	talk_tell(talk, TALK_ERROR,
		  "@       WARNING: REVOKED HOST KEY DETECTED!"
		  "               @");
	talk_tell(talk, TALK_ERROR, "%s", at_signs);
	talk_tell(talk, TALK_ERROR,
		  "The %s host key for %s is marked as revoked.", look->type,
		  look->name);
	talk_tell(talk, TALK_ERROR,
		  "This could mean that a stolen key is being used to");
	talk_tell(talk, TALK_ERROR, "impersonate this host.");
}

static enum ssh_hosts_verdict refuse(const struct look *look)
{
	talk_tell(look->talk, TALK_FATAL, "Host key verification failed.");
	return SSH_HOSTS_REFUSED;
}

/* A key that speaks against the server. */
static enum ssh_hosts_verdict go_on_anyway(const struct look *look,
					   const char *what)
{
	const struct talk *talk = look->talk;

	if (look->config->strict != SSH_STRICT_NO) {
		talk_tell(talk, TALK_ERROR,
			  "%s and you have requested strict checking.", what);
		return refuse(look);
	}
	if (look->config->password)
		talk_tell(talk, TALK_ERROR,
			  "Password authentication is disabled to avoid "
			  "man-in-the-middle attacks.");
	if (look->config->keyboard)
		talk_tell(talk, TALK_ERROR,
			  "Keyboard-interactive authentication is "
			  "disabled to avoid man-in-the-middle attacks.");
	return SSH_HOSTS_DISTRUSTED;
}

/*
 * A new key
 */

/* What is behind the last line may lack its end. */
static bool ends_a_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last;

	return end <= 0 || pread(fd, &last, 1, end - 1) != 1 || last == '\n';
}

static void make_parent(const char *path)
{
	char *copy = strdup(path);

	/* As ssh makes ~/.ssh; deeper ones are somebody else's. */
	if (copy)
		(void)mkdir(dirname(copy), 0700);
	free(copy);
}

static bool append_line(const char *path, const void *line, size_t len)
{
	int fd;
	bool ok;

	make_parent(path);
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	ok = ends_a_line(fd) || write(fd, "\n", 1) == 1;
	ok = ok && write(fd, line, len) == (ssize_t)len;
	return close(fd) == 0 && ok;
}

static void remember(const struct look *look)
{
	uint8_t text[LINE_BYTES_MAX];
	struct wire_wr wr = {.base = text, .cap = sizeof(text)};
	uint8_t salt[SSH_KNOWN_SALT];
	const char *path = look->config->user_known_hosts.count > 0
				   ? file_at(look->config, 0)
				   : NULL;
	bool hash = look->config->hash_known_hosts;

	if (!path)
		return;
	if ((hash && getrandom(salt, sizeof(salt), 0) != sizeof(salt)) ||
	    ssh_known_write(&wr, look->lib, look->name, look->key,
			    hash ? salt : NULL) != CSFTP_OK ||
	    !append_line(path, text, wr.len))
		talk_tell(look->talk, TALK_INFO,
			  "Failed to add the host to the list of known hosts "
			  "(%s).",
			  path);
	else
		talk_tell(look->talk, TALK_INFO,
			  "Warning: Permanently added '%s' (%s) to the list of "
			  "known hosts.",
			  look->name, look->type);
}

/* The address as files would have it. */
static void show_peer(const struct look *look, char out[SSH_HOST_MAX])
{
	if (!look->peer[0])
		(void)snprintf(out, SSH_HOST_MAX, "%s",
			       "<no hostip for proxy command>");
	else if (look->config->port == 22)
		(void)snprintf(out, SSH_HOST_MAX, "%s", look->peer);
	else
		(void)snprintf(out, SSH_HOST_MAX, "[%s]:%u", look->peer,
			       look->config->port);
}

static bool confirmed(const struct look *look)
{
	char prompt[2048], peer[SSH_HOST_MAX], other[512] = "";
	const struct ssh_known_place *named = &look->known.named;

	show_peer(look, peer);
	if (named->line > 0)
		(void)snprintf(other, sizeof(other),
			       "This host key is known by another name, in "
			       "%.400s:%u",
			       file_at(look->config, named->file), named->line);
	(void)snprintf(prompt, sizeof(prompt),
		       "The authenticity of host '%.200s (%.200s)' can't be "
		       "established.\n%s key fingerprint is %s.\n%s\n"
		       "Are you sure you want to continue connecting "
		       "(yes/no/[fingerprint])? ",
		       look->name, peer, look->type, look->fingerprint,
		       other[0] ? other
				: "This key is not known by any other names.");
	for (;;) {
		char *answer = talk_ask(look->talk, prompt, TALK_SHOWN);
		bool yes = answer && (!strcasecmp(answer, "yes") ||
				      !strcmp(answer, look->fingerprint));
		bool no = !answer || !*answer || !strcasecmp(answer, "no");

		talk_forget(answer);
		if (yes || no)
			return yes;
		(void)snprintf(prompt, sizeof(prompt), "%s",
			       "Please type 'yes', 'no' or the fingerprint: ");
	}
}

static bool known_without_port(const struct look *look)
{
	struct ssh_known known;
	char name[SSH_HOST_MAX];

	if (!plain_name_of(name, look->config))
		return false;
	ssh_known_start(&known, look->lib, name, look->key);
	look_into_files(&known, look->config);
	return ssh_known_verdict(&known) == SSH_KNOWN_SAME;
}

static enum ssh_hosts_verdict meet(const struct look *look)
{
	if (known_without_port(look))
		return SSH_HOSTS_FINE;
	if (look->config->strict == SSH_STRICT_YES) {
		talk_tell(look->talk, TALK_ERROR,
			  "No %s host key is known for %s and you have "
			  "requested strict checking.",
			  look->type, look->name);
		return refuse(look);
	}
	if (look->config->strict == SSH_STRICT_ASK &&
	    (look->config->batch_mode || !confirmed(look)))
		return refuse(look);
	remember(look);
	return SSH_HOSTS_FINE;
}

static enum ssh_hosts_verdict judge(const struct look *look)
{
	char what[SSH_HOST_MAX + 64];

	switch (ssh_known_verdict(&look->known)) {
	case SSH_KNOWN_SAME:
		talk_detail(look->talk, "%s is known by its %s key %s",
			    look->name, look->type, look->fingerprint);
		return SSH_HOSTS_FINE;
	case SSH_KNOWN_UNKNOWN:
		return meet(look);
	case SSH_KNOWN_REVOKED:
		tell_revoked(look);
		(void)snprintf(what, sizeof(what),
			       "%s host key for %s was revoked", look->type,
			       look->name);
		return go_on_anyway(look, what);
	case SSH_KNOWN_CHANGED:
		break;
	}
	tell_changed(look);
	(void)snprintf(what, sizeof(what), "Host key for %s has changed",
		       look->name);
	return go_on_anyway(look, what);
}

static bool is_loopback(const char *peer)
{
	struct in6_addr six;

	return !strncmp(peer, "127.", 4) ||
	       (inet_pton(AF_INET6, peer, &six) == 1 &&
		IN6_IS_ADDR_LOOPBACK(&six));
}

enum ssh_hosts_verdict ssh_hosts_check(const struct ssh_config *config,
				       const struct talk *talk,
				       const char *peer,
				       struct csftp_ssh_bytes key)
{
	struct look look = {.config = config,
			    .talk = talk,
			    .peer = peer,
			    .key = {key.ptr, key.len}};
	enum ssh_hosts_verdict verdict = SSH_HOSTS_REFUSED;
	enum csftp_ssh_key_type type;

	if (config->trust_localhost && is_loopback(peer))
		return SSH_HOSTS_FINE;
	if (!ssh_key_blob_type(look.key, &type) ||
	    name_of(look.name, config) != CSFTP_OK ||
	    ssh_lib_new(&look.lib) != CSFTP_OK)
		return refuse(&look);
	look.type = ssh_type_shown(type);
	if (ssh_fingerprint(look.fingerprint, look.lib, look.key) == CSFTP_OK) {
		ssh_known_start(&look.known, look.lib, look.name, look.key);
		look_into_files(&look.known, config);
		verdict = judge(&look);
	}
	ssh_lib_free(look.lib);
	return verdict;
}
