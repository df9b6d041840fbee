#include "core/words.h"

#include <stdbool.h>
#include <string.h>

/* How far a text has been read, and what is known there. */
struct split {
	struct words *words;
	struct wire_bytes left;
	enum words_kind kind;
	bool in_word;
	enum csftp_err err;
};

static bool one_of(const char *set, uint8_t c)
{
	return c != '\0' && strchr(set, c);
}

static void put(struct split *split, char c)
{
	struct words *words = split->words;

	if (split->err != CSFTP_OK)
		return;
	if (words->len == words->cap) {
		split->err = CSFTP_ERR_NO_ROOM;
		return;
	}
	words->room[words->len++] = c;
}

/* A byte that stands for itself, whatever it would mean in a pattern. */
static void put_quoted(struct split *split, uint8_t c)
{
	if (split->kind == WORDS_PATTERNS && one_of("*?[]~\\", c))
		put(split, '\\');
	put(split, (char)c);
}

/* The next byte; what is not there or is NUL ends the work. */
static uint8_t take(struct split *split)
{
	uint8_t c = 0;

	if (split->left.len == 0) {
		split->err = CSFTP_ERR_SHORT;
		return 0;
	}
	c = *split->left.ptr++;
	split->left.len--;
	if (c == '\0')
		split->err = CSFTP_ERR_VALUE;
	return c;
}

static bool next_is(const struct split *split, char c)
{
	return split->left.len > 0 && *split->left.ptr == (uint8_t)c;
}

static void in_single(struct split *split)
{
	uint8_t c;

	while ((c = take(split)) != '\'' && split->err == CSFTP_OK)
		put_quoted(split, c);
}

static void in_double(struct split *split)
{
	uint8_t c;

	while ((c = take(split)) != '"' && split->err == CSFTP_OK) {
		if (c == '`' || (c == '$' && next_is(split, '(')))
			split->err = CSFTP_ERR_VALUE;
		if (c == '\\' && split->left.len > 0 &&
		    one_of("$`\"\\\n", *split->left.ptr))
			c = take(split);
		put_quoted(split, c);
	}
}

static void end_word(struct split *split)
{
	if (!split->in_word)
		return;
	put(split, '\0');
	split->words->count++;
	split->in_word = false;
}

static void plain(struct split *split, uint8_t c)
{
	if (one_of(" \t", c)) {
		end_word(split);
		return;
	}
	split->in_word = true;
	if (one_of("|;&<>()`\r\n", c))
		split->err = CSFTP_ERR_VALUE;
	else if (c == '\'')
		in_single(split);
	else if (c == '"')
		in_double(split);
	else if (c == '\\')
		put_quoted(split, take(split));
	else
		put(split, (char)c);
}

enum csftp_err words_split(struct words *words, enum words_kind kind,
			   struct wire_bytes text)
{
	struct split split = {.words = words, .left = text, .kind = kind};

	words->len = 0;
	words->count = 0;
	while (split.left.len > 0 && split.err == CSFTP_OK)
		plain(&split, take(&split));
	end_word(&split);
	return split.err;
}

const char *words_next(const struct words *words, const char *word)
{
	if (!word)
		return words->count > 0 ? words->room : NULL;
	word += strlen(word) + 1;
	return word < words->room + words->len ? word : NULL;
}
