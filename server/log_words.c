#include "server/log_words.h"

#include <stddef.h>
#include <strings.h>
#include <syslog.h>

/* A word and what it means; the last has none. */
struct word {
	const char *name;
	int value;
};

static const struct word levels[] = {
	{"QUIET", LEVEL_QUIET},	    {"FATAL", LEVEL_FATAL},
	{"ERROR", LEVEL_ERROR},	    {"INFO", LEVEL_INFO},
	{"VERBOSE", LEVEL_VERBOSE}, {"DEBUG", LEVEL_DEBUG1},
	{"DEBUG1", LEVEL_DEBUG1},   {"DEBUG2", LEVEL_DEBUG2},
	{"DEBUG3", LEVEL_DEBUG3},   {NULL, 0},
};

static const struct word facilities[] = {
	{"DAEMON", LOG_DAEMON},
	{"USER", LOG_USER},
	{"AUTH", LOG_AUTH},
	{"AUTHPRIV", LOG_AUTHPRIV},
	{"LOCAL0", LOG_LOCAL0},
	{"LOCAL1", LOG_LOCAL1},
	{"LOCAL2", LOG_LOCAL2},
	{"LOCAL3", LOG_LOCAL3},
	{"LOCAL4", LOG_LOCAL4},
	{"LOCAL5", LOG_LOCAL5},
	{"LOCAL6", LOG_LOCAL6},
	{"LOCAL7", LOG_LOCAL7},
	{NULL, 0},
};

static bool meaning(const struct word *words, const char *text, int *out)
{
	for (; words->name; words++) {
		if (strcasecmp(words->name, text) != 0)
			continue;
		*out = words->value;
		return true;
	}
	return false;
}

static const char *name_of(const struct word *words, int value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return "?";
}

bool log_level_of(const char *text, enum log_level *out)
{
	int level;

	if (!meaning(levels, text, &level))
		return false;
	*out = (enum log_level)level;
	return true;
}

bool log_facility_of(const char *text, int *out)
{
	return meaning(facilities, text, out);
}

const char *log_level_word(enum log_level level)
{
	return name_of(levels, (int)level);
}

const char *log_facility_word(int facility)
{
	return name_of(facilities, facility);
}
