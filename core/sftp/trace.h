/* SFTP messages as lines for people. */
#ifndef CSFTP_CORE_SFTP_TRACE_H
#define CSFTP_CORE_SFTP_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* With the NUL.  What does not fit is left out, with "..." in its place. */
#define SFTP_TRACE_MAX 2048

enum sftp_way { SFTP_RECEIVED, SFTP_SENT };

/*
 * One line without newline, as
 *	<- 7 OPEN path "a b" pflags 0x1
 *	-> 7 STATUS 2 "No such file or directory"
 * in printable ASCII whatever the bytes are.  Of payload it has the length
 * only.  body is a packet without its length field; that of DATA and WRITE may
 * be cut where the payload begins, if whole is how long it is with it.
 */
void sftp_trace(char line[SFTP_TRACE_MAX], enum sftp_way way,
		const uint8_t *body, size_t len, size_t whole);

#endif
