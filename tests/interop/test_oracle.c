/*
 * A mount and a local disk agree.  CSFTP_ORACLE_OPS and CSFTP_ORACLE_SECONDS
 * say for how long, for each transport; see tests/lib/oracle.h.
 */
#include <stdlib.h>

#include "tests/lib/by_transport.h"
#include "tests/lib/oracle.h"

static void the_mount_and_a_local_disk_agree(void **state)
{
	struct oracle *oracle = *state;
	uint64_t ops = oracle_number("CSFTP_ORACLE_OPS", 80000);
	uint64_t seconds = oracle_number("CSFTP_ORACLE_SECONDS",
					 getenv("CSFTP_LONG") ? 1200 : 0);
	int64_t until_ms = proc_now_ms() + (int64_t)seconds * 1000;

	while (seconds ? proc_now_ms() < until_ms : oracle->count < ops) {
		oracle_step(oracle);
		if (oracle->count % 5000 == 0)
			oracle_compare(oracle);
	}
	oracle_compare(oracle);
	oracle_end(oracle);
}

static void start(void *state)
{
	oracle_start(state);
}

static void stop(void *state)
{
	oracle_stop(state);
}

static const struct CMUnitTest claims[] = {
	cmocka_unit_test(the_mount_and_a_local_disk_agree),
};

const struct by_transport by_transport = {
	.claims = claims,
	.count = sizeof(claims) / sizeof(claims[0]),
	.state_size = sizeof(struct oracle),
	.start = start,
	.stop = stop,
};

int main(int argc, char *argv[])
{
	return by_transport_run(argc, argv);
}
