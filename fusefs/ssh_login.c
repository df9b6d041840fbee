#include "fusefs/ssh_login.h"

#include <string.h>

#include "fusefs/ssh_hosts.h"
#include "fusefs/ssh_methods.h"

/* How long one answer may take: PAM can be slow. */
#define PATIENCE_MS 120000U

enum { PROMPTS_MAX = 32, FACTORS_MAX = 8 };

/* What became of one try. */
enum outcome { IN, OUT, BROKEN };

/*
 * Events
 */

static enum csftp_err check_host(struct ssh_login *login,
				 const struct csftp_ssh_event *event)
{
	enum ssh_hosts_verdict verdict = ssh_hosts_check(
		login->config, login->talk, login->peer, event->key);

	login->distrusted = verdict == SSH_HOSTS_DISTRUSTED;
	if (csftp_ssh_answer(ssh_io_engine(login->io),
			     verdict == SSH_HOSTS_REFUSED
				     ? CSFTP_SSH_NO
				     : CSFTP_SSH_YES) != CSFTP_OK)
		return CSFTP_ERR_STATE;
	return verdict == SSH_HOSTS_REFUSED ? CSFTP_ERR_DENIED : CSFTP_OK;
}

/* Line by line; a server may say anything here. */
static void show_banner(const struct talk *talk, struct csftp_ssh_bytes text)
{
	const uint8_t *end = text.ptr + text.len;

	for (const uint8_t *at = text.ptr; at < end;) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		char line[512];

		if (len > 0 && at[len - 1] == '\r')
			len--;
		talk_clean(line, sizeof(line), at, len);
		talk_tell(talk, TALK_INFO, "%s", line);
		at = stop ? stop + 1 : end;
	}
}

/*
 * Who has tried too often is not to come again at once: it would be the same.
 * OpenSSH has a text for it and not the reason of RFC 4250, 4.2.2.
 */
static bool is_sent_away(const struct ssh_login *login,
			 const struct csftp_ssh_event *event, const char *text)
{
	return login->begun &&
	       (event->reason == CSFTP_SSH_NO_MORE_AUTH_METHODS ||
		strstr(text, "Too many authentication failures"));
}

static void tell_end(const struct ssh_login *login,
		     const struct csftp_ssh_event *event, const char *text)
{
	const struct ssh_config *config = login->config;
	const char *peer = login->peer[0] ? login->peer : config->hostname;

	if (event->by_peer)
		talk_tell(login->talk, TALK_ERROR,
			  "Received disconnect from %s port %u:%u: %s", peer,
			  config->port, event->reason, text);
	else if (event->err == CSFTP_ERR_ALGORITHM)
		talk_tell(login->talk, TALK_ERROR,
			  "Unable to negotiate with %s port %u: %s", peer,
			  config->port, text);
}

static enum csftp_err closed(struct ssh_login *login,
			     const struct csftp_ssh_event *event)
{
	char text[256];

	if (event->text.len > 0) {
		talk_clean(text, sizeof(text), event->text.ptr,
			   event->text.len);
		tell_end(login, event, text);
		login->sent_away =
			event->by_peer && is_sent_away(login, event, text);
	}
	if (login->sent_away)
		return CSFTP_ERR_DENIED;
	return event->err == CSFTP_OK ? CSFTP_ERR_EOF : event->err;
}

enum csftp_err ssh_login_next(struct ssh_login *login,
			      struct csftp_ssh_event *event)
{
	uint64_t patience = PATIENCE_MS;
	enum csftp_err err;

	/* Until there are keys it is still a matter of connecting. */
	if (login->config->connect_timeout > 0 &&
	    !csftp_ssh_in_use(ssh_io_engine(login->io), CSFTP_SSH_ALG_CIPHER,
			      true))
		patience = 1000ULL * login->config->connect_timeout;
	for (;;) {
		err = ssh_io_next(login->io, event, ssh_io_now() + patience);
		if (err == CSFTP_OK && event->kind == CSFTP_SSH_CLOSED)
			return closed(login, event);
		if (err == CSFTP_OK && event->kind == CSFTP_SSH_HOSTKEY)
			err = check_host(login, event);
		else if (err == CSFTP_OK && event->kind == CSFTP_SSH_BANNER)
			show_banner(login->talk, event->data);
		else
			return err;
		if (err != CSFTP_OK)
			return err;
	}
}

static enum outcome broken(struct ssh_login *login, enum csftp_err err)
{
	login->err = err;
	return BROKEN;
}

/* The answer to what was asked; a question of the server's comes as it is. */
static enum outcome await(struct ssh_login *login, enum csftp_err err,
			  struct csftp_ssh_event *event)
{
	if (err == CSFTP_OK)
		err = ssh_login_next(login, event);
	if (err != CSFTP_OK)
		return broken(login, err);
	if (event->kind == CSFTP_SSH_AUTH_OK)
		return IN;
	if (event->kind == CSFTP_SSH_AUTH_FAILED)
		talk_clean(login->methods, sizeof(login->methods),
			   event->text.ptr, event->text.len);
	return OUT;
}

static enum outcome await_end(struct ssh_login *login, enum csftp_err err,
			      bool *partial)
{
	struct csftp_ssh_event event;
	enum outcome outcome = await(login, err, &event);

	*partial = outcome == OUT && event.partial;
	if (outcome == OUT && event.kind != CSFTP_SSH_AUTH_FAILED)
		return broken(login, CSFTP_ERR_STATE);
	return outcome;
}

/*
 * Keys
 */

/* Would it do?  Asked before anybody is asked for a passphrase or a touch. */
static enum outcome ask_about(struct ssh_login *login,
			      const struct ssh_identity *identity, bool *would)
{
	struct csftp_ssh_event event;
	struct csftp_ssh_bytes blob = {identity->blob.ptr, identity->blob.len};
	enum csftp_err err = csftp_ssh_auth_try_key(ssh_io_engine(login->io),
						    login->config->user, blob);
	enum outcome outcome;

	*would = false;
	if (err == CSFTP_ERR_ALGORITHM)
		return OUT;
	outcome = await(login, err, &event);
	*would = outcome == OUT && event.kind == CSFTP_SSH_AUTH_KEY_OK;
	return outcome;
}

static enum outcome try_key(struct ssh_login *login,
			    struct ssh_identity *identity, bool *partial)
{
	struct csftp_ssh_signer signer;
	enum csftp_err err;

	*partial = false;
	talk_detail(login->talk, "offering the key %s%s", identity->name,
		    identity->in_agent ? " (agent)" : "");
	if (identity->blob.ptr &&
	    (identity->in_agent || !ssh_identity_is_ready(identity))) {
		bool would;
		enum outcome outcome = ask_about(login, identity, &would);

		if (outcome != OUT || !would)
			return outcome;
	}
	if (!ssh_keyring_signer(login->keys, identity, login->config,
				login->talk, &signer))
		return OUT;
	err = csftp_ssh_auth_key(ssh_io_engine(login->io), login->config->user,
				 &signer);
	if (err == CSFTP_ERR_ALGORITHM || err == CSFTP_ERR_DENIED ||
	    err == CSFTP_ERR_VALUE) {
		talk_say(login->talk, "signing with %s: %s", identity->name,
			 csftp_strerror(err));
		return OUT;
	}
	return await_end(login, err, partial);
}

static enum outcome by_keys(struct ssh_login *login, bool *partial)
{
	enum outcome outcome = OUT;

	*partial = false;
	if (!ssh_keyring_begin(login->keys, login->config, login->talk))
		return broken(login, CSFTP_ERR_NOMEM);
	for (size_t i = 0; i < login->keys->count && outcome == OUT; i++) {
		struct ssh_identity *identity = &login->keys->item[i];

		if (!identity->in_agent && !identity->has_private)
			continue;
		outcome = try_key(login, identity, partial);
		if (*partial ||
		    !ssh_method_is_in(login->methods, SSH_METHOD_PUBLICKEY))
			break;
	}
	ssh_keyring_end(login->keys);
	return outcome;
}

/*
 * Passwords
 */

static bool can_ask(const struct ssh_login *login)
{
	return login->talk->ask && !login->config->batch_mode &&
	       !login->distrusted;
}

static enum outcome send_password(struct ssh_login *login, const char *password,
				  bool *partial)
{
	return await_end(login,
			 csftp_ssh_auth_password(ssh_io_engine(login->io),
						 login->config->user, password,
						 strlen(password)),
			 partial);
}

static enum outcome by_password(struct ssh_login *login, bool *partial)
{
	char prompt[512];
	enum outcome outcome = OUT;

	*partial = false;
	if (login->password && !login->distrusted) {
		outcome = send_password(login, login->password, partial);
		if (outcome != OUT || *partial)
			return outcome;
		talk_forget(login->password);
		login->password = NULL;
	}
	(void)snprintf(prompt, sizeof(prompt),
		       "%.200s@%.200s's password: ", login->config->user,
		       login->config->host);
	for (unsigned i = 0; can_ask(login) && i < login->config->prompts &&
			     outcome == OUT && !*partial;
	     i++) {
		char *answer;

		if (i > 0)
			talk_tell(login->talk, TALK_ERROR,
				  "Permission denied, please try again.");
		login->asked = true;
		answer = talk_ask(login->talk, prompt, TALK_HIDDEN);
		if (!answer)
			break;
		outcome = send_password(login, answer, partial);
		if (outcome == IN || *partial)
			login->password = answer;
		else
			talk_forget(answer);
	}
	return outcome;
}

/* The server's words, so that nobody takes its question for one of ours. */
static char *ask_prompt(struct ssh_login *login,
			const struct csftp_ssh_event *event, uint32_t n)
{
	struct csftp_ssh_bytes text;
	char shown[512], prompt[1024];
	bool echo;

	if (csftp_ssh_prompt(event, n, &text, &echo) != CSFTP_OK)
		return NULL;
	login->asked = true;
	talk_clean(shown, sizeof(shown), text.ptr, text.len);
	(void)snprintf(prompt, sizeof(prompt), "(%.200s@%.200s) %s",
		       login->config->user, login->config->host, shown);
	return talk_ask(login->talk, prompt, echo ? TALK_SHOWN : TALK_HIDDEN);
}

/* Answers one round of questions; false: nobody answers. */
static bool answer_round(struct ssh_login *login,
			 const struct csftp_ssh_event *event,
			 enum csftp_err *err)
{
	struct csftp_ssh_bytes answers[PROMPTS_MAX];
	char *text[PROMPTS_MAX] = {NULL};
	uint32_t count = event->prompts;
	bool all = count <= PROMPTS_MAX;

	show_banner(login->talk, event->data);
	show_banner(login->talk, event->more);
	for (uint32_t i = 0; all && i < count; i++) {
		text[i] = ask_prompt(login, event, i);
		all = text[i] != NULL;
		if (all)
			answers[i] = (struct csftp_ssh_bytes){
				(const uint8_t *)text[i], strlen(text[i])};
	}
	if (all)
		*err = csftp_ssh_auth_answers(ssh_io_engine(login->io), answers,
					      count);
	for (uint32_t i = 0; i < PROMPTS_MAX; i++)
		talk_forget(text[i]);
	return all;
}

/* One dialogue, of any number of rounds. */
static enum outcome converse(struct ssh_login *login, bool *partial,
			     bool *asked)
{
	struct csftp_ssh_event event;
	enum csftp_err err = csftp_ssh_auth_keyboard(ssh_io_engine(login->io),
						     login->config->user);
	enum outcome outcome;

	*partial = false;
	*asked = false;
	for (;;) {
		outcome = await(login, err, &event);
		if (outcome != OUT || event.kind == CSFTP_SSH_AUTH_FAILED)
			break;
		if (event.kind != CSFTP_SSH_AUTH_PROMPTS)
			return broken(login, CSFTP_ERR_STATE);
		*asked = *asked || event.prompts > 0;
		/* Who began has to go on: there is no way to take it back. */
		if (!answer_round(login, &event, &err))
			return broken(login, CSFTP_ERR_DENIED);
	}
	*partial = outcome == OUT && event.partial;
	return outcome;
}

/*
 * Again where somebody can answer better.  Who was asked nothing cannot, though
 * ssh(1) goes three times: to a phone, say, that was told no.
 */
static enum outcome by_keyboard(struct ssh_login *login, bool *partial)
{
	enum outcome outcome = OUT;
	bool asked = true;

	*partial = false;
	for (unsigned i = 0; can_ask(login) && i < login->config->prompts &&
			     outcome == OUT && !*partial && asked;
	     i++)
		outcome = converse(login, partial, &asked);
	return outcome;
}

/*
 * All of it
 */

typedef enum outcome method_run(struct ssh_login *login, bool *partial);

static method_run *const methods[] = {
	[SSH_METHOD_PUBLICKEY] = by_keys,
	[SSH_METHOD_KEYBOARD] = by_keyboard,
	[SSH_METHOD_PASSWORD] = by_password,
};

static enum csftp_err await_ready(struct ssh_login *login)
{
	struct csftp_ssh_event event;
	enum csftp_err err;

	do {
		err = ssh_login_next(login, &event);
	} while (err == CSFTP_OK && event.kind != CSFTP_SSH_READY);
	return err;
}

enum csftp_err ssh_login_run(struct ssh_login *login)
{
	struct csftp_ssh *ssh = ssh_io_engine(login->io);
	enum ssh_method method;
	unsigned left = SSH_METHODS_ALL;
	unsigned factors = 0;
	bool partial = false;
	enum outcome outcome;
	enum csftp_err err = await_ready(login);

	if (err != CSFTP_OK)
		return err;
	talk_detail(login->talk, "%s, %s, %s",
		    csftp_ssh_in_use(ssh, CSFTP_SSH_ALG_KEX, true),
		    csftp_ssh_in_use(ssh, CSFTP_SSH_ALG_HOSTKEY, true),
		    csftp_ssh_in_use(ssh, CSFTP_SSH_ALG_CIPHER, true));
	login->begun = true;
	outcome = await_end(
		login, csftp_ssh_auth_none(ssh, login->config->user), &partial);
	while (outcome == OUT &&
	       ssh_method_next(login->config, login->methods, &left, &method)) {
		talk_detail(login->talk, "authentication by %s",
			    ssh_method_name(method));
		outcome = methods[method](login, &partial);
		/* One is not enough for this server: all of them once more. */
		if (partial && ++factors < FACTORS_MAX)
			left = SSH_METHODS_ALL;
	}
	if (outcome == IN)
		return CSFTP_OK;
	if (outcome == BROKEN &&
	    (login->err != CSFTP_ERR_DENIED || login->sent_away))
		return login->err;
	talk_tell(login->talk, TALK_FATAL, "%s@%s: Permission denied (%s).",
		  login->config->user, login->config->host, login->methods);
	login->no_way_in = true;
	return CSFTP_ERR_DENIED;
}
