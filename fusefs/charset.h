/* Names in the character sets of iconv(3). */
#ifndef CSFTP_FUSEFS_CHARSET_H
#define CSFTP_FUSEFS_CHARSET_H

#include <stdbool.h>

#include "core/layer/recode.h"

/* To be used by one thread. */
struct charset;

/*
 * Between the server's character set and the one that is shown here, by their
 * names for iconv(3).  NULL: UTF-8 there, that of the locale here.  Returns
 * NULL with errno, EINVAL where iconv(3) cannot convert between the two.
 */
struct charset *charset_open(const char *there, const char *here);

/* NULL is fine. */
void charset_close(struct charset *charset);

/* As recode_config.convert, with the struct charset. */
bool charset_convert(void *charset, enum recode_way way,
		     struct csftp_slice name, char *to, size_t cap,
		     size_t *len);

#endif
