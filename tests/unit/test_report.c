#include "fusefs/report.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* A bit of everything. */
static char *told(enum report_form form, const char *text)
{
	char *said = NULL;
	size_t len;
	FILE *to = open_memstream(&said, &len);
	struct report report = {.to = to, .form = form};

	assert_non_null(to);
	report_begin(&report);
	report_section(&report, "first");
	report_text(&report, "a_text", text);
	report_number(&report, "number", 7);
	report_us(&report, "time", 1500);
	report_section_end(&report);
	report_table(&report, "none");
	report_table_end(&report);
	report_table(&report, "rows");
	for (unsigned i = 0; i < 2; i++) {
		report_row(&report, "name", i ? "two" : "one");
		report_number(&report, "n", i);
		report_row_end(&report);
	}
	report_table_end(&report);
	report_end(&report);
	assert_int_equal(fclose(to), 0);
	return said;
}

static void lines_are_for_people(void **state)
{
	char *said = told(REPORT_TEXT, "x");

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
	char *said = told(REPORT_JSON, "x");

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

static void assert_text(enum report_form form, const char *text,
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
	assert_text(REPORT_JSON, "a\"b\\c\n\x1b",
		    "\"a\\u0022b\\u005cc\\u000a\\u001b\"");
	assert_text(REPORT_JSON, "\xc3\xa9 \xff\xc3",
		    "\"\xc3\xa9 \\ufffd\\ufffd\"");
	/* Overlong, a surrogate, and beyond the last character. */
	assert_text(REPORT_JSON, "\xc0\xaf", "\"\\ufffd\\ufffd\"");
	assert_text(REPORT_JSON, "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	assert_text(REPORT_JSON, "\xf4\x90\x80\x80", "\\ufffd\\ufffd\"");
	assert_text(REPORT_TEXT, "a\"b\nfirst:", "a text: a\"b?first:\n");
	/* A terminal takes the second as an escape of its own. */
	assert_text(REPORT_TEXT, "\xc3\xa9\xc2\x9b", "a text: \xc3\xa9?\n");
}

static void times_have_a_unit_that_suits(void **state)
{
	char said[64] = "";
	FILE *to = fmemopen(said, sizeof(said), "w");
	struct report report = {.to = to, .form = REPORT_TEXT};

	(void)state;
	assert_non_null(to);
	report_us(&report, "a", 999);
	report_us(&report, "b", 20000);
	report_us(&report, "c", 61000000);
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
