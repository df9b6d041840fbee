/* Inside the why layer: what is known of a refusal, and what follows. */
#ifndef CSFTP_CORE_LAYER_WHY_IMPL_H
#define CSFTP_CORE_LAYER_WHY_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/fs.h"

struct why_space {
	bool known; /* the rest holds something */
	struct csftp_statfs is;
};

/* As of a moment later.  Where there are two: of path, or fh; and of path2. */
struct why_facts {
	bool exists[2];
	uint32_t type[2]; /* CSFTP_S_IFMT */
	bool has_size;	  /* of the first */
	uint64_t size;
	bool has_names[2];
	/* Of the directory that the name is in, or of what is open. */
	struct why_space around[2];
	/* Of what the name leads to. */
	struct why_space inside[2];
	/* The mode of the directory that the name is in; 0: not known. */
	uint32_t around_mode[2];
	/* Of what would have got one more; 0: not known. */
	uint64_t links;
};

/* The errno that POSIX has for that; 0: nothing explains it. */
int why_verdict(const struct why_facts *facts, const struct csftp_req *req);

/* Whether it is EPERM that was called EACCES. */
bool why_not_permitted(const struct why_facts *facts,
		       const struct csftp_req *req);

/* The last name in a path; "" if it ends with a slash. */
const char *why_name(const char *path);

/* The number of links in what "ls -l" would say of a name; 0: it says none. */
uint64_t why_links(const struct csftp_slice *longname);

#endif
