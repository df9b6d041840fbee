/* Authentication between two engines, by the rules and against them. */
#include <string.h>

#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"
#include "tests/lib/token.h"

/* What the server's owner says to each question, and what it saw. */
struct owner {
	enum csftp_ssh_answer answer;
	unsigned asked;
	unsigned queries;
	char user[64];
	char password[64];
	char algorithm[64];
	bool touched;
	bool verified;
	struct csftp_ssh_bytes key;
};

static int free_keys(void **state)
{
	(void)state;
	ssh_rig_free_keys();
	return 0;
}

static void copy(char to[64], struct csftp_ssh_bytes bytes)
{
	size_t len = bytes.len < 63 ? bytes.len : 63;

	if (len > 0)
		memcpy(to, bytes.ptr, len);
	to[len] = '\0';
}

static bool decide(struct ssh_side *side, const struct csftp_ssh_event *event)
{
	struct owner *owner = side->rig->arg;

	if (event->kind != CSFTP_SSH_AUTH)
		return false;
	owner->asked++;
	owner->queries += event->query;
	owner->touched = event->touched;
	owner->verified = event->verified;
	copy(owner->user, event->user);
	copy(owner->password, event->password);
	if (event->algorithm)
		copy(owner->algorithm,
		     (struct csftp_ssh_bytes){(const uint8_t *)event->algorithm,
					      strlen(event->algorithm)});
	assert_int_equal(csftp_ssh_answer(side->ssh, owner->answer), CSFTP_OK);
	return true;
}

static void start(struct ssh_rig *rig, struct owner *owner)
{
	ssh_rig_init(rig);
	*owner = (struct owner){.answer = CSFTP_SSH_YES};
	rig->arg = owner;
	rig->on_event = decide;
	ssh_rig_start(rig);
	ssh_rig_run(rig);
	assert_int_equal(rig->client.last.kind, CSFTP_SSH_READY);
}

static enum csftp_err try_password(struct ssh_rig *rig, const char *password)
{
	enum csftp_err err = csftp_ssh_auth_password(
		rig->client.ssh, "anna", password, strlen(password));

	ssh_rig_run(rig);
	return err;
}

static void the_owner_decides_about_passwords(void **state)
{
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	start(&rig, &owner);
	owner.answer = CSFTP_SSH_NO;
	assert_int_equal(try_password(&rig, "wrong"), CSFTP_OK);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_string_equal(rig.client.text, "publickey,password");
	assert_string_equal(owner.user, "anna");
	assert_string_equal(owner.password, "wrong");
	owner.answer = CSFTP_SSH_YES;
	assert_int_equal(try_password(&rig, "right"), CSFTP_OK);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
	assert_int_equal(rig.server.ssh->phase, SSH_RUN);
	/* Once is enough. */
	assert_int_equal(try_password(&rig, "right"), CSFTP_ERR_STATE);
	ssh_rig_stop(&rig);
}

static void keys_of_each_type_sign_the_session(void **state)
{
	static const char *const algorithm[] = {
		"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
		"ecdsa-sha2-nistp521", "rsa-sha2-512"};

	(void)state;
	for (unsigned type = 0; type <= CSFTP_SSH_RSA; type++) {
		struct csftp_ssh_signer signer = csftp_ssh_key_signer(
			ssh_rig_key((enum csftp_ssh_key_type)type));
		struct ssh_rig rig;
		struct owner owner;

		start(&rig, &owner);
		assert_int_equal(csftp_ssh_auth_try_key(rig.client.ssh, "anna",
							signer.key),
				 CSFTP_OK);
		assert_int_equal(
			csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			CSFTP_ERR_STATE);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_KEY_OK);
		assert_int_equal(rig.server.ssh->phase, SSH_AUTH);
		assert_int_equal(owner.queries, 1);
		assert_int_equal(
			csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			CSFTP_OK);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
		assert_int_equal(owner.asked, 2);
		assert_string_equal(owner.algorithm, algorithm[type]);
		ssh_rig_stop(&rig);
	}
}

/* RFC 8332, 3.3: server-sig-algs. */
static void rsa_signs_with_what_the_server_verifies(void **state)
{
	struct csftp_ssh_signer signer =
		csftp_ssh_key_signer(ssh_rig_key(CSFTP_SSH_RSA));
	struct ssh_rig rig;
	struct owner owner;
	const struct ssh_alg *alg;

	(void)state;
	start(&rig, &owner);
	assert_true(rig.client.ssh->auth.peer_sigs != 0);
	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++) {
		assert_true(rig.client.ssh->auth.peer_sigs >> i & 1);
		if (strcmp(alg->name, "rsa-sha2-512") == 0)
			rig.client.ssh->auth.peer_sigs &= ~(1U << i);
	}
	assert_int_equal(csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
	assert_string_equal(owner.algorithm, "rsa-sha2-256");
	ssh_rig_stop(&rig);
}

/* PROTOCOL.u2f. */
static void keys_in_hardware_tell_how_they_were_used(void **state)
{
	(void)state;
	for (uint8_t flags = 0; flags <= 5; flags = flags ? flags + 4 : 1) {
		struct csftp_ssh_signer signer;
		struct token token;
		struct ssh_rig rig;
		struct owner owner;

		signer = token_make(&token, flags);
		start(&rig, &owner);
		assert_int_equal(csftp_ssh_auth_try_key(rig.client.ssh, "anna",
							signer.key),
				 CSFTP_OK);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_KEY_OK);
		assert_true(owner.touched && owner.verified);
		assert_int_equal(
			csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			CSFTP_OK);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
		assert_int_equal(owner.touched, flags & 1);
		assert_int_equal(owner.verified, flags >> 2 & 1);
		assert_string_equal(owner.algorithm,
				    "sk-ssh-ed25519@openssh.com");
		ssh_rig_stop(&rig);
	}
}

static void assert_token_refused(struct csftp_ssh_signer signer,
				 const struct token *token)
{
	struct ssh_rig rig;
	struct owner owner;

	signer.key.len = token->blob_len;
	start(&rig, &owner);
	assert_int_equal(csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_int_equal(owner.asked, 0);
	ssh_rig_stop(&rig);
}

static void what_hardware_did_not_sign_is_refused(void **state)
{
	struct csftp_ssh_signer signer;
	struct token token;

	(void)state;
	/* It was not touched, and says that it was. */
	signer = token_make(&token, 0);
	token.told = 1;
	assert_token_refused(signer, &token);
	/* It was made for somebody else. */
	signer = token_make(&token, 1);
	token.application = "https://example.com";
	assert_token_refused(signer, &token);
	/* Extensions would be in what is signed. */
	signer = token_make(&token, 0x81);
	assert_token_refused(signer, &token);
	signer = token_make(&token, 0x41);
	assert_token_refused(signer, &token);
	/* A key that ends too early, or too late. */
	signer = token_make(&token, 1);
	token.blob_len--;
	assert_token_refused(signer, &token);
	signer = token_make(&token, 1);
	token.blob[token.blob_len++] = 0;
	assert_token_refused(signer, &token);
}

static enum csftp_err sign_wrongly(void *arg, const char *algorithm,
				   const uint8_t *data, size_t len, uint8_t *to,
				   size_t *to_len)
{
	const struct csftp_ssh_signer *right = arg;
	enum csftp_err err =
		right->sign(right->arg, algorithm, data, len - 1, to, to_len);

	return err;
}

static enum csftp_err sign_not(void *arg, const char *algorithm,
			       const uint8_t *data, size_t len, uint8_t *to,
			       size_t *to_len)
{
	(void)arg;
	(void)algorithm;
	(void)data;
	(void)len;
	(void)to;
	(void)to_len;
	return CSFTP_ERR_DENIED;
}

/* The owner is not even asked: it could only say too much. */
static void a_wrong_signature_is_refused_without_asking(void **state)
{
	struct csftp_ssh_signer right =
		csftp_ssh_key_signer(ssh_rig_key(CSFTP_SSH_P256));
	struct csftp_ssh_signer wrong = {right.key, sign_wrongly, &right};
	struct csftp_ssh_signer none = {right.key, sign_not, NULL};
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	start(&rig, &owner);
	assert_int_equal(csftp_ssh_auth_key(rig.client.ssh, "anna", &wrong),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_int_equal(owner.asked, 0);
	/* A signer that fails leaves everything as it was. */
	assert_int_equal(csftp_ssh_auth_key(rig.client.ssh, "anna", &none),
			 CSFTP_ERR_DENIED);
	assert_int_equal(csftp_ssh_auth_key(rig.client.ssh, "anna", &right),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
	ssh_rig_stop(&rig);
}

/* A key's signature for one session is no good in another. */
static enum csftp_err sign_and_keep(void *arg, const char *algorithm,
				    const uint8_t *data, size_t len,
				    uint8_t *to, size_t *to_len)
{
	static uint8_t kept[CSFTP_SSH_SIGN_MAX];
	static size_t kept_len;
	struct csftp_ssh_signer right =
		csftp_ssh_key_signer(ssh_rig_key(CSFTP_SSH_ED25519));
	enum csftp_err err = CSFTP_OK;

	if (!*(bool *)arg) {
		memcpy(to, kept, kept_len);
		*to_len = kept_len;
		return CSFTP_OK;
	}
	err = right.sign(right.arg, algorithm, data, len, to, to_len);
	kept_len = *to_len;
	memcpy(kept, to, kept_len);
	return err;
}

static void a_signature_is_for_one_session_only(void **state)
{
	struct csftp_ssh_signer right =
		csftp_ssh_key_signer(ssh_rig_key(CSFTP_SSH_ED25519));
	bool fresh = true;
	struct csftp_ssh_signer signer = {right.key, sign_and_keep, &fresh};

	(void)state;
	for (int again = 0; again < 2; again++) {
		struct ssh_rig rig;
		struct owner owner;

		ssh_rig_init(&rig);
		rig.client.chance += (uint64_t)again;
		owner = (struct owner){.answer = CSFTP_SSH_YES};
		rig.arg = &owner;
		rig.on_event = decide;
		ssh_rig_start(&rig);
		ssh_rig_run(&rig);
		fresh = again == 0;
		assert_int_equal(
			csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			CSFTP_OK);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.last.kind,
				 again ? CSFTP_SSH_AUTH_FAILED
				       : CSFTP_SSH_AUTH_OK);
		ssh_rig_stop(&rig);
	}
}

static void failures_have_a_bound(void **state)
{
	struct ssh_rig rig;
	struct owner owner;
	unsigned tries = 0;

	(void)state;
	start(&rig, &owner);
	owner.answer = CSFTP_SSH_NO;
	while (rig.client.ssh->err == CSFTP_OK && tries < 100) {
		assert_int_equal(try_password(&rig, "guess"), CSFTP_OK);
		tries++;
	}
	assert_int_equal(tries, 6);
	assert_int_equal(owner.asked, 6);
	assert_int_equal(rig.server.last.err, CSFTP_ERR_DENIED);
	assert_int_equal(rig.client.last.reason,
			 CSFTP_SSH_NO_MORE_AUTH_METHODS);
	ssh_rig_stop(&rig);
}

/* Questions that are answered with yes have one as well. */
static void queries_have_a_bound(void **state)
{
	struct csftp_ssh_bytes key =
		csftp_ssh_key_blob(ssh_rig_key(CSFTP_SSH_P256));
	struct ssh_rig rig;
	struct owner owner;
	unsigned tries = 0;

	(void)state;
	start(&rig, &owner);
	while (rig.client.ssh->err == CSFTP_OK && tries < 1000) {
		assert_int_equal(
			csftp_ssh_auth_try_key(rig.client.ssh, "anna", key),
			CSFTP_OK);
		ssh_rig_run(&rig);
		tries++;
	}
	assert_in_range(tries, 7, 100);
	assert_int_equal(rig.server.ssh->phase, SSH_AUTH);
	ssh_rig_stop(&rig);
}

static void methods_that_are_not_offered_are_not_asked_about(void **state)
{
	struct ssh_rig rig;
	struct owner owner = {.answer = CSFTP_SSH_YES};

	(void)state;
	ssh_rig_init(&rig);
	rig.server.config.auth_methods = CSFTP_SSH_AUTH_PUBLICKEY;
	rig.arg = &owner;
	rig.on_event = decide;
	ssh_rig_start(&rig);
	ssh_rig_run(&rig);
	assert_int_equal(try_password(&rig, "right"), CSFTP_OK);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_string_equal(rig.client.text, "publickey");
	assert_int_equal(csftp_ssh_auth_none(rig.client.ssh, "anna"), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_int_equal(csftp_ssh_auth_keyboard(rig.client.ssh, "anna"),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_int_equal(owner.asked, 0);
	ssh_rig_stop(&rig);
}

/* RFC 4252, 5: "MUST disconnect or flush", and we disconnect. */
static void another_user_name_ends_the_session(void **state)
{
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	start(&rig, &owner);
	owner.answer = CSFTP_SSH_PARTLY;
	assert_int_equal(try_password(&rig, "right"), CSFTP_OK);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_FAILED);
	assert_true(rig.client.last.partial);
	/* What was right is not asked for again. */
	assert_string_equal(rig.client.text, "publickey");
	assert_int_equal(try_password(&rig, "right"), CSFTP_OK);
	assert_int_equal(owner.asked, 1);
	assert_false(rig.client.last.partial);
	owner.answer = CSFTP_SSH_YES;
	assert_int_equal(csftp_ssh_auth_none(rig.client.ssh, "root"), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.ssh->phase, SSH_AUTH);
	assert_int_equal(rig.server.last.err, CSFTP_ERR_DENIED);
	ssh_rig_stop(&rig);
}

/* What a stranger can see must be the same for those whom we know. */
static void who_is_not_known_looks_the_same(void **state)
{
	char traces[2][4096];

	(void)state;
	for (int known = 0; known < 2; known++) {
		struct ssh_rig rig;
		struct owner owner;

		start(&rig, &owner);
		owner.answer = CSFTP_SSH_NO;
		rig.client.traces = true;
		for (int i = 0; i < 3; i++) {
			assert_int_equal(
				csftp_ssh_auth_password(rig.client.ssh,
							known ? "anna" : "zoe.",
							"x", 1),
				CSFTP_OK);
			ssh_rig_run(&rig);
		}
		/* All but our own lines, which have the name in them. */
		traces[known][0] = '\0';
		for (const char *at = (char *)rig.client.lines; *at;
		     at = strchr(at, '\n') + 1) {
			size_t len = (size_t)(strchr(at, '\n') - at) + 1;
			size_t have = strlen(traces[known]);

			if (at[0] == '>')
				continue;
			memcpy(traces[known] + have, at, len);
			traces[known][have + len] = '\0';
		}
		ssh_rig_stop(&rig);
	}
	assert_string_equal(traces[0], traces[1]);
	assert_true(strlen(traces[0]) > 30);
}

/* CVE-2018-10933, from both ends. */
static void success_is_the_servers_word_and_only_when_asked(void **state)
{
	static const uint8_t success[] = {52};
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	start(&rig, &owner);
	ssh_side_say(&rig.client, success, 1);
	ssh_rig_run(&rig);
	assert_int_equal(rig.server.ssh->err, CSFTP_ERR_STATE);
	assert_int_equal(rig.server.ssh->phase, SSH_AUTH);
	ssh_rig_stop(&rig);
	start(&rig, &owner);
	ssh_side_say(&rig.server, success, 1);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.ssh->err, CSFTP_ERR_STATE);
	assert_int_equal(rig.client.ssh->phase, SSH_AUTH);
	ssh_rig_stop(&rig);
	/* Nor as the answer to a mere question. */
	start(&rig, &owner);
	owner.answer = CSFTP_SSH_NO;
	assert_int_equal(csftp_ssh_auth_try_key(rig.client.ssh, "anna",
						csftp_ssh_key_blob(ssh_rig_key(
							CSFTP_SSH_P256))),
			 CSFTP_OK);
	ssh_side_say(&rig.server, success, 1);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.ssh->err, CSFTP_ERR_STATE);
	assert_int_equal(rig.client.ssh->phase, SSH_AUTH);
	assert_int_equal(rig.client.count[CSFTP_SSH_AUTH_OK], 0);
	ssh_rig_stop(&rig);
}

/* A request that is cut anywhere ends the session before it asks anybody. */
static void each_prefix_of_a_request_is_refused(void **state)
{
	static const uint8_t request[] =
		"\062\0\0\0\004anna\0\0\0\016ssh-connection\0\0\0\010password"
		"\0\0\0\0\006secret";
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	for (size_t len = 1; len < sizeof(request) - 1; len++) {
		start(&rig, &owner);
		ssh_side_say(&rig.client, request, len);
		ssh_rig_run(&rig);
		assert_int_equal(owner.asked, 0);
		assert_int_not_equal(rig.server.ssh->err, CSFTP_OK);
		ssh_rig_stop(&rig);
	}
	start(&rig, &owner);
	rig.client.ssh->auth.method = CSFTP_SSH_AUTH_PASSWORD;
	ssh_side_say(&rig.client, request, sizeof(request) - 1);
	ssh_rig_run(&rig);
	assert_int_equal(owner.asked, 1);
	assert_string_equal(owner.password, "secret");
	ssh_rig_stop(&rig);
}

/* RFC 4256, with the server's part played by hand. */
static void prompts_are_answered_together(void **state)
{
	static const uint8_t prompts[] =
		"\074\0\0\0\004Name\0\0\0\0\0\0\0\0\0\0\0\002"
		"\0\0\0\005Word?\0\0\0\0\005Code?\001";
	struct csftp_ssh_bytes answers[2] = {{(const uint8_t *)"one", 3},
					     {(const uint8_t *)"two", 3}};
	struct csftp_ssh_bytes text;
	struct csftp_ssh_event event;
	struct ssh_rig rig;
	struct owner owner;
	bool echo;

	(void)state;
	start(&rig, &owner);
	rig.client.traces = true;
	assert_int_equal(csftp_ssh_auth_keyboard(rig.client.ssh, "anna"),
			 CSFTP_OK);
	/* The server knows nothing of it and says no: that is dropped. */
	rig.client.ssh->out.tail = rig.client.ssh->out.head;
	rig.client.ssh->to_peer.seq--;
	ssh_side_say(&rig.server, prompts, sizeof(prompts) - 1);
	{
		size_t len, room;
		const uint8_t *out = csftp_ssh_out(rig.server.ssh, &len);
		uint8_t *in = csftp_ssh_in(rig.client.ssh, &room);

		memcpy(in, out, len);
		assert_int_equal(csftp_ssh_in_ack(rig.client.ssh, len),
				 CSFTP_OK);
		assert_int_equal(csftp_ssh_out_ack(rig.server.ssh, len),
				 CSFTP_OK);
	}
	assert_true(csftp_ssh_event(rig.client.ssh, &event));
	assert_int_equal(event.kind, CSFTP_SSH_AUTH_PROMPTS);
	assert_int_equal(event.prompts, 2);
	assert_int_equal(csftp_ssh_prompt(&event, 0, &text, &echo), CSFTP_OK);
	assert_int_equal(text.len, 5);
	assert_memory_equal(text.ptr, "Word?", 5);
	assert_false(echo);
	assert_int_equal(csftp_ssh_prompt(&event, 1, &text, &echo), CSFTP_OK);
	assert_true(echo);
	assert_int_equal(csftp_ssh_prompt(&event, 2, &text, &echo),
			 CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_auth_answers(rig.client.ssh, answers, 1),
			 CSFTP_ERR_STATE);
	assert_int_equal(csftp_ssh_auth_answers(rig.client.ssh, answers, 2),
			 CSFTP_OK);
	assert_int_equal(csftp_ssh_auth_answers(rig.client.ssh, answers, 2),
			 CSFTP_ERR_STATE);
	assert_non_null(strstr((char *)rig.client.lines,
			       "> 61 USERAUTH_INFO_RESPONSE answers=2\n"));
	ssh_rig_stop(&rig);
}

static void a_banner_reaches_the_user_before_the_end(void **state)
{
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	start(&rig, &owner);
	assert_int_equal(csftp_ssh_banner(rig.client.ssh, "x"),
			 CSFTP_ERR_STATE);
	assert_int_equal(csftp_ssh_banner(rig.server.ssh, "Be nice.\n"),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_BANNER);
	assert_int_equal(rig.client.last.data.len, 9);
	assert_int_equal(try_password(&rig, "right"), CSFTP_OK);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
	assert_int_equal(csftp_ssh_banner(rig.server.ssh, "x"),
			 CSFTP_ERR_STATE);
	ssh_rig_stop(&rig);
}

static void wrong_arguments_are_refused(void **state)
{
	char name[CSFTP_SSH_USER_MAX + 2];
	struct ssh_rig rig;
	struct owner owner;

	(void)state;
	start(&rig, &owner);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(csftp_ssh_auth_none(rig.client.ssh, name),
			 CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_auth_none(rig.client.ssh, NULL),
			 CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_auth_none(rig.server.ssh, "anna"),
			 CSFTP_ERR_STATE);
	assert_int_equal(
		csftp_ssh_auth_password(rig.client.ssh, "anna", NULL, 1),
		CSFTP_ERR_ARG);
	assert_int_equal(csftp_ssh_auth_key(rig.client.ssh, "anna", NULL),
			 CSFTP_ERR_ARG);
	assert_int_equal(
		csftp_ssh_auth_try_key(rig.client.ssh, "anna",
				       (struct csftp_ssh_bytes){NULL, 0}),
		CSFTP_ERR_ALGORITHM);
	assert_int_equal(csftp_ssh_answer(rig.server.ssh, CSFTP_SSH_YES),
			 CSFTP_ERR_STATE);
	assert_int_equal(
		csftp_ssh_auth_answers(rig.client.ssh, NULL, UINT32_MAX),
		CSFTP_ERR_STATE);
	name[CSFTP_SSH_USER_MAX] = '\0';
	assert_int_equal(csftp_ssh_auth_none(rig.client.ssh, name), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_AUTH_OK);
	ssh_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_decides_about_passwords),
		cmocka_unit_test(keys_of_each_type_sign_the_session),
		cmocka_unit_test(rsa_signs_with_what_the_server_verifies),
		cmocka_unit_test(keys_in_hardware_tell_how_they_were_used),
		cmocka_unit_test(what_hardware_did_not_sign_is_refused),
		cmocka_unit_test(a_wrong_signature_is_refused_without_asking),
		cmocka_unit_test(a_signature_is_for_one_session_only),
		cmocka_unit_test(failures_have_a_bound),
		cmocka_unit_test(queries_have_a_bound),
		cmocka_unit_test(
			methods_that_are_not_offered_are_not_asked_about),
		cmocka_unit_test(another_user_name_ends_the_session),
		cmocka_unit_test(who_is_not_known_looks_the_same),
		cmocka_unit_test(
			success_is_the_servers_word_and_only_when_asked),
		cmocka_unit_test(each_prefix_of_a_request_is_refused),
		cmocka_unit_test(prompts_are_answered_together),
		cmocka_unit_test(a_banner_reaches_the_user_before_the_end),
		cmocka_unit_test(wrong_arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, free_keys);
}
