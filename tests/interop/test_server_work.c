/* csftp-server does what takes longer in between, and not instead. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/sftp/msg.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define FILE_LEN 5000000

struct server {
	char dir[PROC_PATH_MAX];
	pid_t pid;
	int in;
	int out;
	uint8_t buf[4096];
	struct sftp_msg answer;
};

static void say(struct server *server, const struct sftp_msg *msgs, size_t n)
{
	uint8_t buf[1024];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	for (size_t i = 0; i < n; i++)
		sftp_msg_encode(&wr, &msgs[i]);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	assert_int_equal(write(server->in, buf, wr.len), (ssize_t)wr.len);
}

static void take(struct server *server, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n = read(server->out, to, len);

		assert_true(n > 0);
		to += n;
		len -= (size_t)n;
	}
}

static const struct sftp_msg *hear(struct server *server)
{
	size_t len;

	take(server, server->buf, 4);
	len = wire_get_u32(server->buf);
	assert_true(len <= sizeof(server->buf) - 4);
	take(server, server->buf + 4, len);
	assert_int_equal(sftp_msg_decode(&server->answer, server->buf + 4, len),
			 CSFTP_OK);
	return &server->answer;
}

static void start(struct server *server)
{
	char program[PROC_PATH_MAX];
	char flag[] = "-d";
	char *argv[] = {program, flag, server->dir, NULL};
	int up[2], down[2];

	scratch_make(server->dir);
	proc_built(program, "csftp-server");
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	server->pid = proc_start(argv, up[0], down[1], -1);
	close(up[0]);
	close(down[1]);
	server->in = up[1];
	server->out = down[0];
}

/* Nothing more is said meanwhile: the server has to go on by itself. */
static void a_hash_goes_on_while_others_are_answered(void **state)
{
	static const struct sftp_msg msgs[] = {
		{.kind = SFTP_INIT, .num = SFTP_VERSION},
		{.kind = SFTP_CHECK_FILE_NAME,
		 .id = 1,
		 .path = {(const uint8_t *)"f", 1},
		 .data = {(const uint8_t *)"sha256", 6}},
		{.kind = SFTP_STAT, .id = 2, .path = {(const uint8_t *)"f", 1}},
	};
	struct server *server = calloc(1, sizeof(*server));
	char hex[2 * 32 + 1] = "";

	(void)state;
	assert_non_null(server);
	start(server);
	must_sh("head -c %d /dev/urandom >'%s/f'", FILE_LEN, server->dir);
	say(server, msgs, sizeof(msgs) / sizeof(msgs[0]));
	assert_int_equal(hear(server)->kind, SFTP_VERSION_MSG);
	assert_int_equal(hear(server)->id, 2);
	assert_int_equal(server->answer.attr.size, FILE_LEN);
	assert_int_equal(hear(server)->id, 1);
	assert_int_equal(server->answer.kind, SFTP_EXTENDED_REPLY);
	assert_int_equal(server->answer.data.len, 4 + 6 + 32);
	for (size_t i = 0; i < 32; i++)
		proc_print(hex + 2 * i, 3, "%02x",
			   server->answer.data.ptr[10 + i]);
	must_sh("cd '%s' && echo '%s  f' | sha256sum -c >&2", server->dir, hex);
	close(server->in);
	assert_int_equal(proc_wait(server->pid, -1), 0);
	close(server->out);
	scratch_remove(server->dir);
	free(server);
}

/* The client goes away in the middle: so does the server. */
static void a_hash_ends_with_its_client(void **state)
{
	static const struct sftp_msg msgs[] = {
		{.kind = SFTP_INIT, .num = SFTP_VERSION},
		{.kind = SFTP_CHECK_FILE_NAME,
		 .id = 1,
		 .path = {(const uint8_t *)"f", 1},
		 .data = {(const uint8_t *)"sha256", 6}},
	};
	struct server *server = calloc(1, sizeof(*server));

	(void)state;
	assert_non_null(server);
	start(server);
	/* Sparse, and longer than anybody wants to wait for. */
	must_sh("truncate -s 8T '%s/f' || truncate -s 1T '%s/f'", server->dir,
		server->dir);
	say(server, msgs, sizeof(msgs) / sizeof(msgs[0]));
	assert_int_equal(hear(server)->kind, SFTP_VERSION_MSG);
	close(server->in);
	assert_int_equal(proc_wait(server->pid, -1), 0);
	close(server->out);
	scratch_remove(server->dir);
	free(server);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(a_hash_goes_on_while_others_are_answered),
		cmocka_unit_test(a_hash_ends_with_its_client),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
