/*
 * A mount and a local disk agree, though the connection is cut all the time:
 * after random numbers of bytes, by resets.  Now and then the link swallows
 * everything instead.
 *
 * CSFTP_ORACLE_CUTS says how many cuts there are.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/oracle.h"
#include "tests/lib/proxy.h"
#include "tests/lib/test.h"

/* Bytes of a connection, on an average. */
#define MEAN 400000

struct cutting {
	struct oracle oracle; /* first */
	struct proxy proxy;
	int conns;
	bool async; /* files are made and written behind the programs */
};

static void mount_by_proxy(struct cutting *cutting)
{
	struct mounted *mounted = &cutting->oracle.mounted;
	char options[64] = "rw";
	char log[PROC_PATH_MAX];
	const char *const append[] = {"-f", "-o", options, NULL};
	char **argv;
	int fd;

	proc_print(log, sizeof(log), "%.4000s/log", mounted->dir);
	fd = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (cutting->async)
		proc_print(options, sizeof(options), "durability=async");
	else if (mounted->transport != DIRECT_CSFTP)
		proc_print(options, sizeof(options), "port=%d,max_conns=%d",
			   cutting->proxy.port, cutting->conns);
	argv = mounted_argv(mounted, mounted->served, mounted->point, append);
	mounted->pid = proc_start(argv, -1, -1, fd);
	mounted_argv_free(argv);
	close(fd);
	mounted_await(mounted);
}

static int make_as(void **state, enum transport transport,
		   const struct cutting *as)
{
	struct cutting *cutting = malloc(sizeof(*cutting));
	struct mounted *mounted;

	if (!cutting)
		return -1;
	*state = cutting;
	*cutting = *as;
	mounted = &cutting->oracle.mounted;
	mounted_serve(mounted, transport);
	proxy_start(&cutting->proxy,
		    transport == DIRECT_CSFTP ? mounted->direct.port
					      : mounted->sshd.port,
		    0);
	mounted->direct.port = cutting->proxy.port;
	mount_by_proxy(cutting);
	cutting->oracle.is_cut = true;
	oracle_start(&cutting->oracle);
	return 0;
}

static int make(void **state, enum transport transport, int conns)
{
	return make_as(state, transport, &(struct cutting){.conns = conns});
}

static int make_direct(void **state)
{
	return make(state, DIRECT_CSFTP, 1);
}

static int make_async(void **state)
{
	return make_as(state, DIRECT_CSFTP,
		       &(struct cutting){.conns = 1, .async = true});
}

static int make_openssh(void **state)
{
	return make(state, SSH_OPENSSH, 1);
}

static int make_native(void **state)
{
	return make(state, NATIVE_OPENSSH, 1);
}

static int make_several(void **state)
{
	return make(state, NATIVE_OPENSSH, 3);
}

static int release(void **state)
{
	struct cutting *cutting = *state;
	struct mounted *mounted = &cutting->oracle.mounted;

	oracle_stop(&cutting->oracle);
	if (mounted->pid > 0) {
		kill(mounted->pid, SIGTERM);
		kill(mounted->pid, SIGTERM);
	}
	mounted_drop(mounted);
	if (cutting->proxy.pid > 0)
		proxy_stop(&cutting->proxy);
	mounted_stop(mounted);
	free(cutting);
	return 0;
}

static void cut_on(struct cutting *cutting, uint64_t cuts, uint64_t holes)
{
	struct oracle *oracle = &cutting->oracle;
	uint64_t next_hole = holes ? cuts / holes / 2 : UINT64_MAX;
	uint64_t cut = 0;

	proxy_random(&cutting->proxy, oracle->seed, MEAN);
	proxy_cut(&cutting->proxy);
	while (cut < cuts) {
		oracle_step(oracle);
		if (oracle->count % 50 != 0)
			continue;
		cut = proxy_counts(&cutting->proxy).cut;
		if (cut >= next_hole) {
			proxy_hole(&cutting->proxy, true);
			proxy_hole(&cutting->proxy, false);
			next_hole += cuts / holes;
		}
		if (oracle->count % 5000 == 0)
			oracle_compare(oracle);
	}
	proxy_random(&cutting->proxy, 0, 0);
	oracle_compare(oracle);
	oracle_end(oracle);
	print_message("# %" PRIu64 " cuts\n", cut);
	oracle_stop(oracle);
	mounted_unmount(&oracle->mounted);
}

static void cuts_are_not_seen(void **state)
{
	uint64_t cuts = oracle_number("CSFTP_ORACLE_CUTS",
				      getenv("CSFTP_LONG") ? 1000 : 25);

	cut_on(*state, cuts, cuts / 25);
}

static void cuts_of_ssh_are_not_seen(void **state)
{
	uint64_t cuts = oracle_number("CSFTP_ORACLE_CUTS",
				      getenv("CSFTP_LONG") ? 300 : 5);

	cut_on(*state, cuts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cuts_are_not_seen, make_direct,
						release),
		cmocka_unit_test_setup_teardown(cuts_are_not_seen, make_async,
						release),
		cmocka_unit_test_setup_teardown(cuts_of_ssh_are_not_seen,
						make_openssh, release),
		cmocka_unit_test_setup_teardown(cuts_of_ssh_are_not_seen,
						make_native, release),
		cmocka_unit_test_setup_teardown(cuts_of_ssh_are_not_seen,
						make_several, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
