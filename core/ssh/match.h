/* Patterns of names and ranges of addresses, as ssh_config(5) has them. */
#ifndef CSFTP_CORE_SSH_MATCH_H
#define CSFTP_CORE_SSH_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/wire.h"

/*
 * Nothing here allocates, resolves a name or keeps state.  Texts are borrowed
 * for the call and need no NUL.
 */

/* An address in the order of the network; bits is 32, 128 or, for none, 0. */
struct ssh_addr {
	uint8_t bytes[16];
	unsigned bits;
};

/*
 * An address as numbers, IPv4 with dots or IPv6 (RFC 4291, 2.2).  IPv4 inside
 * of IPv6 (::ffff:1.2.3.4) is that IPv4 address; a zone (%eth0) is left out.
 * False: it is none, and addr is as it was.
 */
bool ssh_addr_read(struct ssh_addr *addr, struct wire_bytes text);

/* Clears all but the first `keep` bits, if there are more. */
void ssh_addr_mask(struct ssh_addr *addr, unsigned keep);

/* Of the same family, and the first `prefix` bits the same. */
bool ssh_addr_same(const struct ssh_addr *a, const struct ssh_addr *b,
		   unsigned prefix);

/* "*" is any number of bytes, "?" is one; letters are taken as they are. */
bool ssh_match_pattern(struct wire_bytes text, struct wire_bytes pattern);

enum ssh_match {
	SSH_MATCH_NO,	 /* no entry says anything */
	SSH_MATCH_YES,	 /* an entry does, and none with a "!" */
	SSH_MATCH_NEVER, /* an entry with a "!" does, wherever it stands */
	SSH_MATCH_BROKEN /* an entry cannot be meant so: 10.0.0.1/8 */
};

/*
 * A list with commas of patterns, addresses and ranges (10.0.0.0/8), "!" in
 * front of each that shall not be.  Of an address only: names in the list do
 * not resolve, and match nothing but its text.
 */
enum ssh_match ssh_match_addr(const struct ssh_addr *addr,
			      struct wire_bytes text, struct wire_bytes list);

/* A list of patterns of names, in which case does not count. */
enum ssh_match ssh_match_name(struct wire_bytes name, struct wire_bytes list);

#endif
