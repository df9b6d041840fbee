#include "tests/lib/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csftp/fs.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* A second apart for each file; in all time zones but few it is one date. */
#define FIRST_MTIME 1000032401

struct sample {
	int root;
	time_t mtime;	 /* the next file's */
	uint64_t random; /* the next byte's */
};

static void set_mtime(int dir, const char *name, time_t mtime)
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};

	assert_int_equal(utimensat(dir, name, times, 0), 0);
}

static void fill(struct sample *sample, char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sample->random = sample->random * 6364136223846793005U + 1;
		buf[i] = (char)(sample->random >> 56);
	}
}

static void add_file(struct sample *sample, const char *name, size_t size,
		     mode_t mode)
{
	int fd = openat(sample->root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	char buf[4096];

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	for (size_t len; size > 0; size -= len) {
		len = size < sizeof(buf) ? size : sizeof(buf);
		fill(sample, buf, len);
		assert_int_equal(write(fd, buf, len), len);
	}
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	set_mtime(sample->root, name, sample->mtime++);
}

static void add_dir(const struct sample *sample, const char *name)
{
	if (mkdirat(sample->root, name, 0755) != 0)
		fail_msg("%s: %s", name, strerror(errno));
}

/* More than one answer to READDIR can hold. */
static void add_many(struct sample *sample)
{
	char name[128];

	add_dir(sample, "many");
	for (unsigned i = 0; i < 400; i++) {
		proc_print(name, sizeof(name),
			   "many/%03u a name as people give it to a "
			   "photograph of their holidays.jpeg",
			   i);
		add_file(sample, name, i, 0644);
	}
}

/* Around the sizes of blocks, of clients' requests and of our largest. */
static void add_sizes(struct sample *sample)
{
	static const size_t sizes[] = {
		1,     4095,  4096,   4097,   32767,  32768,
		32769, 65536, 261119, 261120, 261121, 262144,
	};
	char name[64];

	add_dir(sample, "sizes");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		proc_print(name, sizeof(name), "sizes/%zu", sizes[i]);
		add_file(sample, name, sizes[i], 0644);
	}
	add_file(sample, "sizes/nothing", 0, 0644);
	add_file(sample, "sizes/large", (4U << 20) + 4099, 0640);
}

static void add_odd_names(struct sample *sample, unsigned with)
{
	static const char *const names[] = {
		"two words", " before",	   "behind ", "quote'd",  "double\"d",
		"back\\s",   "*",	   "[a]",     "?",	  "-dash",
		".hidden",   "#hash",	   "%41",     "a;b&c|d",  "~",
		"$HOME",     "(){}<>`!^=", "x:y@z",   "\xc3\xbc",
	};
	char name[CSFTP_NAME_MAX + 5];

	add_dir(sample, "odd");
	add_dir(sample, "odd/a directory");
	add_file(sample, "odd/a directory/in it", 10, 0644);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		proc_print(name, sizeof(name), "odd/%s", names[i]);
		add_file(sample, name, 10, 0644);
	}
	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "odd/", 4);
	name[sizeof(name) - 1] = '\0';
	add_file(sample, name, 10, 0644);
	if (with & SAMPLE_BYTES)
		add_file(sample, "odd/\xff\xfe\x80", 10, 0644);
	if (!(with & SAMPLE_CONTROL))
		return;
	add_file(sample, "odd/tab\tbed", 10, 0644);
	add_file(sample, "odd/two\nlines", 10, 0644);
	add_dir(sample, "odd/two\nmore");
	add_file(sample, "odd/two\nmore/in it", 10, 0644);
}

static void add_modes_and_times(struct sample *sample, unsigned with)
{
	add_file(sample, "run", 20, 0755);
	add_file(sample, "private", 20, 0600);
	add_file(sample, "readonly", 20, 0444);
	add_file(sample, "group", 20, 0664);
	add_file(sample, "old", 20, 0644);
	set_mtime(sample->root, "old", 86400);
	/* Version 3 has 32 bits without a sign (filexfer-02, 5). */
	if (with & SAMPLE_LATE) {
		add_file(sample, "late", 20, 0644);
		set_mtime(sample->root, "late", 4000000000);
	}
	add_dir(sample, "empty");
	add_dir(sample, "closed");
	assert_int_equal(fchmodat(sample->root, "closed", 0700, 0), 0);
}

static void add_links(const struct sample *sample, unsigned with)
{
	if (with & SAMPLE_LINKS) {
		assert_int_equal(symlinkat("run", sample->root, "link"), 0);
		assert_int_equal(symlinkat("../run", sample->root, "deep/up"),
				 0);
	}
	if (with & SAMPLE_DIR_LINKS)
		assert_int_equal(symlinkat("deep", sample->root, "dirlink"), 0);
	if (with & SAMPLE_DANGLING)
		assert_int_equal(symlinkat("no where", sample->root, "gone"),
				 0);
}

void sample_make(const char *path, unsigned with)
{
	static const char *const dirs[] = {
		"deep/a/b/c", "deep/a/b", "deep/a", "deep", "many",
		"sizes",      "odd",	  "closed", ".",
	};
	struct sample sample = {.mtime = FIRST_MTIME};

	assert_int_equal(mkdir(path, 0755), 0);
	sample.root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(sample.root >= 0);
	add_dir(&sample, "deep");
	add_dir(&sample, "deep/a");
	add_dir(&sample, "deep/a/b");
	add_dir(&sample, "deep/a/b/c");
	add_file(&sample, "deep/a/b/c/leaf", 30, 0644);
	add_many(&sample);
	add_sizes(&sample);
	add_modes_and_times(&sample, with);
	add_odd_names(&sample, with);
	add_links(&sample, with);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		set_mtime(sample.root, dirs[i], 1300000000 + (time_t)i);
	set_mtime(sample.root, "empty", 1400000000);
	set_mtime(sample.root, "odd/a directory", 1400000001);
	if (with & SAMPLE_CONTROL)
		set_mtime(sample.root, "odd/two\nmore", 1400000002);
	close(sample.root);
}
