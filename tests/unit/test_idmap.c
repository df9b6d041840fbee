/* Whose files are shown as whose, over memfs. */
#include "core/layer/idmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The far end has names for some numbers, and users of ours for some names. */
struct rig {
	struct far far; /* first */
	struct relay names;
	struct idmap *map;
	int name_err;  /* what IDNAME fails with, or 0 */
	int own_err;   /* what setting an owner fails with, or 0 */
	int login_err; /* what asking who logged in fails with, or 0 */
	unsigned logins;
	unsigned sets;
	unsigned looked_up;
	char log[256];
};

static struct rig *rig_of(struct csftp_fs *fs)
{
	return (struct rig *)((char *)fs - offsetof(struct rig, names));
}

/* Even numbers are called "user N" or "group N". */
static void op_idname(struct csftp_fs *fs, struct csftp_req *req)
{
	struct rig *rig = rig_of(fs);
	char text[32];

	if (rig->name_err || req->off % 2) {
		csftp_reply_err(req, rig->name_err ? rig->name_err : ENOENT);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s %u",
		       req->flags & CSFTP_ID_USER ? "user" : "group",
		       (unsigned)req->off);
	csftp_reply_text(req, text, strlen(text));
}

static void op_setattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct rig *rig = rig_of(fs);

	rig->sets++;
	if (rig->own_err && (req->attr->mask & CSFTP_ATTR_UID))
		csftp_reply_err(req, rig->own_err);
	else
		relay_pass(fs, req);
}

static void op_getattr(struct csftp_fs *fs, struct csftp_req *req)
{
	struct rig *rig = rig_of(fs);
	bool login = req->path && !*req->path;

	rig->logins += login;
	if (login && rig->login_err)
		csftp_reply_err(req, rig->login_err);
	else
		relay_pass(fs, req);
}

/* Here, users have 5000 more, groups 7000 more; nobody below 100 is known. */
static bool local(void *arg, uint32_t kind, const char *name, uint32_t *id)
{
	struct rig *rig = arg;
	unsigned number;

	rig->looked_up++;
	if (sscanf(name, kind == CSFTP_ID_USER ? "user %u" : "group %u",
		   &number) != 1 ||
	    number < 100)
		return false;
	*id = number + (kind == CSFTP_ID_USER ? 5000 : 7000);
	return true;
}

static void note(void *arg, const char *text)
{
	struct rig *rig = arg;

	(void)snprintf(rig->log + strlen(rig->log),
		       sizeof(rig->log) - strlen(rig->log), "%s\n", text);
}

static struct rig *rig_new(const struct idmap_config *wish)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct idmap_config config = *wish;

	assert_non_null(rig);
	far_init(&rig->far);
	/* Between the counting and the waiting end, and the files. */
	relay_init(&rig->names, rig->far.memfs, 0, relay_pass);
	rig->names.ops.op[CSFTP_OP_IDNAME] = op_idname;
	rig->names.ops.op[CSFTP_OP_SETATTR] = op_setattr;
	rig->names.ops.op[CSFTP_OP_GETATTR] = op_getattr;
	rig->far.later.under = &rig->names.fs;
	config.under = &rig->far.relay.fs;
	config.local = local;
	config.log = note;
	config.arg = rig;
	assert_int_equal(idmap_new(&rig->map, &config), CSFTP_OK);
	rig->far.caller.fs = idmap_fs(rig->map);
	return rig;
}

static void rig_free(struct rig *rig)
{
	far_settle(&rig->far);
	assert_int_equal(idmap_pending(rig->map), 0);
	idmap_free(rig->map);
	relay_release(&rig->names);
	far_release(&rig->far);
	free(rig);
}

static const struct idmap_pair me[] = {{1000, 500}};
static const struct idmap_pair us[] = {{1001, 600}};

static struct rig *with_pairs(enum idmap_nomap nomap)
{
	return rig_new(&(struct idmap_config){
		.users = me,
		.user_count = 1,
		.groups = us,
		.group_count = 1,
		.maps_users = true,
		.maps_groups = true,
		.nomap = nomap,
	});
}

static struct rig *with_names(void)
{
	return rig_new(&(struct idmap_config){
		.users = me,
		.user_count = 1,
		.maps_users = true,
		.maps_groups = true,
		.by_name = true,
		.nomap = IDMAP_NOBODY,
	});
}

static struct csftp_attr owner(uint32_t uid, uint32_t gid)
{
	return (struct csftp_attr){
		.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID,
		.uid = uid,
		.gid = gid,
	};
}

/* Who logs in is user 1000 there, of group 1001. */
static struct rig *with_login(bool by_name)
{
	const struct csftp_attr login = owner(1000, 1001);
	struct rig *rig = rig_new(&(struct idmap_config){
		.maps_users = true,
		.maps_groups = true,
		.by_name = by_name,
		.nomap = by_name ? IDMAP_NOBODY : IDMAP_KEEP,
		.finds_login = true,
		.shows_login = true,
		.here_uid = 500,
		.here_gid = 600,
	});

	assert_int_equal(fs_setattr(&rig->far.other, "/", &login), 0);
	return rig;
}

static void put_owned(struct rig *rig, const char *path, uint32_t uid,
		      uint32_t gid)
{
	const struct csftp_attr attr = owner(uid, gid);

	far_put(&rig->far.other, path, "text");
	assert_int_equal(fs_setattr(&rig->far.other, path, &attr), 0);
}

static void assert_owned(struct fs_caller *caller, const char *path,
			 uint32_t uid, uint32_t gid)
{
	assert_int_equal(fs_lgetattr(caller, path), 0);
	assert_int_equal(caller->attr.uid, uid);
	assert_int_equal(caller->attr.gid, gid);
}

static void pairs_are_shown_and_set_and_others_stay(void **state)
{
	struct rig *rig = with_pairs(IDMAP_KEEP);
	struct csftp_attr attr = owner(500, 77);

	(void)state;
	put_owned(rig, "/f", 1000, 1001);
	put_owned(rig, "/g", 1, 2);
	assert_owned(&rig->far.caller, "/f", 500, 600);
	assert_owned(&rig->far.caller, "/g", 1, 2);
	assert_int_equal(fs_setattr(&rig->far.caller, "/g", &attr), 0);
	assert_owned(&rig->far.other, "/g", 1000, 77);
	assert_owned(&rig->far.caller, "/g", 500, 77);
	assert_int_equal(rig->looked_up, 0);
	rig_free(rig);
}

static void what_has_no_pair_is_refused_where_that_is_wanted(void **state)
{
	struct rig *rig = with_pairs(IDMAP_REFUSE);
	struct csftp_attr attr = owner(501, 600);
	struct csftp_attr mode = {.mask = CSFTP_ATTR_MODE, .mode = 0600};
	struct fs_names names = {0};
	size_t at;

	(void)state;
	put_owned(rig, "/f", 1000, 1001);
	put_owned(rig, "/g", 1, 1001);
	assert_owned(&rig->far.caller, "/f", 500, 600);
	assert_int_equal(fs_lgetattr(&rig->far.caller, "/g"), EPERM);
	assert_int_equal(fs_setattr(&rig->far.caller, "/f", &attr), EPERM);
	assert_int_equal(fs_setattr(&rig->far.caller, "/g", &mode), 0);
	assert_int_equal(fs_list(&rig->far.caller, "/", &names), 0);
	assert_int_equal(fs_names_find(&names, "f", &at), 1);
	assert_int_equal(names.attr[at].uid, 500);
	assert_int_equal(fs_names_find(&names, "g", &at), 1);
	assert_int_equal(names.attr[at].mask, 0);
	fs_names_release(&names);
	rig_free(rig);
}

static void kinds_without_a_map_pass(void **state)
{
	struct rig *rig = rig_new(&(struct idmap_config){
		.users = me,
		.user_count = 1,
		.maps_users = true,
		.nomap = IDMAP_REFUSE,
	});

	(void)state;
	put_owned(rig, "/f", 1000, 4);
	assert_owned(&rig->far.caller, "/f", 500, 4);
	rig_free(rig);
}

static void names_are_asked_for_once(void **state)
{
	struct rig *rig = with_names();

	(void)state;
	put_owned(rig, "/f", 200, 300);
	put_owned(rig, "/mine", 1000, 300);
	assert_owned(&rig->far.caller, "/f", 5200, 7300);
	/* Both at once, behind the answer. */
	assert_int_equal(rig->far.asked[CSFTP_OP_IDNAME], 2);
	assert_int_equal(rig->far.trips, 2);
	far_begin(&rig->far);
	assert_owned(&rig->far.caller, "/f", 5200, 7300);
	assert_owned(&rig->far.caller, "/mine", 500, 7300);
	assert_int_equal(rig->far.asked[CSFTP_OP_IDNAME], 0);
	assert_int_equal(rig->looked_up, 2);
	rig_free(rig);
}

static void who_has_no_name_here_or_there_is_nobody(void **state)
{
	struct csftp_attr attr = owner(IDMAP_NOBODY_ID, 7300);
	struct rig *rig = with_names();

	(void)state;
	put_owned(rig, "/there", 201, 300);
	put_owned(rig, "/here", 20, 300);
	assert_owned(&rig->far.caller, "/there", IDMAP_NOBODY_ID, 7300);
	assert_owned(&rig->far.caller, "/here", IDMAP_NOBODY_ID, 7300);
	assert_int_equal(fs_setattr(&rig->far.caller, "/here", &attr), EPERM);
	attr.uid = 500;
	assert_int_equal(fs_setattr(&rig->far.caller, "/here", &attr), 0);
	assert_owned(&rig->far.other, "/here", 1000, 300);
	rig_free(rig);
}

static void a_listing_asks_for_all_its_owners_at_once(void **state)
{
	struct rig *rig = with_names();
	struct fs_names names = {0};
	char path[32];
	size_t at;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "/%03u", i);
		put_owned(rig, path, 1000 + i % 100 * 2, 300);
	}
	far_begin(&rig->far);
	assert_int_equal(fs_list(&rig->far.caller, "/", &names), 0);
	assert_int_equal(names.count, 200);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(path, sizeof(path), "%03u", i);
		assert_int_equal(fs_names_find(&names, path, &at), 1);
		assert_int_equal(names.attr[at].uid,
				 i % 100 ? 6000 + i % 100 * 2 : 500);
		assert_int_equal(names.attr[at].gid, 7300);
	}
	/* 99 users, a group, and those of the directory itself. */
	assert_int_equal(rig->far.asked[CSFTP_OP_IDNAME], 102);
	/* OPENDIR, READDIR, the names, CLOSE, and a READDIR at the end. */
	assert_in_range(rig->far.trips, 4, 6);
	fs_names_release(&names);
	rig_free(rig);
}

static void a_reader_that_takes_little_gets_it_all_in_order(void **state)
{
	struct rig *rig = with_names();
	struct fs_names names = {0};
	struct fs_names plain = {0};
	char path[32];
	csftp_fh fh;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		(void)snprintf(path, sizeof(path), "/%02u", i);
		put_owned(rig, path, 1000 + i / 5 * 2, 300);
	}
	assert_int_equal(fs_opendir(&rig->far.caller, "/"), 0);
	fh = rig->far.caller.fh;
	assert_int_equal(fs_readdir_all(&rig->far.caller, fh, &names, 3), 0);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	assert_int_equal(fs_opendir(&rig->far.other, "/"), 0);
	fh = rig->far.other.fh;
	assert_int_equal(fs_readdir_all(&rig->far.other, fh, &plain, 3), 0);
	assert_int_equal(fs_close(&rig->far.other, fh), 0);
	assert_int_equal(names.count, plain.count);
	for (size_t i = 0; i < names.count; i++)
		assert_string_equal(names.name[i], plain.name[i]);
	fs_names_release(&names);
	fs_names_release(&plain);
	rig_free(rig);
}

struct asked {
	struct csftp_req req; /* first */
	unsigned names;
	int err;
	bool done;
	bool eof;
};

static bool take(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct asked *asked = (struct asked *)req;

	(void)entry;
	asked->names++;
	return true;
}

static void answered(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct asked *asked = (struct asked *)req;

	assert_false(asked->done);
	asked->done = true;
	asked->err = reply->err;
	asked->eof = reply->eof;
}

static void ask(struct rig *rig, struct asked *asked, enum csftp_op op,
		const char *path, csftp_fh fh)
{
	*asked = (struct asked){
		.req = {.op = op,
			.done = answered,
			.entry = take,
			.path = path,
			.fh = fh},
	};
	csftp_submit(idmap_fs(rig->map), &asked->req);
}

/* The end is not told before the names that owners are missing for. */
static void readers_side_by_side_get_each_name_once(void **state)
{
	struct rig *rig = with_names();
	struct asked reads[4];
	unsigned names = 0;
	bool eof = false;
	csftp_fh fh;

	(void)state;
	put_owned(rig, "/a", 200, 300);
	put_owned(rig, "/b", 202, 300);
	assert_int_equal(fs_opendir(&rig->far.caller, "/"), 0);
	fh = rig->far.caller.fh;
	for (unsigned round = 0; round < 10 && !eof; round++) {
		for (size_t i = 0; i < COUNT(reads); i++)
			ask(rig, &reads[i], CSFTP_OP_READDIR, NULL, fh);
		far_settle(&rig->far);
		for (size_t i = 0; i < COUNT(reads); i++) {
			assert_true(reads[i].done);
			assert_int_equal(reads[i].err, 0);
			/* Behind the end there is nothing. */
			if (eof)
				assert_int_equal(reads[i].names, 0);
			eof = eof || reads[i].eof;
			names += reads[i].names;
		}
	}
	assert_true(eof);
	assert_int_equal(names, 4);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	rig_free(rig);
}

/* A READDIR that is asked for in the answer to another one. */
struct chain {
	struct csftp_req req; /* first */
	struct rig *rig;
	unsigned owned; /* names with the owner that they should have */
	unsigned others;
	bool eof;
};

static bool take_owner(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct chain *chain = (struct chain *)req;

	if (entry->name.len == 1 && *(const char *)entry->name.ptr != '.') {
		if (entry->attr.uid == 5200 && entry->attr.gid == 7300)
			chain->owned++;
		else
			chain->others++;
	}
	return true;
}

static void ask_on(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct chain *chain = (struct chain *)req;

	assert_int_equal(reply->err, 0);
	chain->eof = reply->eof;
	if (!chain->eof)
		csftp_submit(idmap_fs(chain->rig->map), req);
}

static void who_asks_on_at_once_is_not_told_nobody(void **state)
{
	struct rig *rig = with_names();
	struct chain chain = {.rig = rig};

	(void)state;
	put_owned(rig, "/a", 200, 300);
	put_owned(rig, "/b", 200, 300);
	assert_int_equal(fs_opendir(&rig->far.caller, "/"), 0);
	chain.req = (struct csftp_req){
		.op = CSFTP_OP_READDIR,
		.done = ask_on,
		.entry = take_owner,
		.fh = rig->far.caller.fh,
	};
	csftp_submit(idmap_fs(rig->map), &chain.req);
	far_settle(&rig->far);
	assert_true(chain.eof);
	assert_int_equal(chain.others, 0);
	assert_int_equal(chain.owned, 2);
	assert_int_equal(fs_close(&rig->far.caller, rig->far.caller.fh), 0);
	rig_free(rig);
}

static void who_waits_for_a_name_can_be_cancelled(void **state)
{
	struct rig *rig = with_names();
	struct asked attr;
	struct asked first;
	struct asked held;
	csftp_fh fh;

	(void)state;
	put_owned(rig, "/a", 200, 300);
	assert_int_equal(fs_opendir(&rig->far.caller, "/"), 0);
	fh = rig->far.caller.fh;
	ask(rig, &attr, CSFTP_OP_GETATTR, "/a", 0);
	assert_true(later_run(&rig->far.later));
	csftp_cancel(idmap_fs(rig->map), &attr.req);
	assert_true(attr.done);
	assert_int_equal(attr.err, EINTR);
	ask(rig, &first, CSFTP_OP_READDIR, NULL, fh);
	while (!first.done)
		assert_true(later_run(&rig->far.later));
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	/* And one that waits for the names of a listing. */
	put_owned(rig, "/c", 204, 300);
	assert_int_equal(fs_opendir(&rig->far.caller, "/"), 0);
	fh = rig->far.caller.fh;
	ask(rig, &first, CSFTP_OP_READDIR, NULL, fh);
	assert_true(later_run(&rig->far.later));
	assert_true(first.done);
	ask(rig, &held, CSFTP_OP_READDIR, NULL, fh);
	assert_false(held.done);
	csftp_cancel(idmap_fs(rig->map), &held.req);
	assert_true(held.done);
	assert_int_equal(held.err, EINTR);
	assert_int_equal(fs_close(&rig->far.caller, fh), 0);
	rig_free(rig);
}

static void a_server_without_names_is_asked_once_and_told_of(void **state)
{
	struct rig *rig = with_names();

	(void)state;
	rig->name_err = EOPNOTSUPP;
	put_owned(rig, "/f", 200, 300);
	put_owned(rig, "/mine", 1000, 302);
	assert_owned(&rig->far.caller, "/f", 200, 300);
	assert_non_null(strstr(rig->log, "does not tell the names"));
	far_begin(&rig->far);
	assert_owned(&rig->far.caller, "/mine", 500, 302);
	assert_owned(&rig->far.caller, "/f", 200, 300);
	assert_int_equal(rig->far.asked[CSFTP_OP_IDNAME], 0);
	assert_null(strchr(strchr(rig->log, '\n') + 1, '\n'));
	rig_free(rig);
}

/* A hostile server has a new owner for each file. */
static void numbers_have_a_ceiling(void **state)
{
	struct rig *rig = with_names();
	char path[32] = "/f";

	(void)state;
	far_put(&rig->far.other, path, "");
	for (uint32_t i = 0; i < IDMAP_IDS_MAX + 10; i++) {
		const struct csftp_attr attr = owner(i * 2, i * 2);

		assert_int_equal(fs_setattr(&rig->far.other, path, &attr), 0);
		assert_int_equal(fs_lgetattr(&rig->far.caller, path), 0);
	}
	assert_int_equal(rig->far.caller.attr.uid, IDMAP_NOBODY_ID);
	assert_in_range(rig->far.asked[CSFTP_OP_IDNAME], 0, IDMAP_IDS_MAX);
	rig_free(rig);
}

static struct rig *that_gives_away(void)
{
	return rig_new(&(struct idmap_config){
		.users = me,
		.user_count = 1,
		.maps_users = true,
		.gives_away = true,
	});
}

static int make(struct rig *rig, enum csftp_op op, const char *path,
		uint32_t flags, uint32_t uid, uint32_t gid)
{
	struct csftp_attr attr = owner(uid, gid);
	struct csftp_req req = {
		.op = op,
		.path = path,
		.path2 = op == CSFTP_OP_SYMLINK ? "text" : NULL,
		.flags = flags,
		.attr = &attr,
	};

	attr.mask |= CSFTP_ATTR_MODE;
	attr.mode = 0640;
	return fs_call(&rig->far.caller, &req);
}

#define MAKES (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

static void what_is_made_is_given_to_who_made_it(void **state)
{
	struct rig *rig = that_gives_away();
	struct fs_caller *c = &rig->far.caller;
	csftp_fh fh;

	(void)state;
	assert_int_equal(make(rig, CSFTP_OP_OPEN, "/f", MAKES, 500, 9), 0);
	fh = c->fh;
	assert_int_equal(fs_write(c, fh, 0, "text", 4), 0);
	assert_int_equal(fs_close(c, fh), 0);
	assert_owned(&rig->far.other, "/f", 1000, 9);
	assert_int_equal(rig->far.other.attr.mode & 07777, 0640);
	assert_int_equal(make(rig, CSFTP_OP_MKDIR, "/d", 0, 500, 9), 0);
	assert_owned(&rig->far.other, "/d", 1000, 9);
	assert_int_equal(make(rig, CSFTP_OP_SYMLINK, "/l", 0, 500, 9), 0);
	assert_owned(&rig->far.other, "/l", 1000, 9);
	assert_owned(c, "/l", 500, 9);
	/* Who logged in has it already. */
	rig->sets = 0;
	assert_int_equal(make(rig, CSFTP_OP_MKDIR, "/e", 0, 0, 0), 0);
	assert_int_equal(rig->sets, 0);
	rig_free(rig);
}

static void what_was_there_keeps_its_owner(void **state)
{
	struct rig *rig = that_gives_away();
	struct fs_caller *c = &rig->far.caller;

	(void)state;
	put_owned(rig, "/f", 7, 8);
	assert_int_equal(make(rig, CSFTP_OP_OPEN, "/f", MAKES, 500, 9), 0);
	assert_int_equal(fs_close(c, c->fh), 0);
	assert_owned(&rig->far.other, "/f", 7, 8);
	assert_int_equal(
		make(rig, CSFTP_OP_OPEN, "/f", MAKES | CSFTP_OPEN_EXCL, 500, 9),
		EEXIST);
	assert_int_equal(make(rig, CSFTP_OP_MKDIR, "/f", 0, 500, 9), EEXIST);
	assert_owned(&rig->far.other, "/f", 7, 8);
	rig_free(rig);
}

static void who_asks_meanwhile_sees_the_owner(void **state)
{
	struct rig *rig = that_gives_away();
	const struct csftp_attr attr = owner(500, 9);
	struct asked dir;

	(void)state;
	dir = (struct asked){
		.req = {.op = CSFTP_OP_MKDIR,
			.done = answered,
			.path = "/d",
			.attr = &attr},
	};
	csftp_submit(idmap_fs(rig->map), &dir.req);
	assert_owned(&rig->far.caller, "/d", 500, 9);
	assert_true(dir.done);
	rig_free(rig);
}

static void a_server_that_does_not_let_us_is_not_asked_again(void **state)
{
	struct rig *rig = that_gives_away();

	(void)state;
	rig->own_err = EPERM;
	assert_int_equal(make(rig, CSFTP_OP_MKDIR, "/d", 0, 500, 9), 0);
	assert_owned(&rig->far.other, "/d", 0, 0);
	assert_int_equal(make(rig, CSFTP_OP_MKDIR, "/e", 0, 500, 9), 0);
	assert_int_equal(rig->sets, 1);
	assert_non_null(strstr(rig->log, "does not let us"));
	rig_free(rig);
}

static void all_else_is_as_without(void **state)
{
	struct rig *rig = with_names();

	(void)state;
	assert_int_equal(fs_suite_run_over(&rig->far.caller, &rig->far.other,
					   "idmap over memfs",
					   FS_ALL & ~FS_CHOWN),
			 0);
	rig_free(rig);
}

static void who_logged_in_is_asked_for_when_it_matters(void **state)
{
	struct rig *rig = with_login(false);
	struct csftp_attr attr = owner(500, 600);

	(void)state;
	put_owned(rig, "/f", 1000, 1001);
	put_owned(rig, "/g", 1, 2);
	assert_int_equal(rig->logins, 0);
	/* What is set is translated, too, be it the first of all. */
	assert_int_equal(fs_setattr(&rig->far.caller, "/g", &attr), 0);
	assert_owned(&rig->far.other, "/g", 1000, 1001);
	assert_owned(&rig->far.caller, "/f", 500, 600);
	assert_owned(&rig->far.caller, "/g", 500, 600);
	assert_int_equal(rig->logins, 1);
	rig_free(rig);
	rig = with_login(true);
	put_owned(rig, "/f", 1000, 1001);
	put_owned(rig, "/g", 0, 0);
	put_owned(rig, "/h", 200, 1);
	assert_owned(&rig->far.caller, "/f", 500, 600);
	assert_owned(&rig->far.caller, "/g", 0, 0);
	assert_owned(&rig->far.caller, "/h", 5200, IDMAP_NOBODY_ID);
	rig_free(rig);
}

static void who_cannot_be_asked_who_logged_in_is_asked_again(void **state)
{
	struct rig *rig = with_login(false);

	(void)state;
	put_owned(rig, "/f", 1000, 1001);
	rig->login_err = EIO;
	assert_int_equal(fs_lgetattr(&rig->far.caller, "/f"), EIO);
	assert_int_equal(fs_open(&rig->far.caller, "/f", CSFTP_OPEN_READ), EIO);
	rig->login_err = 0;
	assert_owned(&rig->far.caller, "/f", 500, 600);
	assert_int_equal(rig->logins, 3);
	rig_free(rig);
}

static void who_waits_for_the_login_can_be_cancelled(void **state)
{
	struct rig *rig = with_login(false);
	struct asked first, second;

	(void)state;
	put_owned(rig, "/f", 1000, 1001);
	ask(rig, &first, CSFTP_OP_GETATTR, "/f", 0);
	ask(rig, &second, CSFTP_OP_GETATTR, "/f", 0);
	assert_int_equal(idmap_pending(rig->map), 1);
	csftp_cancel(idmap_fs(rig->map), &first.req);
	assert_true(first.done);
	assert_int_equal(first.err, EINTR);
	assert_false(second.done);
	far_settle(&rig->far);
	assert_true(second.done);
	assert_int_equal(second.err, 0);
	assert_int_equal(rig->logins, 1);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(pairs_are_shown_and_set_and_others_stay),
		cmocka_unit_test(
			what_has_no_pair_is_refused_where_that_is_wanted),
		cmocka_unit_test(kinds_without_a_map_pass),
		cmocka_unit_test(names_are_asked_for_once),
		cmocka_unit_test(who_has_no_name_here_or_there_is_nobody),
		cmocka_unit_test(a_listing_asks_for_all_its_owners_at_once),
		cmocka_unit_test(
			a_reader_that_takes_little_gets_it_all_in_order),
		cmocka_unit_test(readers_side_by_side_get_each_name_once),
		cmocka_unit_test(who_asks_on_at_once_is_not_told_nobody),
		cmocka_unit_test(who_waits_for_a_name_can_be_cancelled),
		cmocka_unit_test(who_logged_in_is_asked_for_when_it_matters),
		cmocka_unit_test(
			who_cannot_be_asked_who_logged_in_is_asked_again),
		cmocka_unit_test(who_waits_for_the_login_can_be_cancelled),
		cmocka_unit_test(
			a_server_without_names_is_asked_once_and_told_of),
		cmocka_unit_test(numbers_have_a_ceiling),
		cmocka_unit_test(what_is_made_is_given_to_who_made_it),
		cmocka_unit_test(what_was_there_keeps_its_owner),
		cmocka_unit_test(who_asks_meanwhile_sees_the_owner),
		cmocka_unit_test(
			a_server_that_does_not_let_us_is_not_asked_again),
		cmocka_unit_test(all_else_is_as_without),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
