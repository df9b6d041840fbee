/* Programs that people run, on a mount that is far away. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/mounted.h"
#include "tests/lib/proxy.h"
#include "tests/lib/test.h"
#include "tests/lib/tree.h"

/* 5 ms there and back; 20 ms where there is time. */
static uint64_t one_way_us(void)
{
	return getenv("CSFTP_LONG") ? 10000 : 2500;
}

struct far_work {
	struct mounted mounted;
	struct proxy proxy;
};

static int start(void **state)
{
	struct far_work *work = calloc(1, sizeof(*work));

	assert_non_null(work);
	mounted_serve(&work->mounted, DIRECT_CSFTP);
	proxy_start(&work->proxy, work->mounted.direct.port, one_way_us());
	work->mounted.direct.port = work->proxy.port;
	mounted_mount(&work->mounted, NULL);
	*state = work;
	return 0;
}

static int stop(void **state)
{
	struct far_work *work = *state;

	mounted_stop(&work->mounted);
	proxy_stop(&work->proxy);
	free(work);
	return 0;
}

/* In the mount; $near is a directory beside it, $served what the server has. */
static void on_mount(const struct far_work *work, const char *script)
{
	must_sh("near='%s/near'; served='%s'; mkdir -p \"$near\"\n"
		"export HOME=\"$near\" GIT_CONFIG_GLOBAL=/dev/null\n"
		"export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a\n"
		"export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a\n"
		"cd '%s'\n%s",
		work->mounted.dir, work->mounted.served, work->mounted.point,
		script);
}

/* What the server has is what is to be there, and no cache's work. */
static void done(struct far_work *work)
{
	mounted_unmount(&work->mounted);
}

static void git_works_on_a_repository_far_away(void **state)
{
	struct far_work *work = *state;

	skip_without("git");
	on_mount(work,
		 "mkdir -p \"$near/first/src\" && cd \"$near/first\"\n"
		 "git init -q . && i=0\n"
		 "while [ $i -lt 40 ]; do echo $i >src/$i; i=$((i + 1)); done\n"
		 "git add . && git commit -qm one && cd -\n"
		 "git clone -q \"$near/first\" repo && cd repo\n"
		 "test -z \"$(git status --porcelain)\"\n"
		 "echo changed >src/7 && rm src/8 && echo new >src/new\n"
		 "test \"$(git status --porcelain | wc -l)\" = 3\n"
		 "git add -A && git commit -qm two\n"
		 "git gc -q && git fsck --strict\n"
		 "test -z \"$(git status --porcelain)\"");
	done(work);
	must_sh("cd '%s/repo' && export GIT_CONFIG_GLOBAL=/dev/null && "
		"git fsck --strict && "
		"test \"$(git log --oneline | wc -l)\" = 2 && "
		"test \"$(cat src/7)\" = changed && test ! -e src/8",
		work->mounted.served);
}

static void trees_of_small_files_come_and_go(void **state)
{
	struct far_work *work = *state;
	char path[PROC_PATH_MAX], other[PROC_PATH_MAX];

	on_mount(work,
		 "i=0; while [ $i -lt 25 ]; do\n"
		 "mkdir -p \"$near/modules/p$i/lib\"\n"
		 "echo \"{}\" >\"$near/modules/p$i/package.json\"\n"
		 "for n in a b c; do echo $n$i >\"$near/modules/p$i/lib/$n\"\n"
		 "done; i=$((i + 1)); done\n"
		 "cp -r \"$near/modules\" modules\n"
		 "cp -r modules again && rm -rf again\n"
		 "test ! -e again");
	done(work);
	proc_print(path, sizeof(path), "%.4000s/near/modules",
		   work->mounted.dir);
	proc_print(other, sizeof(other), "%.4000s/modules",
		   work->mounted.served);
	assert_same_tree(path, other, 0);
}

static void sqlite_commits_far_away(void **state)
{
	struct far_work *work = *state;

	skip_without("sqlite3");
	on_mount(work, "sqlite3 db 'create table t (n); "
		       "begin; insert into t values (1), (2); commit; "
		       "update t set n = n + 1;'\n"
		       "test \"$(sqlite3 db 'select sum(n) from t')\" = 5");
	done(work);
	must_sh("cd '%s' && test \"$(sqlite3 db 'pragma integrity_check')\" = "
		"ok && test \"$(sqlite3 db 'select sum(n) from t')\" = 5",
		work->mounted.served);
}

static void rsync_works_both_ways(void **state)
{
	struct far_work *work = *state;

	skip_without("rsync");
	on_mount(work,
		 "mkdir -p \"$near/from/d\" && cd \"$near/from\"\n"
		 "for i in 1 2 3 4 5 6 7 8; do echo $i >d/$i; done\n"
		 "head -c 700000 /dev/urandom >large && ln -s d link && cd -\n"
		 "rsync -a \"$near/from/\" in && rsync -a in/ \"$near/back\"\n"
		 "diff -r \"$near/from\" \"$near/back\"\n"
		 "test -z \"$(rsync -ai \"$near/from/\" in)\"");
	done(work);
	must_sh("cd '%s' && diff -r '%s/near/from' in", work->mounted.served,
		work->mounted.dir);
}

static void files_are_saved_as_editors_do(void **state)
{
	struct far_work *work = *state;

	on_mount(work, "echo one >text\n"
		       "for i in 1 2 3 4 5; do\n"
		       "cat text >text.tmp && echo line $i >>text.tmp\n"
		       "sync text.tmp && mv text.tmp text\n"
		       "test $(wc -l <text) = $((i + 1))\ndone\n"
		       "ln text text.bak && sed -i s/one/first/ text\n"
		       "test \"$(head -1 text.bak)\" = one");
	done(work);
	must_sh("cd '%s' && test \"$(head -1 text)\" = first && "
		"test ! -e text.tmp && test $(wc -l <text) = 6",
		work->mounted.served);
}

static void make_builds_what_is_far_away(void **state)
{
	struct far_work *work = *state;

	skip_without("cc");
	on_mount(work,
		 "mkdir project && cd project\n"
		 "printf 'int one(void);\\n' >one.h\n"
		 "printf '#include \"one.h\"\\nint one(void) { return 0; }\\n' "
		 ">one.c\n"
		 "printf '#include \"one.h\"\\nint main(void) "
		 "{ return one(); }\\n' >main.c\n"
		 "printf 'all: prog\\nprog: main.o one.o\\n\\tcc -o $@ $^\\n"
		 "main.o one.o: one.h\\n' >Makefile\n"
		 "make -s -j2 && ./prog && make -q all\n"
		 "touch -d '+2 seconds' one.h\n"
		 "if make -q all; then exit 1; fi\n"
		 "make -s && ./prog");
	done(work);
}

static void blocks_that_dd_writes_are_where_they_belong(void **state)
{
	struct far_work *work = *state;

	on_mount(work,
		 "head -c 3000000 /dev/urandom >\"$near/blocks\"\n"
		 "dd if=\"$near/blocks\" of=blocks bs=100000 conv=fsync\n"
		 "for at in 29 3 17 0; do\n"
		 "dd if=/dev/zero of=blocks bs=100000 count=1 seek=$at "
		 "conv=notrunc\n"
		 "dd if=/dev/zero of=\"$near/blocks\" bs=100000 count=1 "
		 "seek=$at conv=notrunc\ndone\n"
		 "cmp blocks \"$near/blocks\"\n"
		 "for at in 29 3 17 0 12; do\n"
		 "dd if=blocks bs=100000 count=1 skip=$at of=\"$near/one\"\n"
		 "dd if=\"$near/blocks\" bs=100000 count=1 skip=$at | "
		 "cmp - \"$near/one\"\ndone");
	done(work);
	must_sh("cmp '%s/blocks' '%s/near/blocks'", work->mounted.served,
		work->mounted.dir);
}

/*
 * Blocks of several sizes in a random order, each with its own sum in it, by
 * write(2) and through a mapping; read again once nothing of them is cached.
 */
static void what_fio_writes_it_finds_again(void **state)
{
	struct far_work *work = *state;

	skip_without("fio");
	on_mount(work,
		 "work() { fio --directory=. --size=2m --verify=crc32c "
		 "--verify_fatal=1 --randseed=7 --output=\"$near/fio\" "
		 "\"$@\" && ! grep -i 'verify: bad' \"$near/fio\"; }\n"
		 "work --name=blocks --rw=randwrite --bsrange=4k-64k "
		 "--ioengine=psync --fsync=16\n"
		 "work --name=mapped --rw=randwrite --bs=4k --ioengine=mmap\n"
		 "work --name=mixed --rw=randrw --bs=16k --ioengine=psync "
		 "--numjobs=3 --thread\n"
		 "work --name=behind --rw=write --bs=128k --ioengine=psync "
		 "--do_verify=0\n"
		 "sync -f . && cp behind.0.0 \"$near/behind\"");
	done(work);
	mounted_mount(&work->mounted, NULL);
	on_mount(work, "fio --directory=. --size=2m --verify=crc32c "
		       "--verify_fatal=1 --randseed=7 --name=behind --rw=write "
		       "--bs=128k --ioengine=psync --verify_only "
		       "--output=\"$near/fio\"\n"
		       "cmp behind.0.0 \"$near/behind\"\n"
		       "cmp behind.0.0 \"$served/behind.0.0\"");
	done(work);
}

/* One page is written after the msync(2): munmap and close see to it. */
static void map_and_write(const char *path)
{
	size_t len = 300000;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	char *map;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	for (size_t i = 0; i < len; i += 4096)
		map[i] = (char)('a' + i / 4096 % 26);
	assert_int_equal(msync(map, len, MS_SYNC), 0);
	map[len - 1] = 'z';
	assert_int_equal(munmap(map, len), 0);
	assert_int_equal(close(fd), 0);
}

static void what_is_written_to_a_mapping_arrives(void **state)
{
	struct far_work *work = *state;
	char path[PROC_PATH_MAX];
	static char text[300001];

	proc_print(path, sizeof(path), "%.4000s/mapped", work->mounted.point);
	map_and_write(path);
	done(work);
	proc_print(path, sizeof(path), "%.4000s/mapped", work->mounted.served);
	assert_int_equal(file_read(path, text, sizeof(text)), 300000);
	for (size_t i = 0; i < 300000; i++) {
		char want = i == 299999	    ? 'z'
			    : i % 4096 == 0 ? (char)('a' + i / 4096 % 26)
					    : '\0';

		assert_int_equal(text[i], want);
	}
}

#define FAR_TEST(claim) cmocka_unit_test_setup_teardown(claim, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAR_TEST(git_works_on_a_repository_far_away),
		FAR_TEST(trees_of_small_files_come_and_go),
		FAR_TEST(sqlite_commits_far_away),
		FAR_TEST(rsync_works_both_ways),
		FAR_TEST(files_are_saved_as_editors_do),
		FAR_TEST(make_builds_what_is_far_away),
		FAR_TEST(blocks_that_dd_writes_are_where_they_belong),
		FAR_TEST(what_fio_writes_it_finds_again),
		FAR_TEST(what_is_written_to_a_mapping_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
