/* What is a character, which are shown, and how JSON has them. */
#include "core/utf8.h"

#include <string.h>

#include "tests/lib/test.h"

static void characters_have_their_length_and_number(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		uint32_t point;
	} rows[] = {
		{"a", 1, 'a'},
		{"\x7f", 1, 0x7f},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xed\x9f\xbf", 3, 0xd7ff},
		{"\xee\x80\x80", 3, 0xe000},
		{"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	uint32_t point;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(utf8_len(rows[i].text, &point), rows[i].len);
		assert_int_equal(point, rows[i].point);
		assert_true(utf8_is_valid(rows[i].text));
	}
	assert_true(utf8_is_valid(""));
}

/* RFC 3629, 3 and 10: each could be taken for something else. */
static void what_is_no_character_has_no_length(void **state)
{
	static const char *const texts[] = {
		"\x80",
		"\xbf", /* a rest of one */
		"\xc0\xaf",
		"\xc1\xbf", /* too long */
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf", /* too long, too */
		"\xed\xa0\x80",
		"\xed\xbf\xbf", /* surrogates */
		"\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80", /* behind the last */
		"\xff",
		"\xfe",
	};
	uint32_t point;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(utf8_len(texts[i], &point), 0);
		assert_false(utf8_is_valid(texts[i]));
	}
	assert_false(utf8_is_valid("good\xff"));
	assert_false(utf8_is_valid("\xff"
				   "good"));
}

static void every_proper_prefix_is_none(void **state)
{
	static const char whole[] = "\xf0\x9f\x98\x80";
	uint32_t point;

	(void)state;
	for (size_t len = 1; len < 4; len++) {
		char text[5] = "";

		memcpy(text, whole, len);
		assert_int_equal(utf8_len(text, &point), 0);
	}
}

static void what_moves_a_line_is_not_visible(void **state)
{
	static const uint32_t hidden[] = {
		0,	'\n',	0x1b,	0x7f,	0x80,	0x9f,  0x200b,
		0x200f, 0x2028, 0x202e, 0x2066, 0x2069, 0xfeff};
	static const uint32_t shown[] = {' ',	 '~',	 0xa0,	 0x200a,
					 0x2010, 0x2027, 0x202f, 0x2065,
					 0x206a, 0xfffd, 0x1f600};

	(void)state;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		assert_false(utf8_is_visible(hidden[i]));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		assert_true(utf8_is_visible(shown[i]));
}

static void json_has_them_as_they_are_or_escaped(void **state)
{
	static const struct {
		const char *text;
		const char *json;
		size_t used;
	} rows[] = {
		{"ab", "a", 1},
		{"\"", "\\\"", 1},
		{"\\", "\\\\", 1},
		{"\n", "\\u000a", 1},
		{"\xc2\x9bx", "\\u009b", 2},
		{"\xc3\xa9x", "\xc3\xa9", 2},
		{"\xe2\x80\xae", "\\u202e", 3},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 4},
		{"\xff\xff", "\\ufffd", 1},
		{"\xe2\x82", "\\ufffd", 1},
	};
	char out[UTF8_JSON_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(utf8_json(rows[i].text, out), rows[i].used);
		assert_string_equal(out, rows[i].json);
	}
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(characters_have_their_length_and_number),
		cmocka_unit_test(what_is_no_character_has_no_length),
		cmocka_unit_test(every_proper_prefix_is_none),
		cmocka_unit_test(what_moves_a_line_is_not_visible),
		cmocka_unit_test(json_has_them_as_they_are_or_escaped),
	};

	return cmocka_run_group_tests(claims, NULL, NULL);
}
