#include "tests/lib/greedy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csftp/ssh_io.h"
#include "tests/lib/test.h"

/* When nothing at all happens for so long, something is wrong. */
enum { QUIET_MS = 60000 };

/* For so long nothing is sent where nothing can be. */
enum { STUCK_MS = 1000 };

enum { PIECE = 32 * 1024, WINDOW = 2 * 1024 * 1024 };

/* What goes wrong in the process ends it, and with that the progress. */
static void need(bool good)
{
	if (!good)
		_exit(1);
}

static struct csftp_ssh_io *dial(const struct sshd *sshd, unsigned channels,
				 uint32_t window)
{
	const struct csftp_ssh_config config = {.role = CSFTP_SSH_CLIENT,
						.channels = channels,
						.window = window,
						.window_max = window};
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)sshd->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	/* What was not taken when it is gone, nobody waits for. */
	const struct linger at_once = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct csftp_ssh_io *io;

	need(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) ==
	     0);
	need(fd >= 0 &&
	     connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
	need(csftp_ssh_io_new(&io, &config, fd) == CSFTP_OK);
	return io;
}

static void await(struct csftp_ssh_io *io, enum csftp_ssh_event_kind kind)
{
	struct csftp_ssh *ssh = csftp_ssh_io_engine(io);
	struct csftp_ssh_event event;

	do {
		need(csftp_ssh_io_next(io, &event) == CSFTP_OK &&
		     event.kind != CSFTP_SSH_CLOSED);
		if (event.kind == CSFTP_SSH_HOSTKEY)
			need(csftp_ssh_answer(ssh, CSFTP_SSH_YES) == CSFTP_OK);
	} while (event.kind != kind);
}

static void log_in(struct csftp_ssh_io *io, const struct sshd *sshd)
{
	struct csftp_ssh_signer signer;
	struct csftp_ssh_key *key;

	need(csftp_ssh_key_load(&key, sshd->key, NULL) == CSFTP_OK);
	signer = csftp_ssh_key_signer(key);
	await(io, CSFTP_SSH_READY);
	need(csftp_ssh_auth_key(csftp_ssh_io_engine(io),
				getpwuid(geteuid())->pw_name,
				&signer) == CSFTP_OK);
	await(io, CSFTP_SSH_AUTH_OK);
	csftp_ssh_key_free(key);
}

static void fill(struct csftp_ssh_io *io, uint32_t channel, int progress)
{
	static const uint8_t piece[PIECE];

	for (size_t sent = 0; sent < WINDOW;) {
		size_t n = 0;

		need(csftp_ssh_io_send(io, channel, CSFTP_SSH_STDOUT, piece,
				       PIECE, &n) == CSFTP_OK);
		sent += n;
		need(write(progress, "", 1) == 1);
	}
}

static void send_all(struct csftp_ssh_io *io, uint32_t channel,
		     const uint8_t *bytes, size_t len)
{
	size_t sent = 0, n;

	while (sent < len) {
		need(csftp_ssh_io_send(io, channel, CSFTP_SSH_STDOUT,
				       bytes + sent, len - sent,
				       &n) == CSFTP_OK);
		sent += n;
	}
}

/* SSH_FXP_INIT, and then REALPATH of one long name again and again. */
static void ask(struct csftp_ssh_io *io, uint32_t channel)
{
	enum { NAME = 200, TIMES = 300 };
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	uint8_t realpath[4 + 9 + NAME] = {0, 0, 0, 9 + NAME, 16, 0,   0,
					  0, 1, 0, 0,	     0,	 NAME};

	memset(realpath + 13, 'a', NAME);
	send_all(io, channel, init, sizeof(init));
	for (int i = 0; i < TIMES; i++)
		send_all(io, channel, realpath, sizeof(realpath));
}

static void fill_all(const struct sshd *sshd, unsigned channels, int progress)
{
	struct csftp_ssh_io *io = dial(sshd, channels, 0);
	uint32_t channel;

	log_in(io, sshd);
	for (unsigned i = 0; i < channels; i++) {
		need(csftp_ssh_open(csftp_ssh_io_engine(io), &channel) ==
		     CSFTP_OK);
		await(io, CSFTP_SSH_OPENED);
		fill(io, channel, progress);
	}
}

static void ask_all(const struct sshd *sshd, unsigned connections, int progress)
{
	enum { CHANNELS = 10, SMALL = 4096 };

	for (unsigned i = 0; i < connections; i++) {
		struct csftp_ssh_io *io = dial(sshd, CHANNELS, SMALL);
		uint32_t channel;

		log_in(io, sshd);
		for (unsigned k = 0; k < CHANNELS; k++) {
			need(csftp_ssh_io_subsystem(io, "sftp", &channel) ==
			     CSFTP_OK);
			ask(io, channel);
			need(write(progress, "", 1) == 1);
		}
	}
}

/* SSH_FXP_INIT, and then OPENDIR; the answers may lie where they are. */
static void open_all(const struct sshd *sshd, unsigned times, int progress)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	static const uint8_t opendir[] = {0, 0, 0, 10, 11, 0, 0,
					  0, 1, 0, 0,  0,  1, '/'};
	struct csftp_ssh_io *io = dial(sshd, 1, 0);
	uint32_t channel;

	log_in(io, sshd);
	need(csftp_ssh_io_subsystem(io, "sftp", &channel) == CSFTP_OK);
	send_all(io, channel, init, sizeof(init));
	for (unsigned i = 0; i < times; i++)
		send_all(io, channel, opendir, sizeof(opendir));
	need(write(progress, "", 1) == 1);
}

static void
start(struct greedy *greedy, const struct sshd *sshd, unsigned count,
      void (*run)(const struct sshd *sshd, unsigned count, int progress))
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	greedy->pid = fork();
	assert_true(greedy->pid >= 0);
	if (greedy->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(fds[0]);
		run(sshd, count, fds[1]);
		for (;;)
			(void)pause();
	}
	(void)close(fds[1]);
	greedy->progress = fds[0];
}

void greedy_start(struct greedy *greedy, const struct sshd *sshd,
		  unsigned channels)
{
	start(greedy, sshd, channels, fill_all);
}

void greedy_start_asking(struct greedy *greedy, const struct sshd *sshd,
			 unsigned connections)
{
	start(greedy, sshd, connections, ask_all);
}

void greedy_start_opening(struct greedy *greedy, const struct sshd *sshd,
			  unsigned times)
{
	start(greedy, sshd, times, open_all);
}

void greedy_await(const struct greedy *greedy)
{
	struct pollfd wait = {.fd = greedy->progress, .events = POLLIN};
	int patience = QUIET_MS;
	char bytes[4096];

	while (poll(&wait, 1, patience) > 0) {
		assert_true(read(wait.fd, bytes, sizeof(bytes)) > 0);
		patience = STUCK_MS;
	}
	assert_int_equal(patience, STUCK_MS);
}

void greedy_end(struct greedy *greedy)
{
	assert_int_equal(kill(greedy->pid, SIGKILL), 0);
	assert_int_equal(waitpid(greedy->pid, NULL, 0), greedy->pid);
	(void)close(greedy->progress);
}
