#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fs_suite_checks.h"

static void directories_are_made_and_removed(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_mkdir(c, at(suite, "d/e/")), 0);
	expect(suite, fs_mkdir(c, at(suite, "d")), EEXIST);
	expect(suite, fs_mkdir(c, at(suite, "d/.")), EEXIST);
	expect(suite, fs_mkdir(c, "/"), EEXIST);
	expect(suite, fs_rmdir(c, at(suite, "d")), ENOTEMPTY);
	expect(suite, fs_rmdir(c, at(suite, "d/e/.")), EINVAL);
	expect(suite, fs_rmdir(c, at(suite, "d/e/..")), ENOTEMPTY);
	expect(suite, fs_unlink(c, at(suite, "d/e")), EISDIR);
	assert_int_equal(fs_rmdir(c, at(suite, "d/e/")), 0);
	assert_int_equal(fs_rmdir(c, at(suite, "d")), 0);
	expect(suite, fs_getattr(c, at(suite, "d")), ENOENT);
}

static void a_link_says_what_it_was_told(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const char *texts[] = {"x", "/", "a//b/../", "\xff\n \x01", "."};
	char *longest = malloc(CSFTP_PATH_MAX + 1);

	assert_non_null(longest);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(fs_symlink(c, at(suite, "l"), texts[i]), 0);
		assert_int_equal(fs_readlink(c, at(suite, "l")), 0);
		assert_string_equal(c->text, texts[i]);
		assert_int_equal(fs_lgetattr(c, at(suite, "l")), 0);
		assert_int_equal(c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
		assert_int_equal(c->attr.size, strlen(texts[i]));
		assert_int_equal(fs_unlink(c, at(suite, "l")), 0);
	}
	memset(longest, 'x', 4000);
	longest[4000] = '\0';
	assert_int_equal(fs_symlink(c, at(suite, "l"), longest), 0);
	assert_int_equal(fs_readlink(c, at(suite, "l")), 0);
	assert_string_equal(c->text, longest);
	free(longest);
}

static void a_link_is_refused_where_it_cannot_be(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	make_file(suite, "f", "x");
	expect(suite, fs_symlink(c, at(suite, "f"), "x"), EEXIST);
	expect(suite, fs_symlink(c, at(suite, "new/"), "x"), ENOENT);
	expect(suite, fs_readlink(c, at(suite, "f")), EINVAL);
	expect(suite, fs_readlink(c, suite->dir), EINVAL);
	need(suite, FS_EXACT_ERRNO);
	expect(suite, fs_symlink(c, at(suite, "l"), ""), ENOENT);
}

static void links_are_followed_in_each_place(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	char absolute[CSFTP_PATH_MAX + 16];

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_mkdir(c, at(suite, "d/e")), 0);
	make_file(suite, "d/f", "in d");
	make_file(suite, "f", "outside");
	assert_int_equal(fs_symlink(c, at(suite, "le"), "d/e"), 0);
	assert_int_equal(fs_symlink(c, at(suite, "lle"), "le/"), 0);
	snprintf(absolute, sizeof(absolute), "%s/lle/../f", suite->dir);
	assert_int_equal(fs_symlink(c, at(suite, "abs"), absolute), 0);
	/* ".." goes up from where the link led to. */
	has_text(suite, "le/../f", "in d");
	has_text(suite, "lle/../f", "in d");
	has_text(suite, "abs", "in d");
	has_text(suite, "d/../f", "outside");
	has_text(suite, "d/e/../../f", "outside");
	assert_int_equal(fs_lgetattr(c, at(suite, "le")), 0);
	assert_int_equal(c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
	assert_int_equal(fs_lgetattr(c, at(suite, "le/")), 0);
	assert_int_equal(c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFDIR);
	assert_int_equal(fs_mkdir(c, at(suite, "lle/new")), 0);
	assert_int_equal(fs_rmdir(c, at(suite, "d/e/new")), 0);
	assert_int_equal(fs_unlink(c, at(suite, "le")), 0);
	expect(suite, fs_getattr(c, at(suite, "lle")), ENOENT);
	assert_int_equal(fs_getattr(c, at(suite, "d/e")), 0);
}

static void links_in_a_circle_are_eloop(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	assert_int_equal(fs_symlink(c, at(suite, "self"), "self"), 0);
	assert_int_equal(fs_symlink(c, at(suite, "a"), "b"), 0);
	assert_int_equal(fs_symlink(c, at(suite, "b"), "a/x"), 0);
	expect(suite, fs_getattr(c, at(suite, "self")), ELOOP);
	expect(suite, fs_getattr(c, at(suite, "self/x")), ELOOP);
	expect(suite, fs_open(c, at(suite, "a"), CSFTP_OPEN_READ), ELOOP);
	expect(suite, fs_mkdir(c, at(suite, "a/x")), ELOOP);
	expect(suite, fs_realpath(c, at(suite, "self")), ELOOP);
	assert_int_equal(fs_lgetattr(c, at(suite, "self")), 0);
}

static void forty_links_are_followed_and_no_more(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	char name[16];
	char text[16];

	make_file(suite, "l0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(text, sizeof(text), "l%d", i - 1);
		assert_int_equal(fs_symlink(c, at(suite, name), text), 0);
	}
	has_text(suite, "l40", "end");
	expect(suite, fs_getattr(c, at(suite, "l41")), ELOOP);
}

static void two_names_are_one_file(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	need(suite, FS_HARD_LINKS);
	make_file(suite, "a", "one");
	assert_int_equal(fs_link(c, at(suite, "a"), at(suite, "b")), 0);
	make_file(suite, "b", "two");
	has_text(suite, "a", "two");
	expect(suite, fs_link(c, at(suite, "a"), at(suite, "b")), EEXIST);
	expect(suite, fs_link(c, at(suite, "a"), at(suite, "n/")), ENOENT);
	expect(suite, fs_link(c, at(suite, "none"), at(suite, "x")), ENOENT);
	expect(suite, fs_link(c, suite->dir, at(suite, "x")), EPERM);
	assert_int_equal(fs_unlink(c, at(suite, "a")), 0);
	has_text(suite, "b", "two");
}

static void a_link_of_a_link_is_a_link(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	need(suite, FS_HARD_LINKS);
	assert_int_equal(fs_symlink(c, at(suite, "l"), "nowhere"), 0);
	assert_int_equal(fs_link(c, at(suite, "l"), at(suite, "m")), 0);
	assert_int_equal(fs_readlink(c, at(suite, "m")), 0);
	assert_string_equal(c->text, "nowhere");
}

static void a_rename_moves(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	make_file(suite, "a", "text");
	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_rename(c, at(suite, "a"), at(suite, "d/b")), 0);
	expect(suite, fs_getattr(c, at(suite, "a")), ENOENT);
	has_text(suite, "d/b", "text");
	assert_int_equal(fs_mkdir(c, at(suite, "e")), 0);
	assert_int_equal(fs_rename(c, at(suite, "d/"), at(suite, "e/f/")), 0);
	has_text(suite, "e/f/b", "text");
	has_text(suite, "e/f/../f/b", "text");
	/* A link is renamed, not what it leads to. */
	assert_int_equal(fs_symlink(c, at(suite, "l"), "e"), 0);
	assert_int_equal(fs_rename(c, at(suite, "l"), at(suite, "m")), 0);
	assert_int_equal(fs_readlink(c, at(suite, "m")), 0);
	assert_string_equal(c->text, "e");
}

static void a_rename_without_replace_keeps_what_is_there(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	make_file(suite, "a", "one");
	make_file(suite, "b", "two");
	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_mkdir(c, at(suite, "e")), 0);
	assert_int_equal(fs_symlink(c, at(suite, "l"), "nowhere"), 0);
	expect(suite, fs_rename(c, at(suite, "a"), at(suite, "b")), EEXIST);
	expect(suite, fs_rename(c, at(suite, "a"), at(suite, "a")), EEXIST);
	expect(suite, fs_rename(c, at(suite, "a"), at(suite, "l")), EEXIST);
	expect(suite, fs_rename(c, at(suite, "d"), at(suite, "e")), EEXIST);
	expect(suite, fs_rename(c, at(suite, "a"), at(suite, "d")), EEXIST);
	expect(suite, fs_rename(c, at(suite, "a"), at(suite, "d/.")), EEXIST);
	has_text(suite, "a", "one");
	has_text(suite, "b", "two");
}

static void a_rename_with_replace_replaces(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	need(suite, FS_REPLACE);
	make_file(suite, "a", "one");
	make_file(suite, "b", "two");
	assert_int_equal(fs_replace(c, at(suite, "a"), at(suite, "b")), 0);
	expect(suite, fs_getattr(c, at(suite, "a")), ENOENT);
	has_text(suite, "b", "one");
	assert_int_equal(fs_replace(c, at(suite, "b"), at(suite, "b")), 0);
	has_text(suite, "b", "one");
	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	make_file(suite, "d/f", "in d");
	assert_int_equal(fs_mkdir(c, at(suite, "e")), 0);
	assert_int_equal(fs_replace(c, at(suite, "d"), at(suite, "e")), 0);
	has_text(suite, "e/f", "in d");
	assert_int_equal(fs_symlink(c, at(suite, "l"), "e"), 0);
	assert_int_equal(fs_replace(c, at(suite, "b"), at(suite, "l")), 0);
	has_text(suite, "l", "one");
}

static void a_replacement_that_does_not_fit_is_refused(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	need(suite, FS_REPLACE);
	make_file(suite, "f", "x");
	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_mkdir(c, at(suite, "d/e")), 0);
	assert_int_equal(fs_mkdir(c, at(suite, "other")), 0);
	expect(suite, fs_replace(c, at(suite, "f"), at(suite, "d")), EISDIR);
	expect(suite, fs_replace(c, at(suite, "d"), at(suite, "f")), ENOTDIR);
	expect(suite, fs_replace(c, at(suite, "other"), at(suite, "d")),
	       ENOTEMPTY);
	expect(suite, fs_replace(c, at(suite, "d/e"), at(suite, "d")),
	       ENOTEMPTY);
	expect(suite, fs_replace(c, at(suite, "f"), at(suite, "new/")),
	       ENOTDIR);
	expect(suite, fs_replace(c, at(suite, "none"), at(suite, "f")), ENOENT);
	expect(suite, fs_replace(c, at(suite, "d/."), at(suite, "g")), EBUSY);
	has_text(suite, "f", "x");
}

static void a_directory_does_not_go_into_itself(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_mkdir(c, at(suite, "d/e")), 0);
	expect(suite, fs_rename(c, at(suite, "d"), at(suite, "d/f")), EINVAL);
	expect(suite, fs_rename(c, at(suite, "d"), at(suite, "d/e/f")), EINVAL);
	assert_int_equal(fs_getattr(c, at(suite, "d/e")), 0);
	need(suite, FS_REPLACE);
	expect(suite, fs_replace(c, at(suite, "d"), at(suite, "d/e/f")),
	       EINVAL);
}

static void two_names_of_one_file_both_stay(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	need(suite, FS_REPLACE | FS_HARD_LINKS);
	make_file(suite, "a", "x");
	assert_int_equal(fs_link(c, at(suite, "a"), at(suite, "b")), 0);
	assert_int_equal(fs_replace(c, at(suite, "a"), at(suite, "b")), 0);
	has_text(suite, "a", "x");
	has_text(suite, "b", "x");
}

static void names_are_any_bytes_up_to_their_limit(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	char longest[CSFTP_NAME_MAX + 2];
	const char *odd[] = {"line\nbreak", "\xff\xfe", " ",	    "...", ".x",
			     "..x",	    "\x01\x7f", "\xc3\xa4", "~",   "*",
			     "\\",	    "a b'\"$",	longest};

	memset(longest, 'n', sizeof(longest));
	longest[CSFTP_NAME_MAX + 1] = '\0';
	expect(suite, fs_mkdir(c, at(suite, longest)), ENAMETOOLONG);
	expect(suite, fs_getattr(c, at(suite, longest)), ENAMETOOLONG);
	longest[CSFTP_NAME_MAX] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		make_file(suite, odd[i], odd[i]);
	assert_int_equal(fs_list(c, suite->dir, &names), 0);
	assert_int_equal(names.count, ARRAY_LEN(odd));
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		assert_int_equal(fs_names_find(&names, odd[i], NULL), 1);
		has_text(suite, odd[i], odd[i]);
	}
	fs_names_release(&names);
}

/* path of that length to the suite's directory, by way of "/././.". */
static char *path_of_len(const struct fs_suite *suite, size_t len)
{
	char *path = malloc(len + 1);
	size_t used = strlen(suite->dir);

	assert_non_null(path);
	assert_true(used < len);
	memcpy(path, suite->dir, used);
	while (len - used >= 2) {
		path[used++] = '/';
		path[used++] = '.';
	}
	while (used < len)
		path[used++] = '/';
	path[used] = '\0';
	return path;
}

static void paths_have_a_limit(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	char *path = path_of_len(suite, CSFTP_PATH_MAX);

	assert_int_equal(fs_getattr(c, path), 0);
	free(path);
	path = path_of_len(suite, CSFTP_PATH_MAX + 1);
	expect(suite, fs_getattr(c, path), ENAMETOOLONG);
	expect(suite, fs_opendir(c, path), ENAMETOOLONG);
	expect(suite, fs_mkdir(c, path), ENAMETOOLONG);
	expect(suite, fs_symlink(c, at(suite, "l"), path), ENAMETOOLONG);
	make_file(suite, "x", "x");
	expect(suite, fs_rename(c, at(suite, "x"), path), ENAMETOOLONG);
	free(path);
}

static void real(struct fs_suite *suite, const char *name, const char *want)
{
	assert_int_equal(fs_realpath(&suite->caller, at(suite, name)), 0);
	assert_string_equal(suite->caller.text, at(suite, want));
}

static void a_real_path_has_no_links_and_no_dots(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	/* base may itself be reached through a link. */
	assert_int_equal(fs_realpath(c, suite->dir), 0);
	memcpy(suite->dir, c->text, sizeof(suite->dir));
	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	make_file(suite, "d/f", "x");
	assert_int_equal(fs_symlink(c, at(suite, "l"), "d"), 0);
	assert_int_equal(fs_symlink(c, at(suite, "to"), "d/new"), 0);
	assert_int_equal(fs_symlink(c, at(suite, "tf"), at(suite, "d/f")), 0);
	real(suite, "d", "d");
	real(suite, "d/", "d");
	real(suite, "/./d//.", "d");
	real(suite, "d/../l/f", "d/f");
	real(suite, "l", "d");
	real(suite, "tf", "d/f");
	/* The last name need not be there. */
	real(suite, "d/none", "d/none");
	real(suite, "l/none", "d/none");
	real(suite, "to", "d/new");
	expect(suite, fs_realpath(c, at(suite, "none/")), ENOENT);
	expect(suite, fs_realpath(c, at(suite, "none/x")), ENOENT);
	expect(suite, fs_realpath(c, at(suite, "none/..")), ENOENT);
	expect(suite, fs_realpath(c, at(suite, "d/f/x")), ENOTDIR);
	assert_int_equal(fs_realpath(c, "/"), 0);
	assert_string_equal(c->text, "/");
	assert_int_equal(fs_realpath(c, "//.././.."), 0);
	assert_string_equal(c->text, "/");
}

static void a_tilde_is_a_home_where_that_is_asked_for(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	char home[CSFTP_PATH_MAX + 1];

	need(suite, FS_EXPAND);
	assert_int_equal(fs_expand(c, "~"), 0);
	memcpy(home, c->text, sizeof(home));
	assert_int_equal(home[0], '/');
	/* Some users' homes do not exist. */
	if (fs_getattr(c, home) == 0) {
		assert_int_equal(fs_expand(c, "~/"), 0);
		assert_string_equal(c->text, home);
		assert_int_equal(fs_expand(c, "~/.."), 0);
	}
	expect(suite, fs_expand(c, "~no-such-user"), ENOENT);
	expect(suite, fs_expand(c, "~no-such-user/x"), ENOENT);
	make_file(suite, "~", "x");
	assert_int_equal(fs_expand(c, at(suite, "~")), 0);
	assert_int_equal(c->text[strlen(c->text) - 1], '~');
}

static void the_home_of_no_name_is_our_own(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct csftp_req req = {.op = CSFTP_OP_HOMEDIR, .path = ""};

	need(suite, FS_EXPAND);
	assert_int_equal(fs_call(c, &req), 0);
	assert_int_equal(c->text[0], '/');
}

const struct CMUnitTest fs_suite_names[] = {
	FS_CHECK(directories_are_made_and_removed),
	FS_CHECK(a_link_says_what_it_was_told),
	FS_CHECK(a_link_is_refused_where_it_cannot_be),
	FS_CHECK(links_are_followed_in_each_place),
	FS_CHECK(links_in_a_circle_are_eloop),
	FS_CHECK(forty_links_are_followed_and_no_more),
	FS_CHECK(two_names_are_one_file),
	FS_CHECK(a_link_of_a_link_is_a_link),
	FS_CHECK(a_rename_moves),
	FS_CHECK(a_rename_without_replace_keeps_what_is_there),
	FS_CHECK(a_rename_with_replace_replaces),
	FS_CHECK(a_replacement_that_does_not_fit_is_refused),
	FS_CHECK(a_directory_does_not_go_into_itself),
	FS_CHECK(two_names_of_one_file_both_stay),
	FS_CHECK(names_are_any_bytes_up_to_their_limit),
	FS_CHECK(paths_have_a_limit),
	FS_CHECK(a_real_path_has_no_links_and_no_dots),
	FS_CHECK(a_tilde_is_a_home_where_that_is_asked_for),
	FS_CHECK(the_home_of_no_name_is_our_own),
};
const size_t fs_suite_names_count = ARRAY_LEN(fs_suite_names);
