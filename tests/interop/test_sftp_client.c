/*
 * OpenSSH's sftp against csftp-server: each batch of commands is run against
 * OpenSSH's own server, too, and has to leave the same files and say the same.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/sshd.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

/* Two equal places, one for each server. */
struct pair {
	char dir[PROC_PATH_MAX];
	char ours[PROC_PATH_MAX]; /* the server program */
};

static int start(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	scratch_make(pair->dir);
	proc_built(pair->ours, "csftp-server");
	if (getenv("CSFTP_TEST_SERVER"))
		proc_print(pair->ours, PROC_PATH_MAX, "%s",
			   getenv("CSFTP_TEST_SERVER"));
	*state = pair;
	return 0;
}

static int stop(void **state)
{
	struct pair *pair = *state;

	scratch_remove(pair->dir);
	free(pair);
	return 0;
}

/* Local files to send, and remote ones to work on; the same on both sides. */
static int make_places(void **state)
{
	struct pair *pair = *state;

	return proc_sh(
		0,
		"cd '%s' && rm -rf ours theirs && mkdir ours && "
		"cd ours && mkdir local remote && cd local\n"
		"head -c 3000000 /dev/urandom >big && echo small >small\n"
		": >empty && chmod 640 small && chmod 755 big\n"
		"mkdir -p tree/a/b tree/c && echo 1 >tree/a/b/f && "
		"echo 2 >tree/g && touch -d 2002-02-02 tree/g\n"
		"for i in $(seq 300); do echo $i >tree/c/$i; done\n"
		"cd ../remote && mkdir -p there/deep && "
		"echo old >file && ln -s file link && "
		"echo 'a b' >'a b' && head -c 1000000 /dev/urandom "
		">there/deep/data && touch -d 2003-03-03 file\n"
		"cp -a ../../ours ../../theirs",
		pair->dir);
}

/*
 * Runs a batch on one side; its output goes to the file "said".  wrap is put
 * before the server's name: "" or a checker and its options.
 */
static int run_batch(const struct pair *pair, const char *side,
		     const char *server, const char *batch, int expect)
{
	char path[2 * PROC_PATH_MAX];

	proc_print(path, sizeof(path), "%s/batch", pair->dir);
	file_write(path, batch, strlen(batch));
	return proc_sh(expect,
		       "cd '%s/%s/local' && sftp -q -b ../../batch "
		       "-D '%s -d %s/%s/remote' >../said 2>../complained || "
		       "{ status=$?; cat ../complained; exit $status; }",
		       pair->dir, side, server, pair->dir, side);
}

/* The same batch on both sides, the same result, the same trees. */
static void assert_alike(void **state, const char *batch, int expect)
{
	struct pair *pair = *state;
	char ours[2 * PROC_PATH_MAX], theirs[2 * PROC_PATH_MAX];

	assert_int_equal(
		run_batch(pair, "theirs", OPENSSH_SFTP_SERVER, batch, expect),
		expect);
	assert_int_equal(run_batch(pair, "ours", pair->ours, batch, expect),
			 expect);
	proc_print(ours, sizeof(ours), "%s/ours/remote", pair->dir);
	proc_print(theirs, sizeof(theirs), "%s/theirs/remote", pair->dir);
	assert_same_tree(ours, theirs, TREE_MODE);
	proc_print(ours, sizeof(ours), "%s/ours/local", pair->dir);
	proc_print(theirs, sizeof(theirs), "%s/theirs/local", pair->dir);
	assert_same_tree(ours, theirs, TREE_MODE);
	must_sh("cd '%s' && for f in ours theirs; do sed \"s|/$f/|/side/|g\" "
		"$f/said >$f/said.same; done; "
		"diff ours/said.same theirs/said.same >&2",
		pair->dir);
}

static void put_and_get_move_the_same_bytes(void **state)
{
	assert_alike(state,
		     "put big\nput small renamed\nput empty\n"
		     "get there/deep/data\nget file got\nput -p big kept\n"
		     "get -p file keptfile\n",
		     0);
}

static void trees_go_both_ways(void **state)
{
	assert_alike(state,
		     "put -r tree\nget -r there\nput -R tree again\n"
		     "get -pR tree back\n",
		     0);
}

static void half_a_file_is_completed(void **state)
{
	struct pair *pair = *state;

	must_sh("cd '%s' && for side in ours theirs; do (cd $side && "
		"head -c 1234567 local/big >remote/big && "
		"head -c 777777 remote/there/deep/data >local/data); done",
		pair->dir);
	assert_alike(state, "reput big\nreget there/deep/data\n", 0);
}

static void names_are_made_moved_and_removed(void **state)
{
	assert_alike(state,
		     "mkdir new\nrename file new/file\nrename new other\n"
		     "put small over\nput empty under\nrename under over\n"
		     "rename link other/link\n"
		     "mkdir gone\nrmdir gone\nput small gone\nrm gone\n"
		     "rm \"a b\"\n",
		     0);
}

static void links_and_copies_are_made(void **state)
{
	assert_alike(state,
		     "ln file hard\nln -s \"no where\" soft\n"
		     "copy there/deep/data copied\ncopy file twice\n",
		     0);
}

static void modes_and_owners_are_set(void **state)
{
	assert_alike(state, "chmod 600 file\nchmod 755 there\n", 0);
	if (geteuid() == 0)
		assert_alike(state, "chown 12 file\nchgrp 34 file\n", 0);
}

static void listings_look_alike(void **state)
{
	assert_alike(state,
		     "pwd\nls\nls -1\nls there\nls -la there/deep\nls -n\n"
		     "ls -ln file\nls -l link\ncd there\npwd\nls -1t\nlpwd\n",
		     0);
}

static void failures_stop_a_batch_alike(void **state)
{
	assert_alike(state, "get missing\n", 1);
	assert_alike(state, "rmdir there\n", 1);
	assert_alike(state, "mkdir there\n", 1);
	assert_alike(state, "rm missing\n", 1);
	assert_alike(state, "cd file\n", 1);
	assert_alike(state, "rename missing x\n", 1);
	assert_alike(state, "-mkdir there\n-rm missing\nput small\n", 0);
}

static void df_shows_the_disk(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(run_batch(pair, "ours", pair->ours, "df\ndf -hi\n", 0),
			 0);
	must_sh("grep -q '%%Capacity\\|%%iCapacity' '%s/ours/said'", pair->dir);
}

static void sshd_runs_it_as_its_subsystem(void **state)
{
	struct pair *pair = *state;
	struct sshd sshd;

	sshd_start(&sshd, pair->ours);
	must_sh("cd '%s/ours/local' && printf 'cd %s/ours/remote\\nput big\\n"
		"get there/deep/data\\nls -l\\n' | "
		"sftp -q -F '%s' -b - " SSHD_HOST
		" && cmp big ../remote/big && "
		"cmp data ../remote/there/deep/data",
		pair->dir, pair->dir, sshd.client);
	sshd_stop(&sshd);
}

/*
 * Every command once, below a checker that sees each byte of memory.  It makes
 * code in memory, so without the sandbox.
 */
static void valgrind_finds_no_fault(void **state)
{
	static const char batch[] =
		"pwd\nls -la\nput big\nget big out\nput -r tree\nget -r there\n"
		"-reput big\nmkdir new\nrename file new/file\nln big hard\n"
		"ln -s x soft\ncopy big copied\nchmod 600 big\ndf\n"
		"chown 1 big\nchgrp 1 big\nls -l new\n-mkdir new\n-rm nothing\n"
		"-get nothing\n-rmdir there\nrm hard\nrm soft\nrmdir there/x\n";
	/* In libc both are one function, which the checker calls by either. */
	static const char alias[] = "{\n alias\n Memcheck:Overlap\n"
				    " fun:__memcpy_chk\n fun:memmove\n}\n";
	struct pair *pair = *state;
	char server[3 * PROC_PATH_MAX], ours[PROC_PATH_MAX];
	char path[2 * PROC_PATH_MAX];

	proc_built(ours, "tests/interop/csftp-server-dynamic");
	if (proc_sh(0, "command -v valgrind >/dev/null") != 0)
		skip_because("valgrind is not installed");
	must_sh("mkdir '%s/ours/remote/there/x'", pair->dir);
	proc_print(path, sizeof(path), "%s/alias", pair->dir);
	file_write(path, alias, strlen(alias));
	proc_print(server, sizeof(server),
		   "valgrind -q --error-exitcode=99 --leak-check=full "
		   "--show-leak-kinds=all --errors-for-leak-kinds=all "
		   "--track-fds=no --suppressions=%s/alias "
		   "--log-file=%s/valgrind %s --sandbox=off",
		   pair->dir, pair->dir, ours);
	assert_int_equal(run_batch(pair, "ours", server, batch, 0), 0);
	must_sh("cat '%s/valgrind' >&2; test ! -s '%s/valgrind'", pair->dir,
		pair->dir);
}

#define ON_EQUAL_PLACES(claim) cmocka_unit_test_setup(claim, make_places)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		ON_EQUAL_PLACES(put_and_get_move_the_same_bytes),
		ON_EQUAL_PLACES(trees_go_both_ways),
		ON_EQUAL_PLACES(half_a_file_is_completed),
		ON_EQUAL_PLACES(names_are_made_moved_and_removed),
		ON_EQUAL_PLACES(links_and_copies_are_made),
		ON_EQUAL_PLACES(modes_and_owners_are_set),
		ON_EQUAL_PLACES(listings_look_alike),
		ON_EQUAL_PLACES(failures_stop_a_batch_alike),
		ON_EQUAL_PLACES(df_shows_the_disk),
		ON_EQUAL_PLACES(sshd_runs_it_as_its_subsystem),
		ON_EQUAL_PLACES(valgrind_finds_no_fault),
	};

	umask(022);
	return cmocka_run_group_tests(claims, start, stop) != 0;
}
