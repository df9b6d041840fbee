/* What can go wrong inside libcsftp, apart from the file system itself. */
#ifndef CSFTP_ERR_H
#define CSFTP_ERR_H

/*
 * Two error languages, never mixed in one value:
 *   enum csftp_err   codecs, engines and set-up calls; CSFTP_OK is zero
 *   errno, positive  answers of a file system (csftp/fs.h)
 * A call that fails leaves its output parameters as they were.
 */
enum csftp_err {
	CSFTP_OK = 0,
	CSFTP_ERR_SHORT,     /* the bytes end inside a field */
	CSFTP_ERR_TRAILING,  /* bytes are left over behind the last field */
	CSFTP_ERR_TOO_LONG,  /* a length is above its named ceiling */
	CSFTP_ERR_NO_ROOM,   /* the buffer to write to is full */
	CSFTP_ERR_VALUE,     /* a field holds what it must not hold */
	CSFTP_ERR_VERSION,   /* the peer speaks no version that we speak */
	CSFTP_ERR_STATE,     /* a message that is not legal now */
	CSFTP_ERR_ARG,	     /* the caller passed what the contract excludes */
	CSFTP_ERR_NOMEM,     /* no memory, at set-up */
	CSFTP_ERR_EOF,	     /* the peer ended the stream */
	CSFTP_ERR_IO,	     /* the stream broke; errno is the adapter's */
	CSFTP_ERR_ALGORITHM, /* no algorithm in common with the peer */
	CSFTP_ERR_FORGED,    /* a MAC or a signature does not verify */
	CSFTP_ERR_DENIED,    /* a key, a passphrase or a wish was refused */
	CSFTP_ERR_CRYPTO,    /* libcrypto could not do it */
	CSFTP_ERR_NO_HOST,   /* there is no host of that name */
	CSFTP_ERR_LOOKUP,    /* nobody says whether there is one */
	CSFTP_ERR_COUNT	     /* how many there are; never returned */
};

#define CSFTP_MUST_CHECK __attribute__((warn_unused_result))
#define CSFTP_API	 __attribute__((visibility("default")))

/* A short English text without a full stop; static, never NULL. */
CSFTP_API const char *csftp_strerror(enum csftp_err err);

/* The same; for CSFTP_ERR_IO that of errnum, the errno which came with it. */
CSFTP_API const char *csftp_strerror_io(enum csftp_err err, int errnum);

#endif
