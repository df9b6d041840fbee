#include "core/layer/links.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/relay.h"

struct links {
	struct relay relay; /* first */
	const char *root;
	enum links_policy policy;
};

struct links_job {
	struct relay_job job; /* first */
	char path[CSFTP_PATH_MAX + 1];
};

/* A path that is put together; too long is remembered until the end. */
struct builder {
	char text[CSFTP_PATH_MAX + 1];
	size_t len;
	bool too_long;
};

static void add(struct builder *to, const char *text, size_t len)
{
	if (len > CSFTP_PATH_MAX - to->len) {
		to->too_long = true;
		return;
	}
	memcpy(to->text + to->len, text, len);
	to->len += len;
	to->text[to->len] = '\0';
}

static void add_name(struct builder *to, const char *name, size_t len)
{
	if (to->len > 0 && to->text[to->len - 1] != '/')
		add(to, "/", 1);
	add(to, name, len);
}

/* One directory up, where it stays at "/". */
static void up(struct builder *path)
{
	while (path->len > 1 && path->text[path->len - 1] != '/')
		path->len--;
	if (path->len > 1)
		path->len--;
	path->text[path->len] = '\0';
}

/* The next name of a text, however many slashes there are; NULL: no more. */
static const char *next_name(const char **at, size_t *len)
{
	const char *name = *at + strspn(*at, "/");

	*len = strcspn(name, "/");
	*at = name + *len;
	return *len > 0 ? name : NULL;
}

static bool is(const char *name, size_t len, const char *dots)
{
	return strlen(dots) == len && !memcmp(name, dots, len);
}

/* What a text is made of. */
struct shape {
	size_t ups;	 /* ".." at its start */
	bool ups_inside; /* ".." behind a name */
};

static struct shape shape_of(const char *text)
{
	struct shape shape = {0};
	bool named = false;
	const char *name;
	size_t len;

	while ((name = next_name(&text, &len)) != NULL) {
		bool dots = is(name, len, "..");

		if (dots && named)
			shape.ups_inside = true;
		else if (dots)
			shape.ups++;
		else if (!is(name, len, "."))
			named = true;
	}
	return shape;
}

/* The rest of a plain path below the root; NULL: it is not in there. */
static const char *in_root(const char *root, const char *path)
{
	size_t len = strlen(root);

	if (len == 1)
		len = 0;
	if (strncmp(path, root, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

/* Absolute, and without "." and "..". */
static bool is_plain(const char *path)
{
	const char *at = path;
	const char *name;
	size_t len;

	while ((name = next_name(&at, &len)) != NULL) {
		if (is(name, len, ".") || is(name, len, ".."))
			return false;
	}
	return *path == '/';
}

/* How many names a plain path has. */
static size_t depth(const char *path)
{
	size_t names = 0;
	size_t len;

	while (next_name(&path, &len))
		names++;
	return names;
}

/* The way from one plain directory to another plain path. */
static void relative(struct builder *to, const char *dir, const char *path)
{
	const char *name;
	size_t len;

	/* Past the names that they begin with both. */
	for (;;) {
		const char *a = dir;
		const char *b = path;
		size_t a_len;
		const char *a_name = next_name(&a, &a_len);

		name = next_name(&b, &len);
		if (!a_name || !name || a_len != len ||
		    memcmp(a_name, name, len) != 0)
			break;
		dir = a;
		path = b;
	}
	while (next_name(&dir, &len))
		add_name(to, "..", 2);
	while ((name = next_name(&path, &len)) != NULL)
		add_name(to, name, len);
	if (to->len == 0)
		add(to, ".", 1);
}

/* The directory that a plain path lies in. */
static void directory_of(struct builder *dir, const char *path)
{
	add(dir, path, strlen(path));
	up(dir);
}

/*
 * Where a text leads, from its directory, read as if no name in it were a link.
 */
static void resolve(struct builder *to, const char *dir, const char *text)
{
	const char *name;
	size_t len;

	add(to, *text == '/' ? "/" : dir, *text == '/' ? 1 : strlen(dir));
	while ((name = next_name(&text, &len)) != NULL) {
		if (is(name, len, ".."))
			up(to);
		else if (!is(name, len, "."))
			add_name(to, name, len);
	}
}

enum verdict { AS_IT_IS, REWRITTEN, UNDECIDED };

static enum verdict judge(const struct links *links, const char *path,
			  const char *text, struct builder *shown)
{
	struct shape shape = shape_of(text);
	struct builder dir = {.len = 0};
	struct builder target = {.len = 0};
	bool rebase = links->policy == LINKS_REBASE;
	const char *below;

	directory_of(&dir, path);
	below = in_root(links->root, dir.text);
	if (rebase && *text != '/')
		return AS_IT_IS;
	if (!below || shape.ups_inside)
		return rebase ? AS_IT_IS : UNDECIDED;
	if (*text != '/' && shape.ups <= depth(below))
		return AS_IT_IS;
	resolve(&target, dir.text, text);
	if (target.too_long || !in_root(links->root, target.text))
		return rebase ? AS_IT_IS : UNDECIDED;
	relative(shown, dir.text, target.text);
	return shown->too_long ? UNDECIDED : REWRITTEN;
}

static void answer(struct links_job *job, const struct builder *text)
{
	struct csftp_reply reply = {.text = {text->text, text->len}};

	relay_answer(&job->job, &reply);
}

/* The server's word for where it leads. */
static void was_asked(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct links_job *job = (struct links_job *)req;
	const struct links *links = (const struct links *)job->job.relay;
	struct builder target = {.len = 0};
	struct builder shown = {.len = 0};
	struct builder dir = {.len = 0};

	if (reply->err == EINTR || reply->err == ENOTCONN ||
	    reply->err == ETIMEDOUT) {
		relay_answer(&job->job, reply);
		return;
	}
	if (!reply->err && !memchr(reply->text.ptr, '\0', reply->text.len))
		add(&target, reply->text.ptr, reply->text.len);
	directory_of(&dir, job->job.asked->path);
	if (reply->err || target.too_long || !is_plain(target.text) ||
	    !in_root(links->root, target.text) ||
	    !in_root(links->root, dir.text)) {
		relay_answer_err(&job->job, EPERM);
		return;
	}
	relative(&shown, dir.text, target.text);
	if (shown.too_long)
		relay_answer_err(&job->job, EPERM);
	else
		answer(job, &shown);
}

static void ask(struct links_job *job, const char *text)
{
	struct builder path = {.len = 0};

	if (*text != '/') {
		directory_of(&path, job->job.asked->path);
		add(&path, "/", path.len > 1);
	}
	add(&path, text, strlen(text));
	if (path.too_long) {
		relay_answer_err(&job->job, EPERM);
		return;
	}
	memcpy(job->path, path.text, path.len + 1);
	job->job.req.op = CSFTP_OP_REALPATH;
	job->job.req.path = job->path;
	relay_ask(&job->job, was_asked);
}

static void was_read(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct links_job *job = (struct links_job *)req;
	const struct links *links = (const struct links *)job->job.relay;
	struct builder text = {.len = 0};
	struct builder shown = {.len = 0};

	if (reply->err) {
		relay_answer(&job->job, reply);
		return;
	}
	if (reply->text.len > 0)
		add(&text, reply->text.ptr, reply->text.len);
	/* Nobody can follow such a text. */
	if (text.too_long || text.len == 0 || strlen(text.text) != text.len) {
		relay_answer_err(&job->job, EIO);
		return;
	}
	switch (judge(links, job->job.asked->path, text.text, &shown)) {
	case AS_IT_IS:
		relay_answer(&job->job, reply);
		break;
	case REWRITTEN:
		answer(job, &shown);
		break;
	case UNDECIDED:
		ask(job, text.text);
		break;
	}
}

static void op_readlink(struct csftp_fs *fs, struct csftp_req *req)
{
	struct relay_job *job = relay_take((struct relay *)fs, req);

	if (job)
		relay_ask(job, was_read);
}

enum csftp_err links_new(struct csftp_fs **out, struct csftp_fs *under,
			 const char *root, enum links_policy policy)
{
	struct links *links;

	if (!is_plain(root))
		return CSFTP_ERR_ARG;
	links = calloc(1, sizeof(*links));
	if (!links)
		return CSFTP_ERR_NOMEM;
	links->root = root;
	links->policy = policy;
	relay_init(&links->relay, under, sizeof(struct links_job), relay_pass);
	if (policy != LINKS_RAW)
		links->relay.ops.op[CSFTP_OP_READLINK] = op_readlink;
	*out = &links->relay.fs;
	return CSFTP_OK;
}

void links_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}
