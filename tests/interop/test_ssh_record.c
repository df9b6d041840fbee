/*
 * Records sessions of the SSH engine with OpenSSH's sshd and ssh, and repeats
 * each at once.  With CSFTP_RECORD in the environment, which names a directory,
 * they are kept there: "make record" does that for tests/loopback/.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/recorded.h"
#include "tests/lib/sshd.h"
#include "tests/lib/test.h"

enum { QUIET_MS = 60000 };

struct state {
	struct sshd sshd; /* for clients it runs */
	struct recorded recorded;
	struct recorded_player player;
	int fd;
};

static int make(void **state)
{
	struct state *all = calloc(1, sizeof(*all));

	if (!all)
		return -1;
	all->fd = -1;
	*state = all;
	return 0;
}

static void clear(struct state *all)
{
	sshd_stop(&all->sshd);
	recorded_free(&all->recorded);
	if (all->fd >= 0)
		close(all->fd);
	*all = (struct state){.fd = -1};
}

static int drop(void **state)
{
	clear(*state);
	free(*state);
	return 0;
}

static void read_text(const struct state *all, const char *name, char *text,
		      size_t size)
{
	char path[PROC_PATH_MAX];

	proc_print(path, sizeof(path), "%.4000s/%s", all->sshd.dir, name);
	text[file_read(path, text, size - 1)] = '\0';
}

/* All of it, and a note of it. */
static void put_out(void *arg, const uint8_t *bytes, size_t len)
{
	struct state *all = arg;
	ssize_t put;

	recorded_add(&all->recorded, true, bytes, len);
	for (; len > 0; bytes += put, len -= (size_t)put) {
		put = send(all->fd, bytes, len, MSG_NOSIGNAL);
		assert_true(put > 0);
	}
}

static void record(struct state *all)
{
	struct csftp_ssh *ssh;

	recorded_open(&all->player, &all->recorded);
	ssh = all->player.side.ssh;
	recorded_step(&all->player, put_out, all);
	while (!all->player.over) {
		size_t room;
		uint8_t *in = csftp_ssh_in(ssh, &room);
		ssize_t got = recv(all->fd, in, room, 0);

		assert_true(got > 0);
		recorded_add(&all->recorded, false, in, (size_t)got);
		assert_int_equal(csftp_ssh_in_ack(ssh, (size_t)got), CSFTP_OK);
		recorded_step(&all->player, put_out, all);
	}
	assert_int_equal(all->player.sent, 2 * RECORDED_BYTES);
	recorded_close(&all->player);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static void record_client(struct state *all)
{
	struct sockaddr_in to;

	sshd_start(&all->sshd, OPENSSH_SFTP_SERVER);
	read_text(all, "user", all->recorded.key, sizeof(all->recorded.key));
	read_text(all, "host.pub", all->recorded.peer,
		  sizeof(all->recorded.peer));
	to = loopback(all->sshd.port);
	all->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(all->fd, (struct sockaddr *)&to, sizeof(to)),
			 0);
	record(all);
}

static pid_t start_ssh(const struct state *all, int port)
{
	char script[4 * PROC_PATH_MAX];
	char shell[] = "sh", flag[] = "-ec";
	char *argv[] = {shell, flag, script, NULL};

	proc_print(script, sizeof(script),
		   "cd '%s'\n"
		   "head -c %u /dev/zero >data\n"
		   "ssh -F none -l root -p %d -i user -o IdentitiesOnly=yes "
		   "-o StrictHostKeyChecking=no -o UserKnownHostsFile=new "
		   "-o LogLevel=ERROR -o KexAlgorithms=%s -o Ciphers=%s "
		   "-o MACs=%s 127.0.0.1 cat <data >back\n"
		   "cmp data back\n",
		   all->sshd.dir, 2 * RECORDED_BYTES, port,
		   all->recorded.kind->kex, all->recorded.kind->cipher,
		   all->recorded.kind->mac);
	return proc_start(argv, -1, -1, -1);
}

static void record_server(struct state *all)
{
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len),
			 0);
	sshd_make_keys(&all->sshd);
	read_text(all, "host", all->recorded.key, sizeof(all->recorded.key));
	read_text(all, "user.pub", all->recorded.peer,
		  sizeof(all->recorded.peer));
	pid = start_ssh(all, ntohs(at.sin_port));
	all->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	assert_true(all->fd >= 0);
	record(all);
	assert_int_equal(proc_wait(pid, QUIET_MS), 0);
}

static void keep(const struct state *all)
{
	const char *dir = getenv("CSFTP_RECORD");
	char path[PROC_PATH_MAX];

	if (!dir)
		return;
	proc_print(path, sizeof(path), "%.3000s/%s.txt", dir,
		   all->recorded.kind->name);
	recorded_write(&all->recorded, path);
}

static void check(struct state *all, enum csftp_ssh_role role)
{
	for (size_t n = 0; n < RECORDED_KINDS; n++) {
		if (recorded_kind(n)->role != role)
			continue;
		recorded_init(&all->recorded, n);
		if (role == CSFTP_SSH_CLIENT)
			record_client(all);
		else
			record_server(all);
		assert_int_equal(recorded_replay(&all->recorded), -1);
		keep(all);
		clear(all);
	}
}

static void a_session_with_sshd_can_be_repeated(void **state)
{
	if (geteuid() != 0)
		skip_because("the user who is recorded is root");
	check(*state, CSFTP_SSH_CLIENT);
}

static void a_session_with_ssh_can_be_repeated(void **state)
{
	check(*state, CSFTP_SSH_SERVER);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		CLAIM(a_session_with_sshd_can_be_repeated),
		CLAIM(a_session_with_ssh_can_be_repeated),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
