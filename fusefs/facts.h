/* Named values, as lines for people or as JSON for programs. */
#ifndef CSFTP_FUSEFS_FACTS_H
#define CSFTP_FUSEFS_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum facts_form { FACTS_TEXT, FACTS_JSON };

/*
 * As text: a section is a heading with its values below it, a row is a line of
 * its own.  As JSON (RFC 8259): one object; a section is an object in it, a
 * table an array of objects, its rows.
 *
 * Bytes that are not printable, or not UTF-8, do not get through as they are.
 * Begin with {.to = ..., .form = ...}.  What the stream cannot take it knows.
 */
struct facts {
	FILE *to;
	enum facts_form form;
	bool more;   /* something stands before, where we are */
	bool inside; /* a section or a table */
	bool row;
};

void facts_begin(struct facts *facts);
void facts_end(struct facts *facts);

void facts_section(struct facts *facts, const char *name);
void facts_section_end(struct facts *facts);

/* Rows begin with what they are of. */
void facts_table(struct facts *facts, const char *name);
void facts_row(struct facts *facts, const char *key, const char *name);
void facts_row_end(struct facts *facts);
void facts_table_end(struct facts *facts);

void facts_text(struct facts *facts, const char *name, const char *text);
void facts_number(struct facts *facts, const char *name, uint64_t value);
/* A time in microseconds: "_us" behind its name, or a suitable unit. */
void facts_us(struct facts *facts, const char *name, uint64_t us);

#endif
