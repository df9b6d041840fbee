#include "tests/lib/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csftp/serve.h"
#include "server/posixfs.h"
#include "server/pump.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

#define ANSWER_MAX (4 + CSFTP_SERVE_PACKET_MAX)

void raw_join(int fds[4], enum raw_kind kind)
{
	int answers[2], requests[2];

	if (kind == RAW_SOCKET) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
					    0, answers),
				 0);
		fds[0] = fds[1] = answers[0];
		fds[2] = fds[3] = answers[1];
		return;
	}
	assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
	assert_int_equal(pipe2(requests, O_CLOEXEC), 0);
	fds[0] = answers[0];
	fds[1] = requests[1];
	fds[2] = requests[0];
	fds[3] = answers[1];
}

int raw_serve(const char *dir, int rfd, int wfd)
{
	struct posixfs_config config = {.start = dir};
	struct csftp_serve_config serving = {.idname = NULL};
	struct csftp_serve *serve = NULL;
	enum csftp_err err;

	if (posixfs_new(&serving.fs, &config) != CSFTP_OK ||
	    csftp_serve_new(&serve, &serving) != CSFTP_OK)
		return 2;
	err = pump_session(serve, rfd, wfd, NULL, NULL);
	csftp_serve_free(serve);
	posixfs_free(serving.fs);
	return err == CSFTP_ERR_EOF ? 0 : 1;
}

static void greet(struct raw *raw, const int fds[4])
{
	uint8_t init[16];
	struct sftp_msg msg = {.kind = SFTP_INIT, .num = SFTP_VERSION};

	raw->in = fds[0];
	raw->out = fds[1];
	raw->buf = malloc(ANSWER_MAX);
	assert_non_null(raw->buf);
	raw_send(raw, init, raw_encode(raw, msg, init, sizeof(init)));
	raw_hear(raw);
	assert_int_equal(raw->answer.kind, SFTP_VERSION_MSG);
}

static void close_pair(int one, int other)
{
	close(one);
	if (other != one)
		close(other);
}

void raw_fork_on(struct raw *raw, const int fds[4], const char *dir,
		 void (*before)(void))
{
	*raw = (struct raw){.pid = fork()};
	assert_true(raw->pid >= 0);
	if (raw->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		close_pair(fds[0], fds[1]);
		if (before)
			before();
		_exit(raw_serve(dir, fds[2], fds[3]));
	}
	greet(raw, fds);
}

void raw_fork(struct raw *raw, enum raw_kind kind, const char *dir,
	      void (*before)(void))
{
	int fds[4];

	raw_join(fds, kind);
	raw_fork_on(raw, fds, dir, before);
	close_pair(fds[2], fds[3]);
}

void raw_spawn(struct raw *raw, enum raw_kind kind, const char *dir)
{
	char server[PROC_PATH_MAX], option[] = "-d", start[PROC_PATH_MAX];
	char *argv[] = {server, option, start, NULL};
	int fds[4];

	proc_built(server, "csftp-server");
	proc_print(start, sizeof(start), "%s", dir);
	raw_join(fds, kind);
	*raw = (struct raw){.pid = proc_start(argv, fds[2], fds[3], -1)};
	close_pair(fds[2], fds[3]);
	greet(raw, fds);
}

void raw_stop(struct raw *raw)
{
	int status;

	close_pair(raw->in, raw->out);
	assert_int_equal(waitpid(raw->pid, &status, 0), raw->pid);
	assert_int_equal(status, 0);
	free(raw->buf);
}

size_t raw_encode(struct raw *raw, struct sftp_msg msg, uint8_t *buf,
		  size_t size)
{
	struct wire_wr wr = {.base = buf, .cap = size};

	msg.id = raw->next_id++;
	sftp_msg_encode(&wr, &msg);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	return wr.len;
}

void raw_send(struct raw *raw, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(raw->out, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		assert_true(n > 0);
		at += n;
		len -= (size_t)n;
	}
}

size_t raw_try_send(struct raw *raw, const void *bytes, size_t len)
{
	int flags = fcntl(raw->out, F_GETFL);
	ssize_t n;

	assert_int_equal(fcntl(raw->out, F_SETFL, flags | O_NONBLOCK), 0);
	n = write(raw->out, bytes, len);
	assert_true(n > 0 || errno == EAGAIN);
	assert_int_equal(fcntl(raw->out, F_SETFL, flags), 0);
	return n > 0 ? (size_t)n : 0;
}

void raw_ask(struct raw *raw, struct sftp_msg msg)
{
	uint8_t buf[1024];

	raw_send(raw, buf, raw_encode(raw, msg, buf, sizeof(buf)));
}

static void take(const struct raw *raw, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n = read(raw->in, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		assert_true(n > 0);
		to += n;
		len -= (size_t)n;
	}
}

void raw_hear(struct raw *raw)
{
	size_t len;

	take(raw, raw->buf, 4);
	len = wire_get_u32(raw->buf);
	assert_true(len > 0 && len <= CSFTP_SERVE_PACKET_MAX);
	take(raw, raw->buf + 4, len);
	assert_int_equal(sftp_msg_decode(&raw->answer, raw->buf + 4, len),
			 CSFTP_OK);
}

void raw_call(struct raw *raw, struct sftp_msg msg, enum sftp_kind kind)
{
	raw_ask(raw, msg);
	raw_hear(raw);
	assert_int_equal(raw->answer.kind, kind);
}

struct wire_bytes raw_open(struct raw *raw, const char *name, uint32_t flags,
			   size_t place)
{
	struct sftp_msg msg = {.kind = SFTP_OPEN,
			       .num = flags,
			       .path = {(const uint8_t *)name, strlen(name)}};
	struct wire_bytes handle = {raw->name[place], 0};

	raw_call(raw, msg, SFTP_HANDLE);
	handle.len = raw->answer.handle.len;
	memcpy(raw->name[place], raw->answer.handle.ptr, handle.len);
	return handle;
}

void raw_read(struct raw *raw, struct wire_bytes handle, uint64_t off,
	      uint32_t len)
{
	raw_ask(raw, (struct sftp_msg){.kind = SFTP_READ,
				       .handle = handle,
				       .off = off,
				       .len = len});
}

size_t raw_unread(const struct raw *raw)
{
	int bytes = 0;

	assert_int_equal(ioctl(raw->in, FIONREAD, &bytes), 0);
	return (size_t)bytes;
}
