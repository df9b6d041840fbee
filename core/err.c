#include "csftp/err.h"

#include <string.h>

const char *csftp_strerror(enum csftp_err err)
{
	static const char *const text[CSFTP_ERR_COUNT] = {
		[CSFTP_OK] = "no error",
		[CSFTP_ERR_SHORT] = "message ends too early",
		[CSFTP_ERR_TRAILING] = "message has bytes left over",
		[CSFTP_ERR_TOO_LONG] = "length above the limit",
		[CSFTP_ERR_NO_ROOM] = "no room in the buffer",
		[CSFTP_ERR_VALUE] = "field with an impossible value",
		[CSFTP_ERR_VERSION] = "no common protocol version",
		[CSFTP_ERR_STATE] = "message not legal now",
		[CSFTP_ERR_ARG] = "invalid argument",
		[CSFTP_ERR_NOMEM] = "out of memory",
		[CSFTP_ERR_EOF] = "connection closed by the other side",
		[CSFTP_ERR_IO] = "connection broken",
		[CSFTP_ERR_ALGORITHM] = "no algorithm in common",
		[CSFTP_ERR_FORGED] = "MAC or signature does not verify",
		[CSFTP_ERR_DENIED] = "refused",
		[CSFTP_ERR_CRYPTO] = "libcrypto failed",
		[CSFTP_ERR_NO_HOST] = "host name not known",
		[CSFTP_ERR_LOOKUP] = "host name cannot be looked up now",
	};

	return (unsigned)err < CSFTP_ERR_COUNT ? text[err] : "unknown error";
}

const char *csftp_strerror_io(enum csftp_err err, int errnum)
{
	const char *text = NULL;

	if (err == CSFTP_ERR_IO && errnum > 0)
		text = strerrordesc_np(errnum);
	return text ? text : csftp_strerror(err);
}
