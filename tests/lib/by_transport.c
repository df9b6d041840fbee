#include "tests/lib/by_transport.h"
#include "tests/lib/mounted.h"

#include <stdlib.h>
#include <sys/stat.h>

static int start(void **state, enum transport transport)
{
	struct mounted *mounted = calloc(1, by_transport.state_size);

	assert_non_null(mounted);
	*state = mounted;
	print_message("# %s\n", transport_name(transport));
	mounted_serve(mounted, transport);
	mounted_mount(mounted, by_transport.options);
	if (by_transport.start)
		by_transport.start(mounted);
	return 0;
}

static int start_direct(void **state)
{
	return start(state, DIRECT_CSFTP);
}

static int start_openssh(void **state)
{
	return start(state, SSH_OPENSSH);
}

static int start_ssh(void **state)
{
	return start(state, SSH_CSFTP);
}

static int start_native_openssh(void **state)
{
	return start(state, NATIVE_OPENSSH);
}

static int start_native(void **state)
{
	return start(state, NATIVE_CSFTP);
}

static int start_libssh2(void **state)
{
	return start(state, LIBSSH2_OPENSSH);
}

static int stop(void **state)
{
	if (by_transport.stop)
		by_transport.stop(*state);
	mounted_stop(*state);
	free(*state);
	return 0;
}

static bool wanted(enum transport transport, int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strtol(argv[i], NULL, 10) == (long)transport)
			return true;
	return argc < 2;
}

int by_transport_run(int argc, char *argv[])
{
	static const CMFixtureFunction starts[TRANSPORT_COUNT] = {
		[DIRECT_CSFTP] = start_direct,
		[SSH_OPENSSH] = start_openssh,
		[SSH_CSFTP] = start_ssh,
		[NATIVE_OPENSSH] = start_native_openssh,
		[NATIVE_CSFTP] = start_native,
		[LIBSSH2_OPENSSH] = start_libssh2,
	};
	int failed = 0;

	umask(022);
	for (enum transport t = 0; t < TRANSPORT_COUNT; t++)
		if (wanted(t, argc, argv))
			failed |= _cmocka_run_group_tests(
				transport_name(t), by_transport.claims,
				by_transport.count, starts[t], stop);
	return failed != 0;
}
