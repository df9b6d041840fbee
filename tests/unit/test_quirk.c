/* Finding out what a server does otherwise, over memfs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/quirk.h"
#include "core/layer/relay.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

struct odd {
	struct far far;	    /* first */
	struct relay relay; /* does otherwise */
	struct relay way;   /* to there */
	struct csftp_fs *layer;
	bool sound;	   /* it does not, and is known for it */
	bool by_draft;	   /* SYMLINK has the link first */
	bool no_links;	   /* there are none */
	uint32_t file;	   /* the mode of whatever is made; 0: what is asked */
	uint32_t dir;	   /* the same of directories */
	uint32_t umask;	   /* the server's own */
	bool no_excl;	   /* is taken */
	bool modes_refuse; /* no mode can be set */
	bool no_lsetstat;  /* nor anything of a link */
	bool lstat_leads;  /* to what a link leads to, if that is there */
	/* The connection: */
	bool down;
	unsigned lost_at; /* it dies before this request, from 1; 0: not */
	bool lost_answer; /* ... which is done all the same */
	struct csftp_attr attr;
};

static struct odd *odd_of(struct csftp_fs *fs)
{
	return (struct odd *)((char *)fs - offsetof(struct odd, relay));
}

/* What an SFTP server makes of the order that was told. */
static void op_symlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct odd *odd = odd_of(fs);
	bool told = req->flags & CSFTP_BY_DRAFT;
	const char *path = req->path;

	if (odd->no_links) {
		csftp_reply_err(req, EACCES);
		return;
	}
	if (told != odd->by_draft) {
		req->path = req->path2;
		req->path2 = path;
	}
	relay_pass(fs, req);
}

static void op_make(struct csftp_fs *fs, struct csftp_req *req)
{
	struct odd *odd = odd_of(fs);
	uint32_t mode = req->op == CSFTP_OP_MKDIR ? odd->dir : odd->file;

	if (odd->no_excl && (req->flags & CSFTP_OPEN_EXCL)) {
		csftp_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (req->attr) {
		odd->attr = *req->attr;
		if (mode)
			odd->attr.mode = mode;
		odd->attr.mode &= ~odd->umask;
		req->attr = &odd->attr;
	}
	relay_pass(fs, req);
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	if (odd_of(fs)->modes_refuse)
		csftp_reply_err(req, EPERM);
	else if (odd_of(fs)->no_lsetstat && (req->flags & CSFTP_NOFOLLOW))
		csftp_reply_err(req, EOPNOTSUPP);
	else
		relay_pass(fs, req);
}

struct look {
	struct csftp_req req; /* first */
	bool leads;
};

static void looked_up(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct look *)req)->leads = !reply->err;
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct odd *odd = odd_of(fs);
	struct look look = {.req = {.op = CSFTP_OP_GETATTR,
				    .done = looked_up,
				    .path = req->path}};

	if (odd->lstat_leads && req->path) {
		csftp_submit(odd->far.memfs, &look.req);
		if (look.leads)
			req->flags &= ~CSFTP_NOFOLLOW;
	}
	relay_pass(fs, req);
}

/* A connection that dies; what is asked from then on fails. */
static void op_any(struct csftp_fs *fs, struct csftp_req *req)
{
	struct odd *odd =
		(struct odd *)((char *)fs - offsetof(struct odd, way));

	if (odd->lost_at > 0 && --odd->lost_at == 0) {
		odd->down = true;
		if (odd->lost_answer)
			(void)fs_symlink(&odd->far.other,
					 odd->by_draft ? req->path2 : req->path,
					 "x");
	}
	if (odd->down)
		csftp_reply_err(req, EIO);
	else
		relay_pass(fs, req);
}

static bool is_up(void *arg)
{
	return !((const struct odd *)arg)->down;
}

static bool is_sound(void *arg)
{
	return ((const struct odd *)arg)->sound;
}

static struct odd *odd_new(void)
{
	struct odd *odd = calloc(1, sizeof(*odd));
	struct quirk_config config = {
		.sound = is_sound, .up = is_up, .arg = odd};
	struct csftp_fs_ops *ops;

	assert_non_null(odd);
	ops = &odd->relay.ops;
	far_init(&odd->far);
	relay_init(&odd->relay, &odd->far.relay.fs, 0, relay_pass);
	ops->op[CSFTP_OP_SYMLINK] = op_symlink;
	ops->op[CSFTP_OP_OPEN] = op_make;
	ops->op[CSFTP_OP_MKDIR] = op_make;
	ops->op[CSFTP_OP_SETATTR] = op_setattr;
	ops->op[CSFTP_OP_GETATTR] = op_getattr;
	relay_init(&odd->way, &odd->relay.fs, 0, op_any);
	config.under = &odd->way.fs;
	assert_int_equal(quirk_new(&odd->layer, &config), CSFTP_OK);
	odd->far.caller.fs = odd->layer;
	assert_int_equal(fs_mkdir(&odd->far.other, "/d"), 0);
	return odd;
}

static void odd_free(struct odd *odd)
{
	far_settle(&odd->far);
	fs_caller_release(&odd->far.caller);
	assert_int_equal(quirk_pending(odd->layer), 0);
	quirk_free(odd->layer);
	relay_release(&odd->way);
	relay_release(&odd->relay);
	far_release(&odd->far);
	free(odd);
}

static void assert_link(struct odd *odd, const char *path, const char *text)
{
	assert_int_equal(fs_readlink(&odd->far.other, path), 0);
	assert_string_equal(odd->far.other.text, text);
}

static void links_are_made_in_either_order(void **state)
{
	(void)state;
	for (int by_draft = 0; by_draft < 2; by_draft++) {
		struct odd *odd = odd_new();

		odd->by_draft = by_draft;
		assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "../x"),
				 0);
		assert_int_equal(fs_symlink(&odd->far.caller, "/d/b", "a"), 0);
		assert_link(odd, "/d/a", "../x");
		assert_link(odd, "/d/b", "a");
		assert_int_equal(far_list(&odd->far.other, "/d"), 2);
		assert_int_equal(fs_lgetattr(&odd->far.other, "/x"), ENOENT);
		odd_free(odd);
	}
}

static void the_order_is_found_out_once(void **state)
{
	(void)state;
	for (int by_draft = 0; by_draft < 2; by_draft++) {
		struct odd *odd = odd_new();

		odd->by_draft = by_draft;
		assert_int_equal(fs_put(&odd->far.other, "/d/x", "", 0), 0);
		assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "x"), 0);
		far_begin(&odd->far);
		assert_int_equal(fs_symlink(&odd->far.caller, "/d/b", "x"), 0);
		assert_int_equal(fs_symlink(&odd->far.caller, "/d/b", "x"),
				 EEXIST);
		assert_int_equal(odd->far.all, 2);
		odd_free(odd);
	}
}

static void who_is_known_is_asked_for_nothing_else(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->sound = true;
	far_begin(&odd->far);
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "x"), 0);
	assert_int_equal(fs_mkdir(&odd->far.caller, "/d/b"), 0);
	assert_int_equal(fs_open(&odd->far.caller, "/d/c",
				 CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT),
			 0);
	assert_int_equal(odd->far.all, 3);
	odd_free(odd);
}

static void where_no_link_can_be_made_none_is_left(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->no_links = true;
	odd->by_draft = true;
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "x"), EACCES);
	assert_int_equal(far_list(&odd->far.other, "/d"), 0);
	odd->no_links = false;
	assert_int_equal(fs_symlink(&odd->far.caller, "/none/a", "x"), ENOENT);
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "x"), 0);
	assert_link(odd, "/d/a", "x");
	odd_free(odd);
}

static void names_that_are_taken_are_left_alone(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->by_draft = true;
	assert_int_equal(fs_put(&odd->far.other, "/d/.csftp-00000002", "", 0),
			 0);
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "x"), 0);
	assert_link(odd, "/d/a", "x");
	assert_int_equal(far_list(&odd->far.other, "/d"), 2);
	odd_free(odd);
}

struct waiter {
	struct csftp_req req; /* first */
	int err;	      /* -1: not answered */
	uint32_t mode;
	csftp_fh fh;
};

static void waiter_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct waiter *waiter = (struct waiter *)req;

	assert_int_equal(waiter->err, -1);
	waiter->err = reply->err;
	waiter->fh = reply->fh;
	waiter->mode = !reply->err && reply->attr ? reply->attr->mode : 0;
}

static void ask(struct odd *odd, struct waiter *waiter, struct csftp_req req)
{
	*waiter = (struct waiter){.req = req, .err = -1};
	waiter->req.done = waiter_done;
	csftp_submit(odd->layer, &waiter->req);
}

/* From the first one on, and nothing is asked for nothing afterwards. */
static void a_link_is_one_also_where_lstat_follows(void **state)
{
	struct odd *odd = odd_new();
	struct waiter made, seen;

	(void)state;
	odd->lstat_leads = true;
	assert_int_equal(fs_put(&odd->far.other, "/d/file", "1234", 4), 0);
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/lost", "no"), 0);
	ask(odd, &made,
	    (struct csftp_req){.op = CSFTP_OP_SYMLINK,
			       .path = "/d/a",
			       .path2 = "/d/file"});
	ask(odd, &seen,
	    (struct csftp_req){.op = CSFTP_OP_GETATTR,
			       .flags = CSFTP_NOFOLLOW,
			       .path = "/d/a"});
	far_settle(&odd->far);
	assert_int_equal(made.err, 0);
	assert_int_equal(seen.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	assert_int_equal(fs_lgetattr(&odd->far.caller, "/d/a"), 0);
	assert_int_equal(odd->far.caller.attr.size, 7);
	assert_int_equal(fs_lgetattr(&odd->far.caller, "/d/file"), 0);
	assert_int_equal(odd->far.caller.attr.size, 4);
	assert_int_equal(odd->far.caller.attr.mode & CSFTP_S_IFMT,
			 CSFTP_S_IFREG);
	assert_int_equal(fs_getattr(&odd->far.caller, "/d/a"), 0);
	assert_int_equal(odd->far.caller.attr.size, 4);
	odd_free(odd);
}

static void what_links_have_can_be_set_again(void **state)
{
	static const struct csftp_attr times = {.mask = CSFTP_ATTR_ATIME |
							CSFTP_ATTR_MTIME};
	struct csftp_attr owner = {.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID};
	struct odd *odd = odd_new();
	struct fs_caller *c = &odd->far.caller;

	(void)state;
	assert_int_equal(fs_symlink(c, "/d/a", "x"), 0);
	assert_int_equal(fs_lsetattr(c, "/d/a", &times), 0);
	odd->no_lsetstat = true;
	assert_int_equal(fs_lsetattr(c, "/d/a", &times), ENOSYS);
	assert_int_equal(fs_lsetattr(c, "/d/a", &owner), 0);
	owner.mask = CSFTP_ATTR_GID;
	assert_int_equal(fs_lsetattr(c, "/d/a", &owner), 0);
	owner.gid = 5;
	assert_int_equal(fs_lsetattr(c, "/d/a", &owner), EOPNOTSUPP);
	odd_free(odd);
}

/* A frontend asks for the attributes right behind. */
static void who_asks_meanwhile_sees_the_link(void **state)
{
	struct odd *odd = odd_new();
	struct waiter made[3], seen[2];

	(void)state;
	odd->by_draft = true;
	ask(odd, &made[0],
	    (struct csftp_req){
		    .op = CSFTP_OP_SYMLINK, .path = "/d/a", .path2 = "x"});
	ask(odd, &seen[0],
	    (struct csftp_req){.op = CSFTP_OP_GETATTR,
			       .flags = CSFTP_NOFOLLOW,
			       .path = "/d/a"});
	ask(odd, &made[1],
	    (struct csftp_req){
		    .op = CSFTP_OP_SYMLINK, .path = "/d/b", .path2 = "y"});
	ask(odd, &made[2],
	    (struct csftp_req){
		    .op = CSFTP_OP_SYMLINK, .path = "/d/c", .path2 = "z"});
	ask(odd, &seen[1],
	    (struct csftp_req){.op = CSFTP_OP_GETATTR,
			       .flags = CSFTP_NOFOLLOW,
			       .path = "/d/b"});
	csftp_cancel(odd->layer, &made[2].req);
	assert_int_equal(made[2].err, EINTR);
	far_settle(&odd->far);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(made[i].err, 0);
		assert_int_equal(seen[i].err, 0);
		assert_int_equal(seen[i].mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	}
	assert_link(odd, "/d/a", "x");
	assert_link(odd, "/d/b", "y");
	assert_int_equal(far_list(&odd->far.other, "/d"), 2);
	odd_free(odd);
}

static void link_later(struct odd *odd, struct waiter *waiter, const char *path)
{
	ask(odd, waiter,
	    (struct csftp_req){
		    .op = CSFTP_OP_SYMLINK, .path = path, .path2 = "x"});
}

/* At each step of it; others go on, and nothing of it is left. */
static void who_asks_first_can_go(void **state)
{
	(void)state;
	for (unsigned by_draft = 0; by_draft < 2; by_draft++) {
		for (unsigned steps = 0; steps < 4; steps++) {
			struct odd *odd = odd_new();
			struct waiter made[2];
			char gone[] = "/d/gone";

			odd->by_draft = by_draft;
			link_later(odd, &made[0], gone);
			link_later(odd, &made[1], "/d/a");
			for (unsigned i = 0; i < steps && made[0].err < 0; i++)
				(void)later_run(&odd->far.later);
			if (made[0].err < 0) {
				csftp_cancel(odd->layer, &made[0].req);
				assert_int_equal(made[0].err, EINTR);
				assert_true(steps == 3 ||
					    quirk_pending(odd->layer) == 1);
			}
			memset(gone, 0, sizeof(gone));
			far_settle(&odd->far);
			assert_int_equal(made[1].err, 0);
			assert_link(odd, "/d/a", "x");
			assert_int_equal(far_list(&odd->far.other, "/d"), 1);
			odd_free(odd);
		}
	}
}

/* With nobody left to tell of it, it ends by itself. */
static void what_nobody_waits_for_ends(void **state)
{
	struct odd *odd = odd_new();
	struct waiter made[2], seen;

	(void)state;
	odd->by_draft = true;
	link_later(odd, &made[0], "/d/a");
	ask(odd, &seen,
	    (struct csftp_req){.op = CSFTP_OP_GETATTR,
			       .flags = CSFTP_NOFOLLOW,
			       .path = "/d/a"});
	link_later(odd, &made[1], "/d/b");
	csftp_cancel(odd->layer, &made[0].req);
	csftp_cancel(odd->layer, &made[1].req);
	far_settle(&odd->far);
	assert_int_equal(seen.err, ENOENT);
	assert_int_equal(far_list(&odd->far.other, "/d"), 0);
	far_begin(&odd->far);
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "x"), 0);
	assert_int_equal(odd->far.asked[CSFTP_OP_UNLINK], 0);
	assert_link(odd, "/d/a", "x");
	odd_free(odd);
}

/* Its names may be taken: with nobody to ask for more it is over. */
static void a_name_that_is_taken_is_nobodys_matter(void **state)
{
	struct odd *odd = odd_new();
	struct waiter made[2];

	(void)state;
	assert_int_equal(fs_put(&odd->far.other, "/d/.csftp-00000001", "", 0),
			 0);
	link_later(odd, &made[0], "/d/a");
	csftp_cancel(odd->layer, &made[0].req);
	link_later(odd, &made[1], "/d/b");
	far_settle(&odd->far);
	assert_int_equal(made[1].err, 0);
	assert_int_equal(far_list(&odd->far.other, "/d"), 2);
	odd_free(odd);
}

/* In the middle of each step, also where the link was made. */
static void a_lost_connection_says_nothing_of_the_order(void **state)
{
	(void)state;
	for (unsigned by_draft = 0; by_draft < 2; by_draft++) {
		for (unsigned at = 1; at < 7; at++) {
			struct odd *odd = odd_new();
			struct waiter made[2];

			odd->by_draft = by_draft;
			odd->lost_at = at;
			odd->lost_answer = at == 1;
			link_later(odd, &made[0], "/d/a");
			link_later(odd, &made[1], "/d/b");
			far_settle(&odd->far);
			assert_int_not_equal(made[0].err, -1);
			assert_int_not_equal(made[1].err, -1);
			odd->lost_at = 0;
			odd->down = false;
			assert_int_equal(
				fs_symlink(&odd->far.caller, "/d/c", "x"), 0);
			assert_link(odd, "/d/c", "x");
			assert_int_equal(far_list(&odd->far.other, "/d"),
					 1 + !made[0].err + !made[1].err);
			odd_free(odd);
		}
	}
}

/* Or whoever removes a tree would go where it leads. */
static void a_link_is_no_directory_while_there_is_no_connection(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->lstat_leads = true;
	assert_int_equal(fs_symlink(&odd->far.caller, "/d/a", "/d"), 0);
	odd->lost_at = 2;
	assert_int_equal(fs_lgetattr(&odd->far.caller, "/d/a"), EIO);
	odd->down = false;
	assert_int_equal(fs_lgetattr(&odd->far.caller, "/d/a"), 0);
	assert_int_equal(odd->far.caller.attr.mode & CSFTP_S_IFMT,
			 CSFTP_S_IFLNK);
	odd_free(odd);
}

static int make_only(struct odd *odd, enum csftp_op op, const char *path,
		     uint32_t mode)
{
	struct fs_caller *caller = &odd->far.caller;
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = mode};

	return fs_call(
		caller,
		&(struct csftp_req){
			.op = op,
			.flags = op == CSFTP_OP_OPEN
					 ? CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT
					 : 0,
			.path = path,
			.attr = &attr,
		});
}

/* Its handle, where it is a file, is closed. */
static int make(struct odd *odd, enum csftp_op op, const char *path,
		uint32_t mode)
{
	struct fs_caller *caller = &odd->far.caller;
	int err = make_only(odd, op, path, mode);

	if (!err && op == CSFTP_OP_OPEN)
		assert_int_equal(fs_close(caller, caller->fh), 0);
	return err;
}

static void assert_mode(struct odd *odd, const char *path, uint32_t mode)
{
	assert_int_equal(fs_lgetattr(&odd->far.other, path), 0);
	assert_int_equal(odd->far.other.attr.mode & 07777U, mode);
}

static void what_is_made_has_the_mode_that_was_asked_for(void **state)
{
	static const uint32_t modes[] = {0644, 0600, 0755, 0444, 0644, 0640};
	struct odd *odd = odd_new();

	(void)state;
	odd->file = 0644;
	odd->dir = 0755;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		char file[] = "/d/f0", dir[] = "/d/d0";

		file[4] = dir[4] = (char)('0' + i);
		assert_int_equal(make(odd, CSFTP_OP_OPEN, file, modes[i]), 0);
		assert_mode(odd, file, modes[i]);
		assert_int_equal(make(odd, CSFTP_OP_MKDIR, dir, modes[i]), 0);
		assert_mode(odd, dir, modes[i]);
	}
	far_begin(&odd->far);
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/same", 0644), 0);
	assert_int_equal(odd->far.all, 2);
	odd_free(odd);
}

static void what_is_there_keeps_its_mode(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->file = 0644;
	assert_int_equal(fs_put(&odd->far.other, "/d/old", "x", 1), 0);
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/old", 0600), 0);
	assert_mode(odd, "/d/old", 0644);
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/new", 0600), 0);
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/old", 0600), 0);
	assert_mode(odd, "/d/old", 0644);
	odd_free(odd);
}

static void a_file_is_made_also_where_excl_is_refused(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->no_excl = true;
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/a", 0600), 0);
	assert_mode(odd, "/d/a", 0600);
	odd_free(odd);
}

/* A umask is the server's to have; once modes differ nobody looks any more. */
static void a_server_that_takes_rights_away_may_do_so(void **state)
{
	static const uint32_t modes[] = {0664, 0600, 0775, 0640};
	struct odd *odd = odd_new();

	(void)state;
	odd->umask = 0027;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		char file[] = "/d/f0", dir[] = "/d/d0";

		file[4] = dir[4] = (char)('0' + i);
		assert_int_equal(make(odd, CSFTP_OP_OPEN, file, modes[i]), 0);
		assert_mode(odd, file, modes[i] & ~0027U);
		assert_int_equal(make(odd, CSFTP_OP_MKDIR, dir, modes[i]), 0);
		assert_mode(odd, dir, modes[i] & ~0027U);
	}
	assert_int_equal(odd->far.asked[CSFTP_OP_SETATTR], 0);
	assert_int_equal(odd->far.asked[CSFTP_OP_GETATTR], 4);
	odd_free(odd);
}

static void modes_that_cannot_be_set_are_tried_once(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->file = 0755;
	odd->modes_refuse = true;
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/a", 0600), 0);
	far_begin(&odd->far);
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/b", 0600), 0);
	assert_int_equal(odd->far.all, 2);
	odd_free(odd);
}

static void a_mode_that_was_lost_was_not_refused(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->file = 0755;
	/* It is opened, looked at, and not given its mode. */
	odd->lost_at = 3;
	assert_int_equal(make_only(odd, CSFTP_OP_OPEN, "/d/a", 0600), 0);
	assert_true(odd->down);
	odd->down = false;
	assert_int_equal(make(odd, CSFTP_OP_OPEN, "/d/b", 0600), 0);
	assert_mode(odd, "/d/b", 0600);
	odd_free(odd);
}

static void who_asks_meanwhile_sees_the_mode(void **state)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0700};
	struct odd *odd = odd_new();
	struct waiter made, asked[2];

	(void)state;
	odd->dir = 0755;
	ask(odd, &made,
	    (struct csftp_req){
		    .op = CSFTP_OP_MKDIR, .path = "/d/new", .attr = &mode});
	for (size_t i = 0; i < 2; i++)
		ask(odd, &asked[i],
		    (struct csftp_req){.op = CSFTP_OP_GETATTR,
				       .path = "/d/new"});
	csftp_cancel(odd->layer, &asked[1].req);
	assert_int_equal(asked[1].err, EINTR);
	far_settle(&odd->far);
	assert_int_equal(made.err, 0);
	assert_int_equal(asked[0].err, 0);
	assert_int_equal(asked[0].mode & 07777U, 0700);
	odd_free(odd);
}

static uint32_t any(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static void ask_any(struct odd *odd, struct waiter *waiter, uint32_t *seed)
{
	static const struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE,
					       .mode = 0700};
	static const char *const paths[] = {"/d/a", "/d/b", "/none/a"};
	static const struct csftp_req reqs[] = {
		{.op = CSFTP_OP_SYMLINK, .path2 = "x"},
		{.op = CSFTP_OP_SYMLINK, .path2 = "/d"},
		{.op = CSFTP_OP_GETATTR, .flags = CSFTP_NOFOLLOW},
		{.op = CSFTP_OP_UNLINK},
		{.op = CSFTP_OP_MKDIR, .attr = &mode},
		{.op = CSFTP_OP_RMDIR},
		{.op = CSFTP_OP_OPEN,
		 .flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT,
		 .attr = &mode},
	};
	struct csftp_req req = reqs[any(seed, sizeof(reqs) / sizeof(*reqs))];

	req.path = paths[any(seed, 3)];
	ask(odd, waiter, req);
}

#define ASKED 12U

/* What can be asked, cancelled, answered and lost is, in any order. */
static void disturb(struct odd *odd, struct waiter asked[ASKED], uint32_t *seed)
{
	unsigned count = 0;

	while (count < ASKED) {
		uint32_t what = any(seed, 8);
		struct waiter *one = &asked[any(seed, ASKED)];

		if (what < 3)
			ask_any(odd, &asked[count++], seed);
		else if (what < 6)
			(void)later_run(&odd->far.later);
		else if (what == 6 && one < asked + count && one->err < 0)
			csftp_cancel(odd->layer, &one->req);
		else if (what == 7)
			odd->down = any(seed, 3) == 0;
	}
}

static void whatever_comes_is_answered_once(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct odd *odd = odd_new();
		struct waiter asked[ASKED];

		odd->by_draft = any(&seed, 2);
		odd->lstat_leads = any(&seed, 2);
		odd->file = any(&seed, 2) ? 0666 : 0;
		odd->dir = any(&seed, 2) ? 0755 : 0;
		odd->no_excl = any(&seed, 4) == 0;
		disturb(odd, asked, &seed);
		odd->down = false;
		far_settle(&odd->far);
		for (unsigned i = 0; i < ASKED; i++) {
			assert_int_not_equal(asked[i].err, -1);
			if (!asked[i].err && asked[i].req.op == CSFTP_OP_OPEN)
				(void)fs_close(&odd->far.caller, asked[i].fh);
		}
		odd_free(odd);
	}
}

static void all_else_is_as_without(void **state)
{
	struct odd *odd = odd_new();

	(void)state;
	odd->by_draft = true;
	odd->lstat_leads = true;
	odd->file = 0666;
	odd->dir = 0700;
	assert_int_equal(fs_suite_run_over(&odd->far.caller, &odd->far.other,
					   "quirk over an odd memfs",
					   FS_ALL & ~FS_NOFOLLOW_SET),
			 0);
	odd_free(odd);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(links_are_made_in_either_order),
		cmocka_unit_test(the_order_is_found_out_once),
		cmocka_unit_test(who_is_known_is_asked_for_nothing_else),
		cmocka_unit_test(where_no_link_can_be_made_none_is_left),
		cmocka_unit_test(names_that_are_taken_are_left_alone),
		cmocka_unit_test(a_link_is_one_also_where_lstat_follows),
		cmocka_unit_test(what_links_have_can_be_set_again),
		cmocka_unit_test(who_asks_meanwhile_sees_the_link),
		cmocka_unit_test(who_asks_first_can_go),
		cmocka_unit_test(what_nobody_waits_for_ends),
		cmocka_unit_test(a_name_that_is_taken_is_nobodys_matter),
		cmocka_unit_test(a_lost_connection_says_nothing_of_the_order),
		cmocka_unit_test(
			a_link_is_no_directory_while_there_is_no_connection),
		cmocka_unit_test(a_mode_that_was_lost_was_not_refused),
		cmocka_unit_test(what_is_made_has_the_mode_that_was_asked_for),
		cmocka_unit_test(what_is_there_keeps_its_mode),
		cmocka_unit_test(a_file_is_made_also_where_excl_is_refused),
		cmocka_unit_test(a_server_that_takes_rights_away_may_do_so),
		cmocka_unit_test(modes_that_cannot_be_set_are_tried_once),
		cmocka_unit_test(who_asks_meanwhile_sees_the_mode),
		cmocka_unit_test(whatever_comes_is_answered_once),
		cmocka_unit_test(all_else_is_as_without),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
