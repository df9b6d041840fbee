/* Names by pattern, as a shell matches them in a directory. */

#include "server/exec/exec_impl.h"

bool exec_is_pattern(const char *text)
{
	for (; *text; text++) {
		if (*text == '*' || *text == '?' || *text == '[')
			return true;
		if (*text == '\\' && text[1])
			text++;
	}
	return false;
}

/* One byte of a pattern; whether a backslash stood before it. */
static const char *take(const char *pattern, char *c)
{
	if (*pattern == '\\' && pattern[1])
		pattern++;
	*c = *pattern;
	return pattern + 1;
}

/*
 * Behind the "]" of a set, and whether c is in it; NULL: it has no end, so the
 * "[" is just that.
 */
static const char *match_set(const char *pattern, char c, bool *in)
{
	bool negated = *pattern == '!' || *pattern == '^';
	const char *start = pattern + negated;
	const char *at = start;
	bool found = false;

	while (*at && (*at != ']' || at == start)) {
		char low, high;

		at = take(at, &low);
		high = low;
		if (*at == '-' && at[1] && at[1] != ']')
			at = take(at + 1, &high);
		if ((unsigned char)low <= (unsigned char)c &&
		    (unsigned char)c <= (unsigned char)high)
			found = true;
	}
	if (!*at)
		return NULL;
	*in = found != negated;
	return at + 1;
}

/*
 * Behind the first part of the pattern if it stands for c; else NULL.
 * From *no_sets on, if it is not NULL, no "[" has an end, so that nobody looks
 * for it again: each look goes as far as the pattern does.
 */
static const char *match_one(const char *pattern, char c, const char **no_sets)
{
	const char *behind;
	bool in;
	char own;

	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[' && (!*no_sets || pattern < *no_sets)) {
		behind = match_set(pattern + 1, c, &in);
		if (behind)
			return in ? behind : NULL;
		*no_sets = pattern;
	}
	behind = take(pattern, &own);
	return own == c ? behind : NULL;
}

/* One star is remembered: what a later one takes, an earlier need not. */
bool exec_match(const char *name, const char *pattern)
{
	const char *star = NULL, *from = NULL, *no_sets = NULL, *behind;

	if (*name == '.' && *pattern != '.')
		return false;
	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			from = name;
			continue;
		}
		behind = *pattern ? match_one(pattern, *name, &no_sets) : NULL;
		if (behind) {
			pattern = behind;
			name++;
		} else if (star) {
			pattern = star;
			name = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
