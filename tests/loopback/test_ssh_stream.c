/* Our SSH client on a socket as a stream, with our SSH server behind it. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sftp/link.h"
#include "core/stream/ssh.h"
#include "csftp/remote.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/proc.h"
#include "tests/lib/ssh_pump.h"
#include "tests/lib/test.h"

/* A socket that is full so many times. */
static struct {
	unsigned full;
} kernel;

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (kernel.full == 0)
		return syscall(SYS_write, fd, bytes, len);
	kernel.full--;
	errno = EAGAIN;
	return -1;
}

/* Of which no test uses up so much that more of it is granted. */
enum { WINDOW = 8 << 20 };

/* Nobody speaks SFTP here. */
struct line {
	struct ssh_serve serve;
	const struct csftp_ssh_key *hostkey;
	pid_t server; /* accepts one connection */
	struct ssh_io *io;
	struct csftp_stream stream;
	uint32_t channel;
};

static int start(void **state)
{
	struct line *line = calloc(1, sizeof(*line));
	pid_t self = getpid();

	if (!line)
		return -1;
	*state = line;
	line->stream.rfd = -1;
	ssh_serve_init(&line->serve);
	line->hostkey = ssh_rig_key(CSFTP_SSH_ED25519);
	line->serve.side.config.keys = &line->hostkey;
	line->serve.side.config.key_count = 1;
	line->serve.side.config.auth_methods = CSFTP_SSH_AUTH_PASSWORD;
	line->serve.password = "secret";
	line->serve.side.config.window = WINDOW;
	line->server = fork();
	assert_true(line->server >= 0);
	if (line->server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ssh_serve_one(&line->serve, self);
		_exit(0);
	}
	return 0;
}

static int stop(void **state)
{
	struct line *line = *state;

	/* First the server, which takes each end but its own for a fault. */
	kill(line->server, SIGKILL);
	waitpid(line->server, NULL, 0);
	if (line->stream.rfd >= 0)
		(void)csftp_stream_close(&line->stream, 0);
	else
		ssh_io_free(line->io, 0);
	ssh_serve_stop(&line->serve);
	ssh_rig_free_keys();
	free(line);
	return 0;
}

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void make_io(struct line *line, uint64_t alive_ms)
{
	int fd = dial(line->serve.port);
	const struct ssh_io_config config = {
		.ssh = {.role = CSFTP_SSH_CLIENT},
		.rfd = fd,
		.wfd = fd,
		.alive_ms = alive_ms,
		.alive_max = 1,
	};

	assert_int_equal(ssh_io_new(&line->io, &config), CSFTP_OK);
}

static void await(struct line *line, enum csftp_ssh_event_kind kind)
{
	struct csftp_ssh_event event;

	do {
		assert_int_equal(ssh_io_next(line->io, &event, UINT64_MAX),
				 CSFTP_OK);
		if (event.kind == CSFTP_SSH_HOSTKEY)
			assert_int_equal(
				csftp_ssh_answer(ssh_io_engine(line->io),
						 CSFTP_SSH_YES),
				CSFTP_OK);
		assert_int_not_equal(event.kind, CSFTP_SSH_CLOSED);
	} while (event.kind != kind);
}

static void run_command(struct line *line, const char *command)
{
	struct csftp_ssh *ssh = ssh_io_engine(line->io);

	await(line, CSFTP_SSH_READY);
	assert_int_equal(csftp_ssh_auth_password(ssh, "me", "secret", 6),
			 CSFTP_OK);
	await(line, CSFTP_SSH_AUTH_OK);
	assert_int_equal(csftp_ssh_open(ssh, &line->channel), CSFTP_OK);
	await(line, CSFTP_SSH_OPENED);
	assert_int_equal(csftp_ssh_exec(ssh, line->channel, command), CSFTP_OK);
	await(line, CSFTP_SSH_REPLY);
	ssh_io_stream(line->io, line->channel, &line->stream);
}

static void nobody_waits_longer_than_was_said(void **state)
{
	struct line *line = *state;
	struct csftp_ssh_event event;
	enum csftp_err err;

	make_io(line, 0);
	/* The server does not go on, so at some time nothing comes any more. */
	assert_int_equal(kill(line->server, SIGSTOP), 0);
	do {
		errno = 0;
		err = ssh_io_next(line->io, &event, ssh_io_now() + 20);
	} while (err == CSFTP_OK && event.kind != CSFTP_SSH_CLOSED);
	assert_int_equal(err, CSFTP_ERR_IO);
	assert_int_equal(errno, ETIMEDOUT);
}

static void a_peer_that_is_not_there_any_more_is_noticed(void **state)
{
	struct line *line = *state;
	struct csftp_remote_config config = {.slots = 1};
	struct csftp_remote *remote;
	enum csftp_err err;

	make_io(line, 1);
	run_command(line, "cat >/dev/null");
	assert_int_equal(csftp_remote_new(&remote, &config), CSFTP_OK);
	assert_int_equal(kill(line->server, SIGSTOP), 0);
	do {
		err = csftp_stream_step(&line->stream,
					csftp_remote_link(remote), 1000);
	} while (err == CSFTP_OK);
	assert_int_equal(err, CSFTP_ERR_IO);
	assert_int_equal(errno, ETIMEDOUT);
	csftp_remote_free(remote);
}

/* As of a process that was stopped: the answer may be there to be read. */
static void a_look_that_comes_late_is_no_reason_to_end(void **state)
{
	struct line *line = *state;
	struct csftp_remote_config config = {.slots = 1};
	struct csftp_remote *remote;
	struct csftp_link *link;
	uint64_t now = (uint64_t)proc_now_ms() + 10000;
	uint64_t next;

	make_io(line, 1);
	run_command(line, "cat >/dev/null");
	assert_int_equal(csftp_remote_new(&remote, &config), CSFTP_OK);
	link = csftp_remote_link(remote);
	/* Asked; stopped, and asked again; then nobody was in the way. */
	assert_int_equal(csftp_stream_tick(&line->stream, link, now, &next),
			 CSFTP_OK);
	now += 60000;
	assert_int_equal(csftp_stream_tick(&line->stream, link, now, &next),
			 CSFTP_OK);
	assert_int_equal(next, now + 1);
	assert_int_equal(csftp_stream_tick(&line->stream, link, next, &next),
			 CSFTP_ERR_IO);
	csftp_remote_free(remote);
}

static void the_end_of_the_program_is_the_end_of_the_stream(void **state)
{
	struct line *line = *state;
	struct csftp_remote_config config = {.slots = 1};
	struct csftp_remote *remote;
	enum csftp_err err;

	make_io(line, 0);
	run_command(line, "exit 3");
	assert_int_equal(csftp_remote_new(&remote, &config), CSFTP_OK);
	do {
		err = csftp_stream_step(&line->stream,
					csftp_remote_link(remote), -1);
	} while (err == CSFTP_OK);
	assert_int_equal(err, CSFTP_ERR_EOF);
	csftp_remote_free(remote);
}

/* What echoes our own INIT is no server: the link says so, the stream goes. */
static void bytes_go_both_ways(void **state)
{
	struct line *line = *state;
	struct csftp_remote_config config = {.slots = 1};
	struct csftp_remote *remote;
	struct csftp_link *link;
	enum csftp_err err;

	make_io(line, 0);
	run_command(line, "cat");
	assert_int_equal(csftp_remote_new(&remote, &config), CSFTP_OK);
	link = csftp_remote_link(remote);
	do {
		err = csftp_stream_step(&line->stream, link, -1);
	} while (err == CSFTP_OK);
	assert_int_equal(err, csftp_link_error(link));
	assert_int_not_equal(err, CSFTP_ERR_EOF);
	assert_int_not_equal(err, CSFTP_ERR_IO);
	csftp_remote_free(remote);
}

/* All that the window allows, more than is held for the kernel at a time. */
static void room_that_came_by_sending_is_used(void **state)
{
	enum { BYTES = 1 << 20 };
	struct line *line = *state;
	uint8_t *data = calloc(1, BYTES);
	size_t sent = 0;

	assert_non_null(data);
	make_io(line, 0);
	run_command(line, "cat >/dev/null");
	assert_int_equal(ssh_io_send(line->io, line->channel, CSFTP_SSH_STDOUT,
				     data, BYTES, &sent),
			 CSFTP_OK);
	assert_int_equal(sent, BYTES);
	free(data);
}

static enum link_take take_none(struct csftp_link *link, uint8_t *body,
				size_t len)
{
	(void)link;
	(void)body;
	(void)len;
	return LINK_TAKEN;
}

static void do_nothing(struct csftp_link *link)
{
	(void)link;
}

static void put(struct csftp_link *link, size_t len)
{
	struct wire_wr wr = link_writer(link, len);

	memset(wr.base, 0, len);
	wr.len = len;
	link_put(link, &wr);
}

/*
 * Whoever watches the socket is told of all that can be sent.  The first bytes
 * are so many that what is held for the kernel ends with too little room for
 * data, though there is some for a message.
 */
static void output_that_waited_for_the_kernel_goes_on(void **state)
{
	static const struct link_ops ops = {.packet = take_none,
					    .closed = do_nothing,
					    .drained = do_nothing};
	enum { FIRST = 62000, BYTES = 1 << 20 };
	struct line *line = *state;
	struct csftp_link link = {.ops = &ops};

	assert_int_equal(link_init(&link, 4096, 4096, FIRST + BYTES, 2),
			 CSFTP_OK);
	make_io(line, 0);
	run_command(line, "cat >/dev/null");
	assert_int_equal(csftp_stream_read(&line->stream, &link, 1), CSFTP_OK);
	kernel.full = 2;
	put(&link, FIRST);
	assert_int_equal(csftp_stream_write(&line->stream, &link), CSFTP_OK);
	put(&link, BYTES);
	do {
		assert_int_equal(csftp_stream_write(&line->stream, &link),
				 CSFTP_OK);
	} while (csftp_stream_wants(&line->stream, &link) & CSFTP_WANT_OUT);
	assert_int_equal(kernel.full, 0);
	assert_false(csftp_link_wants(&link) & CSFTP_WANT_OUT);
	link_release(&link);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(nobody_waits_longer_than_was_said),
		CLAIM(a_peer_that_is_not_there_any_more_is_noticed),
		CLAIM(a_look_that_comes_late_is_no_reason_to_end),
		CLAIM(the_end_of_the_program_is_the_end_of_the_stream),
		CLAIM(bytes_go_both_ways),
		CLAIM(room_that_came_by_sending_is_used),
		CLAIM(output_that_waited_for_the_kernel_goes_on),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
