#include "fusefs/facts.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* A bit of everything. */
static char *told(enum facts_form form, const char *text)
{
	char *said = NULL;
	size_t len;
	FILE *to = open_memstream(&said, &len);
	struct facts facts = {.to = to, .form = form};

	assert_non_null(to);
	facts_begin(&facts);
	facts_section(&facts, "first");
	facts_text(&facts, "a_text", text);
	facts_number(&facts, "number", 7);
	facts_us(&facts, "time", 1500);
	facts_section_end(&facts);
	facts_table(&facts, "none");
	facts_table_end(&facts);
	facts_table(&facts, "rows");
	for (unsigned i = 0; i < 2; i++) {
		facts_row(&facts, "name", i ? "two" : "one");
		facts_number(&facts, "n", i);
		facts_row_end(&facts);
	}
	facts_table_end(&facts);
	facts_end(&facts);
	assert_int_equal(fclose(to), 0);
	return said;
}

static void lines_are_for_people(void **state)
{
	char *said = told(FACTS_TEXT, "x");

	(void)state;
	assert_string_equal(said, "first:\n"
				  "  a text: x\n"
				  "  number: 7\n"
				  "  time: 1.5 ms\n"
				  "none:\n"
				  "rows:\n"
				  "  one               n 0\n"
				  "  two               n 1\n");
	free(said);
}

static void json_is_one_object(void **state)
{
	char *said = told(FACTS_JSON, "x");

	(void)state;
	assert_string_equal(said, "{\n"
				  "\"first\":{\n"
				  "\"a_text\":\"x\",\n"
				  "\"number\":7,\n"
				  "\"time_us\":1500},\n"
				  "\"none\":[],\n"
				  "\"rows\":[\n"
				  "{\"name\":\"one\",\"n\":0},\n"
				  "{\"name\":\"two\",\"n\":1}]\n"
				  "}\n");
	free(said);
}

static void assert_text(enum facts_form form, const char *text,
			const char *shown)
{
	char *said = told(form, text);

	if (!strstr(said, shown))
		fail_msg("\"%s\" is not in: %s", shown, said);
	free(said);
}

/* Paths are bytes that somebody else has chosen. */
static void no_text_breaks_out(void **state)
{
	(void)state;
	assert_text(FACTS_JSON, "a\"b\\c\n\x1b",
		    "\"a\\\"b\\\\c\\u000a\\u001b\"");
	assert_text(FACTS_JSON, "\xc3\xa9 \xff\xc3",
		    "\"\xc3\xa9 \\ufffd\\ufffd\"");
	assert_text(FACTS_TEXT, "a\"b\nfirst:", "a text: a\"b?first:\n");
	/* A terminal takes the second as an escape of its own. */
	assert_text(FACTS_TEXT, "\xc3\xa9\xc2\x9b", "a text: \xc3\xa9?\n");
}

static void times_have_a_unit_that_suits(void **state)
{
	char said[64] = "";
	FILE *to = fmemopen(said, sizeof(said), "w");
	struct facts facts = {.to = to, .form = FACTS_TEXT};

	(void)state;
	assert_non_null(to);
	facts_us(&facts, "a", 999);
	facts_us(&facts, "b", 20000);
	facts_us(&facts, "c", 61000000);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(said, "a: 999 us\nb: 20.0 ms\nc: 61.0 s\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_for_people),
		cmocka_unit_test(json_is_one_object),
		cmocka_unit_test(no_text_breaks_out),
		cmocka_unit_test(times_have_a_unit_that_suits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
