#include "core/layer/why.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/places.h"
#include "core/layer/relay.h"

/* What can be looked for. */
#define ASK_PATH   0x01U /* what path is */
#define ASK_PATH2  0x02U
#define ASK_SPACE  0x04U /* the file system of path, or of what is open */
#define ASK_SPACE2 0x08U /* ... of path2, or of fh2 */
#define ASK_NAMES  0x10U /* whether directory path is empty */
#define ASK_NAMES2 0x20U
#define ASKS	   6U

struct inquiry;

struct look {
	struct csftp_req req; /* first */
	struct inquiry *inquiry;
	csftp_fh fh; /* of the directory whose names are asked for */
};

/* A request that was refused, and what is known about it. */
struct inquiry {
	struct call *call;
	struct look look[ASKS];
	uint32_t pending;
	int err; /* what was said */
	bool exists[2];
	uint32_t type[2]; /* CSFTP_S_IFMT of path and path2 */
	bool has_names[2];
	bool has_space[2]; /* the next two hold something */
	uint64_t available[2];
	uint64_t fsid[2];
	bool read_only[2];
	char path[CSFTP_PATH_MAX + 1]; /* whose file system is asked for */
	char path2[CSFTP_PATH_MAX + 1];
};

/* A request from above, as it is passed on. */
struct call {
	struct relay_job job;	 /* first */
	struct inquiry *inquiry; /* NULL: it was not refused yet */
	/* Of the handle that is written: it may be closed by then. */
	struct place *place;
};

struct why {
	struct relay relay; /* first */
	struct places places;
};

static const uint32_t asks[CSFTP_OP_COUNT] = {
	[CSFTP_OP_MKDIR] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_RMDIR] = ASK_PATH | ASK_SPACE | ASK_NAMES,
	[CSFTP_OP_UNLINK] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_SYMLINK] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_LINK] = ASK_PATH | ASK_PATH2 | ASK_SPACE | ASK_SPACE2,
	[CSFTP_OP_RENAME] =
		ASK_PATH | ASK_PATH2 | ASK_SPACE | ASK_SPACE2 | ASK_NAMES2,
	[CSFTP_OP_OPEN] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_WRITE] = ASK_SPACE,
	[CSFTP_OP_FSYNC] = ASK_SPACE,
	[CSFTP_OP_SETATTR] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_COPY_RANGE] = ASK_SPACE2,
};

/*
 * The verdict
 */

static bool is_dir(const struct inquiry *q, int which)
{
	return q->exists[which] && q->type[which] == CSFTP_S_IFDIR;
}

static int read_only(const struct inquiry *q, int which)
{
	return q->has_space[which] && q->read_only[which] ? EROFS : 0;
}

static int no_space(const struct inquiry *q, int which, uint64_t needed)
{
	return q->has_space[which] && q->available[which] < needed ? ENOSPC : 0;
}

static int either(int first, int second)
{
	return first ? first : second;
}

/* Something was to be made at path or path2. */
static int why_not_made(const struct inquiry *q, int which)
{
	if (q->exists[which])
		return EEXIST;
	return either(read_only(q, which), no_space(q, which, 1));
}

static int why_not_removed(const struct inquiry *q, enum csftp_op op)
{
	if (op == CSFTP_OP_UNLINK && is_dir(q, 0))
		return EISDIR;
	if (op == CSFTP_OP_RMDIR && q->exists[0] && !is_dir(q, 0))
		return ENOTDIR;
	if (op == CSFTP_OP_RMDIR && q->has_names[0])
		return ENOTEMPTY;
	return read_only(q, 0);
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && path[len] == '/';
}

static int other_file_system(const struct inquiry *q)
{
	return q->has_space[0] && q->has_space[1] && q->fsid[0] != q->fsid[1]
		       ? EXDEV
		       : 0;
}

/* In the order in which rename(2) of Linux looks. */
static int why_not_renamed(const struct inquiry *q, const struct csftp_req *req)
{
	if (other_file_system(q))
		return EXDEV;
	if (q->exists[1] && !(req->flags & CSFTP_REPLACE))
		return EEXIST;
	if (is_dir(q, 0) && is_below(req->path2, req->path))
		return EINVAL;
	/* It is below what it was to replace. */
	if (q->exists[1] && is_below(req->path, req->path2))
		return ENOTEMPTY;
	if (is_dir(q, 0) && q->exists[1] && !is_dir(q, 1))
		return ENOTDIR;
	if (q->exists[0] && !is_dir(q, 0) && is_dir(q, 1))
		return EISDIR;
	if (q->has_names[1])
		return ENOTEMPTY;
	return either(read_only(q, 1), no_space(q, 1, 1));
}

static int why_not_linked(const struct inquiry *q)
{
	if (q->exists[1])
		return EEXIST;
	if (other_file_system(q))
		return EXDEV;
	if (is_dir(q, 0))
		return EPERM;
	return either(read_only(q, 1), no_space(q, 1, 1));
}

/* Whoever only reads is refused for reasons that cannot be seen. */
#define OPEN_CHANGES                                                           \
	(CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_TRUNC |             \
	 CSFTP_OPEN_CREAT)

static int why_not_opened(const struct inquiry *q, const struct csftp_req *req)
{
	uint32_t flags = req->flags;

	if (q->exists[0] && (flags & CSFTP_OPEN_CREAT) &&
	    (flags & CSFTP_OPEN_EXCL))
		return EEXIST;
	if (is_dir(q, 0))
		return EISDIR;
	return either(read_only(q, 0), q->exists[0] ? 0 : no_space(q, 0, 1));
}

/*
 * OpenSSH refuses to copy within a file.  Whatever else it is, the asker can
 * read and write instead, and is told by these calls what is wrong.
 */
static int why_not_copied(const struct inquiry *q)
{
	int err = either(read_only(q, 1), no_space(q, 1, 1));

	return err ? err : EOPNOTSUPP;
}

/* 0: nothing explains it. */
static int verdict(const struct inquiry *q, const struct csftp_req *req)
{
	bool sized = req->op == CSFTP_OP_SETATTR && req->attr &&
		     (req->attr->mask & CSFTP_ATTR_SIZE);

	switch (req->op) {
	case CSFTP_OP_MKDIR:
	case CSFTP_OP_SYMLINK:
		return why_not_made(q, 0);
	case CSFTP_OP_RMDIR:
	case CSFTP_OP_UNLINK:
		return why_not_removed(q, req->op);
	case CSFTP_OP_LINK:
		return why_not_linked(q);
	case CSFTP_OP_RENAME:
		return why_not_renamed(q, req);
	case CSFTP_OP_OPEN:
		return why_not_opened(q, req);
	case CSFTP_OP_SETATTR:
		if (sized && is_dir(q, 0))
			return EISDIR;
		return either(read_only(q, 0), sized ? no_space(q, 0, 1) : 0);
	case CSFTP_OP_WRITE:
		return either(read_only(q, 0), no_space(q, 0, req->len));
	case CSFTP_OP_FSYNC:
		return no_space(q, 0, 1);
	case CSFTP_OP_COPY_RANGE:
		return why_not_copied(q);
	case CSFTP_OP_GETATTR:
	case CSFTP_OP_READLINK:
	case CSFTP_OP_REALPATH:
	case CSFTP_OP_READ:
	case CSFTP_OP_CLOSE:
	case CSFTP_OP_OPENDIR:
	case CSFTP_OP_READDIR:
	case CSFTP_OP_STATFS:
	case CSFTP_OP_HOMEDIR:
	case CSFTP_OP_IDNAME:
	case CSFTP_OP_FLUSH:
	case CSFTP_OP_COUNT:
		break;
	}
	return 0;
}

static void end(struct call *call, const struct csftp_reply *reply)
{
	free(call->inquiry);
	call->inquiry = NULL;
	place_drop(call->place);
	call->place = NULL;
	relay_answer(&call->job, reply);
}

static void answer(struct call *call, int err)
{
	end(call, &(struct csftp_reply){.err = err});
}

/*
 * Looking
 */

static void put(struct inquiry *q)
{
	int err;

	if (--q->pending > 0)
		return;
	err = verdict(q, q->call->job.asked);
	/* What is called missing is another thing only if it is there. */
	if (q->err == ENOENT && err != ENOTDIR)
		err = 0;
	answer(q->call, err ? err : q->err);
}

static void submit(struct look *look)
{
	look->inquiry->pending++;
	csftp_submit(look->inquiry->call->job.relay->under, &look->req);
}

/* Which of the two paths a question is about. */
static int side(const struct look *look)
{
	size_t index = (size_t)(look - look->inquiry->look);

	return (1U << index) & (ASK_PATH2 | ASK_SPACE2 | ASK_NAMES2) ? 1 : 0;
}

static void saw_attr(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = (struct look *)req;
	struct inquiry *q = look->inquiry;
	int which = side(look);

	q->exists[which] = reply->err == 0;
	if (!reply->err && reply->attr && (reply->attr->mask & CSFTP_ATTR_MODE))
		q->type[which] = reply->attr->mode & CSFTP_S_IFMT;
	put(q);
}

static void saw_space(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = (struct look *)req;
	struct inquiry *q = look->inquiry;
	const struct csftp_statfs *statfs = reply->statfs;
	int which = side(look);

	if (!reply->err && statfs) {
		q->has_space[which] = true;
		q->fsid[which] = statfs->fsid;
		q->read_only[which] = statfs->flag & CSFTP_ST_RDONLY;
		q->available[which] =
			statfs->frsize > 0 &&
					statfs->bavail >
						UINT64_MAX / statfs->frsize
				? UINT64_MAX
				: statfs->bavail * statfs->frsize;
		/* Some file systems count no files. */
		if (statfs->files > 0 && statfs->favail == 0)
			q->available[which] = 0;
	}
	put(q);
}

static void done_with(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* nothing was written that could be lost */
	put(((struct look *)req)->inquiry);
}

static bool saw_name(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct look *look = (struct look *)req;
	const char *name = entry->name.ptr;
	size_t len = entry->name.len;
	bool dots = len <= 2 && len > 0 && name[0] == '.' &&
		    (len == 1 || name[1] == '.');

	if (!dots)
		look->inquiry->has_names[side(look)] = true;
	return true;
}

static void saw_names(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = (struct look *)req;

	(void)reply; /* the first batch has more than the dots if any has */
	look->req = (struct csftp_req){
		.op = CSFTP_OP_CLOSE,
		.done = done_with,
		.fh = look->fh,
	};
	submit(look);
	put(look->inquiry);
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = (struct look *)req;

	if (!reply->err) {
		look->fh = reply->fh;
		look->req = (struct csftp_req){
			.op = CSFTP_OP_READDIR,
			.done = saw_names,
			.entry = saw_name,
			.fh = reply->fh,
		};
		submit(look);
	}
	put(look->inquiry);
}

/*
 * The file system of what is to be made is its directory's, as the name may
 * not exist.
 */
static const char *parent_of(const char *path, char room[CSFTP_PATH_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len > CSFTP_PATH_MAX)
		len = 0;
	memcpy(room, path, len);
	room[len] = '\0';
	if (len == 0 && slash)
		memcpy(room, "/", 2);
	return room;
}

/* Of a handle that was closed meanwhile, what it was opened at is asked for. */
static const char *path_of_closed(const struct call *call, csftp_fh fh)
{
	const struct why *why = (const struct why *)call->job.relay;

	if (!call->place || places_find(&why->places, fh) == call->place)
		return NULL;
	return call->place->path;
}

static void look_at(struct inquiry *q, uint32_t bit, const struct csftp_req *up)
{
	struct look *look = &q->look[__builtin_ctz(bit)];
	struct csftp_req *req = &look->req;
	bool second = bit & (ASK_PATH2 | ASK_SPACE2 | ASK_NAMES2);
	const char *path = second ? up->path2 : up->path;

	look->inquiry = q;
	if (bit & (ASK_PATH | ASK_PATH2)) {
		req->op = CSFTP_OP_GETATTR;
		req->flags = CSFTP_NOFOLLOW;
		req->done = saw_attr;
		req->path = path;
		req->fh = up->fh;
	} else if (bit & (ASK_NAMES | ASK_NAMES2)) {
		req->op = CSFTP_OP_OPENDIR;
		req->done = opened;
		req->path = path;
	} else {
		req->op = CSFTP_OP_STATFS;
		req->done = saw_space;
		req->fh = second ? up->fh2 : up->fh;
		if (!path)
			path = path_of_closed(q->call, req->fh);
		req->path = path ? parent_of(path, second ? q->path2 : q->path)
				 : NULL;
	}
	submit(look);
}

static void inquire(struct call *call, int err)
{
	const struct csftp_req *up = call->job.asked;
	struct inquiry *q = calloc(1, sizeof(*q));

	if (!q) {
		answer(call, err);
		return;
	}
	call->inquiry = q;
	q->call = call;
	q->err = err;
	q->pending = 1;
	for (uint32_t bit = 1; bit < 1U << ASKS; bit <<= 1) {
		if (asks[up->op] & bit)
			look_at(q, bit, up);
	}
	put(q);
}

static bool has_long_name(const char *path)
{
	size_t len = 0;

	if (!path)
		return false;
	while (*path && len <= CSFTP_NAME_MAX) {
		len = strcspn(path, "/");
		path += len;
		path += *path == '/';
	}
	return len > CSFTP_NAME_MAX;
}

/* Whether the errno may stand for another. */
static bool is_vague(const struct csftp_req *up, int err)
{
	if (asks[up->op] == 0 ||
	    (up->op == CSFTP_OP_OPEN && !(up->flags & OPEN_CHANGES)))
		return false;
	return err == EIO || (err == ENOENT && (up->op == CSFTP_OP_RMDIR ||
						up->op == CSFTP_OP_RENAME));
}

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct call *call = (struct call *)req;
	const struct csftp_req *up = call->job.asked;
	struct why *why = (struct why *)call->job.relay;

	if (!reply->err && up->op == CSFTP_OP_OPEN &&
	    (up->flags & CSFTP_OPEN_WRITE))
		places_open(&why->places, reply->fh, up->path);
	if (is_vague(up, reply->err))
		inquire(call, reply->err);
	else if ((reply->err == EINVAL || reply->err == EIO) &&
		 (has_long_name(up->path) || has_long_name(up->path2)))
		answer(call, ENAMETOOLONG);
	else
		end(call, reply);
}

static struct place *written_place(const struct why *why,
				   const struct csftp_req *up)
{
	if (up->op == CSFTP_OP_COPY_RANGE)
		return places_find(&why->places, up->fh2);
	if (up->op == CSFTP_OP_WRITE || up->op == CSFTP_OP_FSYNC)
		return places_find(&why->places, up->fh);
	return NULL;
}

static void op_watch(struct csftp_fs *fs, struct csftp_req *up)
{
	struct why *why = (struct why *)fs;
	struct call *call = (struct call *)relay_take(&why->relay, up);

	if (!call)
		return;
	call->inquiry = NULL;
	call->place = place_hold(written_place(why, up));
	relay_ask(&call->job, done);
}

static void op_close(struct csftp_fs *fs, struct csftp_req *up)
{
	places_close(&((struct why *)fs)->places, up->fh);
	relay_pass(fs, up);
}

/* What is inquired about was answered below, and ends soon by itself. */
static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct relay *relay = (struct relay *)fs;
	struct relay_job *job = relay->busy;

	while (job && job->asked != up)
		job = job->next;
	if (!job)
		csftp_cancel(relay->under, up);
	else if (!((struct call *)job)->inquiry)
		csftp_cancel(relay->under, &job->req);
}

enum csftp_err why_new(struct why **out, struct csftp_fs *under)
{
	struct why *why = calloc(1, sizeof(*why));

	if (!why)
		return CSFTP_ERR_NOMEM;
	relay_init(&why->relay, under, sizeof(struct call), relay_pass);
	for (int op = 0; op < CSFTP_OP_COUNT; op++) {
		if (asks[op])
			why->relay.ops.op[op] = op_watch;
	}
	why->relay.ops.op[CSFTP_OP_CLOSE] = op_close;
	why->relay.ops.cancel = cancel;
	places_init(&why->places);
	*out = why;
	return CSFTP_OK;
}

void why_free(struct why *why)
{
	if (!why)
		return;
	relay_release(&why->relay);
	places_release(&why->places);
	free(why);
}

struct csftp_fs *why_fs(struct why *why)
{
	return &why->relay.fs;
}
