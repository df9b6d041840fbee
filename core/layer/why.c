#include "core/layer/why.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/places.h"
#include "core/layer/relay.h"
#include "core/layer/why_impl.h"

/* What can be looked for. */
#define ASK_PATH    0x01U /* what path is */
#define ASK_PATH2   0x02U
#define ASK_SPACE   0x04U /* the file system around path, or of what is open */
#define ASK_SPACE2  0x08U /* ... of path2, or of fh2 */
#define ASK_INSIDE  0x10U /* the file system of path itself */
#define ASK_INSIDE2 0x20U
#define ASK_NAMES   0x40U /* whether directory path is empty */
#define ASK_NAMES2  0x80U
#define ASK_DIR	    0x100U /* what the directory is that path is in */
#define ASK_DIR2    0x200U
#define ASKS	    10U

#define OF_SECOND (ASK_PATH2 | ASK_SPACE2 | ASK_INSIDE2 | ASK_NAMES2 | ASK_DIR2)

/* Names looked through for one; who has more does without. */
#define NAMES_MAX 200000U

struct inquiry;

struct look {
	struct csftp_req req; /* first */
	struct inquiry *inquiry;
	csftp_fh fh; /* of the directory whose names are asked for */
	bool out;    /* not answered */
};

/* A request that was refused, and what is known about it. */
struct inquiry {
	struct call *call;
	struct look look[ASKS];
	uint32_t pending;
	int err;	/* what was said */
	bool cancelled; /* nobody wants to know more */
	struct why_facts facts;
	/* For how many links there are, which is asked for last. */
	bool counting;
	bool found;
	uint32_t names;
	const char *name;	       /* whose they are */
	char path[CSFTP_PATH_MAX + 1]; /* directories that names are in */
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
	[CSFTP_OP_RMDIR] = ASK_PATH | ASK_SPACE | ASK_INSIDE | ASK_NAMES,
	[CSFTP_OP_UNLINK] = ASK_PATH | ASK_SPACE | ASK_INSIDE,
	[CSFTP_OP_SYMLINK] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_LINK] = ASK_PATH | ASK_PATH2 | ASK_SPACE | ASK_SPACE2,
	[CSFTP_OP_RENAME] = ASK_PATH | ASK_PATH2 | ASK_SPACE | ASK_SPACE2 |
			    ASK_INSIDE | ASK_INSIDE2 | ASK_NAMES2,
	[CSFTP_OP_OPEN] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_WRITE] = ASK_PATH | ASK_SPACE,
	[CSFTP_OP_FSYNC] = ASK_SPACE,
	[CSFTP_OP_SETATTR] = ASK_PATH | ASK_SPACE | ASK_INSIDE,
	[CSFTP_OP_COPY_RANGE] = ASK_SPACE2,
};

/* After a refusal that is said to be one of permission. */
static const uint32_t asks_denied[CSFTP_OP_COUNT] = {
	[CSFTP_OP_RMDIR] = ASK_PATH | ASK_DIR,
	[CSFTP_OP_UNLINK] = ASK_PATH | ASK_DIR,
	[CSFTP_OP_RENAME] = ASK_PATH | ASK_PATH2 | ASK_DIR | ASK_DIR2,
	[CSFTP_OP_SETATTR] = ASK_PATH,
};

/* Whoever only reads is refused for reasons that cannot be seen. */
#define OPEN_CHANGES                                                           \
	(CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_TRUNC |             \
	 CSFTP_OPEN_CREAT)

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

static void count_links(struct inquiry *q);

/* What is called missing, or malformed, is another thing only if it is so. */
static int conclude(const struct inquiry *q)
{
	const struct csftp_req *up = q->call->job.asked;
	int err;

	if (q->err == EACCES)
		return why_not_permitted(&q->facts, up) ? EPERM : EACCES;
	err = why_verdict(&q->facts, up);
	if ((q->err == ENOENT && err != ENOTDIR) ||
	    (q->err == EINVAL && err != ENAMETOOLONG && err != EFBIG))
		return q->err;
	return err ? err : q->err;
}

static void put(struct inquiry *q)
{
	int err;

	if (--q->pending > 0)
		return;
	err = q->cancelled ? q->err : conclude(q);
	if (err == EIO && !q->counting && !q->cancelled)
		count_links(q);
	else
		answer(q->call, err);
}

static void ask(struct look *look)
{
	look->out = true;
	csftp_submit(look->inquiry->call->job.relay->under, &look->req);
}

static void submit(struct look *look)
{
	look->inquiry->pending++;
	ask(look);
}

static struct look *answered(struct csftp_req *req)
{
	struct look *look = (struct look *)req;

	look->out = false;
	return look;
}

/* Which of the two paths a question is about. */
static int side(const struct look *look)
{
	size_t index = (size_t)(look - look->inquiry->look);

	return (1U << index) & OF_SECOND ? 1 : 0;
}

static void saw_attr(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = answered(req);
	struct inquiry *q = look->inquiry;
	int which = side(look);

	q->facts.exists[which] = reply->err == 0;
	if (!reply->err && reply->attr && (reply->attr->mask & CSFTP_ATTR_MODE))
		q->facts.type[which] = reply->attr->mode & CSFTP_S_IFMT;
	if (!reply->err && reply->attr && which == 0 &&
	    (reply->attr->mask & CSFTP_ATTR_SIZE)) {
		q->facts.has_size = true;
		q->facts.size = reply->attr->size;
	}
	put(q);
}

static void saw_dir(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = answered(req);
	struct inquiry *q = look->inquiry;

	if (!reply->err && reply->attr && (reply->attr->mask & CSFTP_ATTR_MODE))
		q->facts.around_mode[side(look)] = reply->attr->mode;
	put(q);
}

static void saw_space(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = answered(req);
	struct inquiry *q = look->inquiry;
	bool inside = look == &q->look[__builtin_ctz(ASK_INSIDE)] ||
		      look == &q->look[__builtin_ctz(ASK_INSIDE2)];
	struct why_space *space = inside ? &q->facts.inside[side(look)]
					 : &q->facts.around[side(look)];

	if (!reply->err && reply->statfs) {
		space->known = true;
		space->is = *reply->statfs;
	}
	put(q);
}

static void done_with(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* nothing was written that could be lost */
	put(answered(req)->inquiry);
}

static bool saw_name(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct look *look = (struct look *)req;
	const char *name = entry->name.ptr;
	size_t len = entry->name.len;
	bool dots = len <= 2 && len > 0 && name[0] == '.' &&
		    (len == 1 || name[1] == '.');

	if (!dots)
		look->inquiry->facts.has_names[side(look)] = true;
	return true;
}

static void close_names(struct look *look)
{
	look->req = (struct csftp_req){
		.op = CSFTP_OP_CLOSE,
		.done = done_with,
		.fh = look->fh,
	};
	ask(look);
}

static void saw_names(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)reply; /* the first batch has more than the dots if any has */
	close_names(answered(req));
}

static void opened(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = answered(req);

	if (reply->err) {
		put(look->inquiry);
		return;
	}
	look->fh = reply->fh;
	if (look->inquiry->cancelled) {
		close_names(look);
		return;
	}
	look->req = (struct csftp_req){
		.op = CSFTP_OP_READDIR,
		.done = saw_names,
		.entry = saw_name,
		.fh = reply->fh,
	};
	ask(look);
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
	bool second = bit & OF_SECOND;
	const char *path = second ? up->path2 : up->path;

	look->inquiry = q;
	req->fh = second ? up->fh2 : up->fh;
	if (!path)
		path = path_of_closed(q->call, req->fh);
	req->path = path;
	if (bit & (ASK_PATH | ASK_PATH2)) {
		req->op = CSFTP_OP_GETATTR;
		req->flags = CSFTP_NOFOLLOW;
		req->done = saw_attr;
	} else if (bit & (ASK_DIR | ASK_DIR2)) {
		req->op = CSFTP_OP_GETATTR;
		req->done = saw_dir;
		req->path = parent_of(path, second ? q->path2 : q->path);
	} else if (bit & (ASK_NAMES | ASK_NAMES2)) {
		req->op = CSFTP_OP_OPENDIR;
		req->done = opened;
	} else {
		req->op = CSFTP_OP_STATFS;
		req->done = saw_space;
		if (path && (bit & (ASK_SPACE | ASK_SPACE2)))
			req->path =
				parent_of(path, second ? q->path2 : q->path);
	}
	submit(look);
}

/*
 * How many links there are, which version 3 says only in what a listing has
 * for people to read.  It is looked for in the directory where the name is, or,
 * of what was to get a directory, as "." in that.
 */

static bool saw_links(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct inquiry *q = ((struct look *)req)->inquiry;

	q->names++;
	if (q->found || entry->name.len != strlen(q->name) ||
	    memcmp(entry->name.ptr, q->name, entry->name.len) != 0)
		return true;
	q->found = true;
	q->facts.links = why_links(&entry->longname);
	return true;
}

static void list_on(struct look *look);

static void listed(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = answered(req);
	const struct inquiry *q = look->inquiry;

	if (!reply->err && !reply->eof && !q->found && !q->cancelled &&
	    q->names < NAMES_MAX)
		list_on(look);
	else
		close_names(look);
}

static void list_on(struct look *look)
{
	look->req = (struct csftp_req){
		.op = CSFTP_OP_READDIR,
		.done = listed,
		.entry = saw_links,
		.fh = look->fh,
	};
	ask(look);
}

static void opened_list(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct look *look = answered(req);

	if (reply->err) {
		put(look->inquiry);
		return;
	}
	look->fh = reply->fh;
	if (look->inquiry->cancelled)
		close_names(look);
	else
		list_on(look);
}

/* Nothing else explains it. */
static void count_links(struct inquiry *q)
{
	const struct csftp_req *up = q->call->job.asked;
	struct look *look = &q->look[0];
	bool moves = up->op == CSFTP_OP_RENAME &&
		     q->facts.type[0] == CSFTP_S_IFDIR && !q->facts.exists[1];

	q->counting = true;
	q->pending = 1;
	q->name = up->op == CSFTP_OP_LINK ? why_name(up->path) : ".";
	if (up->op != CSFTP_OP_LINK && up->op != CSFTP_OP_MKDIR && !moves) {
		put(q);
		return;
	}
	look->req = (struct csftp_req){
		.op = CSFTP_OP_OPENDIR,
		.done = opened_list,
		.path = parent_of(moves ? up->path2 : up->path, q->path),
	};
	submit(look);
	put(q);
}

static void inquire(struct call *call, int err)
{
	const struct csftp_req *up = call->job.asked;
	const uint32_t wanted = (err == EACCES ? asks_denied : asks)[up->op];
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
		if (wanted & bit)
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

/* There are file systems, such as eCryptfs, that take no more than 143. */
#define RATHER_LONG 100U

static bool is_rather_long(const struct csftp_req *up)
{
	return (up->path && strlen(why_name(up->path)) > RATHER_LONG) ||
	       (up->path2 && strlen(why_name(up->path2)) > RATHER_LONG);
}

/* Whether the errno may stand for another. */
static bool is_vague(const struct csftp_req *up, int err)
{
	if (asks[up->op] == 0 ||
	    (up->op == CSFTP_OP_OPEN && !(up->flags & OPEN_CHANGES)))
		return false;
	if (err == EACCES)
		return asks_denied[up->op];
	/* OpenSSH's server cannot seek to where no file can reach. */
	if (err == EINVAL && up->op == CSFTP_OP_WRITE)
		return true;
	return err == EIO || (err == EINVAL && is_rather_long(up)) ||
	       (err == ENOENT &&
		(up->op == CSFTP_OP_RMDIR || up->op == CSFTP_OP_RENAME));
}

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct call *call = (struct call *)req;
	const struct csftp_req *up = call->job.asked;
	struct why *why = (struct why *)call->job.relay;

	if (!reply->err && up->op == CSFTP_OP_OPEN &&
	    (up->flags & CSFTP_OPEN_WRITE))
		places_open(&why->places, reply->fh, up->path);
	if ((reply->err == EINVAL || reply->err == EIO) &&
	    (has_long_name(up->path) || has_long_name(up->path2)))
		answer(call, ENAMETOOLONG);
	else if (is_vague(up, reply->err))
		inquire(call, reply->err);
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

/* It was refused, and is answered so once nothing is looked for any more. */
static void stop(struct inquiry *q, struct csftp_fs *under)
{
	q->cancelled = true;
	q->pending++;
	for (size_t i = 0; i < ASKS; i++) {
		if (q->look[i].out)
			csftp_cancel(under, &q->look[i].req);
	}
	put(q);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *up)
{
	struct relay *relay = (struct relay *)fs;
	struct relay_job *job = relay->busy;

	while (job && job->asked != up)
		job = job->next;
	if (!job)
		csftp_cancel(relay->under, up);
	else if (((struct call *)job)->inquiry)
		stop(((struct call *)job)->inquiry, relay->under);
	else
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
