#include "fusefs/facts.h"

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

static bool is_plain(unsigned char c, enum facts_form form)
{
	return c >= ' ' && c != 0x7f &&
	       (form == FACTS_TEXT || (c != '"' && c != '\\'));
}

/* What is no character becomes U+FFFD, or a question mark. */
static void put_text(struct facts *facts, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	bool json = facts->form == FACTS_JSON;

	while (*at) {
		size_t len = utf8_len(at);

		if (len == 1 && is_plain(*at, facts->form))
			(void)fputc(*at, facts->to);
		else if (len > 1 && json)
			(void)fwrite(at, 1, len, facts->to);
		else if (len == 1 && json)
			(void)fprintf(facts->to, "\\u%04x", *at);
		else if (len > 1 && !(at[0] == 0xc2 && at[1] < 0xa0))
			(void)fwrite(at, 1, len, facts->to);
		else
			(void)fputs(json ? "\\ufffd" : "?", facts->to);
		at += len > 0 ? len : 1;
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
