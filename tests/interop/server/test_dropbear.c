/* csftp-server behind another SSH server than OpenSSH's. */
#include "tests/lib/sample.h"
#include "tests/lib/subsystem.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

static void sftp_works_behind_dropbear(void **state)
{
	struct subsystem *served = *state;

	subsystem_by_dropbear(served);
	subsystem_sample(served, SAMPLE_PLAIN);
	subsystem_sh(served, "cat >batch <<'END'\n"
			     "put -pR tree\n"
			     "get -pR tree back\n"
			     "ls -la tree/odd\n"
			     "df\n"
			     "ln tree/run hard\n"
			     "rename hard harder\n"
			     "rm harder\n"
			     "END\n"
			     "sftp -q -F $config -b batch $host >said\n"
			     "grep -q \"odd/quote'd$\" said\n");
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME);
	subsystem_assert_well(served);
}

static void scp_works_behind_dropbear(void **state)
{
	struct subsystem *served = *state;

	subsystem_by_dropbear(served);
	subsystem_sample(served, SAMPLE_PLAIN);
	subsystem_sh(served, "scp -qrp -F $config tree $host:\n"
			     "scp -qrp -F $config $host:tree back\n");
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME);
	subsystem_assert_well(served);
}

static void lftp_works_behind_dropbear(void **state)
{
	struct subsystem *served = *state;

	skip_without("lftp");
	subsystem_by_dropbear(served);
	subsystem_sample(served, SAMPLE_ALL & ~SAMPLE_LATE);
	subsystem_sh(served, "lftp --norc -c \"set cmd:fail-exit yes\n"
			     "set sftp:connect-program 'ssh -a -x -F $config'\n"
			     "set net:max-retries 1\n"
			     "set net:timeout 300\n"
			     "open sftp://$user:@$host\n"
			     "mirror -R --no-umask tree tree\n"
			     "mirror --no-umask tree back\"\n");
	subsystem_assert_both_ways(served, TREE_MODE | TREE_MTIME | TREE_FILES);
	subsystem_assert_well(served);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		SUBSYSTEM_TEST(sftp_works_behind_dropbear),
		SUBSYSTEM_TEST(scp_works_behind_dropbear),
		SUBSYSTEM_TEST(lftp_works_behind_dropbear),
	};

	return cmocka_run_group_tests(claims, subsystem_make,
				      subsystem_release) != 0;
}
