/* For how long which sources are refused. */
#ifndef CSFTP_SERVER_CSFTPD_PENALTIES_H
#define CSFTP_SERVER_CSFTPD_PENALTIES_H

#include "server/csftpd/addrs.h"
#include "server/csftpd/sources.h"

/* Of one family of addresses.  The heap has the one that ends first on top. */
struct penalties {
	struct addrs addrs;
	uint32_t *heap;
	uint64_t min_ms;
	uint64_t max_ms;
	enum sources_overflow overflow;
};

CSFTP_MUST_CHECK enum csftp_err penalties_init(struct penalties *penalties,
					       uint32_t cap, uint64_t seed);

/* All zero is fine. */
void penalties_release(struct penalties *penalties);
void penalties_clear(struct penalties *penalties);

/* Forgets those that have ended. */
void penalties_tidy(struct penalties *penalties, uint64_t now_ms);

/* Adds to what the source has. */
void penalties_add(struct penalties *penalties, const struct ssh_addr *source,
		   uint64_t now_ms, uint64_t add_ms);

/* How long the source is still refused; 0: not. */
uint64_t penalties_left(const struct penalties *penalties,
			const struct ssh_addr *source, uint64_t now_ms);

/* Nothing can be remembered, and nobody is to get in therefore. */
bool penalties_deny_all(const struct penalties *penalties);

#endif
