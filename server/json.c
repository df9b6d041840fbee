#include "server/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

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

static void put_string(struct json *json, const char *text)
{
	char out[UTF8_JSON_MAX];

	put(json, "\"", 1);
	while (*text) {
		text += utf8_json(text, out);
		put_text(json, out);
	}
	put(json, "\"", 1);
}

void json_text(struct json *json, const char *name, const char *text)
{
	put_name(json, name, "");
	put_string(json, text);
}

void json_bytes(struct json *json, const char *name, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	put_name(json, name, "");
	put_string(json, text);
	if (utf8_is_valid(text))
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
