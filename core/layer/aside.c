#include "core/layer/aside.h"

#include <string.h>

#define ASIDE	  ".csftp-"
#define ASIDE_LEN (sizeof(ASIDE) - 1)
#define DIGITS	  8U

bool aside_name(char out[CSFTP_PATH_MAX + 1], const char *path, uint32_t number)
{
	static const char digits[] = "0123456789abcdef";
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	if (len + ASIDE_LEN + DIGITS > CSFTP_PATH_MAX)
		return false;
	memcpy(out, path, len);
	memcpy(out + len, ASIDE, ASIDE_LEN);
	len += ASIDE_LEN;
	for (unsigned i = 0; i < DIGITS; i++, number <<= 4)
		out[len++] = digits[number >> 28];
	out[len] = '\0';
	return true;
}
