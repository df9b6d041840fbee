/* The "ls -l" line of SSH_FXP_NAME (filexfer-02, section 7). */
#ifndef CSFTP_CORE_SFTP_LONGNAME_H
#define CSFTP_CORE_SFTP_LONGNAME_H

#include <stdint.h>

#include "core/wire.h"
#include "csftp/fs.h"

/* What stands before the name; user and group names are cut to fit. */
#define LONGNAME_PREFIX_MAX 256

struct longname {
	const char *user; /* NULL: the number */
	const char *group;
	int64_t now;	    /* seconds since 1970; decides time or year */
	int32_t offset_sec; /* of local time, east of UTC */
};

/* Writes the line, without a NUL.  wr fails if it does not fit. */
void longname_put(struct wire_wr *wr, const struct longname *how,
		  const struct csftp_entry *entry);

#endif
