/* OpenSSH's clients, and sshfs over them: see subsystem_by_sshd(). */
#include <unistd.h>

#include "tests/lib/sample.h"
#include "tests/lib/subsystem.h"
#include "tests/lib/suites.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

#define ALL (TREE_MODE | TREE_MTIME)

/* What went up and came back has no links: sftp leaves them out. */
static void assert_plain_sample(const struct subsystem *served)
{
	char one[PROC_PATH_MAX], two[PROC_PATH_MAX];

	sample_make(subsystem_local(served, "expected", one), SAMPLE_PLAIN);
	assert_same_tree(one, subsystem_file(served, "tree", two), ALL);
	assert_same_tree(one, subsystem_local(served, "back", two), ALL);
}

/* Starts in the tree on both sides; the batch is its standard input. */
#define BATCH                                                                  \
	"batch() {\n"                                                          \
	"\t{ echo lcd tree; echo cd tree; cat; } | "                           \
	"sftp -q -F $config -b - $host >said\n"                                \
	"}\n"

static void check_transfers(const struct subsystem *served)
{
	subsystem_sh(
		served, BATCH
		"head -c 1000000 tree/sizes/large >half\n"
		"cp half $files/tree/half\n"
		"batch <<'END'\n"
		"reput sizes/large half\n"
		"reget sizes/large ../half\n"
		"put -f run synced\n"
		"mkdir new\n"
		"put -p \"odd/two words\" \"new/three words here\"\n"
		"get many/39* ../\n"
		"put many/38* new\n"
		"copy sizes/large copied\n"
		"-get missing\n"
		"!touch ../reached\n"
		"END\n"
		"test -e reached\n"
		"cmp half tree/sizes/large\n"
		"cmp half $files/tree/half\n"
		"cmp half $files/tree/copied\n"
		"cmp tree/run $files/tree/synced\n"
		"test $(ls 39* | wc -l) = 10\n"
		"printf 'put half odd\nget odd\n' | "
		"sftp -q -B 777 -R 2000 -F $config -b - $host\n"
		"cmp half odd\n"
		"test $(ls $files/tree/new | wc -l) = 11\n"
		"test \"$(stat -c %Y \"$files/tree/new/three words here\")\" "
		"= \"$(stat -c %Y 'tree/odd/two words')\"\n");
}

static void check_listings(const struct subsystem *served)
{
	subsystem_sh(
		served, BATCH
		"batch <<'END'\n"
		"ls -la odd\n"
		"ls -1 odd/*\\\"*\n"
		"ls -ln sizes\n"
		"ls -1Sr sizes\n"
		"df -h\n"
		"df -i odd\n"
		"cd /\n"
		"pwd\n"
		"END\n"
		"grep -q '^Remote working directory: /$' said\n"
		"grep -q '^-rw-r--r-- .* 10 Sep  9  2001 odd/quote.d$' said\n"
		"grep -q '^odd/double\"d$' said\n"
		"grep -q '^-rw-r-----.* 4198403 Sep  9  2001 sizes/l' said\n"
		"grep -A1 'ls -1Sr' said | grep -q sizes/nothing\n"
		"grep -q ' Avail .*%Capacity' said\n"
		"grep -q ' Inodes .*%Capacity' said\n");
}

static void check_changes(const struct subsystem *served)
{
	subsystem_sh(served, BATCH "batch <<'END'\n"
				   "ln run hard\n"
				   "ln -s \"no where\" soft\n"
				   "chmod 4711 run\n"
				   "rename old older\n"
				   "rename older group\n"
				   "rm new/*\n"
				   "rmdir new\n"
				   "-rmdir odd\n"
				   "-rm missing\n"
				   "END\n"
				   "cd $files/tree\n"
				   "test run -ef hard\n"
				   "test \"$(readlink soft)\" = 'no where'\n"
				   "test \"$(stat -c %a run)\" = 4711\n"
				   "test ! -e old\n"
				   "test ! -e older\n"
				   "test ! -e new\n"
				   "test -d odd\n"
				   "cmp group $local/tree/old\n");
	if (geteuid() == 0)
		subsystem_sh(served,
			     BATCH "batch <<'END'\n"
				   "chown 12 private\n"
				   "chgrp 34 private\n"
				   "chown -h 56 soft\n"
				   "END\n"
				   "cd $files/tree\n"
				   "test \"$(stat -c %u:%g private)\" = 12:34\n"
				   "test \"$(stat -c %u soft)\" = 56\n");
}

static void sftp_does_all_that_its_manual_lists(void **state)
{
	struct subsystem *served = *state;

	subsystem_by_sshd(served);
	subsystem_sample(served, SAMPLE_ALL);
	subsystem_sh(served, "printf 'put -pR tree\\nget -pR tree back\\n' | "
			     "sftp -q -F \"$config\" -b - $host\n");
	assert_plain_sample(served);
	check_transfers(served);
	check_listings(served);
	check_changes(served);
	/* The first failure is the end of a batch. */
	subsystem_sh(served,
		     "printf 'mkdir a\\nrmdir tree\\nmkdir b\\n' >batch\n"
		     "if sftp -q -F \"$config\" -b batch $host; then\n"
		     "\texit 9\n"
		     "fi\n"
		     "test -d \"$files/a\"\n"
		     "test ! -e \"$files/b\"\n");
	subsystem_assert_well(served);
}

/* It copies the files that links point to, as cp -L does. */
static void scp_copies_trees_and_patterns(void **state)
{
	struct subsystem *served = *state;
	char linked[PROC_PATH_MAX];

	subsystem_by_sshd(served);
	sample_make(subsystem_local(served, "linked", linked),
		    SAMPLE_ALL & ~(SAMPLE_DANGLING | SAMPLE_DIR_LINKS));
	subsystem_sh(served,
		     "cp -aL linked tree\n"
		     "scp -qrp -F \"$config\" linked $host:tree\n"
		     "scp -qrp -F \"$config\" $host:$files/tree back\n");
	subsystem_assert_both_ways(served, ALL);
	subsystem_sh(served,
		     "scp='scp -q -F '$config\n"
		     "$scp tree/run \"tree/odd/two words\" $host:\n"
		     "cmp tree/run $files/run\n"
		     "cmp 'tree/odd/two words' \"$files/two words\"\n"
		     "$scp \"$host:two words\" \"$host:tree/many/12*\" back\n"
		     "cmp 'tree/odd/two words' 'back/two words'\n"
		     "test $(ls -d back/12* | wc -l) = 10\n"
		     "$scp -3 $host:tree/sizes/large $host:between\n"
		     "cmp tree/sizes/large $files/between\n"
		     "if $scp $host:missing back; then exit 9; fi\n"
		     "if $scp tree/run $host:no/such/place; then exit 9; fi\n");
	subsystem_assert_well(served);
}

static void mount_sshfs(struct subsystem *served)
{
	struct mounted *mounted = &served->mounted;
	char program[] = "sshfs", file[] = "-F", foreground[] = "-f";
	char remote[] = SSHD_HOST ":", links[] = "-ono_contain_symlinks";
	char *argv[] = {program, file,	 served->sshd.client, foreground,
			links,	 remote, mounted->point,      NULL};

	subsystem_local(served, "point", mounted->point);
	subsystem_sh(served, "mkdir point");
	mounted->pid = proc_start(argv, -1, -1, -1);
	mounted_await(mounted);
}

static void sshfs_copies_trees_and_holds_a_repository(void **state)
{
	struct subsystem *served = *state;
	char one[PROC_PATH_MAX], two[PROC_PATH_MAX];

	skip_without("sshfs");
	if (access("/dev/fuse", R_OK | W_OK) != 0)
		skip_because("/dev/fuse cannot be used");
	subsystem_by_sshd(served);
	sample_make(subsystem_local(served, "linked", one), SAMPLE_ALL);
	subsystem_sample(served, SAMPLE_PLAIN);
	mount_sshfs(served);
	subsystem_sh(served,
		     "cp -r --preserve=mode,timestamps tree point/\n"
		     "git='git -c user.name=A -c user.email=a@example.org'\n"
		     "cd point\n"
		     "git init -q repo\n"
		     "cd repo\n"
		     "cp -r \"$local/linked\" .\n"
		     "$git add -A\n"
		     "$git commit -qm one\n"
		     "git mv linked moved\n"
		     "$git commit -qm two\n"
		     "git gc -q\n"
		     "git fsck --strict\n"
		     "test -z \"$(git status --porcelain)\"\n");
	mounted_unmount(&served->mounted);
	/* Nothing is left in a cache of the first mount. */
	subsystem_sh(served, "rmdir point");
	mount_sshfs(served);
	subsystem_sh(served,
		     "cp -r --preserve=mode,timestamps point/tree back\n"
		     "cd point/repo\n"
		     "git fsck --strict\n"
		     "git diff --quiet HEAD\n"
		     "cp -r moved \"$local/again\"\n");
	mounted_unmount(&served->mounted);
	subsystem_assert_both_ways(served, ALL);
	assert_same_tree(one, subsystem_file(served, "repo/moved", two), 0);
	assert_same_tree(one, subsystem_local(served, "again", two), 0);
	subsystem_assert_well(served);
}

/* dd(1) has the kernel forget it, as far as its file system can. */
static void what_comes_from_the_disk_is_read_as_it_is(void **state)
{
	struct subsystem *served = *state;

	subsystem_by_sshd(served);
	subsystem_sh(served,
		     "head -c 24000000 /dev/urandom >$files/cold\n"
		     "forget() {\n"
		     "\tdd of=$files/cold oflag=nocache conv=notrunc,fdatasync "
		     "count=0 status=none\n"
		     "}\n"
		     "for turn in 1 2 3 4 5 6 7 8 9 10 11 12; do\n"
		     "\tforget\n"
		     "\tsftp -q -F $config $host:cold back >said\n"
		     "\tcmp $files/cold back\n"
		     "done\n");
	subsystem_assert_well(served);
}

/*
 * Without a farewell, in the middle of a packet and of an answer; that it is
 * said on standard error is right here.
 */
static void a_killed_client_leaves_no_server(void **state)
{
	struct subsystem *served = *state;

	subsystem_by_sshd(served);
	subsystem_sample(served, 0);
	subsystem_sh(served, "cut() {\n"
			     "\tscp -q -l 4000 -F $config $1 $2 &\n"
			     "\tpid=$!\n"
			     "\tuntil test -s $3; do sleep 0.02; done\n"
			     "\tkill -9 $(cat /proc/$pid/task/$pid/children)\n"
			     "\tif wait $pid; then exit 9; fi\n"
			     "}\n"
			     "cut tree/sizes/large $host:large $files/large\n"
			     "cp tree/sizes/large $files/whole\n"
			     "cut $host:whole whole whole\n");
	assert_int_equal(subsystem_assert_ended(served), 2);
}

int suite_openssh(CMFixtureFunction make)
{
	static const struct CMUnitTest claims[] = {
		SUBSYSTEM_TEST(sftp_does_all_that_its_manual_lists),
		SUBSYSTEM_TEST(scp_copies_trees_and_patterns),
		SUBSYSTEM_TEST(sshfs_copies_trees_and_holds_a_repository),
		SUBSYSTEM_TEST(what_comes_from_the_disk_is_read_as_it_is),
		SUBSYSTEM_TEST(a_killed_client_leaves_no_server),
	};

	return cmocka_run_group_tests(claims, make, subsystem_release) != 0;
}
