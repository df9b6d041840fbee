/*
 * The cache, over memfs: as long as nobody else changes anything, what it says
 * is what memfs says, whatever we do, in whichever order that is answered and
 * however little memory there is.  CSFTP_LONG: for much longer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/cache.h"
#include "tests/lib/far.h"
#include "tests/lib/test.h"

#define ROUNDS	 150U
#define AT_ONCE	 4U
#define NAMES	 4U
#define PATH_LEN 32U

/* One that is asked for while others are. */
struct asked {
	struct csftp_req req; /* first */
	struct csftp_attr attr;
	bool done;
	int err;
	csftp_fh fh;
	char path[PATH_LEN];
	char path2[PATH_LEN];
};

struct chance {
	uint64_t state;
};

struct rig {
	struct far far; /* first */
	struct chance chance;
	uint32_t doubts; /* one of so many changes is done and not said so */
};

struct doubt {
	struct csftp_req req; /* first */
	struct csftp_req *up;
	struct rig *rig;
};

static uint32_t draw(struct chance *chance, uint32_t below)
{
	chance->state =
		chance->state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(chance->state >> 33) % below;
}

/* Names are few, so that they meet; two levels. */
static void draw_path(struct chance *chance, char path[PATH_LEN])
{
	unsigned a = draw(chance, NAMES);
	unsigned b = draw(chance, NAMES + 2);

	if (b >= NAMES)
		(void)snprintf(path, PATH_LEN, "/%u", a);
	else
		(void)snprintf(path, PATH_LEN, "/%u/%u", a, b);
}

static void asked_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct asked *asked = (struct asked *)req;

	assert_false(asked->done);
	asked->done = true;
	asked->err = reply->err;
	asked->fh = reply->fh;
}

static const enum csftp_op ops[] = {
	CSFTP_OP_MKDIR,	  CSFTP_OP_MKDIR,   CSFTP_OP_RMDIR,   CSFTP_OP_UNLINK,
	CSFTP_OP_RENAME,  CSFTP_OP_RENAME,  CSFTP_OP_OPEN,    CSFTP_OP_OPEN,
	CSFTP_OP_SYMLINK, CSFTP_OP_SETATTR, CSFTP_OP_OPENDIR, CSFTP_OP_GETATTR,
	CSFTP_OP_GETATTR, CSFTP_OP_LINK,
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

/* Two changes of names are not made at a time: the kernel sees to that. */
static void draw_request(struct chance *chance, struct asked *asked,
			 bool change)
{
	enum csftp_op op = change	     ? ops[draw(chance, OPS)]
			   : draw(chance, 2) ? CSFTP_OP_GETATTR
					     : CSFTP_OP_OPENDIR;

	*asked = (struct asked){
		.req = {.op = op, .done = asked_done},
		.attr = {.mask = CSFTP_ATTR_MODE,
			 .mode = 0700U + draw(chance, 64)},
	};
	draw_path(chance, asked->path);
	draw_path(chance, asked->path2);
	asked->req.path = asked->path;
	asked->req.path2 = asked->path2;
	asked->req.attr = &asked->attr;
	switch ((int)op) {
	case CSFTP_OP_OPEN:
		asked->req.flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT |
				   (draw(chance, 2) ? CSFTP_OPEN_EXCL : 0) |
				   (draw(chance, 2) ? CSFTP_OPEN_TRUNC : 0);
		break;
	/* A path through a link is another's. */
	case CSFTP_OP_SYMLINK:
		asked->req.path2 = "nowhere";
		break;
	case CSFTP_OP_RENAME:
		asked->req.flags = draw(chance, 2) ? CSFTP_REPLACE : 0;
		break;
	case CSFTP_OP_GETATTR:
		asked->req.flags = CSFTP_NOFOLLOW;
		break;
	case CSFTP_OP_SETATTR:
		asked->req.flags = CSFTP_NOFOLLOW;
		if (draw(chance, 2))
			asked->attr = (struct csftp_attr){
				.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
				.atime.sec = 5,
				.mtime.sec = 5,
			};
		break;
	default:
		break;
	}
}

/* What was opened: written to, or listed, and closed. */
static void use_handle(struct far *far, struct chance *chance,
		       const struct asked *asked)
{
	struct fs_names names = {0};
	uint32_t part = 1 + draw(chance, 8);

	if (asked->err)
		return;
	if (asked->req.op == CSFTP_OP_OPEN)
		assert_int_equal(
			fs_write(&far->caller, asked->fh, 0, "12345678", part),
			0);
	else if (asked->req.op == CSFTP_OP_OPENDIR)
		(void)fs_readdir_all(&far->caller, asked->fh, &names, part);
	else
		return;
	assert_int_equal(fs_close(&far->caller, asked->fh), 0);
	fs_names_release(&names);
}

/* Below what is no directory nothing is, either. */
static int missing(int err)
{
	return err == ENOTDIR ? ENOENT : err;
}

static void compare_path(struct far *far, const char *path)
{
	int err = fs_lgetattr(&far->other, path);
	struct csftp_attr attr = far->other.attr;

	assert_int_equal(missing(fs_lgetattr(&far->caller, path)),
			 missing(err));
	if (err)
		return;
	assert_int_equal(far->caller.attr.mode, attr.mode);
	assert_int_equal(far->caller.attr.mtime.sec, attr.mtime.sec);
	if ((attr.mode & CSFTP_S_IFMT) == CSFTP_S_IFREG)
		assert_int_equal(far->caller.attr.size, attr.size);
}

static void compare_listing(struct far *far, const char *path)
{
	struct fs_names there = {0};
	struct fs_names seen = {0};
	int err = fs_list(&far->other, path, &there);
	size_t at;

	assert_int_equal(missing(fs_list(&far->caller, path, &seen)),
			 missing(err));
	assert_int_equal(seen.count, there.count);
	for (size_t i = 0; i < there.count; i++) {
		assert_int_equal(fs_names_find(&seen, there.name[i], &at), 1);
		if (seen.attr[at].mask & (CSFTP_ATTR_MODE | CSFTP_ATTR_TYPE))
			assert_int_equal(seen.attr[at].mode & CSFTP_S_IFMT,
					 there.attr[i].mode & CSFTP_S_IFMT);
	}
	fs_names_release(&there);
	fs_names_release(&seen);
}

static void compare_all(struct far *far, struct chance *chance)
{
	char path[PATH_LEN];
	bool lists = draw(chance, 2);

	for (unsigned a = 0; a < NAMES; a++) {
		for (unsigned b = 0; b <= NAMES; b++) {
			if (b == NAMES)
				(void)snprintf(path, sizeof(path), "/%u", a);
			else
				(void)snprintf(path, sizeof(path), "/%u/%u", a,
					       b);
			if (draw(chance, 3) == 0)
				compare_path(far, path);
		}
		if (lists)
			compare_listing(far, path);
	}
}

/* As one that was cancelled once it had been sent, or whose answer was lost. */
static void doubt_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct doubt *doubt = (struct doubt *)req;
	struct csftp_req *up = doubt->up;

	if (!reply->err && req->op == CSFTP_OP_OPEN)
		assert_int_equal(fs_close(&doubt->rig->far.other, reply->fh),
				 0);
	free(doubt);
	csftp_reply_err(up, EIO);
}

static void change(struct csftp_fs *fs, struct csftp_req *up)
{
	struct rig *rig = (struct rig *)fs;
	struct doubt *doubt;

	if (draw(&rig->chance, rig->doubts) > 0) {
		relay_pass(fs, up);
		return;
	}
	doubt = malloc(sizeof(*doubt));
	assert_non_null(doubt);
	*doubt = (struct doubt){.req = *up, .up = up, .rig = rig};
	doubt->req.done = doubt_done;
	csftp_submit(rig->far.relay.under, &doubt->req);
}

static void doubt_changes(struct rig *rig, uint32_t doubts)
{
	struct csftp_fs_ops *at = &rig->far.relay.ops;

	rig->doubts = doubts;
	for (size_t i = 0; i < OPS; i++) {
		if (ops[i] != CSFTP_OP_GETATTR && ops[i] != CSFTP_OP_OPENDIR)
			at->op[ops[i]] = change;
	}
}

/* What the cache asks of its own accord has an end, too. */
static void settle(struct far *far)
{
	unsigned steps = 0;

	while (later_run(&far->later))
		assert_in_range(++steps, 1, 100000);
}

static void play(struct far *far, struct chance *chance)
{
	struct asked asked[AT_ONCE];
	uint32_t count = 1 + draw(chance, AT_ONCE);
	uint32_t changed = draw(chance, count);

	far->later.order =
		draw(chance, 2) ? LATER_IN_ORDER : LATER_NEWEST_FIRST;
	for (uint32_t i = 0; i < count; i++) {
		draw_request(chance, &asked[i], i == changed);
		csftp_submit(far->caller.fs, &asked[i].req);
		if (draw(chance, 2))
			(void)later_run(&far->later);
	}
	settle(far);
	far->later.order = LATER_IN_ORDER;
	for (uint32_t i = 0; i < count; i++) {
		assert_true(asked[i].done);
		use_handle(far, chance, &asked[i]);
	}
	far->now_ms += draw(chance, 4) == 0 ? draw(chance, 25000) : 10;
}

static void compare_with(const struct cache_config *config, uint64_t seed,
			 uint32_t doubts)
{
	struct rig rig = {.chance = {seed}};

	far_init(&rig.far);
	far_cache(&rig.far, config);
	if (doubts > 0)
		doubt_changes(&rig, doubts);
	for (unsigned i = 0; i < ROUNDS; i++) {
		play(&rig.far, &rig.chance);
		compare_all(&rig.far, &rig.chance);
	}
	far_settle(&rig.far);
	far_release(&rig.far);
}

static void compare_seeds(uint32_t doubts)
{
	unsigned count = getenv("CSFTP_LONG") ? 2000 : 20;

	for (unsigned seed = 1; seed <= count; seed++) {
		print_message("# seed %u\n", seed);
		compare_with(&(struct cache_config){0}, seed, doubts);
		compare_with(&(struct cache_config){.bytes_max = 6000}, seed,
			     doubts);
	}
}

static void what_only_we_change_is_known_as_it_is(void **state)
{
	(void)state;
	compare_seeds(0);
}

static void what_was_done_though_it_failed_is_known_as_it_is(void **state)
{
	(void)state;
	compare_seeds(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_we_change_is_known_as_it_is),
		cmocka_unit_test(
			what_was_done_though_it_failed_is_known_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
