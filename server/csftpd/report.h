/* Facts as lines for people or as JSON for programs. */
#ifndef CSFTP_SERVER_CSFTPD_REPORT_H
#define CSFTP_SERVER_CSFTPD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_form { REPORT_TEXT, REPORT_JSON };

enum report_shape {
	REPORT_FACTS, /* one object: "key value" lines */
	REPORT_TABLE  /* an array of objects: a line of "key=value" each */
};

/*
 * The text is the caller's buffer.  What has no room is left out, from the
 * first row or fact on that does not fit; `cut` says so.
 */
struct report {
	char *text;
	size_t cap;
	size_t len;
	size_t mark; /* where the last row or fact begins */
	enum report_form form;
	enum report_shape shape;
	bool row; /* one has begun */
	bool field;
	bool cut;
};

void report_begin(struct report *report, enum report_shape shape);

/* Of a table: the fields that follow are of one more row. */
void report_row(struct report *report);

/* Keys are words of ours; texts are anybody's. */
void report_number(struct report *report, const char *key, uint64_t value);
void report_word(struct report *report, const char *key, const char *text);

/* Several of one kind: a line for each, or a list. */
void report_words(struct report *report, const char *key,
		  const char *const *text, size_t count);
void report_end(struct report *report);

#endif
