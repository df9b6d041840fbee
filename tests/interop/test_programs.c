/* Programs that people run, on a mount, by each transport. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/lib/by_transport.h"
#include "tests/lib/mounted.h"
#include "tests/lib/tree.h"

/* In a copied tree, links have to say what they said. */
#define OPTIONS "symlinks=raw"

/* A mount, and a real tree beside it with over a thousand files. */
struct work {
	struct mounted mounted;
	char tree[PROC_PATH_MAX];
};

/*
 * The C library's and the kernel's headers are wherever this was compiled.
 * What headers do not have is added: links, odd modes, old times.
 */
static void make_tree(void *state)
{
	struct work *work = state;

	proc_print(work->tree, PROC_PATH_MAX, "%.4000s/tree",
		   work->mounted.dir);
	must_sh("mkdir '%s' && cd '%s'\n"
		"cp -a /usr/include/linux /usr/include/asm-generic .\n"
		"cp -a /usr/include/*-linux-gnu arch\n"
		"mkdir extra empty && cd extra\n"
		"ln -s ../linux/types.h link && ln -s nowhere dangling\n"
		"ln -s ../linux directory\n"
		"printf '#!/bin/sh\\n' >run && chmod 755 run\n"
		"printf secret >private && chmod 600 private\n"
		"printf ro >readonly && chmod 444 readonly\n"
		": >nothing && touch -d 2001-02-03 nothing\n"
		"mkdir -m 700 closed && touch -d 1999-12-31 closed\n"
		"find .. -xtype l ! -name dangling -delete\n"
		"touch -d '2011-11-11 11:11:11' ../linux .",
		work->tree, work->tree);
	assert_true(tree_count(work->tree) > 1000);
}

static void remount(struct work *work)
{
	mounted_unmount(&work->mounted);
	mounted_mount(&work->mounted, OPTIONS);
}

static int empty_again(void **state)
{
	struct work *work = *state;

	proc_sh(0, "rm -rf '%s' && mkdir '%s'", work->mounted.served,
		work->mounted.served);
	remount(work);
	return 0;
}

#define ALL (TREE_MODE | TREE_MTIME)

static void cp_keeps_a_tree_in_and_out(void **state)
{
	struct work *work = *state;
	const char *point = work->mounted.point, *dir = work->mounted.dir;
	char path[PROC_PATH_MAX];

	must_sh("cp -a '%s' '%s/copy'", work->tree, point);
	proc_print(path, sizeof(path), "%s/copy", work->mounted.served);
	assert_same_tree(work->tree, path, ALL);
	proc_print(path, sizeof(path), "%s/copy", point);
	assert_same_tree(work->tree, path, ALL);
	remount(work);
	must_sh("cp -a '%s/copy' '%s/out'", point, dir);
	proc_print(path, sizeof(path), "%s/out", dir);
	assert_same_tree(work->tree, path, ALL);
	must_sh("rm -r '%s/copy' '%s/out'", point, dir);
	assert_int_equal(tree_count(work->mounted.served), 0);
}

static void tar_packs_and_unpacks(void **state)
{
	struct work *work = *state;
	const char *point = work->mounted.point, *dir = work->mounted.dir;
	char path[PROC_PATH_MAX];

	must_sh("tar -C '%s' -cf - . | (mkdir '%s/t' && tar -C '%s/t' -xpf -)",
		work->tree, point, point);
	proc_print(path, sizeof(path), "%s/t", work->mounted.served);
	assert_same_tree(work->tree, path, ALL);
	remount(work);
	must_sh("tar -C '%s/t' -cf '%s/t.tar' . && mkdir '%s/untar' && "
		"tar -C '%s/untar' -xpf '%s/t.tar'",
		point, point, dir, dir, point);
	proc_print(path, sizeof(path), "%s/untar", dir);
	assert_same_tree(work->tree, path, ALL);
	must_sh("rm -r '%s/untar'", dir);
}

static void rsync_finds_nothing_to_do_the_second_time(void **state)
{
	struct work *work = *state;
	const char *point = work->mounted.point, *dir = work->mounted.dir;
	char path[PROC_PATH_MAX];

	must_sh("rsync -aO '%s/' '%s/r'", work->tree, point);
	proc_print(path, sizeof(path), "%s/r", work->mounted.served);
	assert_same_tree(work->tree, path, TREE_MODE);
	must_sh("test -z \"$(rsync -aOJc --itemize-changes '%s/' '%s/r' | "
		"tee /dev/stderr)\"",
		work->tree, point);
	remount(work);
	must_sh("rsync -aO '%s/r/' '%s/back'", point, dir);
	must_sh("test -z \"$(rsync -aOJc --itemize-changes '%s/' '%s/back' | "
		"tee /dev/stderr)\"",
		work->tree, dir);
	must_sh("rm -r '%s/back'", dir);
}

#define GIT                                                                    \
	"export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null "            \
	"GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org "                    \
	"GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org\n"

static void git_clones_commits_and_finds_no_fault(void **state)
{
	struct work *work = *state;
	const char *point = work->mounted.point, *dir = work->mounted.dir;

	must_sh(GIT "git init -q '%s/repo' && cd '%s/repo'\n"
		    "cp -a '%s/asm-generic' '%s/extra' . && git add -A\n"
		    "git commit -qm one && rm extra/run && git add -A && "
		    "git commit -qm two && git gc -q",
		dir, dir, work->tree, work->tree);
	must_sh(GIT "cd '%s' && git clone -q '%s/repo' clone && cd clone\n"
		    "test -z \"$(git status --porcelain)\"\n"
		    "echo more >more && ln -s more link && git add -A\n"
		    "git mv asm-generic renamed && git commit -qm three\n"
		    "git checkout -qb side HEAD~1 && echo s >side && "
		    "git add -A && git commit -qm side\n"
		    "git merge -q -m merged master && git gc -q\n"
		    "git fsck --full --strict\n"
		    "test -z \"$(git status --porcelain)\"",
		point, dir);
	remount(work);
	must_sh(GIT "cd '%s/clone' && git fsck --full --strict && "
		    "test -z \"$(git status --porcelain)\" && "
		    "test \"$(git log --oneline | wc -l)\" = 5 && "
		    "git clone -q . '%s/again' && cd '%s/again' && "
		    "test -f renamed/types.h && test -f side",
		point, dir, dir);
	must_sh("rm -rf '%s/repo' '%s/again'", dir, dir);
}

/* The locks of the transactions are this machine's own, as is documented. */
static void sqlite_keeps_its_transactions(void **state)
{
	struct work *work = *state;
	const char *point = work->mounted.point;

	must_sh("cd '%s' && sqlite3 -bail db \""
		"create table t(a integer primary key, b text);"
		"with recursive n(i) as (select 1 union all select i + 1 "
		"from n where i < 20000) insert into t select i, "
		"hex(randomblob(20)) from n;"
		"begin; update t set b = 'gone'; rollback;"
		"begin; delete from t where a > 15000; commit;"
		"create index i on t(b); vacuum;\"\n"
		"for i in 1 2 3 4 5 6 7 8 9 10; do sqlite3 -bail db \""
		"begin; insert into t(b) values('row $i'); commit\"; done\n"
		"test ! -e db-journal",
		point);
	remount(work);
	must_sh("cd '%s' && test \"$(sqlite3 db \"select count(*) from t; "
		"select count(*) from t where b = 'gone'; "
		"select count(*) from t where b like 'row %%'; "
		"pragma integrity_check\" | tr '\\n' ' ')\" = "
		"'15010 0 10 ok '",
		point);
	must_sh("test \"$(sqlite3 '%s/db' 'pragma integrity_check')\" = ok",
		work->mounted.served);
}

/* Bytes that depend on where they are, so that a misplaced block is found. */
static void fill_block(uint64_t *block, size_t words, uint64_t number)
{
	uint64_t x = (number + 1) * 0x9e3779b97f4a7c15U;

	for (size_t i = 0; i < words; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		block[i] = x;
	}
}

enum { BLOCK = 1 << 20, BLOCKS = 1024 };

static void check_large_file(const char *dir)
{
	uint64_t *expect = malloc(BLOCK), *got = malloc(BLOCK);
	char path[PROC_PATH_MAX];
	int fd;

	assert_non_null(expect);
	assert_non_null(got);
	proc_print(path, sizeof(path), "%s/large", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (uint64_t n = 0; n < BLOCKS; n++) {
		fill_block(expect, BLOCK / sizeof(*expect), n);
		assert_int_equal(read(fd, got, BLOCK), BLOCK);
		if (memcmp(expect, got, BLOCK) != 0)
			fail_msg("%s differs in MiB %u", path, (unsigned)n);
	}
	assert_int_equal(read(fd, got, 1), 0);
	close(fd);
	free(expect);
	free(got);
}

static void a_gibibyte_arrives_whole(void **state)
{
	struct work *work = *state;
	uint64_t *block = malloc(BLOCK);
	char path[PROC_PATH_MAX];
	struct statvfs disk;
	int fd;

	assert_non_null(block);
	assert_int_equal(statvfs(work->mounted.served, &disk), 0);
	if (disk.f_bavail * disk.f_frsize < 2UL * BLOCK * BLOCKS) {
		free(block);
		skip_because("less than 2 GiB free for temporary files");
	}
	proc_print(path, sizeof(path), "%s/large", work->mounted.point);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	for (uint64_t n = 0; n < BLOCKS; n++) {
		fill_block(block, BLOCK / sizeof(*block), n);
		assert_int_equal(write(fd, block, BLOCK), BLOCK);
	}
	assert_int_equal(close(fd), 0);
	free(block);
	check_large_file(work->mounted.served);
	remount(work);
	check_large_file(work->mounted.point);
	assert_int_equal(unlink(path), 0);
}

#define ON_AN_EMPTY(claim) cmocka_unit_test_teardown(claim, empty_again)

static const struct CMUnitTest claims[] = {
	ON_AN_EMPTY(cp_keeps_a_tree_in_and_out),
	ON_AN_EMPTY(tar_packs_and_unpacks),
	ON_AN_EMPTY(rsync_finds_nothing_to_do_the_second_time),
	ON_AN_EMPTY(git_clones_commits_and_finds_no_fault),
	ON_AN_EMPTY(sqlite_keeps_its_transactions),
	ON_AN_EMPTY(a_gibibyte_arrives_whole),
};

const struct by_transport by_transport = {
	.claims = claims,
	.count = sizeof(claims) / sizeof(claims[0]),
	.state_size = sizeof(struct work),
	.options = OPTIONS,
	.start = make_tree,
};

int main(int argc, char *argv[])
{
	return by_transport_run(argc, argv);
}
