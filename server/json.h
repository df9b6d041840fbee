/* A line of JSON, written member by member into a buffer that is given. */
#ifndef CSFTP_SERVER_JSON_H
#define CSFTP_SERVER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What does not fit is left out and remembered: look at `full` once at the
 * end.  Names are our own and need no escape.  One thread.
 */
struct json {
	char *buf;
	size_t cap;
	size_t len;
	bool full;
	bool begun; /* a member stands before */
};

void json_begin(struct json *json);
void json_end(struct json *json); /* with a newline */

void json_number(struct json *json, const char *name, uint64_t value);
/* A value that needs no escape, as it is. */
void json_word(struct json *json, const char *name, const char *word);
/* A string of ASCII or UTF-8; other bytes become U+FFFD. */
void json_text(struct json *json, const char *name, const char *text);
/* The same, and name_hex with all bytes where some did. */
void json_bytes(struct json *json, const char *name, const char *text);

/* The most that json_bytes() takes for a text of so many bytes. */
#define JSON_BYTES_MAX(len) ((len)*8 + 64)

#endif
