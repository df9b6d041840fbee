/* Named values, as lines for people or as JSON for programs. */
#ifndef CSFTP_FUSEFS_REPORT_H
#define CSFTP_FUSEFS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum report_form { REPORT_TEXT, REPORT_JSON };

/*
 * As text: a section is a heading with its values below it, a row is a line of
 * its own.  As JSON (RFC 8259): one object; a section is an object in it, a
 * table an array of objects, its rows.
 *
 * Bytes that are not printable, or not UTF-8, do not get through as they are.
 * Begin with {.to = ..., .form = ...}.  What the stream cannot take it knows.
 */
struct report {
	FILE *to;
	enum report_form form;
	bool more;   /* something stands before, where we are */
	bool inside; /* a section or a table */
	bool row;
};

void report_begin(struct report *report);
void report_end(struct report *report);

void report_section(struct report *report, const char *name);
void report_section_end(struct report *report);

/* Rows begin with what they are of. */
void report_table(struct report *report, const char *name);
void report_row(struct report *report, const char *key, const char *name);
void report_row_end(struct report *report);
void report_table_end(struct report *report);

void report_text(struct report *report, const char *name, const char *text);
void report_number(struct report *report, const char *name, uint64_t value);
/* A time in microseconds: "_us" behind its name, or a suitable unit. */
void report_us(struct report *report, const char *name, uint64_t us);

#endif
