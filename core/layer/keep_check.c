#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/keep_impl.h"

/*
 * Whether files are what they were: what is learned of their attributes goes
 * into the cache, where keep_look() finds it.
 */

struct keep_check {
	struct csftp_req req; /* first */
	struct keep *keep;
	struct keep_check *next;
	struct keep_check *prev;
	struct csftp_req *up; /* the OPEN that waits for it, or NULL */
	uint64_t asked_ms;
	char path[];
};

static void checked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct keep_check *check = (struct keep_check *)req;
	struct keep *keep = check->keep;
	struct csftp_req *up = check->up;
	uint64_t asked_ms = check->asked_ms;

	(void)reply; /* the cache knows */
	keep->trip_ms = keep_now(keep) - asked_ms;
	keep->pending--;
	if (check->prev)
		check->prev->next = check->next;
	else
		keep->checks = check->next;
	if (check->next)
		check->next->prev = check->prev;
	free(check);
	if (up)
		keep_open_checked(keep, up, asked_ms);
}

/* False: no memory. */
static bool ask(struct keep *keep, const char *path, struct csftp_req *up)
{
	size_t len = strlen(path) + 1;
	struct keep_check *check = malloc(sizeof(*check) + len);

	if (!check)
		return false;
	*check = (struct keep_check){
		.req = {.op = CSFTP_OP_GETATTR,
			.flags = CSFTP_NOFOLLOW,
			.done = checked,
			.path = check->path},
		.keep = keep,
		.next = keep->checks,
		.up = up,
		.asked_ms = keep_now(keep),
	};
	memcpy(check->path, path, len);
	if (check->next)
		check->next->prev = check;
	keep->checks = check;
	keep->pending++;
	cache_ask_anew(keep->config.cache, &check->req);
	return true;
}

/*
 * Those from the first up to the end were asked about behind it the last time,
 * and keep their order.  What nobody came for then is not asked about again.
 */
static void ask_ahead(struct keep *keep, struct keep_file *first,
		      const struct keep_file *end)
{
	uint32_t count = keep->config.ahead;

	while (first && first != end && count > 0 && !keep->quiet) {
		struct keep_file *next = first->next;
		struct keep_file *file = NULL;

		if (!first->ahead &&
		    keep_look(keep, first->path, KEEP_NOT_ASKED, &file) ==
			    KEEP_CHECK) {
			file->ahead = true;
			count--;
			keep->counts.ahead++;
			keep_file_to_end(keep, file);
			if (!ask(keep, file->path, NULL))
				return;
		}
		first = next;
	}
}

void keep_check(struct keep *keep, struct keep_file *file, struct csftp_req *up)
{
	struct keep_file *next = file->next;

	keep->counts.asked++;
	file->ahead = false;
	keep_file_to_end(keep, file);
	ask_ahead(keep, next, file);
	/* The last, as anything may happen with the answer. */
	if (!ask(keep, file->path, up))
		csftp_reply_err(up, ENOMEM);
}

bool keep_check_cancel(struct keep *keep, const struct csftp_req *up)
{
	struct keep_check *check = keep->checks;

	while (check && check->up != up)
		check = check->next;
	if (!check)
		return false;
	check->up = NULL;
	return true;
}
