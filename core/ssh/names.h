/* Names, name-lists and numbers of SSH, on wire cursors (RFC 4251, 5). */
#ifndef CSFTP_CORE_SSH_NAMES_H
#define CSFTP_CORE_SSH_NAMES_H

#include <stdbool.h>

#include "core/wire.h"
#include "csftp/ssh.h"

struct wire_bytes ssh_text(const char *text);
bool ssh_is(struct wire_bytes bytes, const char *text);
bool ssh_equal(struct wire_bytes a, struct wire_bytes b);

/*
 * Takes the first name off a name-list; false at its end.  Empty names come
 * as they are: who compares them finds nothing.
 */
bool ssh_next_name(struct wire_bytes *list, struct wire_bytes *name);
bool ssh_list_has(struct wire_bytes list, const char *name);

bool ssh_rd_bool(struct wire_rd *rd);

/*
 * A positive mpint, without leading zeros.  CSFTP_ERR_VALUE if it is negative
 * or longer than it has to be, CSFTP_ERR_TOO_LONG above max bytes.
 */
struct wire_bytes ssh_rd_mpint(struct wire_rd *rd, size_t max);

void ssh_wr_text(struct wire_wr *wr, const char *text);
void ssh_wr_bool(struct wire_wr *wr, bool value);
void ssh_wr_bytes(struct wire_wr *wr, struct wire_bytes bytes);

/* Unsigned bytes as an mpint. */
void ssh_wr_mpint(struct wire_wr *wr, struct wire_bytes number);

/* The same bytes in the type of the public header, and back. */
struct csftp_ssh_bytes ssh_shown(struct wire_bytes bytes);
struct wire_bytes ssh_wire(struct csftp_ssh_bytes bytes);

#endif
