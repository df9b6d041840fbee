#include "fusefs/charset.h"

#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>

struct charset {
	iconv_t up;
	iconv_t down;
};

/* What iconv_open(3) returns where it cannot. */
static bool is_open(iconv_t converter)
{
	return (intptr_t)converter != -1;
}

static struct charset *open_both(const char *there, const char *here)
{
	struct charset *charset = malloc(sizeof(*charset));
	int err;

	if (!charset)
		return NULL;
	charset->up = iconv_open(here, there);
	charset->down = iconv_open(there, here);
	if (is_open(charset->up) && is_open(charset->down))
		return charset;
	err = errno;
	charset_close(charset);
	errno = err;
	return NULL;
}

struct charset *charset_open(const char *there, const char *here)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
	struct charset *charset;
	int err;

	/* A locale that is not installed has the characters of "C". */
	if (!here)
		here = locale ? nl_langinfo_l(CODESET, locale) : "ASCII";
	charset = open_both(there ? there : "UTF-8", here);
	err = errno;
	if (locale)
		freelocale(locale);
	errno = err;
	return charset;
}

void charset_close(struct charset *charset)
{
	if (!charset)
		return;
	if (is_open(charset->up))
		(void)iconv_close(charset->up);
	if (is_open(charset->down))
		(void)iconv_close(charset->down);
	free(charset);
}

bool charset_convert(void *arg, enum recode_way way, struct csftp_slice name,
		     char *to, size_t cap, size_t *len)
{
	const struct charset *charset = arg;
	iconv_t converter = way == RECODE_UP ? charset->up : charset->down;
	char *from = (char *)(uintptr_t)name.ptr;
	size_t left = name.len;
	size_t room = cap;

	/* From the first state, and back to it at the end. */
	errno = 0;
	(void)iconv(converter, NULL, NULL, NULL, NULL);
	if (iconv(converter, &from, &left, &to, &room) != 0 ||
	    iconv(converter, NULL, NULL, &to, &room) != 0) {
		*len = cap + 1;
		return errno == E2BIG;
	}
	*len = cap - room;
	return true;
}
