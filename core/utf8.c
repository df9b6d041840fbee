#include "core/utf8.h"

#include <string.h>

size_t utf8_len(const char *text, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *byte = (const unsigned char *)text;
	size_t len;

	*point = byte[0];
	if (byte[0] < 0x80)
		return 1;
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

bool utf8_is_valid(const char *text)
{
	uint32_t point;
	size_t len = 1;

	for (; *text && len > 0; text += len)
		len = utf8_len(text, &point);
	return len > 0;
}

bool utf8_is_visible(uint32_t point)
{
	return point >= 0x20 && (point < 0x7f || point >= 0xa0) &&
	       (point < 0x200b || point > 0x200f) &&
	       (point < 0x2028 || point > 0x202e) &&
	       (point < 0x2066 || point > 0x2069) && point != 0xfeff;
}

size_t utf8_json(const char *text, char out[UTF8_JSON_MAX])
{
	static const char digits[] = "0123456789abcdef";
	uint32_t point;
	size_t len = utf8_len(text, &point);
	size_t at = 0;

	if (len == 0)
		point = 0xfffd;
	if (point == '"' || point == '\\')
		out[at++] = '\\';
	if (len > 0 && utf8_is_visible(point)) {
		memcpy(out + at, text, len);
		at += len;
	} else {
		out[at++] = '\\';
		out[at++] = 'u';
		for (unsigned shift = 16; shift > 0; shift -= 4)
			out[at++] = digits[point >> (shift - 4) & 15];
	}
	out[at] = '\0';
	return len > 0 ? len : 1;
}
