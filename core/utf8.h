/* Texts of others', character by character, for who shows them. */
#ifndef CSFTP_CORE_UTF8_H
#define CSFTP_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Paths and names are bytes that somebody else has chosen: they need not be
 * UTF-8, and what is can still turn a terminal or a line around.  Texts end
 * with NUL, which ends every sequence, too.  Nothing here keeps anything.
 */

/*
 * The length of the character at text, and what it stands for; 0: there is
 * none (RFC 3629, 4), and the first byte is best passed over.
 */
size_t utf8_len(const char *text, uint32_t *point);

bool utf8_is_valid(const char *text);

/* Neither a control nor what is not seen and moves what is (bidi, BOM). */
bool utf8_is_visible(uint32_t point);

/* The most that utf8_json() makes of one character, with NUL. */
#define UTF8_JSON_MAX 8

/*
 * What stands at text as a string of JSON has it (RFC 8259, 7), escaped where
 * it is not visible; U+FFFD for a byte that is no character.  Returns how many
 * bytes of text that was, not 0; text is not at its end.
 */
size_t utf8_json(const char *text, char out[UTF8_JSON_MAX]);

#endif
