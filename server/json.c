#include "server/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(struct json *json, const char *bytes, size_t len)
{
	if (len > json->cap - json->len) {
		json->full = true;
		return;
	}
	memcpy(json->buf + json->len, bytes, len);
	json->len += len;
}

static void put_text(struct json *json, const char *text)
{
	put(json, text, strlen(text));
}

void json_begin(struct json *json)
{
	put(json, "{", 1);
	json->begun = false;
}

void json_end(struct json *json)
{
	put(json, "}\n", 2);
}

static void put_name(struct json *json, const char *name, const char *suffix)
{
	if (json->begun)
		put(json, ",", 1);
	json->begun = true;
	put(json, "\"", 1);
	put_text(json, name);
	put_text(json, suffix);
	put(json, "\":", 2);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);

	put_name(json, name, "");
	put(json, digits, len > 0 ? (size_t)len : 0);
}

void json_word(struct json *json, const char *name, const char *word)
{
	put_name(json, name, "");
	put_text(json, word);
}

/*
 * The length of the UTF-8 sequence at text, and what it stands for; 0 where
 * there is none (RFC 3629, section 4).  Text ends with NUL, which ends every
 * sequence, too.
 */
static size_t utf8(const char *text, uint32_t *point)
{
	const unsigned char *byte = (const unsigned char *)text;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;

	if (byte[0] < 0x80) {
		*point = byte[0];
		return 1;
	}
	if (byte[0] < 0xc0 || byte[0] >= 0xf8)
		return 0;
	len = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	*point = byte[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (byte[i] & 0x3fU);
	}
	if (*point < least[len] || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point < 0xe000))
		return 0;
	return len;
}

/* What could turn a terminal or a line around: controls and line ends. */
static bool needs_escape(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
	       point == '"' || point == '\\' ||
	       (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* False where a byte had to be replaced. */
static bool put_string(struct json *json, const char *text)
{
	bool whole = true;

	put(json, "\"", 1);
	while (*text) {
		uint32_t point;
		size_t len = utf8(text, &point);
		char code[12];

		if (len == 0) {
			whole = false;
			put_text(json, "\\ufffd");
			len = 1;
		} else if (point == '"' || point == '\\') {
			put(json, "\\", 1);
			put(json, text, 1);
		} else if (needs_escape(point)) {
			snprintf(code, sizeof(code), "\\u%04" PRIx32, point);
			put_text(json, code);
		} else {
			put(json, text, len);
		}
		text += len;
	}
	put(json, "\"", 1);
	return whole;
}

void json_text(struct json *json, const char *name, const char *text)
{
	put_name(json, name, "");
	(void)put_string(json, text);
}

void json_bytes(struct json *json, const char *name, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	put_name(json, name, "");
	if (put_string(json, text))
		return;
	put_name(json, name, "_hex");
	put(json, "\"", 1);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		put(json, &digits[byte >> 4], 1);
		put(json, &digits[byte & 15], 1);
	}
	put(json, "\"", 1);
}
