/* The client's part of authentication (RFC 4252, RFC 4256). */
#include <string.h>

#include "core/ssh/engine.h"
#include "core/ssh/names.h"
#include "core/ssh/sk.h"

enum { PROMPTS_MAX = 32, SIGNED_MAX = SSH_MESSAGE_MAX };

/* Whether a request can begin now. */
static enum csftp_err may_ask(const struct csftp_ssh *ssh, const char *user)
{
	if (!user || strlen(user) > CSFTP_SSH_USER_MAX)
		return CSFTP_ERR_ARG;
	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (ssh_is_server(ssh) || ssh->phase != SSH_AUTH ||
	    ssh->auth.method != 0)
		return CSFTP_ERR_STATE;
	return CSFTP_OK;
}

static void put_request(struct wire_wr *wr, const char *user,
			const char *method)
{
	ssh_wr_text(wr, user);
	ssh_wr_text(wr, "ssh-connection");
	ssh_wr_text(wr, method);
}

static enum csftp_err send_request(struct csftp_ssh *ssh, struct wire_wr *wr,
				   uint32_t method)
{
	enum csftp_err err = ssh_end(ssh, wr);

	if (err == CSFTP_OK) {
		ssh->auth.method = method;
		ssh->auth.query = false;
		ssh->auth.prompts = 0;
	}
	return err;
}

enum csftp_err csftp_ssh_auth_none(struct csftp_ssh *ssh, const char *user)
{
	enum csftp_err err = may_ask(ssh, user);
	struct wire_wr wr;

	if (err != CSFTP_OK)
		return err;
	wr = ssh_begin(ssh, SSH_USERAUTH_REQUEST);
	put_request(&wr, user, "none");
	return send_request(ssh, &wr, CSFTP_SSH_AUTH_NONE);
}

enum csftp_err csftp_ssh_auth_password(struct csftp_ssh *ssh, const char *user,
				       const void *password, size_t len)
{
	enum csftp_err err = may_ask(ssh, user);
	struct wire_wr wr;

	if (err == CSFTP_OK && !password && len > 0)
		err = CSFTP_ERR_ARG;
	if (err != CSFTP_OK)
		return err;
	wr = ssh_begin(ssh, SSH_USERAUTH_REQUEST);
	put_request(&wr, user, "password");
	ssh_wr_bool(&wr, false);
	wire_wr_string(&wr, password, len);
	return send_request(ssh, &wr, CSFTP_SSH_AUTH_PASSWORD);
}

enum csftp_err csftp_ssh_auth_keyboard(struct csftp_ssh *ssh, const char *user)
{
	enum csftp_err err = may_ask(ssh, user);
	struct wire_wr wr;

	if (err != CSFTP_OK)
		return err;
	wr = ssh_begin(ssh, SSH_USERAUTH_REQUEST);
	put_request(&wr, user, "keyboard-interactive");
	ssh_wr_text(&wr, "");
	ssh_wr_text(&wr, "");
	return send_request(ssh, &wr, CSFTP_SSH_AUTH_KEYBOARD);
}

/* RFC 8332, 3.3: what the server said it verifies, or the best there is. */
static const struct ssh_alg *alg_for(const struct csftp_ssh *ssh,
				     struct wire_bytes key)
{
	const struct ssh_alg *alg, *any = NULL;
	enum csftp_ssh_key_type type;

	if (ssh_sk_is_key(key))
		return &ssh_sk_alg;
	if (!ssh_key_blob_type(key, &type))
		return NULL;
	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++) {
		if (alg->key != type)
			continue;
		if (ssh->auth.peer_sigs & 1U << i)
			return alg;
		if (!any)
			any = alg;
	}
	return any;
}

enum csftp_err csftp_ssh_auth_try_key(struct csftp_ssh *ssh, const char *user,
				      struct csftp_ssh_bytes key)
{
	const struct ssh_alg *alg = alg_for(ssh, ssh_wire(key));
	enum csftp_err err = may_ask(ssh, user);
	struct wire_wr wr;

	if (err == CSFTP_OK && !alg)
		err = CSFTP_ERR_ALGORITHM;
	if (err != CSFTP_OK)
		return err;
	wr = ssh_begin(ssh, SSH_USERAUTH_REQUEST);
	put_request(&wr, user, "publickey");
	ssh_wr_bool(&wr, false);
	ssh_wr_text(&wr, alg->name);
	wire_wr_string(&wr, key.ptr, key.len);
	err = send_request(ssh, &wr, CSFTP_SSH_AUTH_PUBLICKEY);
	if (err == CSFTP_OK)
		ssh->auth.query = true;
	return err;
}

/* RFC 4252, 7: the session id, and behind it the request; returns its start. */
static size_t put_signed(struct csftp_ssh *ssh, struct wire_wr *wr,
			 const char *user, const struct ssh_alg *alg,
			 struct csftp_ssh_bytes key)
{
	size_t start;

	wire_wr_string(wr, ssh->session, ssh->session_len);
	start = wr->len;
	wire_wr_u8(wr, SSH_USERAUTH_REQUEST);
	put_request(wr, user, "publickey");
	ssh_wr_bool(wr, true);
	ssh_wr_text(wr, alg->name);
	wire_wr_string(wr, key.ptr, key.len);
	return start;
}

enum csftp_err csftp_ssh_auth_key(struct csftp_ssh *ssh, const char *user,
				  const struct csftp_ssh_signer *signer)
{
	uint8_t data[SIGNED_MAX], sig[CSFTP_SSH_SIGN_MAX];
	struct wire_wr both = {.base = data, .cap = sizeof(data)}, wr;
	enum csftp_err err = may_ask(ssh, user);
	size_t start, sig_len = 0;
	const struct ssh_alg *alg;

	if (err == CSFTP_OK && (!signer || !signer->sign))
		err = CSFTP_ERR_ARG;
	if (err != CSFTP_OK)
		return err;
	alg = alg_for(ssh, ssh_wire(signer->key));
	if (!alg)
		return CSFTP_ERR_ALGORITHM;
	start = put_signed(ssh, &both, user, alg, signer->key);
	err = wire_wr_end(&both);
	if (err == CSFTP_OK)
		err = signer->sign(signer->arg, alg->name, data, both.len, sig,
				   &sig_len);
	if (err != CSFTP_OK)
		return err;
	if (sig_len > sizeof(sig))
		return CSFTP_ERR_ARG;
	wr = ssh_begin(ssh, SSH_USERAUTH_REQUEST);
	wire_wr_raw(&wr, data + start + 1, both.len - start - 1);
	wire_wr_string(&wr, sig, sig_len);
	return send_request(ssh, &wr, CSFTP_SSH_AUTH_PUBLICKEY);
}

/* An answer to nothing: the server does not know what it talks about. */
static bool was_asked(struct csftp_ssh *ssh)
{
	if (ssh->auth.method != 0)
		return true;
	return ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			"an answer to no authentication request");
}

void ssh_on_auth_failure(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes can = wire_rd_string(rd, rd->left);
	bool partial = ssh_rd_bool(rd);
	struct csftp_ssh_event *event;

	if (!ssh_whole(ssh, rd) || !was_asked(ssh))
		return;
	ssh->auth.method = 0;
	event = ssh_event(ssh, CSFTP_SSH_AUTH_FAILED);
	event->text = ssh_shown(can);
	event->partial = partial;
}

/* RFC 4252, 5.1: only after a request, and nobody asks for nothing. */
void ssh_on_auth_success(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	if (!ssh_whole(ssh, rd) || !was_asked(ssh))
		return;
	if (ssh->auth.query) {
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "success of a mere question");
		return;
	}
	ssh->auth.method = 0;
	ssh_set_phase(ssh, SSH_RUN);
	(void)ssh_event(ssh, CSFTP_SSH_AUTH_OK);
}

void ssh_on_auth_banner(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes text = wire_rd_string(rd, rd->left);

	(void)wire_rd_string(rd, rd->left);
	if (ssh_whole(ssh, rd))
		ssh_event(ssh, CSFTP_SSH_BANNER)->data = ssh_shown(text);
}

/* RFC 4252, 7: PK_OK. */
static void on_key_ok(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes algorithm = wire_rd_string(rd, rd->left);
	struct wire_bytes key = wire_rd_string(rd, rd->left);

	if (!ssh_whole(ssh, rd))
		return;
	if (!ssh_alg_find(CSFTP_SSH_ALG_HOSTKEY, algorithm) &&
	    !ssh_is(algorithm, ssh_sk_alg.name)) {
		(void)ssh_fail(ssh, CSFTP_ERR_VALUE, CSFTP_SSH_PROTOCOL_ERROR,
			       "another algorithm than was asked about");
		return;
	}
	ssh->auth.method = 0;
	ssh_event(ssh, CSFTP_SSH_AUTH_KEY_OK)->key = ssh_shown(key);
}

/* RFC 4252, 8: PASSWD_CHANGEREQ: this password will not do. */
static void on_change_request(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes prompt = wire_rd_string(rd, rd->left);

	(void)wire_rd_string(rd, rd->left);
	if (!ssh_whole(ssh, rd))
		return;
	ssh->auth.method = 0;
	ssh_event(ssh, CSFTP_SSH_AUTH_FAILED)->data = ssh_shown(prompt);
}

static bool prompts_are_whole(struct csftp_ssh *ssh, struct wire_rd rd,
			      uint32_t count)
{
	for (uint32_t i = 0; i < count && rd.err == CSFTP_OK; i++) {
		(void)wire_rd_string(&rd, rd.left);
		(void)ssh_rd_bool(&rd);
	}
	return ssh_whole(ssh, &rd);
}

/* RFC 4256, 3.2. */
static void on_info_request(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes name = wire_rd_string(rd, rd->left);
	struct wire_bytes instruction = wire_rd_string(rd, rd->left);
	struct csftp_ssh_event *event;
	uint32_t count;

	(void)wire_rd_string(rd, rd->left);
	count = wire_rd_u32(rd);
	if (rd->err == CSFTP_OK && count > PROMPTS_MAX)
		rd->err = CSFTP_ERR_TOO_LONG;
	if (!prompts_are_whole(ssh, *rd, count))
		return;
	ssh->auth.prompts = count + 1;
	event = ssh_event(ssh, CSFTP_SSH_AUTH_PROMPTS);
	event->data = ssh_shown(name);
	event->more = ssh_shown(instruction);
	event->prompts = count;
	event->text = (struct csftp_ssh_bytes){rd->next, rd->left};
}

void ssh_on_auth_60(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	if (!was_asked(ssh))
		return;
	if (ssh->auth.method == CSFTP_SSH_AUTH_PUBLICKEY && ssh->auth.query)
		on_key_ok(ssh, rd);
	else if (ssh->auth.method == CSFTP_SSH_AUTH_PASSWORD)
		on_change_request(ssh, rd);
	else if (ssh->auth.method == CSFTP_SSH_AUTH_KEYBOARD &&
		 ssh->auth.prompts == 0)
		on_info_request(ssh, rd);
	else
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "not an answer to this request");
}

enum csftp_err csftp_ssh_prompt(const struct csftp_ssh_event *event, uint32_t n,
				struct csftp_ssh_bytes *text, bool *echo)
{
	struct wire_rd rd = {.next = event->text.ptr, .left = event->text.len};
	struct wire_bytes prompt = {.ptr = NULL};
	bool shown = false;

	if (event->kind != CSFTP_SSH_AUTH_PROMPTS || n >= event->prompts)
		return CSFTP_ERR_ARG;
	for (uint32_t i = 0; i <= n; i++) {
		prompt = wire_rd_string(&rd, rd.left);
		shown = ssh_rd_bool(&rd);
	}
	*text = ssh_shown(prompt);
	*echo = shown;
	return CSFTP_OK;
}

enum csftp_err csftp_ssh_auth_answers(struct csftp_ssh *ssh,
				      const struct csftp_ssh_bytes *answers,
				      uint32_t count)
{
	enum csftp_err err;
	struct wire_wr wr;

	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (ssh->phase != SSH_AUTH || ssh->auth.prompts == 0 ||
	    ssh->auth.prompts - 1 != count)
		return CSFTP_ERR_STATE;
	wr = ssh_begin(ssh, SSH_USERAUTH_INFO_RESPONSE);
	wire_wr_u32(&wr, count);
	for (uint32_t i = 0; i < count; i++)
		wire_wr_string(&wr, answers[i].ptr, answers[i].len);
	err = ssh_end(ssh, &wr);
	if (err == CSFTP_OK)
		ssh->auth.prompts = 0;
	return err;
}
