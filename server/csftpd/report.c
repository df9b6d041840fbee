#include "server/csftpd/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

/* What it takes to end what was begun. */
enum { TAIL = 8 };

__attribute__((format(printf, 2, 3))) static void put(struct report *report,
						      const char *format, ...)
{
	size_t room = report->cap - report->len;
	va_list args;
	int len;

	if (report->cut)
		return;
	va_start(args, format);
	len = vsnprintf(report->text + report->len, room, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len + TAIL < room) {
		report->len += (size_t)len;
		return;
	}
	report->cut = true;
	report->len = report->mark;
	report->text[report->len] = '\0';
}

/* JSON's way does for both forms. */
static void put_quoted(struct report *report, const char *text)
{
	char out[UTF8_JSON_MAX];

	put(report, "\"");
	while (*text) {
		text += utf8_json(text, out);
		put(report, "%s", out);
	}
	put(report, "\"");
}

void report_begin(struct report *report, enum report_shape shape)
{
	report->shape = shape;
	report->row = report->field = report->cut = false;
	report->len = report->mark = 0;
	report->text[0] = '\0';
	if (report->form == REPORT_JSON)
		put(report, shape == REPORT_TABLE ? "[" : "{");
}

static void end_row(struct report *report)
{
	if (!report->row)
		return;
	put(report, report->form == REPORT_JSON ? "}" : "\n");
	report->mark = report->len;
}

void report_row(struct report *report)
{
	end_row(report);
	if (report->form == REPORT_JSON)
		put(report, report->row ? ",{" : "{");
	report->row = true;
	report->field = false;
}

static void put_key(struct report *report, const char *key)
{
	bool table = report->shape == REPORT_TABLE;

	if (!table)
		report->mark = report->len;
	if (report->form == REPORT_JSON)
		put(report, "%s\"%s\":", report->field ? "," : "", key);
	else if (table)
		put(report, "%s%s=", report->field ? " " : "", key);
	else
		put(report, "%s ", key);
	report->field = true;
}

static void end_field(struct report *report)
{
	if (report->form == REPORT_TEXT && report->shape == REPORT_FACTS)
		put(report, "\n");
}

void report_number(struct report *report, const char *key, uint64_t value)
{
	put_key(report, key);
	put(report, "%llu", (unsigned long long)value);
	end_field(report);
}

void report_word(struct report *report, const char *key, const char *text)
{
	put_key(report, key);
	put_quoted(report, text);
	end_field(report);
}

void report_words(struct report *report, const char *key,
		  const char *const *text, size_t count)
{
	if (report->form == REPORT_TEXT) {
		for (size_t i = 0; i < count; i++)
			report_word(report, key, text[i]);
		return;
	}
	put_key(report, key);
	for (size_t i = 0; i < count; i++) {
		put(report, i == 0 ? "[" : ",");
		put_quoted(report, text[i]);
	}
	put(report, count == 0 ? "[]" : "]");
}

void report_end(struct report *report)
{
	const char *tail = "";

	if (report->shape == REPORT_TABLE && !report->cut)
		end_row(report);
	if (report->form == REPORT_JSON)
		tail = report->shape == REPORT_TABLE ? "]\n" : "}\n";
	/* There is room for it always. */
	memcpy(report->text + report->len, tail, strlen(tail) + 1);
	report->len += strlen(tail);
}
