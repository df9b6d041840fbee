/* The fields of SFTP messages; for msg.c, which codes them, and trace.c. */
#ifndef CSFTP_CORE_SFTP_FIELDS_H
#define CSFTP_CORE_SFTP_FIELDS_H

#include "core/sftp/msg.h"

enum sftp_field {
	END,
	NUM,
	FLAG, /* num, in one byte */
	OFF,
	OFF2,
	LEN32,
	LEN64,
	PATH,
	PATH2,
	HANDLE,
	HANDLE2,
	DATA,
	DATA2,
	ATTRS,
	REST /* into data, without a length */
};

/* Those of a kind, in the order of the wire, until END; static. */
const uint8_t *sftp_kind_fields(enum sftp_kind kind);

#endif
