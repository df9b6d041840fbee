/* OpenSSH's clients, and sshfs over them, with csftp-server behind sshd. */
#include "tests/lib/sample.h"
#include "tests/lib/subsystem.h"
#include "tests/lib/suites.h"
#include "tests/lib/tree.h"

static void sftp_starts_the_server_without_ssh(void **state)
{
	struct subsystem *served = *state;

	subsystem_sample(served, SAMPLE_PLAIN);
	subsystem_sh(served, "printf 'put -pR tree\\nget -pR tree back\\n' | "
			     "sftp -q -D \"$program\" -b -\n");
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME);
	subsystem_assert_well(served);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		SUBSYSTEM_TEST(sftp_starts_the_server_without_ssh),
	};
	int failed = suite_openssh(subsystem_make);

	failed += cmocka_run_group_tests(claims, subsystem_make,
					 subsystem_release) != 0;
	return failed;
}
