/* A command line split into words, by the quoting rules of sh. */
#ifndef CSFTP_CORE_WORDS_H
#define CSFTP_CORE_WORDS_H

#include <stddef.h>

#include "core/wire.h"
#include "csftp/err.h"

/*
 * 'text', "text" and \c quote as in the shell of POSIX.  Nothing is expanded:
 * "$name" is these letters.  What a shell would do more than split ("|", ";",
 * "&", "<", ">", "(", ")", "`", "$(", a line end) is an error where it is not
 * quoted, so that nobody believes it was done.
 */
struct words {
	char *room; /* of the caller: the words, a NUL behind each */
	size_t cap;
	size_t len;
	unsigned count;
};

enum words_kind {
	WORDS_PLAIN,
	/*
	 * A backslash is left, or put, in front of each quoted "*", "?", "[",
	 * "]", "~" and "\", so that a pattern can be told from a name.
	 */
	WORDS_PATTERNS
};

/*
 * CSFTP_ERR_NO_ROOM; CSFTP_ERR_SHORT: the text ends inside of quotes;
 * CSFTP_ERR_VALUE: it asks for a shell, or has a NUL in it.
 */
CSFTP_MUST_CHECK enum csftp_err
words_split(struct words *words, enum words_kind kind, struct wire_bytes text);

/* The word behind `word`; the first for NULL; NULL: there is none. */
const char *words_next(const struct words *words, const char *word);

#endif
