/* Two SSH engines joined by memory. */
#include <string.h>

#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

static void a_session_opens_and_carries_data(void **state)
{
	struct ssh_rig rig;
	uint32_t channel;

	(void)state;
	ssh_rig_init(&rig);
	rig.server.echo = true;
	rig.client.traces = true;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	channel = ssh_rig_channel(&rig);
	assert_int_equal(csftp_ssh_exec(rig.client.ssh, channel, "cat"),
			 CSFTP_OK);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.last.kind, CSFTP_SSH_REPLY);
	assert_int_equal(ssh_side_send(&rig.client, channel, 1000), 1000);
	ssh_rig_run(&rig);
	assert_int_equal(rig.client.got_total, 1000);
	ssh_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_opens_and_carries_data),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	ssh_rig_free_keys();
	return failed;
}
