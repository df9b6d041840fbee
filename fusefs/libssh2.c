#include "fusefs/libssh2.h"

#include <errno.h>
#include <libssh2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/ssh/key.h"
#include "core/wire.h"
#include "fusefs/ssh_dial.h"
#include "fusefs/ssh_hosts.h"
#include "fusefs/ssh_methods.h"

#define GRACE_MS    1000U
#define PATIENCE_MS 120000
#define WINDOW	    (32U << 20)
#define PACKET	    32768U

/* libssh2 wants unsent bytes to stay where they were at the first try. */
#define OUT_BYTES (256U * 1024U)

enum { SLICES = 32 };

struct session {
	LIBSSH2_SESSION *ssh;
	LIBSSH2_CHANNEL *channel;
	struct csftp_stream below;
	unsigned alive_interval;
	struct native *kept;
	struct ssh_config *config;
	const struct talk *talk;
	bool distrusted; /* no passwords for this host */

	/* During one step of authentication. */
	struct ssh_identity *identity;
	unsigned questions; /* asked in one dialogue */
	bool gave_up;	    /* nobody answered */

	uint8_t *out; /* OUT_BYTES */
	size_t out_head;
	size_t out_tail;
};

void libssh2_check(struct ssh_config *config)
{
	if (config->rekey_bytes > 0 || config->rekey_seconds > 0)
		ssh_config_lacks(config, "rekeylimit");
	if (config->set_env.count > 0)
		ssh_config_lacks(config, "setenv");
}

/* What libssh2 says of the last call. */
static void say_why(const struct session *s, const char *what)
{
	char *text = NULL, shown[256];
	int len = 0;

	(void)libssh2_session_last_error(s->ssh, &text, &len, 0);
	talk_clean(shown, sizeof(shown), text ? text : "",
		   text && len > 0 ? (size_t)len : 0);
	talk_say(s->talk, "%s: %s: %s", s->config->hostname, what, shown);
}

static enum csftp_err err_of(const struct session *s, const char *what)
{
	int code = libssh2_session_last_errno(s->ssh);

	if (code == LIBSSH2_ERROR_TIMEOUT) {
		errno = ETIMEDOUT;
		return CSFTP_ERR_IO;
	}
	if (code == LIBSSH2_ERROR_SOCKET_DISCONNECT ||
	    code == LIBSSH2_ERROR_SOCKET_RECV ||
	    code == LIBSSH2_ERROR_SOCKET_SEND)
		return CSFTP_ERR_EOF;
	say_why(s, what);
	return CSFTP_ERR_STATE;
}

/*
 * The server
 */

static bool prefer(const struct session *s, int method, const char *names,
		   const char *keyword)
{
	if (!names || libssh2_session_method_pref(s->ssh, method, names) == 0)
		return true;
	talk_say(s->talk, "libssh2 has none of the %s: %s", keyword, names);
	return false;
}

static bool set_algorithms(struct session *s)
{
	const struct ssh_config *config = s->config;
	char *hostkeys = ssh_hosts_order(config);
	bool ok = hostkeys &&
		  prefer(s, LIBSSH2_METHOD_KEX, config->kex, "kexalgorithms") &&
		  prefer(s, LIBSSH2_METHOD_HOSTKEY, hostkeys,
			 "hostkeyalgorithms") &&
		  prefer(s, LIBSSH2_METHOD_CRYPT_CS, config->ciphers,
			 "ciphers") &&
		  prefer(s, LIBSSH2_METHOD_CRYPT_SC, config->ciphers,
			 "ciphers") &&
		  prefer(s, LIBSSH2_METHOD_MAC_CS, config->macs, "macs") &&
		  prefer(s, LIBSSH2_METHOD_MAC_SC, config->macs, "macs");

	free(hostkeys);
	return ok;
}

static enum csftp_err meet_server(struct session *s, const char *peer)
{
	enum ssh_hosts_verdict verdict;
	struct csftp_ssh_bytes key;
	const char *blob;
	size_t len = 0;
	int type;

	if (!set_algorithms(s))
		return CSFTP_ERR_DENIED;
	libssh2_session_set_timeout(s->ssh,
				    s->config->connect_timeout > 0
					    ? 1000L * s->config->connect_timeout
					    : PATIENCE_MS);
	if (libssh2_session_handshake(s->ssh, s->below.rfd) != 0)
		return err_of(s, "key exchange");
	libssh2_session_set_timeout(s->ssh, PATIENCE_MS);
	talk_detail(s->talk, "libssh2 %s, %s", libssh2_version(0),
		    libssh2_session_methods(s->ssh, LIBSSH2_METHOD_CRYPT_CS));
	blob = libssh2_session_hostkey(s->ssh, &len, &type);
	if (!blob)
		return CSFTP_ERR_DENIED;
	key = (struct csftp_ssh_bytes){(const uint8_t *)blob, len};
	verdict = ssh_hosts_check(s->config, s->talk, peer, key);
	s->distrusted = verdict == SSH_HOSTS_DISTRUSTED;
	return verdict == SSH_HOSTS_REFUSED ? CSFTP_ERR_DENIED : CSFTP_OK;
}

/*
 * Who we are.  Each way in returns 0, or one of libssh2's errors.
 */

static const char *algorithm_of(struct wire_bytes blob)
{
	enum csftp_ssh_key_type type;

	if (!ssh_key_blob_type(blob, &type))
		return NULL;
	switch (type) {
	case CSFTP_SSH_ED25519:
		return "ssh-ed25519";
	case CSFTP_SSH_P256:
		return "ecdsa-sha2-nistp256";
	case CSFTP_SSH_P384:
		return "ecdsa-sha2-nistp384";
	case CSFTP_SSH_P521:
		return "ecdsa-sha2-nistp521";
	case CSFTP_SSH_RSA:
		break;
	}
	/* libssh2 would have it signed with SHA-1. */
	return NULL;
}

/*
 * libssh2 puts the algorithm's name before what it gets here, so that it is
 * taken off ours.
 */
static int on_sign(LIBSSH2_SESSION *ssh, unsigned char **signature,
		   size_t *signature_len, const unsigned char *data,
		   size_t data_len, void **abstract)
{
	struct session *s = *abstract;
	uint8_t whole[CSFTP_SSH_SIGN_MAX];
	struct csftp_ssh_signer signer;
	struct wire_bytes raw;
	struct wire_rd rd;
	size_t len = 0;

	(void)ssh;
	if (!ssh_keyring_signer(&s->kept->keys, s->identity, s->config, s->talk,
				&signer) ||
	    signer.sign(signer.arg, algorithm_of(s->identity->blob), data,
			data_len, whole, &len) != CSFTP_OK)
		return -1;
	rd = (struct wire_rd){.next = whole, .left = len};
	(void)wire_rd_string(&rd, 64);
	raw = wire_rd_string(&rd, rd.left);
	if (wire_rd_end(&rd) != CSFTP_OK)
		return -1;
	*signature = malloc(raw.len);
	if (!*signature)
		return -1;
	memcpy(*signature, raw.ptr, raw.len);
	*signature_len = raw.len;
	return 0;
}

/* An error that is of the login, and not of the connection. */
static bool is_refusal(int code)
{
	return code == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
	       code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
}

static int by_keys(struct session *s)
{
	struct ssh_keyring *keys = &s->kept->keys;
	int code = LIBSSH2_ERROR_AUTHENTICATION_FAILED;

	if (!ssh_keyring_begin(keys, s->config, s->talk))
		return LIBSSH2_ERROR_ALLOC;
	for (size_t i = 0; i < keys->count && is_refusal(code); i++) {
		struct ssh_identity *identity = &keys->item[i];
		void *abstract = s;

		if ((!identity->in_agent && !identity->has_private) ||
		    !identity->blob.ptr || !algorithm_of(identity->blob))
			continue;
		talk_detail(s->talk, "offering the key %s%s", identity->name,
			    identity->in_agent ? " (agent)" : "");
		s->identity = identity;
		code = libssh2_userauth_publickey(
			s->ssh, s->config->user, identity->blob.ptr,
			identity->blob.len, on_sign, &abstract);
	}
	ssh_keyring_end(keys);
	return code;
}

static bool can_ask(const struct session *s)
{
	return s->talk->ask && !s->config->batch_mode && !s->distrusted;
}

static int try_password(struct session *s, const char *password)
{
	return libssh2_userauth_password_ex(
		s->ssh, s->config->user, (unsigned)strlen(s->config->user),
		password, (unsigned)strlen(password), NULL);
}

static int by_password(struct session *s)
{
	int code = LIBSSH2_ERROR_AUTHENTICATION_FAILED;
	char prompt[512];

	if (s->kept->password && !s->distrusted) {
		code = try_password(s, s->kept->password);
		if (code == 0 || !is_refusal(code))
			return code;
		talk_forget(s->kept->password);
		s->kept->password = NULL;
	}
	(void)snprintf(prompt, sizeof(prompt),
		       "%.200s@%.200s's password: ", s->config->user,
		       s->config->host);
	for (unsigned i = 0;
	     can_ask(s) && i < s->config->prompts && is_refusal(code); i++) {
		char *answer;

		if (i > 0)
			talk_tell(s->talk, TALK_ERROR,
				  "Permission denied, please try again.");
		answer = talk_ask(s->talk, prompt, TALK_HIDDEN);
		if (!answer)
			break;
		code = try_password(s, answer);
		if (code == 0)
			s->kept->password = answer;
		else
			talk_forget(answer);
	}
	return code;
}

/* libssh2 frees the answers, as it does what it has made by itself. */
static void on_questions(const char *name, int name_len,
			 const char *instruction, int instruction_len,
			 int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT *asked,
			 LIBSSH2_USERAUTH_KBDINT_RESPONSE *answers,
			 void **abstract)
{
	struct session *s = *abstract;

	(void)name;
	(void)name_len;
	(void)instruction;
	(void)instruction_len;
	for (int i = 0; i < count; i++) {
		char shown[512], prompt[1024];
		char *text;

		answers[i].text = NULL;
		answers[i].length = 0;
		talk_clean(shown, sizeof(shown), asked[i].text,
			   asked[i].length);
		(void)snprintf(prompt, sizeof(prompt), "(%.200s@%.200s) %s",
			       s->config->user, s->config->host, shown);
		text = s->gave_up ? NULL
				  : talk_ask(s->talk, prompt,
					     asked[i].echo ? TALK_SHOWN
							   : TALK_HIDDEN);
		s->questions++;
		s->gave_up = s->gave_up || !text;
		if (!text)
			continue;
		answers[i].text = text;
		answers[i].length = (unsigned)strlen(text);
	}
}

static int by_keyboard(struct session *s)
{
	int code = LIBSSH2_ERROR_AUTHENTICATION_FAILED;

	s->gave_up = false;
	s->questions = 1;
	for (unsigned i = 0;
	     can_ask(s) && i < s->config->prompts && is_refusal(code) &&
	     !s->gave_up && s->questions > 0;
	     i++) {
		s->questions = 0;
		code = libssh2_userauth_keyboard_interactive(
			s->ssh, s->config->user, on_questions);
	}
	return code;
}

typedef int method_run(struct session *s);

static method_run *const methods[] = {
	[SSH_METHOD_PUBLICKEY] = by_keys,
	[SSH_METHOD_KEYBOARD] = by_keyboard,
	[SSH_METHOD_PASSWORD] = by_password,
};

/* The methods that can go on now, by asking with none. */
static bool ask_methods(struct session *s, char *out, size_t size)
{
	const char *list = libssh2_userauth_list(
		s->ssh, s->config->user, (unsigned)strlen(s->config->user));

	out[0] = '\0';
	if (list)
		talk_clean(out, size, list, strlen(list));
	return list != NULL;
}

/*
 * What was tried may have been right and not enough, which libssh2 does not
 * tell: then the server offers something else by now.
 */
static bool next_method(struct session *s, char *offered, size_t size,
			unsigned *left, enum ssh_method *method)
{
	bool found = ssh_method_next(s->config, offered, left, method);
	char *before;

	if (found)
		return true;
	before = strdup(offered);
	if (before && ask_methods(s, offered, size) && *offered &&
	    strcmp(before, offered) != 0)
		found = ssh_method_next(s->config, offered, left, method);
	free(before);
	return found;
}

static enum csftp_err log_in(struct session *s)
{
	enum ssh_method method;
	char offered[512];
	unsigned left = SSH_METHODS_ALL;
	int code = LIBSSH2_ERROR_AUTHENTICATION_FAILED;

	if (!ask_methods(s, offered, sizeof(offered)))
		return libssh2_userauth_authenticated(s->ssh)
			       ? CSFTP_OK
			       : err_of(s, "authentication");
	while (is_refusal(code) &&
	       next_method(s, offered, sizeof(offered), &left, &method)) {
		talk_detail(s->talk, "authentication by %s",
			    ssh_method_name(method));
		code = methods[method](s);
	}
	if (code == 0 || libssh2_userauth_authenticated(s->ssh))
		return CSFTP_OK;
	if (!is_refusal(code))
		return err_of(s, "authentication");
	talk_tell(s->talk, TALK_FATAL, "%s@%s: Permission denied (%s).",
		  s->config->user, s->config->host, offered);
	return CSFTP_ERR_DENIED;
}

static enum csftp_err start_sftp(struct session *s,
				 const struct options *options)
{
	const char *server =
		options->sftp_server ? options->sftp_server : "sftp";
	const char *request = strchr(server, '/') ? "exec" : "subsystem";

	s->channel = libssh2_channel_open_ex(s->ssh, "session",
					     sizeof("session") - 1, WINDOW,
					     PACKET, NULL, 0);
	if (!s->channel)
		return err_of(s, "opening a channel");
	if (libssh2_channel_process_startup(s->channel, request,
					    (unsigned)strlen(request), server,
					    (unsigned)strlen(server)) == 0)
		return CSFTP_OK;
	if (libssh2_session_last_errno(s->ssh) ==
	    LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) {
		talk_tell(s->talk, TALK_FATAL,
			  "subsystem request failed on channel 0");
		return CSFTP_ERR_DENIED;
	}
	return err_of(s, "starting SFTP");
}

/*
 * The stream
 */

static enum csftp_err fail_with(const struct session *s, ssize_t code)
{
	if (code == LIBSSH2_ERROR_SOCKET_RECV ||
	    code == LIBSSH2_ERROR_SOCKET_SEND) {
		errno = ECONNRESET;
		return CSFTP_ERR_IO;
	}
	if (code != LIBSSH2_ERROR_SOCKET_DISCONNECT)
		say_why(s, "the connection");
	return CSFTP_ERR_EOF;
}

/* What the server's program says on its standard error. */
static void drain_stderr(const struct session *s)
{
	char text[512], shown[512];
	ssize_t n = libssh2_channel_read_stderr(s->channel, text, sizeof(text));

	if (n <= 0)
		return;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	talk_clean(shown, sizeof(shown), text, (size_t)n);
	talk_say(s->talk, "the server: %s", shown);
}

static enum csftp_err take(struct session *s, struct csftp_link *link,
			   size_t budget)
{
	enum csftp_err err = CSFTP_OK;
	size_t total = 0;

	while (err == CSFTP_OK && total < budget) {
		size_t room;
		uint8_t *in = csftp_link_in(link, &room);
		ssize_t n;

		if (room == 0)
			return csftp_link_error(link);
		n = libssh2_channel_read(s->channel, (char *)in, room);
		if (n == LIBSSH2_ERROR_EAGAIN)
			break;
		if (n < 0)
			return fail_with(s, n);
		if (n == 0 && libssh2_channel_eof(s->channel))
			return CSFTP_ERR_EOF;
		if (n == 0)
			break;
		total += (size_t)n;
		err = csftp_link_in_ack(link, (size_t)n);
	}
	return err;
}

static enum csftp_err session_read(struct csftp_stream *stream,
				   struct csftp_link *link, size_t budget)
{
	struct session *s = stream->own;
	enum csftp_err err = take(s, link, budget);

	drain_stderr(s);
	return err;
}

/* The link's output moves to where it stays until it is sent. */
static void stage(struct session *s, struct csftp_link *link)
{
	struct csftp_slice slice[SLICES];
	size_t n = csftp_link_out(link, slice, SLICES);
	size_t len = 0;

	for (size_t i = 0; i < n && len < OUT_BYTES; i++) {
		size_t part = slice[i].len < OUT_BYTES - len ? slice[i].len
							     : OUT_BYTES - len;

		memcpy(s->out + len, slice[i].ptr, part);
		len += part;
	}
	s->out_head = 0;
	s->out_tail = len;
	(void)!csftp_link_out_ack(link, len);
}

/* What came while we wrote is announced by nobody. */
static enum csftp_err take_queued(struct session *s, struct csftp_link *link)
{
	unsigned long queued = 0;

	(void)libssh2_channel_window_read_ex(s->channel, &queued, NULL);
	return queued > 0 ? take(s, link, SIZE_MAX) : CSFTP_OK;
}

static enum csftp_err session_write(struct csftp_stream *stream,
				    struct csftp_link *link)
{
	struct session *s = stream->own;

	for (;;) {
		ssize_t n;

		if (s->out_head == s->out_tail) {
			if (!(csftp_link_wants(link) & CSFTP_WANT_OUT))
				break;
			stage(s, link);
		}
		n = libssh2_channel_write(s->channel,
					  (char *)s->out + s->out_head,
					  s->out_tail - s->out_head);
		if (n == LIBSSH2_ERROR_EAGAIN)
			break;
		if (n < 0)
			return fail_with(s, n);
		s->out_head += (size_t)n;
	}
	return take_queued(s, link);
}

static unsigned session_wants(const struct csftp_stream *stream,
			      const struct csftp_link *link)
{
	const struct session *s = stream->own;
	unsigned wants = csftp_link_wants(link) & CSFTP_WANT_IN;
	unsigned long queued = 0;

	(void)libssh2_channel_window_read_ex(s->channel, &queued, NULL);
	if (wants && queued > 0)
		wants |= CSFTP_WANT_WORK;
	if (s->out_head == s->out_tail)
		return wants;
	/* A full window is opened by what comes in. */
	wants |= CSFTP_WANT_IN;
	if (libssh2_session_block_directions(s->ssh) &
	    LIBSSH2_SESSION_BLOCK_OUTBOUND)
		wants |= CSFTP_WANT_OUT;
	return wants;
}

static enum csftp_err session_tick(struct csftp_stream *stream,
				   struct csftp_link *link, uint64_t now_ms,
				   uint64_t *next_ms)
{
	struct session *s = stream->own;
	int next = 0;

	(void)link;
	*next_ms = 0;
	/* Half of what is written must not be followed by something else. */
	if (s->alive_interval == 0 || s->out_head < s->out_tail)
		return CSFTP_OK;
	(void)libssh2_keepalive_send(s->ssh, &next);
	*next_ms = now_ms + 1000ULL * (next > 0 ? (unsigned)next : 1);
	return CSFTP_OK;
}

static void release(struct session *s, unsigned grace_ms)
{
	if (s->ssh) {
		libssh2_session_set_blocking(s->ssh, 0);
		(void)libssh2_session_disconnect(s->ssh, "bye");
		/* What cannot be said now is not waited for. */
		(void)shutdown(s->below.rfd, SHUT_RDWR);
		if (s->channel)
			(void)libssh2_channel_free(s->channel);
		(void)libssh2_session_free(s->ssh);
	}
	(void)csftp_stream_close(&s->below, grace_ms);
	if (s->out)
		explicit_bzero(s->out, OUT_BYTES);
	free(s->out);
	free(s);
}

static int session_close(struct csftp_stream *stream, unsigned grace_ms)
{
	release(stream->own, grace_ms);
	return 0;
}

static void make_stream(struct session *s, struct csftp_stream *stream)
{
	static const struct csftp_stream_ops ops = {
		.read = session_read,
		.write = session_write,
		.wants = session_wants,
		.tick = session_tick,
		.close = session_close,
	};

	libssh2_session_set_blocking(s->ssh, 0);
	*stream = (struct csftp_stream){
		.rfd = s->below.rfd,
		.wfd = s->below.wfd,
		.ops = &ops,
		.own = s,
	};
}

/* The kernel notices that nobody is there: libssh2 counts no answers. */
static void set_keepalive(struct session *s)
{
	unsigned ms =
		1000 * s->config->alive_interval * (s->config->alive_max + 1);

	s->alive_interval = s->config->alive_interval;
	if (s->alive_interval == 0)
		return;
	libssh2_keepalive_config(s->ssh, 1, s->alive_interval);
	(void)setsockopt(s->below.wfd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
			 sizeof(ms));
}

static struct session *make_session(struct native *kept,
				    struct ssh_config *config,
				    const struct talk *talk)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s || libssh2_init(0) != 0) {
		free(s);
		return NULL;
	}
	s->kept = kept;
	s->config = config;
	s->talk = talk;
	s->below = (struct csftp_stream){.rfd = -1, .wfd = -1};
	s->out = malloc(OUT_BYTES);
	s->ssh = libssh2_session_init_ex(NULL, NULL, NULL, s);
	if (s->out && s->ssh)
		return s;
	release(s, 0);
	return NULL;
}

enum csftp_err libssh2_open(struct native *kept, struct ssh_config *config,
			    const struct options *options,
			    const struct talk *talk,
			    struct csftp_stream *stream)
{
	struct session *s = make_session(kept, config, talk);
	char peer[SSH_DIAL_NAME_MAX];
	enum csftp_err err = CSFTP_ERR_NOMEM;
	int why;

	if (!s)
		return CSFTP_ERR_NOMEM;
	err = ssh_dial(&s->below, config, options, talk, peer);
	kept->unreached = err != CSFTP_OK;
	if (err == CSFTP_OK)
		err = meet_server(s, peer);
	if (err == CSFTP_OK)
		err = log_in(s);
	if (err == CSFTP_OK)
		err = start_sftp(s, options);
	if (err == CSFTP_OK) {
		set_keepalive(s);
		make_stream(s, stream);
		return CSFTP_OK;
	}
	why = errno;
	release(s, GRACE_MS);
	errno = why;
	return err;
}
