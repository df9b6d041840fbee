#include "fusefs/facts.h"

#include <inttypes.h>
#include <string.h>

#include "core/utf8.h"

/* Columns for names at the start of a line. */
#define NAME_COLUMNS 16

/* What is no character, or none that is seen, is a question mark. */
static size_t put_shown(struct facts *facts, const char *at)
{
	uint32_t point;
	size_t len = utf8_len(at, &point);

	if (len > 0 && utf8_is_visible(point))
		(void)fwrite(at, 1, len, facts->to);
	else
		(void)fputc('?', facts->to);
	return len > 0 ? len : 1;
}

static void put_text(struct facts *facts, const char *text)
{
	char out[UTF8_JSON_MAX];

	while (*text) {
		if (facts->form == FACTS_TEXT) {
			text += put_shown(facts, text);
		} else {
			text += utf8_json(text, out);
			(void)fputs(out, facts->to);
		}
	}
}

/* In names '_' stands for a blank, which is no good in a program. */
static void put_label(struct facts *facts, const char *name)
{
	for (; *name; name++)
		(void)fputc(*name == '_' ? ' ' : *name, facts->to);
}

/* All that stands before a value, or before what holds values. */
static void put_name(struct facts *facts, const char *name, const char *unit)
{
	bool json = facts->form == FACTS_JSON;

	if (json && facts->more)
		(void)fputc(',', facts->to);
	if (json && !facts->row)
		(void)fputc('\n', facts->to);
	if (json && name)
		(void)fprintf(facts->to, "\"%s%s\":", name, unit);
	facts->more = true;
	if (json)
		return;
	if (facts->row) {
		(void)fputs("  ", facts->to);
		put_label(facts, name);
		(void)fputc(' ', facts->to);
	} else {
		(void)fputs(facts->inside ? "  " : "", facts->to);
		put_label(facts, name);
		(void)fputs(": ", facts->to);
	}
}

static void put_value_end(struct facts *facts)
{
	if (facts->form == FACTS_TEXT && !facts->row)
		(void)fputc('\n', facts->to);
}

static void put_open(struct facts *facts, const char *name, char bracket)
{
	if (facts->form == FACTS_JSON) {
		put_name(facts, name, "");
		(void)fputc(bracket, facts->to);
	} else {
		put_label(facts, name);
		(void)fputs(":\n", facts->to);
	}
	facts->more = false;
	facts->inside = true;
}

static void put_close(struct facts *facts, char bracket)
{
	if (facts->form == FACTS_JSON)
		(void)fputc(bracket, facts->to);
	facts->more = true;
	facts->inside = false;
}

void facts_begin(struct facts *facts)
{
	if (facts->form == FACTS_JSON)
		(void)fputc('{', facts->to);
}

void facts_end(struct facts *facts)
{
	if (facts->form == FACTS_JSON)
		(void)fputs("\n}\n", facts->to);
}

void facts_section(struct facts *facts, const char *name)
{
	put_open(facts, name, '{');
}

void facts_section_end(struct facts *facts)
{
	put_close(facts, '}');
}

void facts_table(struct facts *facts, const char *name)
{
	put_open(facts, name, '[');
}

void facts_table_end(struct facts *facts)
{
	put_close(facts, ']');
}

void facts_row(struct facts *facts, const char *key, const char *name)
{
	if (facts->form == FACTS_JSON) {
		put_name(facts, NULL, "");
		(void)fputc('{', facts->to);
		facts->row = true;
		facts->more = false;
		facts_text(facts, key, name);
	} else {
		(void)fputs("  ", facts->to);
		put_text(facts, name);
		for (size_t i = strlen(name); i < NAME_COLUMNS; i++)
			(void)fputc(' ', facts->to);
	}
	facts->row = true;
}

void facts_row_end(struct facts *facts)
{
	(void)fputc(facts->form == FACTS_JSON ? '}' : '\n', facts->to);
	facts->row = false;
	facts->more = true;
}

void facts_text(struct facts *facts, const char *name, const char *text)
{
	bool json = facts->form == FACTS_JSON;

	put_name(facts, name, "");
	(void)fputs(json ? "\"" : "", facts->to);
	put_text(facts, text);
	(void)fputs(json ? "\"" : "", facts->to);
	put_value_end(facts);
}

void facts_number(struct facts *facts, const char *name, uint64_t value)
{
	put_name(facts, name, "");
	(void)fprintf(facts->to, "%" PRIu64, value);
	put_value_end(facts);
}

void facts_us(struct facts *facts, const char *name, uint64_t us)
{
	put_name(facts, name, "_us");
	if (facts->form == FACTS_JSON)
		(void)fprintf(facts->to, "%" PRIu64, us);
	else if (us < 1000)
		(void)fprintf(facts->to, "%" PRIu64 " us", us);
	else if (us < 1000000)
		(void)fprintf(facts->to, "%.1f ms", (double)us / 1000);
	else
		(void)fprintf(facts->to, "%.1f s", (double)us / 1000000);
	put_value_end(facts);
}
