/* Command lines split as sh would, and refused where it would do more. */
#include "core/words.h"

#include <string.h>

#include "tests/lib/test.h"

/* The words with a "|" behind each, or the error's number. */
static void assert_words(enum words_kind kind, const char *text,
			 const char *expected)
{
	char room[64];
	struct words words = {.room = room, .cap = sizeof(room)};

	assert_int_equal(words_split(&words, kind,
				     (struct wire_bytes){(const uint8_t *)text,
							 strlen(text)}),
			 CSFTP_OK);
	assert_int_equal(words.len, strlen(expected));
	for (size_t i = 0; i < words.len; i++)
		assert_int_equal(room[i] ? room[i] : '|', expected[i]);
}

static void assert_refused(const char *text, size_t len, enum csftp_err err)
{
	char room[64];
	struct words words = {.room = room, .cap = sizeof(room)};

	assert_int_equal(
		words_split(&words, WORDS_PLAIN,
			    (struct wire_bytes){(const uint8_t *)text, len}),
		err);
}

static void words_are_split_at_blanks(void **state)
{
	(void)state;
	assert_words(WORDS_PLAIN, "", "");
	assert_words(WORDS_PLAIN, " \t ", "");
	assert_words(WORDS_PLAIN, "scp -t /x", "scp|-t|/x|");
	assert_words(WORDS_PLAIN, "  a\tb  ", "a|b|");
}

static void quotes_keep_together_and_go_away(void **state)
{
	(void)state;
	assert_words(WORDS_PLAIN, "'a b'c\"d e\" \\ f", "a bcd e| f|");
	assert_words(WORDS_PLAIN, "'' \"\"", "||");
	assert_words(WORDS_PLAIN, "'a\\b' \"a\\b\" a\\b", "a\\b|a\\b|ab|");
	assert_words(WORDS_PLAIN, "\"\\\"\\\\\\$\\`\"", "\"\\$`|");
	assert_words(WORDS_PLAIN, "'it'\\''s'", "it's|");
	assert_words(WORDS_PLAIN, "'|;&<>()`\n'", "|;&<>()`\n|");
	assert_words(WORDS_PLAIN, "\\; \\|", ";|||");
}

static void nothing_is_expanded(void **state)
{
	(void)state;
	assert_words(WORDS_PLAIN, "$HOME ${x}% *", "$HOME|${x}%|*|");
	assert_words(WORDS_PLAIN, "\"$HOME\" ~", "$HOME|~|");
}

static void patterns_can_be_told_from_names(void **state)
{
	(void)state;
	assert_words(WORDS_PATTERNS, "*.c '*.c' \\*.c", "*.c|\\*.c|\\*.c|");
	assert_words(WORDS_PATTERNS, "\"a[b]\"[c] '~'/~", "a\\[b\\][c]|\\~/~|");
	assert_words(WORDS_PATTERNS, "'\\' \\\\", "\\\\|\\\\|");
}

static void what_a_shell_would_do_is_refused(void **state)
{
	static const char *const texts[] = {
		"a | b", "a;b",	    "a&",   "a <b",	"a >b", "(a)",
		"`a`",	 "\"`a`\"", "$(a)", "\"$(a)\"", "a\nb", "a\r",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], strlen(texts[i]), CSFTP_ERR_VALUE);
	assert_refused("a\0b", 3, CSFTP_ERR_VALUE);
	assert_refused("'a\0b'", 5, CSFTP_ERR_VALUE);
}

static void open_quotes_are_refused(void **state)
{
	static const char *const texts[] = {"'a", "\"a", "a\\", "\"a\\", "'"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], strlen(texts[i]), CSFTP_ERR_SHORT);
}

static void words_that_do_not_fit_are_refused(void **state)
{
	char room[4];
	struct words words = {.room = room, .cap = sizeof(room)};

	(void)state;
	assert_int_equal(
		words_split(&words, WORDS_PLAIN,
			    (struct wire_bytes){(const uint8_t *)"a b", 3}),
		CSFTP_OK);
	assert_int_equal(
		words_split(&words, WORDS_PLAIN,
			    (struct wire_bytes){(const uint8_t *)"abcd", 4}),
		CSFTP_ERR_NO_ROOM);
	assert_int_equal(
		words_split(&words, WORDS_PATTERNS,
			    (struct wire_bytes){(const uint8_t *)"'**'", 4}),
		CSFTP_ERR_NO_ROOM);
}

static void words_come_one_after_the_other(void **state)
{
	char room[8];
	struct words words = {.room = room, .cap = sizeof(room)};
	const char *word;

	(void)state;
	assert_int_equal(
		words_split(&words, WORDS_PLAIN,
			    (struct wire_bytes){(const uint8_t *)"a '' b", 6}),
		CSFTP_OK);
	assert_int_equal(words.count, 3);
	word = words_next(&words, NULL);
	assert_string_equal(word, "a");
	word = words_next(&words, word);
	assert_string_equal(word, "");
	word = words_next(&words, word);
	assert_string_equal(word, "b");
	assert_null(words_next(&words, word));
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(words_are_split_at_blanks),
		cmocka_unit_test(quotes_keep_together_and_go_away),
		cmocka_unit_test(nothing_is_expanded),
		cmocka_unit_test(patterns_can_be_told_from_names),
		cmocka_unit_test(what_a_shell_would_do_is_refused),
		cmocka_unit_test(open_quotes_are_refused),
		cmocka_unit_test(words_that_do_not_fit_are_refused),
		cmocka_unit_test(words_come_one_after_the_other),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
