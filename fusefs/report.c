#include "fusefs/report.h"

#include <inttypes.h>
#include <string.h>

/* Columns for names at the start of a line. */
#define NAME_COLUMNS 16

/* The length of the character there, in UTF-8 (RFC 3629); 0: it is none. */
static size_t utf8_len(const unsigned char *at)
{
	size_t len = at[0] < 0x80   ? 1
		     : at[0] < 0xc2 ? 0
		     : at[0] < 0xe0 ? 2
		     : at[0] < 0xf0 ? 3
		     : at[0] < 0xf5 ? 4
				    : 0;

	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((at[0] == 0xe0 && at[1] < 0xa0) ||
	    (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

static bool is_plain(unsigned char c, enum report_form form)
{
	return c >= ' ' && c != 0x7f &&
	       (form == REPORT_TEXT || (c != '"' && c != '\\'));
}

/* What is no character becomes U+FFFD, or a question mark. */
static void put_text(struct report *report, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	bool json = report->form == REPORT_JSON;

	while (*at) {
		size_t len = utf8_len(at);

		if (len == 1 && is_plain(*at, report->form))
			(void)fputc(*at, report->to);
		else if (len > 1 && json)
			(void)fwrite(at, 1, len, report->to);
		else if (len == 1 && json)
			(void)fprintf(report->to, "\\u%04x", *at);
		else if (len > 1 && !(at[0] == 0xc2 && at[1] < 0xa0))
			(void)fwrite(at, 1, len, report->to);
		else
			(void)fputs(json ? "\\ufffd" : "?", report->to);
		at += len > 0 ? len : 1;
	}
}

/* In names '_' stands for a blank, which is no good in a program. */
static void put_label(struct report *report, const char *name)
{
	for (; *name; name++)
		(void)fputc(*name == '_' ? ' ' : *name, report->to);
}

/* All that stands before a value, or before what holds values. */
static void put_name(struct report *report, const char *name, const char *unit)
{
	bool json = report->form == REPORT_JSON;

	if (json && report->more)
		(void)fputc(',', report->to);
	if (json && !report->row)
		(void)fputc('\n', report->to);
	if (json && name)
		(void)fprintf(report->to, "\"%s%s\":", name, unit);
	report->more = true;
	if (json)
		return;
	if (report->row) {
		(void)fputs("  ", report->to);
		put_label(report, name);
		(void)fputc(' ', report->to);
	} else {
		(void)fputs(report->inside ? "  " : "", report->to);
		put_label(report, name);
		(void)fputs(": ", report->to);
	}
}

static void put_value_end(struct report *report)
{
	if (report->form == REPORT_TEXT && !report->row)
		(void)fputc('\n', report->to);
}

static void put_open(struct report *report, const char *name, char bracket)
{
	if (report->form == REPORT_JSON) {
		put_name(report, name, "");
		(void)fputc(bracket, report->to);
	} else {
		put_label(report, name);
		(void)fputs(":\n", report->to);
	}
	report->more = false;
	report->inside = true;
}

static void put_close(struct report *report, char bracket)
{
	if (report->form == REPORT_JSON)
		(void)fputc(bracket, report->to);
	report->more = true;
	report->inside = false;
}

void report_begin(struct report *report)
{
	if (report->form == REPORT_JSON)
		(void)fputc('{', report->to);
}

void report_end(struct report *report)
{
	if (report->form == REPORT_JSON)
		(void)fputs("\n}\n", report->to);
}

void report_section(struct report *report, const char *name)
{
	put_open(report, name, '{');
}

void report_section_end(struct report *report)
{
	put_close(report, '}');
}

void report_table(struct report *report, const char *name)
{
	put_open(report, name, '[');
}

void report_table_end(struct report *report)
{
	put_close(report, ']');
}

void report_row(struct report *report, const char *key, const char *name)
{
	if (report->form == REPORT_JSON) {
		put_name(report, NULL, "");
		(void)fputc('{', report->to);
		report->row = true;
		report->more = false;
		report_text(report, key, name);
	} else {
		(void)fputs("  ", report->to);
		put_text(report, name);
		for (size_t i = strlen(name); i < NAME_COLUMNS; i++)
			(void)fputc(' ', report->to);
	}
	report->row = true;
}

void report_row_end(struct report *report)
{
	(void)fputc(report->form == REPORT_JSON ? '}' : '\n', report->to);
	report->row = false;
	report->more = true;
}

void report_text(struct report *report, const char *name, const char *text)
{
	bool json = report->form == REPORT_JSON;

	put_name(report, name, "");
	(void)fputs(json ? "\"" : "", report->to);
	put_text(report, text);
	(void)fputs(json ? "\"" : "", report->to);
	put_value_end(report);
}

void report_number(struct report *report, const char *name, uint64_t value)
{
	put_name(report, name, "");
	(void)fprintf(report->to, "%" PRIu64, value);
	put_value_end(report);
}

void report_us(struct report *report, const char *name, uint64_t us)
{
	put_name(report, name, "_us");
	if (report->form == REPORT_JSON)
		(void)fprintf(report->to, "%" PRIu64, us);
	else if (us < 1000)
		(void)fprintf(report->to, "%" PRIu64 " us", us);
	else if (us < 1000000)
		(void)fprintf(report->to, "%.1f ms", (double)us / 1000);
	else
		(void)fprintf(report->to, "%.1f s", (double)us / 1000000);
	put_value_end(report);
}
