#include "tests/lib/later.h"

#include <errno.h>

static bool at_once(struct later *later, const struct csftp_req *req)
{
	if (later->when == LATER_ALWAYS)
		return false;
	if (req->op == CSFTP_OP_HOMEDIR || req->op == CSFTP_OP_IDNAME)
		return true;
	if (later->late != 0)
		return !(later->late >> req->op & 1);
	return later->seen++ % 2 == 0;
}

static void keep(struct csftp_fs *fs, struct csftp_req *req)
{
	struct later *later = (struct later *)fs;

	if (at_once(later, req)) {
		csftp_submit(later->under, req);
		return;
	}
	req->next = NULL;
	req->prev = later->last;
	if (later->last)
		later->last->next = req;
	else
		later->first = req;
	later->last = req;
	later->waiting++;
	if (later->waiting > later->most)
		later->most = later->waiting;
}

static void take_out(struct later *later, struct csftp_req *req)
{
	if (req->prev)
		req->prev->next = req->next;
	else
		later->first = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		later->last = req->prev;
	later->waiting--;
}

static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	take_out((struct later *)fs, req);
	csftp_reply_err(req, EINTR);
}

bool later_run(void *arg)
{
	struct later *later = arg;
	struct csftp_req *req =
		later->order == LATER_IN_ORDER ? later->first : later->last;

	if (!req || later->waiting < later->hold)
		return false;
	later->hold = 0;
	take_out(later, req);
	/* Not where it was offered: see CSFTP_FS_PROMPT. */
	if (later->when == LATER_SOMETIMES)
		req->into = NULL;
	csftp_submit(later->under, req);
	return true;
}

static const struct csftp_fs_ops ops = {
	.rest = keep,
	.cancel = cancel,
};

void later_init(struct later *later, struct csftp_fs *under)
{
	later_init_when(later, under, LATER_ALWAYS);
}

void later_init_when(struct later *later, struct csftp_fs *under,
		     enum later_when when)
{
	*later = (struct later){.under = under, .when = when};
	if (when == LATER_SOMETIMES)
		later->fs.traits = CSFTP_FS_PROMPT;
	later->fs.ops = &ops;
	later->fs.max_read = under->max_read;
	later->fs.max_write = under->max_write;
}
