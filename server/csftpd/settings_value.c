/* Values of keywords: text to numbers, and what is no number. */
#include <string.h>

#include "core/ssh/match.h"
#include "server/csftpd/settings_impl.h"

bool settings_number(const char *text, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'),
					   &value) ||
		    value > most)
			return false;
	}
	*out = value;
	return true;
}

/* Seconds in a unit; 0 for none. */
static uint64_t unit_of(char c)
{
	static const struct {
		char small;
		char large;
		uint64_t seconds;
	} units[] = {
		{'s', 'S', 1},	   {'m', 'M', 60},     {'h', 'H', 3600},
		{'d', 'D', 86400}, {'w', 'W', 604800},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (c == units[i].small || c == units[i].large)
			return units[i].seconds;
	return 0;
}

bool settings_time(const char *text, uint64_t *out_ms)
{
	/* More would only overflow later; it is 136 years. */
	const uint64_t most = UINT32_MAX;
	uint64_t total = 0;

	if (!*text)
		return false;
	while (*text) {
		char digits[16];
		size_t len = strspn(text, "0123456789");
		uint64_t value, unit = 1;

		if (len == 0 || len >= sizeof(digits))
			return false;
		memcpy(digits, text, len);
		digits[len] = '\0';
		text += len;
		if (*text) {
			unit = unit_of(*text++);
			if (unit == 0)
				return false;
		}
		if (!settings_number(digits, most, &value))
			return false;
		total += value * unit;
		if (total > most)
			return false;
	}
	*out_ms = total * 1000;
	return true;
}

bool settings_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "KMG";
	char digits[24];
	size_t len = strspn(text, "0123456789");
	const char *unit;
	uint64_t value;
	unsigned shift = 0;

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!settings_number(digits, UINT64_MAX, &value))
		return false;
	if (text[len]) {
		char c = text[len];

		unit = strchr(units, c >= 'a' ? c - 'a' + 'A' : c);
		if (!unit || text[len + 1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return false;
	*out = value << shift;
	return true;
}

bool settings_address(char *text, struct settings_address *out)
{
	char *colon = strrchr(text, ':');
	uint64_t port = 0;

	out->host = text;
	out->port = 0;
	if (*text == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return false;
		colon = end[1] ? end + 1 : NULL;
		*end = '\0';
		out->host = text + 1;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* an IPv6 address by itself */
	}
	if (colon) {
		*colon = '\0';
		if (!settings_number(colon + 1, UINT16_MAX, &port) || port == 0)
			return false;
		out->port = (uint16_t)port;
	}
	return *out->host != '\0';
}

/* Whether a list with commas has the name, or a pattern that matches it. */
static bool has(const char *list, const char *name)
{
	const struct wire_bytes text = {(const uint8_t *)name, strlen(name)};

	while (*list) {
		size_t piece = strcspn(list, ",");

		if (ssh_match_pattern(
			    text,
			    (struct wire_bytes){(const uint8_t *)list, piece}))
			return true;
		list += piece;
		list += *list == ',';
	}
	return false;
}

/* Whether a list has one of its names again behind it. */
static bool comes_again(const char *list, size_t len)
{
	const char *rest = list + len;

	while (*rest) {
		size_t piece = strcspn(++rest, ",");

		if (piece == len && memcmp(rest, list, len) == 0)
			return true;
		rest += piece;
	}
	return false;
}

static bool all_known(struct settings_reader *reader,
		      enum csftp_ssh_alg_kind kind, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ",");
		const char *name;
		bool known = false;

		if (len > 0 && comes_again(list, len))
			return settings_wrong(reader, "\"%.*s\" is there twice",
					      len < 64 ? (int)len : 64, list);

		for (size_t i = 0; (name = csftp_ssh_algorithms(kind, i)); i++)
			known = known || (strlen(name) == len &&
					  memcmp(name, list, len) == 0);
		if (!known)
			return settings_wrong(
				reader, "unknown or unsupported: \"%.*s\"",
				len < 64 ? (int)len : 64, list);
		list += len;
		list += *list == ',';
	}
	return true;
}

#define LIST_MAX 2048U

static void add(char out[LIST_MAX], const char *name, size_t len)
{
	size_t used = strlen(out);

	if (used + len + 2 > LIST_MAX)
		return;
	if (used > 0)
		out[used++] = ',';
	memcpy(out + used, name, len);
	out[used + len] = '\0';
}

/* All of a kind but those in `without`. */
static void add_others(char out[LIST_MAX], enum csftp_ssh_alg_kind kind,
		       const char *without)
{
	const char *name;

	for (size_t i = 0; (name = csftp_ssh_algorithms(kind, i)); i++)
		if (!has(without, name))
			add(out, name, strlen(name));
}

bool settings_algorithms(struct settings_reader *reader,
			 enum csftp_ssh_alg_kind kind, const char *text,
			 const char **out)
{
	char list[LIST_MAX] = "";
	char how = *text;

	if (how == '+' || how == '-' || how == '^')
		text++;
	else
		how = '=';
	if (!*text || strlen(text) >= LIST_MAX / 2)
		return settings_wrong(reader, "no list of algorithms");
	/* As in sshd's lists, what is not there need not be taken out. */
	if (how != '-' && !all_known(reader, kind, text))
		return false;
	/* The engine's default is all that it has, so + adds nothing. */
	if (how == '=' || how == '^')
		add(list, text, strlen(text));
	if (how != '=')
		add_others(list, kind, how == '+' ? "" : text);
	if (!*list)
		return settings_wrong(reader, "nothing is left");
	*out = settings_keep(reader, list);
	return *out != NULL;
}
