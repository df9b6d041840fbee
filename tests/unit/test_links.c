/* What symbolic links are shown to say, over memfs. */
#include "core/layer/links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/follow.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

struct rig {
	struct far far; /* first */
	struct csftp_fs *layer;
};

/* What is mounted is /srv/root of a server; more of its tree is outside. */
static struct rig *rig_new(enum links_policy policy, const char *root)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct fs_caller *other;

	assert_non_null(rig);
	far_init(&rig->far);
	other = &rig->far.other;
	assert_int_equal(
		links_new(&rig->layer, &rig->far.relay.fs, root, policy),
		CSFTP_OK);
	rig->far.caller.fs = rig->layer;
	assert_int_equal(fs_mkdir(other, "/srv"), 0);
	assert_int_equal(fs_mkdir(other, "/srv/root"), 0);
	assert_int_equal(fs_mkdir(other, "/srv/root/a"), 0);
	assert_int_equal(fs_mkdir(other, "/srv/root/a/b"), 0);
	assert_int_equal(fs_mkdir(other, "/srv/outside"), 0);
	assert_int_equal(fs_symlink(other, "/srv/root/top", "/srv/root"), 0);
	assert_int_equal(fs_symlink(other, "/data", "srv"), 0);
	return rig;
}

static void rig_free(struct rig *rig)
{
	links_free(rig->layer);
	far_release(&rig->far);
	free(rig);
}

/* What a new link of that text in the directory is shown to say; an errno. */
static int shown(struct rig *rig, const char *dir, const char *text)
{
	char path[64];
	int err;

	(void)snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(fs_symlink(&rig->far.other, path, text), 0);
	far_begin(&rig->far);
	err = fs_readlink(&rig->far.caller, path);
	assert_int_equal(fs_unlink(&rig->far.other, path), 0);
	return err;
}

static void assert_shown(struct rig *rig, const char *dir, const char *text,
			 const char *as)
{
	assert_int_equal(shown(rig, dir, text), 0);
	assert_string_equal(rig->far.caller.text, as);
}

static void what_stays_inside_is_shown_as_it_is(void **state)
{
	static const char *const texts[] = {
		"x",	 "x/y",	    "./x",	    "..",
		"../..", "../../x", ".././../x//y", "../b",
		"...",	 "..x/y",   "x/",
	};
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_shown(rig, "/srv/root/a/b", texts[i], texts[i]);
		assert_int_equal(rig->far.all, 1);
	}
	rig_free(rig);
}

static void what_is_absolute_and_inside_becomes_relative(void **state)
{
	static const char *const texts[][2] = {
		{"/srv/root/a/b/x", "x"},      {"/srv/root/a/b", "."},
		{"/srv/root/a/x", "../x"},     {"/srv/root", "../.."},
		{"/srv/root/", "../.."},       {"//srv/./root//x", "../../x"},
		{"/../srv/root/x", "../../x"}, {"/srv/root/ab/x", "../../ab/x"},
	};
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_shown(rig, "/srv/root/a/b", texts[i][0], texts[i][1]);
		assert_int_equal(rig->far.all, 1);
	}
	rig_free(rig);
}

static void what_leads_out_is_refused(void **state)
{
	static const char *const texts[] = {
		"/etc/passwd",
		"/",
		"/srv/rootx",
		"/srv/outside",
		"../../../x",
		"../../../../../../etc/passwd",
		"../../../outside",
		"/srv/root/../outside",
		"x/../../../../outside",
		"../../top/../x",
	};
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(shown(rig, "/srv/root/a/b", texts[i]), EPERM);
	rig_free(rig);
}

static void out_and_back_is_inside(void **state)
{
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");

	(void)state;
	assert_shown(rig, "/srv/root/a", "../../root/x", "../x");
	assert_int_equal(rig->far.all, 1);
	assert_shown(rig, "/srv/root", "../../srv/root/a", "a");
	rig_free(rig);
}

/* By other names, and with ".." behind what may be a link itself. */
static void where_the_text_cannot_tell_the_server_is_asked(void **state)
{
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");

	(void)state;
	assert_shown(rig, "/srv/root/a", "/data/root/a/b", "b");
	assert_int_equal(rig->far.asked[CSFTP_OP_REALPATH], 1);
	assert_shown(rig, "/srv/root/a", "b/../x", "x");
	/* As a text it would be /srv/root/a. */
	assert_shown(rig, "/srv/root/a", "../top/a/../x", "../x");
	assert_int_equal(shown(rig, "/srv/root/a", "none/../../x"), EPERM);
	rig_free(rig);
}

/* A server that says anything when it is asked. */
struct liar {
	struct relay relay; /* first */
	const char *text;
};

static void lie(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct liar *liar = (const struct liar *)fs;

	csftp_reply_text(req, liar->text, strlen(liar->text));
}

static void no_answer_of_the_server_leads_out(void **state)
{
	static const char *const lies[] = {
		"",
		"x",
		"/etc",
		"/srv/root/../../etc",
		"/srv/root/..",
		"/srv/rootx",
		"../../../etc",
		"/srv/root/./../x",
	};
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");
	struct liar liar;

	(void)state;
	links_free(rig->layer);
	relay_init(&liar.relay, rig->far.memfs, 0, relay_pass);
	liar.relay.ops.op[CSFTP_OP_REALPATH] = lie;
	assert_int_equal(links_new(&rig->layer, &liar.relay.fs, "/srv/root",
				   LINKS_CONTAIN),
			 CSFTP_OK);
	rig->far.caller.fs = rig->layer;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		liar.text = lies[i];
		assert_int_equal(shown(rig, "/srv/root/a", "/x"), EPERM);
	}
	liar.text = "/srv/root/a";
	assert_shown(rig, "/srv/root/a", "/x", ".");
	rig_free(rig);
	relay_release(&liar.relay);
}

static void a_text_that_nobody_can_follow_is_an_error(void **state)
{
	static const char *const texts[] = {"", "x"};
	struct rig *rig = rig_new(LINKS_CONTAIN, "/srv/root");
	static char longer[CSFTP_PATH_MAX + 2];
	struct liar liar = {.text = texts[0]};

	(void)state;
	memset(longer, 'x', CSFTP_PATH_MAX + 1);
	links_free(rig->layer);
	relay_init(&liar.relay, rig->far.memfs, 0, relay_pass);
	liar.relay.ops.op[CSFTP_OP_READLINK] = lie;
	assert_int_equal(links_new(&rig->layer, &liar.relay.fs, "/srv/root",
				   LINKS_CONTAIN),
			 CSFTP_OK);
	rig->far.caller.fs = rig->layer;
	assert_int_equal(fs_readlink(&rig->far.caller, "/srv/root/l"), EIO);
	liar.text = longer;
	assert_int_equal(fs_readlink(&rig->far.caller, "/srv/root/l"), EIO);
	liar.text = texts[1];
	assert_int_equal(fs_readlink(&rig->far.caller, "/srv/root/l"), 0);
	rig_free(rig);
	relay_release(&liar.relay);
}

static void with_all_of_a_server_all_of_it_is_inside(void **state)
{
	struct rig *rig = rig_new(LINKS_CONTAIN, "/");

	(void)state;
	assert_shown(rig, "/srv/root", "/etc/passwd", "../../etc/passwd");
	assert_shown(rig, "/srv/root", "/", "../..");
	assert_shown(rig, "/srv", "../../../x", "../x");
	assert_shown(rig, "", "/x", "x");
	assert_shown(rig, "", "..", ".");
	rig_free(rig);
}

static void rebase_changes_what_is_absolute_and_inside_alone(void **state)
{
	struct rig *rig = rig_new(LINKS_REBASE, "/srv/root");

	(void)state;
	assert_shown(rig, "/srv/root/a", "/srv/root/x", "../x");
	assert_shown(rig, "/srv/root/a", "/etc/passwd", "/etc/passwd");
	assert_shown(rig, "/srv/root/a", "../../../x", "../../../x");
	assert_shown(rig, "/srv/root/a", "b/../x", "b/../x");
	assert_shown(rig, "/srv/root/a", "/srv/root/../x", "/srv/root/../x");
	assert_int_equal(rig->far.asked[CSFTP_OP_REALPATH], 0);
	rig_free(rig);
}

static void raw_changes_nothing_and_no_policy_what_is_made(void **state)
{
	(void)state;
	for (int policy = LINKS_CONTAIN; policy <= LINKS_RAW; policy++) {
		struct rig *rig =
			rig_new((enum links_policy)policy, "/srv/root");
		struct fs_caller *other = &rig->far.other;

		if (policy == LINKS_RAW)
			assert_shown(rig, "/srv/root", "/srv/root/x",
				     "/srv/root/x");
		assert_int_equal(fs_symlink(&rig->far.caller, "/srv/root/l",
					    "/mnt/host/x"),
				 0);
		assert_int_equal(fs_readlink(other, "/srv/root/l"), 0);
		assert_string_equal(other->text, "/mnt/host/x");
		rig_free(rig);
	}
}

static void links_are_shown_as_what_they_lead_to(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};
	struct fs_names names = {0};
	struct csftp_fs *follow;
	struct fs_caller c = {0};
	struct far far;
	size_t at;

	(void)state;
	far_init(&far);
	assert_int_equal(follow_new(&follow, far.memfs), CSFTP_OK);
	c.fs = follow;
	far_put(&far.other, "/file", "text");
	assert_int_equal(fs_symlink(&far.other, "/good", "file"), 0);
	assert_int_equal(fs_symlink(&far.other, "/bad", "none"), 0);
	assert_int_equal(fs_lgetattr(&c, "/good"), 0);
	assert_int_equal(c.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFREG);
	assert_int_equal(c.attr.size, 4);
	assert_int_equal(fs_lgetattr(&c, "/bad"), 0);
	assert_int_equal(c.attr.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	assert_int_equal(fs_lgetattr(&c, "/none"), ENOENT);
	assert_int_equal(fs_lsetattr(&c, "/good", &attr), 0);
	assert_int_equal(fs_lgetattr(&c, "/file"), 0);
	assert_int_equal(c.attr.mode & 07777, 0600);
	assert_int_equal(fs_list(&c, "/", &names), 0);
	assert_int_equal(fs_names_find(&names, "good", &at), 1);
	assert_int_equal(names.attr[at].mask, 0);
	assert_int_equal(fs_names_find(&names, "file", &at), 1);
	assert_int_equal(names.attr[at].size, 4);
	assert_int_equal(fs_unlink(&c, "/good"), 0);
	assert_int_equal(fs_lgetattr(&c, "/file"), 0);
	fs_names_release(&names);
	fs_caller_release(&c);
	follow_free(follow);
	far_release(&far);
}

static void all_else_is_as_without(void **state)
{
	struct rig *rig = rig_new(LINKS_RAW, "/");

	(void)state;
	assert_int_equal(fs_suite_run_over(&rig->far.caller, &rig->far.other,
					   "links over memfs", FS_ALL),
			 0);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(what_stays_inside_is_shown_as_it_is),
		cmocka_unit_test(what_is_absolute_and_inside_becomes_relative),
		cmocka_unit_test(what_leads_out_is_refused),
		cmocka_unit_test(out_and_back_is_inside),
		cmocka_unit_test(
			where_the_text_cannot_tell_the_server_is_asked),
		cmocka_unit_test(no_answer_of_the_server_leads_out),
		cmocka_unit_test(a_text_that_nobody_can_follow_is_an_error),
		cmocka_unit_test(with_all_of_a_server_all_of_it_is_inside),
		cmocka_unit_test(
			rebase_changes_what_is_absolute_and_inside_alone),
		cmocka_unit_test(
			raw_changes_nothing_and_no_policy_what_is_made),
		cmocka_unit_test(links_are_shown_as_what_they_lead_to),
		cmocka_unit_test(all_else_is_as_without),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
