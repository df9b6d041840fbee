#include "tests/lib/hex.h"

#include <string.h>

#include "tests/lib/test.h"

static unsigned digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		fail_msg("not a hexadecimal digit: '%c'", c);
	return (unsigned)(at - digits);
}

size_t hex_bytes(const char *text, uint8_t *buf, size_t cap)
{
	size_t len = 0;

	while (*text != '\0') {
		if (*text == ' ') {
			text++;
			continue;
		}
		assert_true(len < cap);
		buf[len++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	return len;
}
