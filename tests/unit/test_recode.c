/* Names in another character set than the server's, over memfs. */
#include "core/layer/recode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fusefs/charset.h"
#include "tests/lib/far.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* One letter, in both. */
#define LATIN "\xfc"
#define UTF   "\xc3\xbc"

struct rig {
	struct far far; /* first */
	struct csftp_fs *layer;
	struct charset *charset;
	unsigned converted; /* names */
	unsigned said;
	const char *instead; /* what all names become */
	bool swaps;	     /* bytes that are not ASCII, in pairs */
};

static bool convert(void *arg, enum recode_way way, struct csftp_slice name,
		    char *to, size_t cap, size_t *len)
{
	struct rig *rig = arg;

	rig->converted++;
	if (rig->instead) {
		*len = strlen(rig->instead) + (*rig->instead == '\0');
		memcpy(to, rig->instead, *len);
		return true;
	}
	if (rig->swaps) {
		const uint8_t *from = name.ptr;

		*len = name.len;
		for (size_t i = 0; i < name.len && i < cap; i++)
			to[i] = (char)(from[i] ^ from[i] >> 7);
		return true;
	}
	return charset_convert(rig->charset, way, name, to, cap, len);
}

static void on_log(void *arg, const char *text)
{
	struct rig *rig = arg;

	assert_non_null(strstr(text, "left out"));
	rig->said++;
}

static struct rig *rig_with(const char *there, const char *here,
			    const char *root)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct recode_config config = {
		.root = root,
		.convert = convert,
		.charset = rig,
		.log = on_log,
		.arg = rig,
	};

	assert_non_null(rig);
	config.under = &rig->far.relay.fs;
	far_init(&rig->far);
	rig->charset = charset_open(there, here);
	if (!rig->charset) {
		far_release(&rig->far);
		free(rig);
		skip_because("iconv does not know the character set");
	}
	assert_int_equal(recode_new(&rig->layer, &config), CSFTP_OK);
	rig->far.caller.fs = rig->layer;
	rig->converted = 0;
	return rig;
}

static struct rig *rig_new(void)
{
	return rig_with("ISO-8859-1", "UTF-8", "/");
}

static void rig_free(struct rig *rig)
{
	far_settle(&rig->far);
	fs_caller_release(&rig->far.caller);
	recode_free(rig->layer);
	charset_close(rig->charset);
	far_release(&rig->far);
	free(rig);
}

static void names_are_converted_in_both_directions(void **state)
{
	struct rig *rig = rig_new();
	struct fs_caller *c = &rig->far.caller;
	struct fs_caller *other = &rig->far.other;
	struct fs_names names = {0};

	(void)state;
	assert_int_equal(fs_mkdir(c, "/d" UTF), 0);
	far_put(c, "/d" UTF "/a" UTF "b", "text");
	assert_int_equal(fs_lgetattr(other, "/d" LATIN "/a" LATIN "b"), 0);
	assert_int_equal(fs_lgetattr(c, "/d" UTF "/a" UTF "b"), 0);
	assert_int_equal(fs_list(c, "/d" UTF, &names), 0);
	assert_int_equal(names.count, 1);
	assert_string_equal(names.name[0], "a" UTF "b");
	fs_names_release(&names);
	assert_int_equal(fs_rename(c, "/d" UTF, "/" UTF UTF), 0);
	assert_int_equal(fs_lgetattr(other, "/" LATIN LATIN "/a" LATIN "b"), 0);
	rig_free(rig);
}

static void links_say_what_they_said(void **state)
{
	struct rig *rig = rig_new();
	struct fs_caller *c = &rig->far.caller;
	struct fs_caller *other = &rig->far.other;

	(void)state;
	assert_int_equal(fs_symlink(c, "/l" UTF, "../" UTF "//x/./" UTF), 0);
	assert_int_equal(fs_readlink(other, "/l" LATIN), 0);
	assert_string_equal(other->text, "../" LATIN "//x/./" LATIN);
	assert_int_equal(fs_readlink(c, "/l" UTF), 0);
	assert_string_equal(c->text, "../" UTF "//x/./" UTF);
	assert_int_equal(fs_mkdir(c, "/" UTF), 0);
	assert_int_equal(fs_realpath(c, "/" UTF), 0);
	assert_string_equal(c->text, "/" UTF);
	rig_free(rig);
}

static void the_root_stays_as_the_server_has_it(void **state)
{
	struct rig *rig = rig_with("ISO-8859-1", "UTF-8", "/r" LATIN);
	struct fs_caller *c = &rig->far.caller;
	struct fs_caller *other = &rig->far.other;

	(void)state;
	assert_int_equal(fs_mkdir(other, "/r" LATIN), 0);
	assert_int_equal(fs_lgetattr(c, "/r" LATIN), 0);
	assert_int_equal(fs_mkdir(c, "/r" LATIN "/" UTF), 0);
	assert_int_equal(fs_lgetattr(other, "/r" LATIN "/" LATIN), 0);
	assert_int_equal(fs_realpath(c, "/r" LATIN "/" UTF), 0);
	assert_string_equal(c->text, "/r" LATIN "/" UTF);
	/* What only begins so is another name, and this one is no UTF-8. */
	assert_int_equal(fs_lgetattr(c, "/r" LATIN "x"), EILSEQ);
	rig_free(rig);
}

static void what_has_no_counterpart_is_left_out_and_said_once(void **state)
{
	struct rig *rig = rig_with("UTF-8", "ISO-8859-1", "/");
	struct fs_caller *c = &rig->far.caller;

	(void)state;
	far_put(&rig->far.other, "/\xe2\x82\xac", "euro");
	far_put(&rig->far.other, "/\xff", "no UTF-8");
	far_put(&rig->far.other, "/" UTF, "text");
	far_put(&rig->far.other, "/plain", "text");
	assert_int_equal(far_list(c, "/"), 2);
	assert_int_equal(far_list(c, "/"), 2);
	assert_int_equal(rig->said, 1);
	rig_free(rig);
	rig = rig_new();
	assert_int_equal(fs_mkdir(&rig->far.caller, "/\xe2\x82\xac"), EILSEQ);
	assert_int_equal(fs_mkdir(&rig->far.caller, "/\xff"), EILSEQ);
	assert_int_equal(fs_symlink(&rig->far.caller, "/l", "\xe2\x82\xac"),
			 EILSEQ);
	rig_free(rig);
}

static void no_conversion_makes_a_path_of_a_name(void **state)
{
	static const char *const bad[] = {"..", ".", "a/b", "/", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rig *rig = rig_new();

		far_put(&rig->far.other, "/" LATIN, "text");
		rig->instead = bad[i];
		assert_int_equal(far_list(&rig->far.caller, "/"), 0);
		assert_int_equal(rig->said, 1);
		assert_int_equal(fs_lgetattr(&rig->far.caller, "/" UTF),
				 EILSEQ);
		rig_free(rig);
	}
}

static void a_path_can_become_too_long(void **state)
{
	struct rig *rig = rig_with("UTF-8", "ISO-8859-1", "/");
	char path[CSFTP_PATH_MAX + 1];

	(void)state;
	memset(path, LATIN[0], sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 101)
		path[i] = '/';
	path[CSFTP_PATH_MAX] = '\0';
	assert_int_equal(fs_lgetattr(&rig->far.caller, path), ENAMETOOLONG);
	rig_free(rig);
}

static void what_is_ascii_in_both_is_not_converted(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	far_put(&rig->far.caller, "/plain", "text");
	assert_int_equal(far_list(&rig->far.caller, "/"), 1);
	assert_int_equal(rig->converted, 0);
	rig_free(rig);
}

/* There a letter is another byte, and the byte of '/' is a letter's. */
static void a_server_can_have_another_alphabet(void **state)
{
	struct rig *rig = rig_with("EBCDIC-US", "UTF-8", "/");
	struct fs_caller *other = &rig->far.other;

	(void)state;
	assert_int_equal(fs_mkdir(&rig->far.caller, "/abc"), 0);
	assert_int_equal(fs_lgetattr(other, "/\x81\x82\x83"), 0);
	assert_int_equal(far_list(&rig->far.caller, "/"), 1);
	assert_int_equal(fs_lgetattr(&rig->far.caller, "/abc"), 0);
	rig_free(rig);
}

static void what_iconv_does_not_know_is_refused(void **state)
{
	(void)state;
	assert_null(charset_open("no-such-set", "UTF-8"));
	assert_int_equal(errno, EINVAL);
	assert_null(charset_open("UTF-8", "no-such-set"));
	assert_int_equal(errno, EINVAL);
}

/* The locale of a test is not known, but there is one. */
static void without_a_word_it_is_utf8_there_and_the_locale_here(void **state)
{
	struct charset *charset = charset_open(NULL, NULL);
	char to[8];
	size_t len = 0;

	(void)state;
	assert_non_null(charset);
	assert_true(charset_convert(charset, RECODE_UP,
				    (struct csftp_slice){"abc", 3}, to,
				    sizeof(to), &len));
	assert_int_equal(len, 3);
	assert_memory_equal(to, "abc", 3);
	charset_close(charset);
}

static void all_else_is_as_without(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig->swaps = true;
	assert_int_equal(fs_suite_run_over(&rig->far.caller, &rig->far.other,
					   "recode over memfs", FS_ALL),
			 0);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(names_are_converted_in_both_directions),
		cmocka_unit_test(links_say_what_they_said),
		cmocka_unit_test(the_root_stays_as_the_server_has_it),
		cmocka_unit_test(
			what_has_no_counterpart_is_left_out_and_said_once),
		cmocka_unit_test(no_conversion_makes_a_path_of_a_name),
		cmocka_unit_test(a_path_can_become_too_long),
		cmocka_unit_test(what_is_ascii_in_both_is_not_converted),
		cmocka_unit_test(a_server_can_have_another_alphabet),
		cmocka_unit_test(what_iconv_does_not_know_is_refused),
		cmocka_unit_test(
			without_a_word_it_is_utf8_there_and_the_locale_here),
		cmocka_unit_test(all_else_is_as_without),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
