/* Getting along with a server that lacks requests, over memfs. */
#include <errno.h>
#include <stdlib.h>

#include "core/layer/mend.h"
#include "core/layer/relay.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define ALL_OF_IT 300000U /* more than one piece of a copy */

struct poor {
	struct far far;	    /* first */
	struct relay relay; /* refuses what it lacks */
	struct csftp_fs *layer;
	struct mend_config config;
	unsigned opens;
	unsigned broken_open; /* the one that fails, counted from 1 */
	unsigned writes;
	unsigned broken_write;
	bool silent; /* open files can be asked for by their handles */
};

static struct poor *poor_of(struct csftp_fs *fs)
{
	return (struct poor *)((char *)fs - offsetof(struct poor, relay));
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	if (req->attr->mask & CSFTP_ATTR_SIZE)
		csftp_reply_err(req, EOPNOTSUPP);
	else
		relay_pass(fs, req);
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	if (!req->path && !poor_of(fs)->silent)
		csftp_reply_err(req, EOPNOTSUPP);
	else
		relay_pass(fs, req);
}

static void op_open(struct csftp_fs *fs, struct csftp_req *req)
{
	struct poor *poor = poor_of(fs);

	if (++poor->opens == poor->broken_open)
		csftp_reply_err(req, EACCES);
	else if ((req->flags & CSFTP_OPEN_CREAT) && req->attr &&
		 poor->config.create)
		csftp_reply_err(req, EIO);
	else
		relay_pass(fs, req);
}

static void op_write(struct csftp_fs *fs, struct csftp_req *req)
{
	struct poor *poor = poor_of(fs);

	if (++poor->writes == poor->broken_write)
		csftp_reply_err(req, ENOSPC);
	else
		relay_pass(fs, req);
}

static struct poor *poor_with(struct mend_config config)
{
	struct poor *poor = calloc(1, sizeof(*poor));
	struct csftp_fs_ops *ops = &poor->relay.ops;

	assert_non_null(poor);
	far_init(&poor->far);
	relay_init(&poor->relay, &poor->far.relay.fs, 0, relay_pass);
	ops->op[CSFTP_OP_SETATTR] = op_setattr;
	ops->op[CSFTP_OP_GETATTR] = op_getattr;
	ops->op[CSFTP_OP_OPEN] = op_open;
	ops->op[CSFTP_OP_WRITE] = op_write;
	config.under = &poor->relay.fs;
	poor->config = config;
	assert_int_equal(mend_new(&poor->layer, &config), CSFTP_OK);
	poor->far.caller.fs = poor->layer;
	assert_int_equal(fs_mkdir(&poor->far.other, "/d"), 0);
	return poor;
}

static struct poor *poor_new(void)
{
	return poor_with((struct mend_config){
		.truncate = true, .stat = true, .create = true});
}

static void poor_free(struct poor *poor)
{
	far_settle(&poor->far);
	fs_caller_release(&poor->far.caller);
	mend_free(poor->layer);
	relay_release(&poor->relay);
	far_release(&poor->far);
	free(poor);
}

static void fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void put_long(struct poor *poor, const char *path)
{
	static uint8_t bytes[ALL_OF_IT];

	fill(bytes, sizeof(bytes));
	assert_int_equal(fs_put(&poor->far.other, path, bytes, sizeof(bytes)),
			 0);
}

/* As put_long() made it, up to that size, and zeros behind. */
static void assert_content(struct poor *poor, const char *path, size_t size)
{
	static uint8_t bytes[ALL_OF_IT];
	struct fs_caller *other = &poor->far.other;
	csftp_fh fh;

	fill(bytes, sizeof(bytes));
	assert_int_equal(fs_open(other, path, CSFTP_OPEN_READ), 0);
	fh = other->fh;
	assert_int_equal(fs_read_all(other, fh, 0, 2 * (uint64_t)ALL_OF_IT), 0);
	assert_int_equal(other->data_len, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(other->data[i], i < ALL_OF_IT ? bytes[i] : 0);
	assert_int_equal(fs_close(other, fh), 0);
}

static int set_size(struct poor *poor, const char *path, uint64_t size)
{
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = size};

	return fs_setattr(&poor->far.caller, path, &attr);
}

static void files_get_any_size(void **state)
{
	static const size_t sizes[] = {
		0,	1,	65535,	   65536,	  65537,
		131072, 299999, ALL_OF_IT, ALL_OF_IT + 1, 500000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct poor *poor = poor_new();

		put_long(poor, "/d/f");
		assert_int_equal(set_size(poor, "/d/f", sizes[i]), 0);
		assert_content(poor, "/d/f", sizes[i]);
		assert_int_equal(far_list(&poor->far.other, "/d"), 1);
		poor_free(poor);
	}
}

static void what_else_is_set_is_set_too(void **state)
{
	const struct csftp_attr attr = {
		.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE,
		.size = 9,
		.mode = 0640,
	};
	struct poor *poor = poor_new();
	csftp_fh fh;

	(void)state;
	put_long(poor, "/d/f");
	assert_int_equal(fs_open(&poor->far.caller, "/d/f", CSFTP_OPEN_WRITE),
			 0);
	fh = poor->far.caller.fh;
	assert_int_equal(fs_fsetattr(&poor->far.caller, fh, &attr), 0);
	assert_content(poor, "/d/f", 9);
	assert_int_equal(fs_lgetattr(&poor->far.other, "/d/f"), 0);
	assert_int_equal(poor->far.other.attr.mode & 07777, 0640);
	assert_int_equal(fs_close(&poor->far.caller, fh), 0);
	poor_free(poor);
}

static void what_is_no_file_has_no_size(void **state)
{
	struct poor *poor = poor_new();

	(void)state;
	assert_int_equal(set_size(poor, "/d", 0), EISDIR);
	assert_int_equal(set_size(poor, "/d/none", 0), ENOENT);
	poor_free(poor);
}

/* Before the file is touched: the second and third OPEN, the first WRITEs. */
static void what_cannot_be_copied_stays_as_it_is(void **state)
{
	(void)state;
	for (unsigned broken = 1; broken <= 4; broken++) {
		struct poor *poor = poor_new();

		put_long(poor, "/d/f");
		poor->broken_open = broken;
		assert_int_equal(set_size(poor, "/d/f", 200000), EACCES);
		assert_content(poor, "/d/f", ALL_OF_IT);
		assert_int_equal(far_list(&poor->far.other, "/d"), 1);
		poor_free(poor);
	}
	for (unsigned broken = 1; broken <= 4; broken++) {
		struct poor *poor = poor_new();

		put_long(poor, "/d/f");
		poor->broken_write = broken;
		assert_int_equal(set_size(poor, "/d/f", 200000), ENOSPC);
		assert_content(poor, "/d/f", ALL_OF_IT);
		assert_int_equal(far_list(&poor->far.other, "/d"), 1);
		poor_free(poor);
	}
}

static void what_cannot_be_copied_back_is_left_beside(void **state)
{
	struct poor *poor = poor_new();

	(void)state;
	put_long(poor, "/d/f");
	poor->broken_write = 6;
	assert_int_equal(set_size(poor, "/d/f", 200000), ENOSPC);
	assert_int_equal(far_list(&poor->far.other, "/d"), 2);
	assert_content(poor, "/d/.csftp-00000001", 200000);
	assert_int_equal(fs_lgetattr(&poor->far.other, "/d/.csftp-00000001"),
			 0);
	assert_int_equal(poor->far.other.attr.mode & 0777, 0600);
	poor_free(poor);
}

/* All at once, to a server where everything else overtakes WRITEs. */
static void writes_before_and_behind_keep_their_order(void **state)
{
	static const struct csftp_attr shorter = {.mask = CSFTP_ATTR_SIZE,
						  .size = 4};
	struct poor *poor = poor_new();
	struct fs_asked write[2], size;
	csftp_fh fh;

	(void)state;
	far_put(&poor->far.other, "/d/f", "");
	assert_int_equal(fs_open(&poor->far.caller, "/d/f", CSFTP_OPEN_WRITE),
			 0);
	fh = poor->far.caller.fh;
	fs_ask(poor->layer, &write[0],
	       &(struct csftp_req){.op = CSFTP_OP_WRITE,
				   .fh = fh,
				   .data = "abcdefgh",
				   .len = 8});
	fs_ask(poor->layer, &size,
	       &(struct csftp_req){
		       .op = CSFTP_OP_SETATTR, .fh = fh, .attr = &shorter});
	fs_ask(poor->layer, &write[1],
	       &(struct csftp_req){.op = CSFTP_OP_WRITE,
				   .fh = fh,
				   .off = 6,
				   .data = "XY",
				   .len = 2});
	assert_int_equal(poor->far.later.waiting, 1);
	far_settle(&poor->far);
	assert_int_equal(write[0].err, 0);
	assert_int_equal(size.err, 0);
	assert_int_equal(write[1].err, 0);
	assert_int_equal(fs_open(&poor->far.other, "/d/f", CSFTP_OPEN_READ), 0);
	assert_int_equal(
		fs_read_all(&poor->far.other, poor->far.other.fh, 0, 100), 0);
	assert_int_equal(poor->far.other.data_len, 8);
	assert_memory_equal(poor->far.other.data, "abcd\0\0XY", 8);
	assert_int_equal(fs_close(&poor->far.caller, fh), 0);
	poor_free(poor);
}

static void who_waits_for_a_size_can_be_cancelled(void **state)
{
	static const struct csftp_attr shorter = {.mask = CSFTP_ATTR_SIZE,
						  .size = 4};
	struct poor *poor = poor_new();
	struct fs_asked size, other;

	(void)state;
	put_long(poor, "/d/f");
	fs_ask(poor->layer, &size,
	       &(struct csftp_req){.op = CSFTP_OP_SETATTR,
				   .path = "/d/f",
				   .attr = &shorter});
	fs_ask(poor->layer, &other,
	       &(struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "/d/f"});
	csftp_cancel(poor->layer, &other.req);
	assert_int_equal(other.err, EINTR);
	csftp_cancel(poor->layer, &size.req);
	far_settle(&poor->far);
	assert_int_equal(size.err, 0);
	assert_content(poor, "/d/f", 4);
	poor_free(poor);
}

static void open_files_are_asked_for_by_their_names(void **state)
{
	struct poor *poor = poor_new();
	struct fs_caller *c = &poor->far.caller;
	csftp_fh fh, over;

	(void)state;
	far_put(&poor->far.other, "/d/f", "text");
	far_put(&poor->far.other, "/d/over", "other");
	assert_int_equal(fs_open(c, "/d/f", CSFTP_OPEN_READ), 0);
	fh = c->fh;
	assert_int_equal(fs_open(c, "/d/over", CSFTP_OPEN_READ), 0);
	over = c->fh;
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_int_equal(c->attr.size, 4);
	assert_int_equal(fs_rename(c, "/d", "/e"), 0);
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_int_equal(c->attr.size, 4);
	/* What it was renamed over has no name, nor what is removed. */
	assert_int_equal(fs_replace(c, "/e/f", "/e/over"), 0);
	assert_int_equal(fs_fgetattr(c, over), EOPNOTSUPP);
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_int_equal(c->attr.size, 4);
	assert_int_equal(fs_unlink(c, "/e/over"), 0);
	assert_int_equal(fs_fgetattr(c, fh), EOPNOTSUPP);
	assert_int_equal(fs_close(c, fh), 0);
	assert_int_equal(fs_close(c, over), 0);
	poor_free(poor);
}

static int make(struct poor *poor, const char *path, uint32_t flags,
		uint32_t mode)
{
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = mode};
	struct fs_caller *c = &poor->far.caller;

	if (fs_call(c, &(struct csftp_req){.op = CSFTP_OP_OPEN,
					   .path = path,
					   .flags = CSFTP_OPEN_WRITE |
						    CSFTP_OPEN_CREAT | flags,
					   .attr = &attr}) != 0)
		return c->err;
	return fs_close(c, c->fh);
}

static void what_is_made_gets_its_mode_and_what_is_there_keeps_it(void **state)
{
	static const struct csftp_attr old = {.mask = CSFTP_ATTR_MODE,
					      .mode = 0604};
	struct poor *poor = poor_new();
	struct fs_caller *other = &poor->far.other;

	(void)state;
	assert_int_equal(make(poor, "/d/new", 0, 0640), 0);
	assert_int_equal(fs_lgetattr(other, "/d/new"), 0);
	assert_int_equal(other->attr.mode & 07777, 0640);
	far_put(other, "/d/old", "text");
	assert_int_equal(fs_setattr(other, "/d/old", &old), 0);
	assert_int_equal(make(poor, "/d/old", CSFTP_OPEN_TRUNC, 0640), 0);
	assert_int_equal(fs_lgetattr(other, "/d/old"), 0);
	assert_int_equal(other->attr.mode & 07777, 0604);
	assert_int_equal(other->attr.size, 0);
	assert_int_equal(make(poor, "/d/old", CSFTP_OPEN_EXCL, 0640), EEXIST);
	poor_free(poor);
}

/* As a frontend does, which has to show what was made. */
static void who_asks_meanwhile_sees_the_mode(void **state)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0640};
	struct poor *poor = poor_new();
	struct fs_asked made, asked[2];

	(void)state;
	fs_ask(poor->layer, &made,
	       &(struct csftp_req){
		       .op = CSFTP_OP_OPEN,
		       .path = "/d/new",
		       .flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT,
		       .attr = &mode,
	       });
	for (size_t i = 0; i < 2; i++)
		fs_ask(poor->layer, &asked[i],
		       &(struct csftp_req){.op = CSFTP_OP_GETATTR,
					   .path = "/d/new"});
	csftp_cancel(poor->layer, &asked[1].req);
	assert_int_equal(asked[1].err, EINTR);
	far_settle(&poor->far);
	assert_int_equal(made.err, 0);
	assert_int_equal(asked[0].err, 0);
	assert_int_equal(asked[0].attr.mode & 07777, 0640);
	poor_free(poor);
}

static void all_else_is_as_without(void **state)
{
	struct poor *poor = poor_new();

	(void)state;
	/* What has lost its name has no attributes with such a server. */
	poor->silent = true;
	assert_int_equal(fs_suite_run_over(&poor->far.caller, &poor->far.other,
					   "mend over a poor memfs",
					   FS_ALL & ~FS_BIG_FILES),
			 0);
	poor_free(poor);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(files_get_any_size),
		cmocka_unit_test(what_else_is_set_is_set_too),
		cmocka_unit_test(what_is_no_file_has_no_size),
		cmocka_unit_test(what_cannot_be_copied_stays_as_it_is),
		cmocka_unit_test(what_cannot_be_copied_back_is_left_beside),
		cmocka_unit_test(writes_before_and_behind_keep_their_order),
		cmocka_unit_test(who_waits_for_a_size_can_be_cancelled),
		cmocka_unit_test(open_files_are_asked_for_by_their_names),
		cmocka_unit_test(
			what_is_made_gets_its_mode_and_what_is_there_keeps_it),
		cmocka_unit_test(who_asks_meanwhile_sees_the_mode),
		cmocka_unit_test(all_else_is_as_without),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
