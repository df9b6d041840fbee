#include "tests/lib/proxy.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* An event that has not come by then never will, on any machine. */
#define PATIENCE_MS 60000

_Noreturn static void serve(const struct proxy_setup *setup)
{
	unsigned keep[2] = {(unsigned)setup->listener,
			    (unsigned)setup->control};
	unsigned low = keep[0] < keep[1] ? keep[0] : keep[1];
	unsigned high = keep[0] < keep[1] ? keep[1] : keep[0];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* An end of a pipe of the test's that stays open here has no end. */
	if (low > 3)
		(void)close_range(3, low - 1, 0);
	if (high - low > 1)
		(void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0U, 0);
	_exit(proxy_run(setup) == 0 ? 0 : 1);
}

void proxy_start(struct proxy *proxy, int server_port, uint64_t one_way_us)
{
	struct proxy_setup setup = {
		.stop = -1, .port = server_port, .one_way_us = one_way_us};
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	setup.listener = proxy_listen(&proxy->port);
	assert_true(setup.listener >= 0);
	setup.control = pair[1];
	proxy->control = pair[0];
	proxy->pid = fork();
	assert_true(proxy->pid >= 0);
	if (proxy->pid == 0)
		serve(&setup);
	close(setup.listener);
	close(pair[1]);
}

void proxy_stop(struct proxy *proxy)
{
	if (proxy->pid <= 0)
		return;
	close(proxy->control);
	proc_stop(proxy->pid);
	proxy->pid = 0;
}

static struct proxy_counts order(struct proxy *proxy, struct proxy_order what)
{
	struct proxy_counts counts;

	assert_int_equal(
		send(proxy->control, &what, sizeof(what), MSG_NOSIGNAL),
		sizeof(what));
	assert_int_equal(recv(proxy->control, &counts, sizeof(counts), 0),
			 sizeof(counts));
	return counts;
}

void proxy_delay(struct proxy *proxy, uint64_t one_way_us)
{
	(void)order(proxy,
		    (struct proxy_order){.op = PROXY_DELAY, .arg = one_way_us});
}

void proxy_cut(struct proxy *proxy)
{
	(void)order(proxy, (struct proxy_order){.op = PROXY_CUT});
}

void proxy_cut_at(struct proxy *proxy, enum proxy_way way, uint64_t bytes)
{
	(void)order(proxy, (struct proxy_order){.op = PROXY_CUT_AT,
						.way = way,
						.arg = bytes});
}

void proxy_hole(struct proxy *proxy, bool on)
{
	(void)order(proxy, (struct proxy_order){.op = PROXY_HOLE, .arg = on});
}

void proxy_freeze(struct proxy *proxy, bool on)
{
	(void)order(proxy, (struct proxy_order){.op = PROXY_FREEZE, .arg = on});
}

void proxy_refuse(struct proxy *proxy, bool on)
{
	(void)order(proxy, (struct proxy_order){.op = PROXY_REFUSE, .arg = on});
}

void proxy_random(struct proxy *proxy, uint64_t seed, uint64_t mean)
{
	(void)order(proxy, (struct proxy_order){.op = PROXY_RANDOM,
						.arg = mean,
						.seed = seed});
}

struct proxy_counts proxy_counts(struct proxy *proxy)
{
	return order(proxy, (struct proxy_order){.op = PROXY_COUNT});
}

void proxy_await_open(struct proxy *proxy, uint64_t count)
{
	int64_t until = proc_now_ms() + PATIENCE_MS;
	const struct timespec nap = {.tv_nsec = 1000000};

	while (proxy_counts(proxy).open != count) {
		assert_true(proc_now_ms() < until);
		(void)nanosleep(&nap, NULL);
	}
}
