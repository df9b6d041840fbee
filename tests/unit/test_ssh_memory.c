/*
 * What a connection costs.  This program is linked so that the allocator's
 * calls of our own objects go to the functions below; libcrypto's do not.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

enum { POOL = 16, BUF = 65536 };

/* A pool that allocates nothing, either. */
struct pool {
	uint8_t *buf[POOL];
	unsigned free;
	unsigned calls; /* of the allocator, since they are counted */
	bool counts;
};

static struct pool *pool(void)
{
	static struct pool the;

	return &the;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *old);

static void count_call(void)
{
	if (pool()->counts)
		pool()->calls++;
}

void *__wrap_malloc(size_t size)
{
	count_call();
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	count_call();
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	count_call();
	return __real_realloc(old, size);
}

void __wrap_free(void *old)
{
	if (old)
		count_call();
	__real_free(old);
}

static void *take(void *arg)
{
	(void)arg;
	assert_true(pool()->free > 0);
	return pool()->buf[--pool()->free];
}

static void put(void *arg, void *buf)
{
	(void)arg;
	pool()->buf[pool()->free++] = buf;
}

static int make_pool(void **state)
{
	(void)state;
	while (pool()->free < POOL)
		pool()->buf[pool()->free++] = __real_malloc(BUF);
	return 0;
}

static int free_pool(void **state)
{
	(void)state;
	while (pool()->free > 0)
		__real_free(pool()->buf[--pool()->free]);
	ssh_rig_free_keys();
	return 0;
}

static void start(struct ssh_rig *rig, const char *cipher)
{
	ssh_rig_init(rig);
	rig->client.config.buf_get = take;
	rig->client.config.buf_put = put;
	rig->server.config.buf_get = take;
	rig->server.config.buf_put = put;
	rig->client.config.cipher = cipher;
	rig->server.echo = true;
	rig->server.config.rekey_bytes = 300000;
	ssh_rig_start(rig);
}

static void our_code_allocates_nothing_after_the_start(void **state)
{
	static const char *const ciphers[] = {"chacha20-poly1305@openssh.com",
					      "aes256-gcm@openssh.com",
					      "aes256-ctr"};

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		struct csftp_ssh_signer signer =
			csftp_ssh_key_signer(ssh_rig_key(CSFTP_SSH_RSA));
		struct ssh_rig rig;
		uint32_t channel;
		size_t sent = 0;

		start(&rig, ciphers[c]);
		pool()->calls = 0;
		pool()->counts = true;
		ssh_rig_run(&rig);
		assert_int_equal(
			csftp_ssh_auth_key(rig.client.ssh, "anna", &signer),
			CSFTP_OK);
		ssh_rig_run(&rig);
		channel = ssh_rig_channel(&rig);
		assert_int_equal(csftp_ssh_exec(rig.client.ssh, channel, "cat"),
				 CSFTP_OK);
		while (sent < 2000000) {
			sent += ssh_side_send(&rig.client, channel,
					      2000000 - sent);
			(void)ssh_rig_move(&rig);
		}
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.got_total, 2000000);
		csftp_ssh_disconnect(rig.client.ssh, CSFTP_SSH_BY_APPLICATION,
				     "done");
		ssh_rig_run(&rig);
		pool()->counts = false;
		assert_int_equal(pool()->calls, 0);
		ssh_rig_stop(&rig);
		assert_int_equal(pool()->free, POOL);
	}
}

/* The allocator is really counted: the environment is on the heap. */
static void the_count_is_not_blind(void **state)
{
	struct ssh_rig rig;

	(void)state;
	pool()->calls = 0;
	pool()->counts = true;
	start(&rig, NULL);
	pool()->counts = false;
	assert_true(pool()->calls >= 6);
	ssh_rig_stop(&rig);
}

static void an_idle_connection_fits_into_a_page_without_buffers(void **state)
{
	struct ssh_rig rig;

	(void)state;
	start(&rig, NULL);
	assert_true(csftp_ssh_size(rig.server.env) <= 4096);
	assert_true(csftp_ssh_size(rig.client.env) <= 4096);
	ssh_rig_login(&rig);
	(void)ssh_rig_channel(&rig);
	assert_int_equal(pool()->free, POOL);
	ssh_rig_stop(&rig);
}

/* Keys and passwords do not stay in what goes back to the owner. */
static void what_is_released_is_wiped(void **state)
{
	static const uint8_t zero[64];
	struct ssh_rig rig;
	void *memory;
	size_t size;

	(void)state;
	start(&rig, NULL);
	ssh_rig_login(&rig);
	memory = rig.server.memory;
	size = csftp_ssh_size(rig.server.env);
	csftp_ssh_release(rig.server.ssh);
	for (size_t i = 0; i + sizeof(zero) <= size; i += sizeof(zero))
		assert_memory_equal((uint8_t *)memory + i, zero, sizeof(zero));
	rig.server.ssh = csftp_ssh_init(rig.server.env, memory);
	ssh_rig_stop(&rig);
}

static bool pool_holds(const void *bytes, size_t len)
{
	for (unsigned i = 0; i < pool()->free; i++)
		for (size_t at = 0; at + len <= BUF; at++)
			if (memcmp(pool()->buf[i] + at, bytes, len) == 0)
				return true;
	return false;
}

/* The secret that both sides share, when the client knows it. */
static bool note_secret(struct ssh_side *side,
			const struct csftp_ssh_event *event)
{
	if (event->kind == CSFTP_SSH_HOSTKEY)
		memcpy(side->rig->arg, side->ssh->kex->shared + 4, 32);
	return false;
}

static void secrets_of_key_exchanges_do_not_stay_in_the_pool(void **state)
{
	static const uint8_t zero[32];
	uint8_t secret[32] = {0};
	struct ssh_rig rig;

	(void)state;
	start(&rig, NULL);
	rig.on_event = note_secret;
	rig.arg = secret;
	ssh_rig_login(&rig);
	assert_memory_not_equal(secret, zero, sizeof(secret));
	assert_int_equal(pool()->free, POOL);
	assert_false(pool_holds(secret, sizeof(secret)));
	ssh_rig_stop(&rig);
}

static void passwords_do_not_stay_in_the_pool(void **state)
{
	static const char password[] = "correct horse battery staple";
	struct ssh_rig rig;

	(void)state;
	/* As it should be, while a rekeying holds it up, and when all ends. */
	for (int how = 0; how < 3; how++) {
		start(&rig, NULL);
		ssh_rig_run(&rig);
		if (how > 0)
			assert_int_equal(csftp_ssh_rekey(rig.client.ssh),
					 CSFTP_OK);
		assert_int_equal(csftp_ssh_auth_password(rig.client.ssh, "anna",
							 password,
							 strlen(password)),
				 CSFTP_OK);
		if (how == 2)
			csftp_ssh_close(rig.client.ssh, CSFTP_ERR_EOF);
		ssh_rig_run(&rig);
		assert_int_equal(rig.client.count[CSFTP_SSH_AUTH_OK], how < 2);
		ssh_rig_stop(&rig);
		assert_int_equal(pool()->free, POOL);
		assert_false(pool_holds(password, strlen(password)));
	}
}

/* Where nothing was, nothing is: that memory is never the machine's. */
static void a_login_leaves_most_of_a_buffer_alone(void **state)
{
	enum { MARK = 0xa5, USED = 16384 };
	struct ssh_rig rig;

	(void)state;
	for (unsigned i = 0; i < POOL; i++)
		memset(pool()->buf[i], MARK, BUF);
	start(&rig, NULL);
	ssh_rig_run(&rig);
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_OK);
	assert_int_equal(csftp_ssh_auth_none(rig.client.ssh, "anna"), CSFTP_OK);
	ssh_rig_run(&rig);
	(void)ssh_rig_channel(&rig);
	ssh_rig_stop(&rig);
	assert_int_equal(pool()->free, POOL);
	for (unsigned i = 0; i < POOL; i++)
		for (size_t at = USED; at < BUF; at++)
			assert_int_equal(pool()->buf[i][at], MARK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_is_not_blind),
		cmocka_unit_test(our_code_allocates_nothing_after_the_start),
		cmocka_unit_test(
			an_idle_connection_fits_into_a_page_without_buffers),
		cmocka_unit_test(what_is_released_is_wiped),
		cmocka_unit_test(a_login_leaves_most_of_a_buffer_alone),
		cmocka_unit_test(passwords_do_not_stay_in_the_pool),
		cmocka_unit_test(
			secrets_of_key_exchanges_do_not_stay_in_the_pool),
	};

	return cmocka_run_group_tests(tests, make_pool, free_pool);
}
