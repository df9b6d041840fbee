#include "tests/bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

void peer_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("bench: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAILURE);
}

static void must(int result, const char *what)
{
	if (result < 0)
		peer_die("%s: %s", what, strerror(errno));
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	must(clock_gettime(clock, &now), "clock_gettime");
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double peer_now(void)
{
	return seconds(CLOCK_MONOTONIC);
}

/*
 * Its clock, and not wait4(2): that counts the start and the end as well, and
 * where the ticks are coarse only to a hundredth of a second.
 */
double peer_cpu(const struct peer *peer)
{
	return seconds(peer->clock);
}

double peer_own_cpu(void)
{
	return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

/*
 * Not ru_maxrss of wait4(2): that is at least what we had ourselves when the
 * server was started.
 */
long peer_peak_kib(const struct peer *peer)
{
	char path[64], line[128];
	FILE *file;
	long kib = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)peer->pid);
	file = fopen(path, "re");
	if (!file)
		peer_die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	(void)fclose(file);
	return kib;
}

static void send_all(struct peer *peer, struct iovec *iov, int count)
{
	while (count > 0) {
		ssize_t n = writev(peer->out, iov, count);

		if (n < 0 && errno == EINTR)
			continue;
		must(n < 0 ? -1 : 0, "writing to the server");
		while (count > 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
}

void peer_flush(struct peer *peer)
{
	struct iovec iov = {peer->ask, peer->ask_len};

	send_all(peer, &iov, 1);
	peer->ask_len = 0;
}

static void queue(struct peer *peer, struct sftp_msg *msg)
{
	struct wire_wr wr = {.base = peer->ask + peer->ask_len,
			     .cap = PEER_BUFFER - peer->ask_len};

	sftp_msg_encode(&wr, msg);
	if (wire_wr_end(&wr) != CSFTP_OK)
		peer_die("too much to say at once");
	peer->ask_len += wr.len;
}

void peer_ask(struct peer *peer, struct sftp_msg *msg)
{
	msg->id = peer->next_id++;
	queue(peer, msg);
}

void peer_write(struct peer *peer, struct wire_bytes handle, uint64_t off,
		const void *data, size_t len)
{
	struct sftp_msg msg = {.kind = SFTP_WRITE,
			       .handle = handle,
			       .off = off,
			       .data = {NULL, len}};
	struct iovec iov[2];

	peer_ask(peer, &msg);
	iov[0] = (struct iovec){peer->ask, peer->ask_len};
	/* writev(2) does not write there, whatever its type says. */
	iov[1] = (struct iovec){(void *)(uintptr_t)data, len};
	send_all(peer, iov, 2);
	peer->ask_len = 0;
}

/* Reads until there are `need` bytes; what is there moves to the front. */
static void fill(struct peer *peer, size_t need)
{
	if (peer->tail - peer->head >= need)
		return;
	memmove(peer->buf, peer->buf + peer->head, peer->tail - peer->head);
	peer->tail -= peer->head;
	peer->head = 0;
	while (peer->tail < need) {
		ssize_t n = read(peer->in, peer->buf + peer->tail,
				 PEER_BUFFER - peer->tail);

		if (n < 0 && errno == EINTR)
			continue;
		must(n < 0 ? -1 : 0, "reading from the server");
		if (n == 0)
			peer_die("the server has ended");
		peer->tail += (size_t)n;
	}
}

/* Drops `len` bytes, read or not: what a DATA carries is not looked at. */
static void drop(struct peer *peer, size_t len)
{
	while (len > 0) {
		size_t have = peer->tail - peer->head;
		size_t n = len < have ? len : have;

		peer->head += n;
		len -= n;
		if (len > 0)
			fill(peer, 1);
	}
}

#define DATA_TYPE 103
#define DATA_HEAD 13U /* length, type, id, length of the data */

void peer_hear(struct peer *peer, struct peer_answer *answer)
{
	const uint8_t *at;
	size_t len;

	fill(peer, 5);
	at = peer->buf + peer->head;
	len = wire_get_u32(at);
	if (at[4] == DATA_TYPE) {
		fill(peer, DATA_HEAD);
		at = peer->buf + peer->head;
		answer->msg =
			(struct sftp_msg){.kind = SFTP_DATA,
					  .id = wire_get_u32(at + 5),
					  .data = {NULL, wire_get_u32(at + 9)}};
		drop(peer, 4 + len);
		return;
	}
	if (4 + len > PEER_BUFFER)
		peer_die("an answer of %zu bytes", len);
	fill(peer, 4 + len);
	at = peer->buf + peer->head;
	if (sftp_msg_decode(&answer->msg, at + 4, len) != CSFTP_OK)
		peer_die("an answer that does not decode");
	peer->head += 4 + len;
}

void peer_call(struct peer *peer, struct sftp_msg *msg, enum sftp_kind kind,
	       struct peer_answer *answer)
{
	peer_ask(peer, msg);
	peer_flush(peer);
	peer_hear(peer, answer);
	if (answer->msg.kind != kind)
		peer_die("%s was answered by %s %u", sftp_kind_name(msg->kind),
			 sftp_kind_name(answer->msg.kind), answer->msg.num);
}

/* Ours are fds[0] (to read) and fds[1] (to write), the server's the others. */
static void join(int fds[4], enum peer_kind kind)
{
	int answers[2], requests[2];

	if (kind == PEER_SOCKETPAIR) {
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				answers),
		     "socketpair");
		fds[0] = fds[1] = answers[0];
		fds[2] = fds[3] = answers[1];
		return;
	}
	must(pipe2(answers, O_CLOEXEC), "pipe");
	must(pipe2(requests, O_CLOEXEC), "pipe");
	fds[0] = answers[0];
	fds[1] = requests[1];
	fds[2] = requests[0];
	fds[3] = answers[1];
}

static pid_t spawn(const char *server, int in, int out)
{
	char *argv[] = {strdup(server), NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int err;

	if (!argv[0] || posix_spawn_file_actions_init(&actions) != 0)
		peer_die("out of memory");
	(void)posix_spawn_file_actions_adddup2(&actions, in, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out, 1);
	err = posix_spawn(&pid, server, &actions, NULL, argv, environ);
	if (err != 0)
		peer_die("%s: %s", server, strerror(err));
	(void)posix_spawn_file_actions_destroy(&actions);
	free(argv[0]);
	return pid;
}

void peer_start(struct peer *peer, const char *server, enum peer_kind kind)
{
	struct sftp_msg init = {.kind = SFTP_INIT, .num = SFTP_VERSION};
	struct peer_answer answer;
	int fds[4];

	*peer = (struct peer){.buf = malloc(PEER_BUFFER),
			      .ask = malloc(PEER_BUFFER)};
	if (!peer->buf || !peer->ask)
		peer_die("out of memory");
	join(fds, kind);
	peer->in = fds[0];
	peer->out = fds[1];
	peer->pid = spawn(server, fds[2], fds[3]);
	(void)close(fds[2]);
	if (fds[3] != fds[2])
		(void)close(fds[3]);
	if (clock_getcpuclockid(peer->pid, &peer->clock) != 0)
		peer_die("there is no clock of the server's");
	queue(peer, &init);
	peer_flush(peer);
	peer_hear(peer, &answer);
	if (answer.msg.kind != SFTP_VERSION_MSG)
		peer_die("%s does not greet", server);
}

void peer_stop(struct peer *peer)
{
	int status = 0;

	(void)close(peer->out);
	if (peer->in != peer->out)
		(void)close(peer->in);
	while (waitpid(peer->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status))
		peer_die("a server ended by signal %d", WTERMSIG(status));
	free(peer->buf);
	free(peer->ask);
}
