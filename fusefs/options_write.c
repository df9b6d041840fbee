#include <string.h>

#include "fusefs/options_impl.h"

/* The options of -o that say what writers wait for. */

bool options_behind_max(struct options *options, const struct keyword *keyword,
			const char *value, char *why)
{
	if (!number(value, 10, (uint64_t)1 << 32, &options->behind_max) ||
	    options->behind_max < 1U << 20)
		return explain(why,
			       "%s=%s: 1048576 to 4294967296 bytes are "
			       "wanted",
			       keyword->name, value);
	return true;
}

bool options_durability(struct options *options, const struct keyword *keyword,
			const char *value, char *why)
{
	static const char *const names[] = {
		[WRITEBEHIND_CLOSE] = "close",
		[WRITEBEHIND_FSYNC] = "fsync",
		[WRITEBEHIND_SYNC] = "sync",
		[WRITEBEHIND_ASYNC] = "async",
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		options->durability = (enum writebehind_durability)i;
		return true;
	}
	return explain(why, "%s=%s: it is close, fsync, sync or async",
		       keyword->name, value);
}

/* Of sshfs. */
bool options_sync(struct options *options, const struct keyword *keyword,
		  const char *value, char *why)
{
	(void)keyword;
	(void)value;
	(void)why;
	options->durability = WRITEBEHIND_SYNC;
	return true;
}
