/* Renaming over files with a server that refuses to, over memfs. */
#include "core/layer/mend.h"

#include <errno.h>

#include "core/layer/relay.h"
#include "csftp/memfs.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/test.h"

struct old {
	struct relay relay; /* first; never replaces */
	struct csftp_fs *memfs;
	struct csftp_fs *layer;
	struct fs_caller c;
	struct fs_caller other;
	int err;	 /* what it says instead of EEXIST */
	unsigned broken; /* the RENAME that fails, counted from 1 */
	unsigned renames;
	bool replaces;		   /* ... as far as the layer is told */
	unsigned slow;		   /* the RENAME that is answered later */
	struct csftp_req *waiting; /* that one: it was done */
};

/* As an SFTP client has it: what was sent is done all the same. */
static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct old *old = (struct old *)fs;

	assert_ptr_equal(old->waiting, req);
	old->waiting = NULL;
	csftp_reply_err(req, EINTR);
}

static void op_rename(struct csftp_fs *fs, struct csftp_req *req)
{
	struct old *old = (struct old *)fs;

	if (++old->renames == old->slow) {
		old->waiting = req;
		(void)fs_rename(&old->other, req->path, req->path2);
	} else if (old->renames == old->broken)
		csftp_reply_err(req, ENOSPC);
	else if ((req->flags & CSFTP_REPLACE) &&
		 fs_lgetattr(&old->other, req->path2) == 0)
		csftp_reply_err(req, old->err);
	else
		relay_pass(fs, req);
}

static bool replaces(void *arg)
{
	return ((struct old *)arg)->replaces;
}

static void begin(struct old *old)
{
	struct mend_config config = {
		.rename = true, .replaces = replaces, .arg = old};

	*old = (struct old){.err = EEXIST};
	assert_int_equal(csftp_memfs_new(&old->memfs, NULL), CSFTP_OK);
	relay_init(&old->relay, old->memfs, 0, relay_pass);
	old->relay.ops.op[CSFTP_OP_RENAME] = op_rename;
	old->relay.ops.cancel = cancel;
	config.under = &old->relay.fs;
	assert_int_equal(mend_new(&old->layer, &config), CSFTP_OK);
	old->c.fs = old->layer;
	old->other.fs = old->memfs;
	assert_int_equal(fs_mkdir(&old->other, "/d"), 0);
	assert_int_equal(fs_put(&old->other, "/d/new", "new", 3), 0);
	assert_int_equal(fs_put(&old->other, "/d/old", "older", 5), 0);
}

static void end(struct old *old)
{
	fs_caller_release(&old->c);
	fs_caller_release(&old->other);
	mend_free(old->layer);
	relay_release(&old->relay);
	csftp_memfs_free(old->memfs);
}

static size_t names_in(struct old *old)
{
	struct fs_names names = {0};
	size_t count;

	assert_int_equal(fs_list(&old->other, "/d", &names), 0);
	count = names.count;
	fs_names_release(&names);
	return count;
}

static void assert_size(struct old *old, const char *path, uint64_t size)
{
	assert_int_equal(fs_lgetattr(&old->other, path), 0);
	assert_int_equal(old->other.attr.size, size);
}

static void a_file_takes_the_place_of_another(void **state)
{
	static const int errors[] = {EEXIST, EIO, EPERM, EACCES, EOPNOTSUPP};
	struct old old;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		begin(&old);
		old.err = errors[i];
		assert_int_equal(fs_replace(&old.c, "/d/new", "/d/old"), 0);
		assert_size(&old, "/d/old", 3);
		assert_int_equal(names_in(&old), 1);
		end(&old);
	}
}

static void where_nothing_is_in_the_way_one_rename_does(void **state)
{
	struct old old;

	(void)state;
	begin(&old);
	assert_int_equal(fs_replace(&old.c, "/d/new", "/d/x"), 0);
	assert_int_equal(fs_replace(&old.c, "/d/none", "/d/y"), ENOENT);
	assert_int_equal(old.renames, 2);
	end(&old);
}

static void who_does_not_want_to_replace_does_not(void **state)
{
	struct old old;

	(void)state;
	begin(&old);
	assert_int_equal(fs_rename(&old.c, "/d/new", "/d/old"), EEXIST);
	assert_size(&old, "/d/old", 5);
	end(&old);
}

static void what_cannot_be_replaced_is_put_back(void **state)
{
	struct old old;

	(void)state;
	begin(&old);
	/* The first was refused, the second moved it aside. */
	old.broken = 3;
	assert_int_equal(fs_replace(&old.c, "/d/new", "/d/old"), ENOSPC);
	assert_size(&old, "/d/old", 5);
	assert_size(&old, "/d/new", 3);
	assert_int_equal(names_in(&old), 2);
	end(&old);
}

static void a_directory_stays_where_it_is(void **state)
{
	struct old old;

	(void)state;
	begin(&old);
	assert_int_equal(fs_mkdir(&old.other, "/d/dir"), 0);
	assert_int_equal(fs_put(&old.other, "/d/dir/file", "", 0), 0);
	assert_int_equal(fs_replace(&old.c, "/d/new", "/d/dir"), EEXIST);
	assert_size(&old, "/d/dir/file", 0);
	assert_int_equal(names_in(&old), 3);
	end(&old);
}

static void names_that_are_taken_are_left_alone(void **state)
{
	struct old old;

	(void)state;
	begin(&old);
	assert_int_equal(fs_put(&old.other, "/d/.csftp-00000001", "1", 1), 0);
	assert_int_equal(fs_replace(&old.c, "/d/new", "/d/old"), 0);
	assert_size(&old, "/d/old", 3);
	assert_size(&old, "/d/.csftp-00000001", 1);
	assert_int_equal(names_in(&old), 2);
	end(&old);
}

/* That server means what it says. */
static void a_server_that_can_replace_is_not_helped(void **state)
{
	struct old old;

	(void)state;
	begin(&old);
	old.replaces = true;
	old.err = EACCES;
	assert_int_equal(fs_replace(&old.c, "/d/new", "/d/old"), EACCES);
	assert_int_equal(old.renames, 1);
	assert_size(&old, "/d/old", 5);
	end(&old);
}

/* Whoever is not there any more has not wished the old file away. */
static void a_rename_that_has_begun_is_not_cancelled(void **state)
{
	struct old old;

	(void)state;
	for (unsigned slow = 2; slow <= 3; slow++) {
		struct fs_asked asked;

		begin(&old);
		old.slow = slow;
		fs_ask(old.layer, &asked,
		       &(struct csftp_req){.op = CSFTP_OP_RENAME,
					   .flags = CSFTP_REPLACE,
					   .path = "/d/new",
					   .path2 = "/d/old"});
		assert_non_null(old.waiting);
		csftp_cancel(old.layer, &asked.req);
		if (old.waiting)
			csftp_reply_err(old.waiting, 0);
		assert_int_equal(asked.err, 0);
		assert_size(&old, "/d/old", 3);
		assert_int_equal(names_in(&old), 1);
		end(&old);
	}
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(a_file_takes_the_place_of_another),
		cmocka_unit_test(where_nothing_is_in_the_way_one_rename_does),
		cmocka_unit_test(who_does_not_want_to_replace_does_not),
		cmocka_unit_test(what_cannot_be_replaced_is_put_back),
		cmocka_unit_test(a_directory_stays_where_it_is),
		cmocka_unit_test(names_that_are_taken_are_left_alone),
		cmocka_unit_test(a_server_that_can_replace_is_not_helped),
		cmocka_unit_test(a_rename_that_has_begun_is_not_cancelled),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
