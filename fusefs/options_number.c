#include <errno.h>
#include <stdlib.h>

#include "fusefs/options_impl.h"

/*
 * Numbers: seconds, names, bytes, users.
 */

#define SECONDS_MAX 1e9
#define NAMES_MAX   100000000U
#define BYTES_MAX   (1U << 30)

/* A whole number in the base, no sign, at most max. */
bool number(const char *text, int base, uint64_t max, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, base);
	if (*end || errno || value > max)
		return false;
	*out = value;
	return true;
}

/* Where sshfs reads a number without a sign, this is a very large one. */
static bool is_negative(const char *text)
{
	uint64_t value;

	return text[0] == '-' && number(text + 1, 10, UINT32_MAX, &value) &&
	       value > 0;
}

/*
 * libfuse takes what has a sign, too, and -2 for 4294967294.  -1 is nobody's
 * number: the kernel shows 65534 for it and lets nobody write there.
 */
bool options_id(struct options *options, const struct keyword *keyword,
		const char *value, char *why)
{
	int64_t *to = member(options, keyword);
	uint64_t id;

	if (value[0] == '-' && number(value + 1, 10, INT32_MAX, &id))
		id = (uint32_t)-id;
	else if (!number(value, 10, UINT32_MAX, &id))
		return explain(why, "%s=%s: a number is wanted", keyword->name,
			       value);
	*to = (int64_t)id;
	return true;
}

bool set_seconds(double *to, const char *name, const char *text, char *why)
{
	const char *digits = text + (text[0] == '-');
	char *end;
	double value;

	if (digits[0] < '0' || digits[0] > '9')
		return explain(why, "%s=%s: a number of seconds is wanted",
			       name, text);
	value = strtod(text, &end);
	if (*end || !(value <= SECONDS_MAX))
		return explain(why, "%s=%s: a number of seconds is wanted",
			       name, text);
	*to = value;
	return true;
}

/* Less than nothing means something. */
static bool seconds_or(struct options *options, const struct keyword *keyword,
		       const char *value, double negative, char *why)
{
	double *to = member(options, keyword);

	if (!set_seconds(to, keyword->name, value, why))
		return false;
	if (*to < 0)
		*to = negative;
	return true;
}

/* What the kernel keeps: nothing, as to libfuse. */
bool options_seconds(struct options *options, const struct keyword *keyword,
		     const char *value, char *why)
{
	return seconds_or(options, keyword, value, 0, why);
}

/* What our cache keeps: to sshfs, whose numbers have no sign, -1 is no end. */
bool options_cached(struct options *options, const struct keyword *keyword,
		    const char *value, char *why)
{
	return seconds_or(options, keyword, value, SECONDS_MAX, why);
}

/* Ours alone. */
bool options_patience(struct options *options, const struct keyword *keyword,
		      const char *value, char *why)
{
	return set_seconds(member(options, keyword), keyword->name,
			   *value == '-' ? "" : value, why);
}

/* Of all that it keeps. */
bool options_timeout(struct options *options, const struct keyword *keyword,
		     const char *value, char *why)
{
	if (!options_cached(options, keyword, value, why))
		return false;
	options->link_timeout = options->stat_timeout;
	options->dir_timeout = options->stat_timeout;
	return true;
}

bool options_names(struct options *options, const struct keyword *keyword,
		   const char *value, char *why)
{
	uint64_t names = NAMES_MAX;

	if (!is_negative(value) && !number(value, 10, UINT32_MAX, &names))
		return explain(why, "%s=%s: a number of names is wanted",
			       keyword->name, value);
	options->no_names = names == 0;
	options->cache_names = names < NAMES_MAX ? (uint32_t)names : NAMES_MAX;
	return true;
}

bool options_bytes(struct options *options, const struct keyword *keyword,
		   const char *value, char *why)
{
	uint64_t bytes = BYTES_MAX;

	/* 0: no wish. */
	if (!is_negative(value) && !number(value, 10, UINT32_MAX, &bytes))
		return explain(why, "%s=%s: a number of bytes is wanted",
			       keyword->name, value);
	*(uint32_t *)member(options, keyword) =
		bytes < BYTES_MAX ? (uint32_t)bytes : BYTES_MAX;
	return true;
}
