#include "csftp/memfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fs_suite.h"
#include "tests/lib/memory.h"
#include "tests/lib/test.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

/* What failed for want of memory, and only that, is done again. */
static bool again(int err)
{
	assert_true(err == 0 || err == ENOMEM);
	return err == ENOMEM;
}

static csftp_fh open_again(struct fs_caller *c, const char *path)
{
	while (again(
		fs_open(c, path,
			CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)))
		assert_int_equal(fs_getattr(c, path), ENOENT);
	return c->fh;
}

static void work(struct fs_caller *c, const char *data, size_t len)
{
	csftp_fh fh;
	struct csftp_req range = {.off2 = 1U << 20};
	char name[] = "d/n0";

	while (again(fs_mkdir(c, "d")))
		assert_int_equal(fs_getattr(c, "d"), ENOENT);
	fh = open_again(c, "d/f");
	while (again(fs_write(c, fh, 5, data, len))) {
		assert_int_equal(fs_fgetattr(c, fh), 0);
		assert_int_equal(c->attr.size, 0);
	}
	range.fh = fh;
	range.fh2 = open_again(c, "copy");
	while (again(fs_copy_range(c, &range)))
		;
	while (again(fs_symlink(c, "l", "d")))
		assert_int_equal(fs_lgetattr(c, "l"), ENOENT);
	while (again(fs_link(c, "d/f", "l/g")))
		assert_int_equal(fs_getattr(c, "d/g"), ENOENT);
	while (again(fs_rename(c, "d/f", "moved")))
		assert_int_equal(fs_getattr(c, "d/f"), 0);
	/* Enough of both for their tables to grow. */
	for (int i = 0; i < 75; i++, name[3]++)
		open_again(c, name);
	while (again(fs_opendir(c, "d")))
		;
	assert_int_equal(fs_close(c, fh), 0);
}

static void want_of_memory_is_survived_at_every_place(void **state)
{
	const size_t len = 2100000;
	char *data = calloc(1, len);
	unsigned long place = 0;
	bool reached = true;

	(void)state;
	assert_non_null(data);
	while (reached) {
		struct fs_caller c = {0};
		enum csftp_err err;

		memory_fail_at(++place);
		err = csftp_memfs_new(&c.fs, NULL);
		assert_true(err == CSFTP_OK || err == CSFTP_ERR_NOMEM);
		if (err != CSFTP_OK) {
			assert_null(c.fs);
			assert_int_equal(csftp_memfs_new(&c.fs, NULL), 0);
		}
		work(&c, data, len);
		reached = memory_left() == 0;
		memory_fail_at(0);
		assert_int_equal(fs_getattr(&c, "moved"), 0);
		assert_int_equal(c.attr.nlink, 2);
		assert_int_equal(c.attr.size, len + 5);
		assert_int_equal(fs_getattr(&c, "copy"), 0);
		assert_int_equal(c.attr.size, len + 5 + (1U << 20));
		assert_int_equal(fs_remove_tree(&c, "d"), 0);
		fs_caller_release(&c);
		csftp_memfs_free(c.fs);
	}
	/* It did come past all those places. */
	assert_true(place > 100);
	free(data);
}

static struct csftp_fs *new_fs(const struct csftp_memfs_config *config)
{
	struct csftp_fs *fs = NULL;

	assert_int_equal(csftp_memfs_new(&fs, config), CSFTP_OK);
	return fs;
}

static void end(struct fs_caller *c)
{
	fs_caller_release(c);
	csftp_memfs_free(c->fs);
}

static csftp_fh opened(struct fs_caller *c, const char *path)
{
	assert_int_equal(fs_open(c, path, RW), 0);
	return c->fh;
}

static uint64_t bytes_free(struct fs_caller *c)
{
	assert_int_equal(fs_statfs(c, ""), 0);
	return c->statfs.bfree * c->statfs.frsize;
}

static void content_has_a_limit(void **state)
{
	struct fs_caller c = {.fs = new_fs(&(struct csftp_memfs_config){
				      .max_bytes = 100000})};
	char *data = calloc(1, 100001);
	csftp_fh a = opened(&c, "a");
	csftp_fh b = opened(&c, "b");
	struct csftp_attr cut = {.mask = CSFTP_ATTR_SIZE, .size = 99999};

	(void)state;
	assert_non_null(data);
	/* All of a write or nothing. */
	assert_int_equal(fs_write(&c, a, 0, data, 100001), ENOSPC);
	assert_int_equal(fs_fgetattr(&c, a), 0);
	assert_int_equal(c.attr.size, 0);
	assert_int_equal(fs_write(&c, a, 0, data, 100000), 0);
	assert_int_equal(fs_write(&c, b, 0, data, 1), ENOSPC);
	assert_int_equal(fs_write(&c, a, 5, data, 90000), 0);
	assert_int_equal(fs_fsetattr(&c, a, &cut), 0);
	assert_int_equal(fs_write(&c, b, 0, data, 1), 0);
	assert_int_equal(fs_write(&c, b, 1, data, 1), ENOSPC);
	/* What is removed and closed is free again. */
	assert_int_equal(fs_unlink(&c, "a"), 0);
	assert_int_equal(fs_write(&c, b, 1, data, 1), ENOSPC);
	assert_int_equal(fs_close(&c, a), 0);
	assert_int_equal(fs_write(&c, b, 1, data, 90000), 0);
	free(data);
	end(&c);
}

static void a_copy_beyond_the_limit_is_enospc(void **state)
{
	struct fs_caller c = {
		.fs = new_fs(&(struct csftp_memfs_config){.max_bytes = 15})};
	csftp_fh a = opened(&c, "a");
	csftp_fh b = opened(&c, "b");

	(void)state;
	assert_int_equal(fs_write(&c, a, 0, "0123456789", 10), 0);
	assert_int_equal(
		fs_copy_range(&c, &(struct csftp_req){.fh = a, .fh2 = b}),
		ENOSPC);
	assert_int_equal(
		fs_copy_range(&c,
			      &(struct csftp_req){.fh = a, .fh2 = b, .len = 5}),
		0);
	end(&c);
}

static void nodes_have_a_limit(void **state)
{
	/* The root is one of them. */
	struct fs_caller c = {
		.fs = new_fs(&(struct csftp_memfs_config){.max_nodes = 4})};

	(void)state;
	assert_int_equal(fs_mkdir(&c, "d"), 0);
	assert_int_equal(fs_symlink(&c, "l", "x"), 0);
	assert_int_equal(fs_close(&c, opened(&c, "f")), 0);
	assert_int_equal(fs_mkdir(&c, "e"), ENOSPC);
	assert_int_equal(fs_symlink(&c, "m", "x"), ENOSPC);
	assert_int_equal(fs_open(&c, "g", RW), ENOSPC);
	assert_int_equal(fs_statfs(&c, ""), 0);
	assert_int_equal(c.statfs.ffree, 0);
	/* A second name is no second file. */
	assert_int_equal(fs_link(&c, "f", "g"), 0);
	assert_int_equal(fs_unlink(&c, "l"), 0);
	assert_int_equal(fs_mkdir(&c, "e"), 0);
	end(&c);
}

static void holes_take_no_memory(void **state)
{
	struct fs_caller c = {.fs = new_fs(NULL)};
	uint64_t before = bytes_free(&c);
	csftp_fh fh = opened(&c, "f");
	struct csftp_attr size = {.mask = CSFTP_ATTR_SIZE, .size = INT64_MAX};

	(void)state;
	assert_int_equal(fs_fsetattr(&c, fh, &size), 0);
	assert_true(bytes_free(&c) == before);
	assert_int_equal(fs_write(&c, fh, 1ULL << 40, "x", 1), 0);
	assert_true(before - bytes_free(&c) <= 4096);
	assert_int_equal(fs_read(&c, fh, INT64_MAX - 3, 10), 0);
	assert_true(c.eof);
	assert_int_equal(c.data_len, 3);
	end(&c);
}

static void handles_have_a_limit(void **state)
{
	struct fs_caller c = {.fs = new_fs(NULL)};
	uint32_t count = 0;

	(void)state;
	while (fs_open(&c, "f", RW) == 0)
		count++;
	assert_int_equal(c.err, EMFILE);
	assert_int_equal(count, 65536);
	/* What could not be opened was not made either. */
	assert_int_equal(fs_open(&c, "new", RW), EMFILE);
	assert_int_equal(fs_getattr(&c, "new"), ENOENT);
	end(&c);
}

static struct csftp_time tick(void *arg)
{
	int64_t *now = arg;

	return (struct csftp_time){++*now, 5};
}

static void times_are_the_given_clocks(void **state)
{
	int64_t now = 100;
	struct fs_caller c = {
		.fs = new_fs(&(struct csftp_memfs_config){
			.clock = tick, .arg = &now, .uid = 7, .gid = 8})};
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MTIME_NOW};
	csftp_fh fh;
	int64_t made;

	(void)state;
	fh = opened(&c, "f");
	assert_int_equal(fs_fgetattr(&c, fh), 0);
	made = c.attr.mtime.sec;
	assert_true(made > 100);
	assert_int_equal(c.attr.mtime.nsec, 5);
	assert_int_equal(c.attr.uid, 7);
	assert_int_equal(c.attr.gid, 8);
	assert_int_equal(fs_write(&c, fh, 0, "x", 1), 0);
	assert_int_equal(fs_fgetattr(&c, fh), 0);
	assert_true(c.attr.mtime.sec > made);
	assert_int_equal(c.attr.atime.sec, made);
	assert_int_equal(fs_fsetattr(&c, fh, &attr), 0);
	assert_int_equal(fs_fgetattr(&c, fh), 0);
	assert_true(c.attr.mtime.sec == now);
	end(&c);
}

static void directories_count_those_below(void **state)
{
	struct fs_caller c = {.fs = new_fs(NULL)};

	(void)state;
	assert_int_equal(fs_mkdir(&c, "a"), 0);
	assert_int_equal(fs_mkdir(&c, "a/b"), 0);
	assert_int_equal(fs_mkdir(&c, "c"), 0);
	assert_int_equal(fs_getattr(&c, ""), 0);
	assert_int_equal(c.attr.nlink, 4);
	assert_int_equal(fs_rename(&c, "a/b", "c/b"), 0);
	assert_int_equal(fs_getattr(&c, "a"), 0);
	assert_int_equal(c.attr.nlink, 2);
	assert_int_equal(fs_getattr(&c, "c"), 0);
	assert_int_equal(c.attr.nlink, 3);
	assert_int_equal(fs_replace(&c, "c/b", "a"), 0);
	assert_int_equal(fs_getattr(&c, "a"), 0);
	assert_int_equal(c.attr.nlink, 2);
	assert_int_equal(fs_getattr(&c, ""), 0);
	assert_int_equal(c.attr.nlink, 4);
	assert_int_equal(fs_realpath(&c, "a/../c/../a"), 0);
	assert_string_equal(c.text, "/a");
	end(&c);
}

static void a_real_path_has_a_limit(void **state)
{
	struct fs_caller c = {.fs = new_fs(NULL)};
	char name[CSFTP_NAME_MAX + 2];
	char path[CSFTP_PATH_MAX + 1] = "";

	(void)state;
	name[0] = '/';
	memset(name + 1, 'n', CSFTP_NAME_MAX);
	name[CSFTP_NAME_MAX + 1] = '\0';
	/* Half of it is behind a link, so that it can be asked for at all. */
	for (size_t depth = 0; depth < 8; depth++) {
		memcpy(path + depth * (CSFTP_NAME_MAX + 1), name, sizeof(name));
		assert_int_equal(fs_mkdir(&c, path), 0);
	}
	assert_int_equal(fs_symlink(&c, "l", path), 0);
	path[0] = 'l';
	path[1] = '\0';
	for (size_t depth = 0; depth < 7; depth++) {
		memcpy(path + 1 + depth * (CSFTP_NAME_MAX + 1), name,
		       sizeof(name));
		assert_int_equal(fs_mkdir(&c, path), 0);
	}
	assert_int_equal(fs_realpath(&c, path), 0);
	assert_int_equal(strlen(c.text), 15 * (CSFTP_NAME_MAX + 1));
	memcpy(path + strlen(path), name, sizeof(name));
	assert_int_equal(fs_realpath(&c, path), ENAMETOOLONG);
	path[strlen(path) - 1] = '\0';
	assert_int_equal(fs_realpath(&c, path), 0);
	assert_int_equal(strlen(c.text), CSFTP_PATH_MAX);
	end(&c);
}

static void a_home_is_the_root(void **state)
{
	struct fs_caller c = {.fs = new_fs(NULL)};
	struct csftp_req req = {.op = CSFTP_OP_IDNAME, .flags = CSFTP_ID_USER};

	(void)state;
	assert_int_equal(fs_expand(&c, "~/x"), 0);
	assert_string_equal(c.text, "/x");
	assert_int_equal(fs_call(&c, &req), ENOENT);
	end(&c);
}

/* A request that removes, from within its answer, what the answer shows. */
struct nested {
	struct csftp_req req;
	struct fs_caller inner;
	csftp_fh fh;
	unsigned answers;
};

static void remove_what_is_read(struct csftp_req *req,
				const struct csftp_reply *reply)
{
	struct nested *nested = (struct nested *)req;
	struct fs_caller *c = &nested->inner;
	const struct csftp_attr cut = {.mask = CSFTP_ATTR_SIZE};

	nested->answers++;
	assert_int_equal(reply->data.len, 10);
	/* Grown, cut, closed and gone: the bytes are still lent to us. */
	assert_int_equal(fs_write(c, nested->fh, 10, reply->data.ptr, 10), 0);
	assert_int_equal(fs_write(c, nested->fh, 500000, "x", 1), 0);
	assert_memory_equal(reply->data.ptr, "0123456789", 10);
	assert_int_equal(fs_fsetattr(c, nested->fh, &cut), 0);
	assert_int_equal(fs_unlink(c, "f"), 0);
	assert_int_equal(fs_close(c, nested->fh), 0);
	assert_memory_equal(reply->data.ptr, "0123456789", 10);
}

static void a_reply_lives_until_done_returns(void **state)
{
	struct nested nested = {.inner = {.fs = new_fs(NULL)}};
	struct fs_caller *c = &nested.inner;

	(void)state;
	nested.fh = opened(c, "f");
	assert_int_equal(fs_write(c, nested.fh, 0, "0123456789", 10), 0);
	nested.req = (struct csftp_req){.op = CSFTP_OP_READ,
					.fh = nested.fh,
					.len = 10,
					.done = remove_what_is_read};
	csftp_submit(c->fs, &nested.req);
	assert_int_equal(nested.answers, 1);
	end(c);
}

static void show_text_gone(struct csftp_req *req,
			   const struct csftp_reply *reply)
{
	struct nested *nested = (struct nested *)req;

	nested->answers++;
	assert_int_equal(fs_unlink(&nested->inner, "l"), 0);
	assert_int_equal(reply->text.len, 4);
	assert_memory_equal(reply->text.ptr, "text", 4);
}

static void a_link_read_lives_until_done_returns(void **state)
{
	struct nested nested = {.inner = {.fs = new_fs(NULL)}};

	(void)state;
	assert_int_equal(fs_symlink(&nested.inner, "l", "text"), 0);
	nested.req = (struct csftp_req){
		.op = CSFTP_OP_READLINK, .path = "l", .done = show_text_gone};
	csftp_submit(nested.inner.fs, &nested.req);
	assert_int_equal(nested.answers, 1);
	end(&nested.inner);
}

/* Removes each name, and refuses every other one after that. */
static bool remove_name(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct nested *nested = (struct nested *)req;
	char name[2] = {*(const char *)entry->name.ptr, '\0'};

	if (name[0] == '.')
		return true;
	assert_int_equal(entry->name.len, 1);
	assert_int_equal(fs_unlink(&nested->inner, name), 0);
	assert_memory_equal(entry->name.ptr, name, 1);
	return name[0] % 2 == 0;
}

static bool close_listing(struct csftp_req *req,
			  const struct csftp_entry *entry)
{
	struct nested *nested = (struct nested *)req;

	(void)entry;
	assert_int_equal(fs_close(&nested->inner, nested->fh), 0);
	return false;
}

static void count_answer(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct nested *nested = (struct nested *)req;

	nested->answers++;
	if (reply->eof)
		nested->answers += 1000;
}

static void names_can_be_removed_while_they_are_shown(void **state)
{
	struct nested nested = {.inner = {.fs = new_fs(NULL)}};
	struct fs_caller *c = &nested.inner;
	struct fs_names names = {0};

	(void)state;
	for (char i = 'a'; i <= 'z'; i++) {
		const char name[2] = {i, '\0'};

		assert_int_equal(fs_symlink(c, name, "x"), 0);
	}
	assert_int_equal(fs_opendir(c, ""), 0);
	nested.fh = c->fh;
	while (nested.answers < 1000) {
		nested.req = (struct csftp_req){.op = CSFTP_OP_READDIR,
						.fh = nested.fh,
						.entry = remove_name,
						.done = count_answer};
		csftp_submit(c->fs, &nested.req);
	}
	assert_int_equal(nested.answers, 1000 + 13 + 1);
	assert_int_equal(fs_close(c, nested.fh), 0);
	assert_int_equal(fs_list(c, "", &names), 0);
	assert_int_equal(names.count, 0);
	fs_names_release(&names);
	end(c);
}

static void a_listing_can_be_closed_while_it_is_shown(void **state)
{
	struct nested nested = {.inner = {.fs = new_fs(NULL)}};
	struct fs_caller *c = &nested.inner;

	(void)state;
	assert_int_equal(fs_opendir(c, ""), 0);
	nested.fh = c->fh;
	nested.req = (struct csftp_req){.op = CSFTP_OP_READDIR,
					.fh = nested.fh,
					.entry = close_listing,
					.done = count_answer};
	csftp_submit(c->fs, &nested.req);
	assert_int_equal(nested.answers, 1);
	assert_int_equal(fs_fgetattr(c, nested.fh), EBADF);
	end(c);
}

static void what_is_left_open_goes_with_it(void **state)
{
	struct fs_caller c = {.fs = new_fs(NULL)};
	csftp_fh fh = opened(&c, "f");

	(void)state;
	assert_int_equal(fs_write(&c, fh, 0, "x", 1), 0);
	assert_int_equal(fs_unlink(&c, "f"), 0);
	assert_int_equal(fs_mkdir(&c, "d"), 0);
	assert_int_equal(fs_opendir(&c, "d"), 0);
	assert_int_equal(fs_rmdir(&c, "d"), 0);
	end(&c);
	csftp_memfs_free(NULL);
}

static int run_suite(void)
{
	int64_t now = 1000000000;
	struct csftp_memfs_config config = {.clock = tick, .arg = &now};
	struct fs_caller c = {0};
	int failed;

	if (csftp_memfs_new(&c.fs, &config) != CSFTP_OK)
		return 1;
	failed = fs_suite_run_over(&c, &c, "memfs", FS_ALL);
	fs_caller_release(&c);
	csftp_memfs_free(c.fs);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_has_a_limit),
		cmocka_unit_test(a_copy_beyond_the_limit_is_enospc),
		cmocka_unit_test(nodes_have_a_limit),
		cmocka_unit_test(holes_take_no_memory),
		cmocka_unit_test(handles_have_a_limit),
		cmocka_unit_test(times_are_the_given_clocks),
		cmocka_unit_test(directories_count_those_below),
		cmocka_unit_test(a_real_path_has_a_limit),
		cmocka_unit_test(a_home_is_the_root),
		cmocka_unit_test(a_reply_lives_until_done_returns),
		cmocka_unit_test(a_link_read_lives_until_done_returns),
		cmocka_unit_test(names_can_be_removed_while_they_are_shown),
		cmocka_unit_test(a_listing_can_be_closed_while_it_is_shown),
		cmocka_unit_test(what_is_left_open_goes_with_it),
		cmocka_unit_test(want_of_memory_is_survived_at_every_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + run_suite();
}
