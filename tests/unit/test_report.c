/* What "csftpd ctl" is answered with, for people and for programs. */
#include "server/csftpd/report.h"

#include <string.h>

#include "tests/lib/test.h"

static const char *const places[] = {"[::1]:22", "127.0.0.1:22"};

static void facts_are_lines_or_an_object(void **state)
{
	static const char lines[] = "workers 3\n"
				    "listening \"[::1]:22\"\n"
				    "listening \"127.0.0.1:22\"\n"
				    "state \"serving\"\n";
	static const char object[] =
		"{\"workers\":3,\"listening\":[\"[::1]:22\","
		"\"127.0.0.1:22\"],\"none\":[],\"state\":\"serving\"}\n";
	char text[256];
	struct report report = {.text = text, .cap = sizeof(text)};

	(void)state;
	for (int json = 0; json < 2; json++) {
		report.form = json ? REPORT_JSON : REPORT_TEXT;
		report_begin(&report, REPORT_FACTS);
		report_number(&report, "workers", 3);
		report_words(&report, "listening", places, 2);
		report_words(&report, "none", places, 0);
		report_word(&report, "state", "serving");
		report_end(&report);
		assert_false(report.cut);
		assert_int_equal(report.len, strlen(text));
		assert_string_equal(text, json ? object : lines);
	}
}

static void a_table_is_a_line_or_an_object_for_each_row(void **state)
{
	char text[256];
	struct report report = {.text = text, .cap = sizeof(text)};

	(void)state;
	for (int json = 0; json < 2; json++) {
		report.form = json ? REPORT_JSON : REPORT_TEXT;
		report_begin(&report, REPORT_TABLE);
		for (unsigned id = 1; id < 3; id++) {
			report_row(&report);
			report_number(&report, "id", id);
			report_word(&report, "user", "al");
		}
		report_end(&report);
		assert_string_equal(text, json ? "[{\"id\":1,\"user\":\"al\"},"
						 "{\"id\":2,\"user\":\"al\"}]\n"
					       : "id=1 user=\"al\"\n"
						 "id=2 user=\"al\"\n");
	}
}

/* A user's name is what a client says. */
static void no_text_breaks_out(void **state)
{
	char text[256];
	struct report report = {.text = text, .cap = sizeof(text)};

	(void)state;
	report_begin(&report, REPORT_TABLE);
	report_row(&report);
	report_word(&report, "user", "a\" b\\\n\x1b\xc3\xa9\xff");
	report_end(&report);
	assert_string_equal(text, "user=\"a\\\" b\\\\\\u000a\\u001b"
				  "\xc3\xa9\\ufffd\"\n");
}

static void what_has_no_room_is_left_out_by_rows(void **state)
{
	char text[64], whole[64];

	(void)state;
	for (size_t cap = 24; cap <= sizeof(text); cap++) {
		struct report report = {
			.text = text, .cap = cap, .form = REPORT_JSON};
		unsigned rows = 0;

		report_begin(&report, REPORT_TABLE);
		for (unsigned id = 1; id < 9; id++) {
			report_row(&report);
			report_number(&report, "id", id);
		}
		report_end(&report);
		assert_true(report.cut);
		assert_true(report.len < cap);
		for (const char *at = text; (at = strstr(at, "id")); at++)
			rows++;
		assert_in_range(rows, 1, 7);
		report = (struct report){.text = whole,
					 .cap = sizeof(whole),
					 .form = REPORT_JSON};
		report_begin(&report, REPORT_TABLE);
		for (unsigned id = 1; id <= rows; id++) {
			report_row(&report);
			report_number(&report, "id", id);
		}
		report_end(&report);
		assert_string_equal(text, whole);
	}
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(facts_are_lines_or_an_object),
		cmocka_unit_test(a_table_is_a_line_or_an_object_for_each_row),
		cmocka_unit_test(no_text_breaks_out),
		cmocka_unit_test(what_has_no_room_is_left_out_by_rows),
	};

	return cmocka_run_group_tests(claims, NULL, NULL);
}
