/* The server's part of authentication (RFC 4252). */
#include <string.h>

#include "core/ssh/engine.h"
#include "core/ssh/names.h"
#include "core/ssh/sk.h"

/* Session id and request of a signature; both have their bounds. */
enum { SIGNED_MAX = 4 + SSH_HASH_MAX + 1024 + SSH_KEY_BLOB_MAX };

static const struct {
	const char *name;
	uint32_t method;
} methods[] = {
	{"publickey", CSFTP_SSH_AUTH_PUBLICKEY},
	{"password", CSFTP_SSH_AUTH_PASSWORD},
};

/* What a request says; it points into the message. */
struct request {
	struct wire_bytes user;
	struct wire_bytes service;
	struct wire_bytes method;
	bool is_signed;
	struct wire_bytes algorithm;
	struct wire_bytes key;
	struct wire_bytes signature;
	size_t signed_len; /* of the message, from its first byte */
};

static void read_request(struct wire_rd *rd, struct request *request)
{
	request->user = wire_rd_string(rd, CSFTP_SSH_USER_MAX);
	request->service = wire_rd_string(rd, 64);
	request->method = wire_rd_string(rd, 64);
}

static void read_key(const struct csftp_ssh *ssh, struct wire_rd *rd,
		     struct request *request)
{
	request->is_signed = ssh_rd_bool(rd);
	request->algorithm = wire_rd_string(rd, 64);
	request->key = wire_rd_string(rd, SSH_KEY_BLOB_MAX);
	if (!request->is_signed)
		return;
	request->signed_len = ssh->payload.len - rd->left;
	request->signature = wire_rd_string(rd, CSFTP_SSH_SIGN_MAX);
}

/* RFC 4252, 5.1: what has been shown already is not asked for again. */
static uint32_t can_go_on(const struct csftp_ssh *ssh)
{
	return ssh->env->config.auth_methods & ~ssh->auth.shown;
}

/* The names do not depend on the user: see RFC 4252, 4. */
static void send_failure(struct csftp_ssh *ssh, bool partial)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_USERAUTH_FAILURE);
	size_t mark = wire_wr_open(&wr), start = wr.len;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!(can_go_on(ssh) & methods[i].method))
			continue;
		if (wr.len > start)
			wire_wr_u8(&wr, ',');
		wire_wr_raw(&wr, methods[i].name, strlen(methods[i].name));
	}
	wire_wr_close(&wr, mark);
	ssh_wr_bool(&wr, partial);
	ssh_reply(ssh, &wr);
}

static void refuse(struct csftp_ssh *ssh)
{
	if (++ssh->auth.failures >= ssh->env->config.auth_tries)
		(void)ssh_fail(ssh, CSFTP_ERR_DENIED,
			       CSFTP_SSH_NO_MORE_AUTH_METHODS,
			       "too many authentication failures");
	else
		send_failure(ssh, false);
}

/* RFC 4252, 5: what one user has shown does not help another. */
static bool same_user(struct csftp_ssh *ssh, const struct request *request)
{
	struct wire_bytes part[3] = {request->user, ssh_text("\n"),
				     request->service};
	uint8_t hash[32];
	enum csftp_err err = ssh_hash(ssh->env->lib, SSH_SHA256, part, 3, hash);

	if (err != CSFTP_OK)
		return ssh_fail(ssh, err, CSFTP_SSH_BY_APPLICATION, "no hash");
	if (!ssh->auth.user_known)
		memcpy(ssh->auth.user, hash, sizeof(hash));
	ssh->auth.user_known = true;
	if (ssh_same(hash, ssh->auth.user, sizeof(hash)))
		return true;
	return ssh_fail(ssh, CSFTP_ERR_DENIED, CSFTP_SSH_PROTOCOL_ERROR,
			"another user or service");
}

static struct csftp_ssh_event *ask(struct csftp_ssh *ssh, uint32_t method,
				   const struct request *request)
{
	struct csftp_ssh_event *event = ssh_event(ssh, CSFTP_SSH_AUTH);

	event->method = method;
	event->user = ssh_shown(request->user);
	ssh->auth.method = method;
	ssh->auth.query = false;
	ssh_ask(ssh, SSH_USERAUTH_REQUEST);
	return event;
}

/* RFC 4252, 5.2. */
static void on_none(struct csftp_ssh *ssh, struct wire_rd *rd,
		    struct request *request)
{
	if (!ssh_whole(ssh, rd))
		return;
	/* Everybody begins with it, to learn the methods: no failure. */
	if (can_go_on(ssh) & CSFTP_SSH_AUTH_NONE)
		(void)ask(ssh, CSFTP_SSH_AUTH_NONE, request);
	else
		send_failure(ssh, false);
}

/* RFC 4252, 8.  A change of password is not offered. */
static void on_password(struct csftp_ssh *ssh, struct wire_rd *rd,
			struct request *request)
{
	bool change = ssh_rd_bool(rd);
	struct wire_bytes password = wire_rd_string(rd, rd->left);

	if (change)
		(void)wire_rd_string(rd, rd->left);
	if (!ssh_whole(ssh, rd))
		return;
	if (change)
		refuse(ssh);
	else
		ask(ssh, CSFTP_SSH_AUTH_PASSWORD, request)->password =
			ssh_shown(password);
}

/* NULL: none that users sign with here, or none of that key. */
static const struct ssh_alg *user_alg(const struct request *request)
{
	const struct ssh_alg *alg =
		ssh_alg_find(CSFTP_SSH_ALG_HOSTKEY, request->algorithm);
	enum csftp_ssh_key_type type;

	if (ssh_is(request->algorithm, ssh_sk_alg.name))
		return ssh_sk_is_key(request->key) ? &ssh_sk_alg : NULL;
	return alg && ssh_key_blob_type(request->key, &type) && type == alg->key
		       ? alg
		       : NULL;
}

/*
 * RFC 4252, 7: over the session id and the request up to the signature.  Of a
 * key that is not in hardware there is nothing to ask for that flags could say.
 */
static bool signature_is_good(struct csftp_ssh *ssh, const struct ssh_alg *alg,
			      const struct request *request, unsigned *flags)
{
	uint8_t data[SIGNED_MAX];
	struct wire_wr wr = {.base = data, .cap = sizeof(data)};
	struct wire_bytes all;

	*flags = SSH_SK_TOUCHED | SSH_SK_VERIFIED;
	if (!request->is_signed)
		return true;
	wire_wr_string(&wr, ssh->session, ssh->session_len);
	wire_wr_raw(&wr, ssh->payload.ptr, request->signed_len);
	if (wire_wr_end(&wr) != CSFTP_OK)
		return false;
	all = (struct wire_bytes){data, wr.len};
	if (alg == &ssh_sk_alg)
		return ssh_sk_verify(ssh->env->lib, request->key, all,
				     request->signature, flags) == CSFTP_OK;
	return ssh_key_verify(request->key, alg, all, request->signature) ==
	       CSFTP_OK;
}

/*
 * A signature is verified before anybody looks for the key, so that the time
 * it takes tells nothing of who is known here.
 */
static void on_publickey(struct csftp_ssh *ssh, struct wire_rd *rd,
			 struct request *request)
{
	struct csftp_ssh_event *event;
	const struct ssh_alg *alg;
	unsigned flags;

	read_key(ssh, rd, request);
	if (!ssh_whole(ssh, rd))
		return;
	alg = user_alg(request);
	if (!alg || !signature_is_good(ssh, alg, request, &flags)) {
		refuse(ssh);
		return;
	}
	event = ask(ssh, CSFTP_SSH_AUTH_PUBLICKEY, request);
	event->key = ssh_shown(request->key);
	event->algorithm = alg->name;
	event->query = !request->is_signed;
	event->touched = flags & SSH_SK_TOUCHED;
	event->verified = flags & SSH_SK_VERIFIED;
	ssh->auth.query = event->query;
}

static const struct {
	const char *name;
	uint32_t method;
	void (*handle)(struct csftp_ssh *, struct wire_rd *, struct request *);
} handlers[] = {
	{"none", 0, on_none},
	{"password", CSFTP_SSH_AUTH_PASSWORD, on_password},
	{"publickey", CSFTP_SSH_AUTH_PUBLICKEY, on_publickey},
};

static void handle_method(struct csftp_ssh *ssh, struct wire_rd *rd,
			  struct request *request)
{
	uint32_t offered = can_go_on(ssh);

	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (!ssh_is(request->method, handlers[i].name))
			continue;
		if ((handlers[i].method & offered) != handlers[i].method)
			break;
		handlers[i].handle(ssh, rd, request);
		return;
	}
	refuse(ssh);
}

void ssh_on_auth_request(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct request request = {.is_signed = false};

	/* RFC 4252, 5.3: after success, "SHOULD be silently ignored". */
	if (ssh->phase == SSH_RUN)
		return;
	read_request(rd, &request);
	if (rd->err != CSFTP_OK) {
		(void)!ssh_whole(ssh, rd);
		return;
	}
	/* Questions that are no failures have a bound as well. */
	if (++ssh->auth.requests > 8 * ssh->env->config.auth_tries + 16) {
		(void)ssh_fail(ssh, CSFTP_ERR_DENIED,
			       CSFTP_SSH_NO_MORE_AUTH_METHODS,
			       "too many authentication requests");
		return;
	}
	if (!same_user(ssh, &request))
		return;
	if (ssh_is(request.service, "ssh-connection"))
		handle_method(ssh, rd, &request);
	else
		refuse(ssh);
}

/* The message is still there: it says which key was asked about. */
static void send_key_ok(struct csftp_ssh *ssh)
{
	struct wire_rd rd = {.next = ssh->payload.ptr + 1,
			     .left = ssh->payload.len - 1};
	struct request request = {.is_signed = false};
	struct wire_wr wr = ssh_begin(ssh, SSH_USERAUTH_60);

	read_request(&rd, &request);
	read_key(ssh, &rd, &request);
	ssh_wr_bytes(&wr, request.algorithm);
	ssh_wr_bytes(&wr, request.key);
	ssh_reply(ssh, &wr);
}

static void send_success(struct csftp_ssh *ssh)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_USERAUTH_SUCCESS);

	ssh_reply(ssh, &wr);
	ssh_set_phase(ssh, SSH_RUN);
}

static void accept_part(struct csftp_ssh *ssh)
{
	ssh->auth.shown |= ssh->auth.method;
	send_failure(ssh, true);
}

void ssh_auth_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer)
{
	if (answer == CSFTP_SSH_YES && ssh->auth.query)
		send_key_ok(ssh);
	else if (answer == CSFTP_SSH_YES)
		send_success(ssh);
	else if (answer == CSFTP_SSH_PARTLY && !ssh->auth.query)
		accept_part(ssh);
	else if (ssh->auth.method == CSFTP_SSH_AUTH_NONE)
		send_failure(ssh, false);
	else
		refuse(ssh);
}

enum csftp_err csftp_ssh_banner(struct csftp_ssh *ssh, const char *text)
{
	struct wire_wr wr;

	if (!text)
		return CSFTP_ERR_ARG;
	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (!ssh_is_server(ssh) || ssh->phase != SSH_AUTH)
		return CSFTP_ERR_STATE;
	wr = ssh_begin(ssh, SSH_USERAUTH_BANNER);
	ssh_wr_text(&wr, text);
	ssh_wr_text(&wr, "");
	return ssh_end(ssh, &wr);
}
