#include "core/layer/recode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/relay.h"

struct recode {
	struct relay relay; /* first */
	struct recode_config config;
	bool said;	  /* that a name was left out */
	bool keeps_ascii; /* what is ASCII alone need not be converted */
};

struct recode_job {
	struct relay_job job; /* first */
	char path[CSFTP_PATH_MAX + 1];
	char path2[CSFTP_PATH_MAX + 1]; /* or a link's text */
};

static struct recode *recode_of(const struct relay_job *job)
{
	return (struct recode *)job->relay;
}

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	       (len == 2 && name[0] == '.' && name[1] == '.');
}

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] >= 0x80)
			return false;
	}
	return true;
}

/* What stands in a name's place must be a name, whoever made it. */
static bool is_name(const char *name, size_t len)
{
	return len > 0 && !memchr(name, '/', len) && !memchr(name, '\0', len) &&
	       !is_dots(name, len);
}

/* As recode_config.convert. */
static bool convert(const struct recode *recode, enum recode_way way,
		    struct csftp_slice name, char *to, size_t cap, size_t *len)
{
	const struct recode_config *config = &recode->config;

	if ((recode->keeps_ascii && is_ascii(name.ptr, name.len)) ||
	    is_dots(name.ptr, name.len)) {
		*len = name.len;
		if (name.len <= cap)
			memcpy(to, name.ptr, name.len);
		return true;
	}
	return config->convert(config->charset, way, name, to, cap, len) &&
	       (*len > cap || is_name(to, *len));
}

/* How much of a path is the root, and stays as it is. */
static size_t root_len(const struct recode *recode, const char *path,
		       size_t len)
{
	size_t root = strlen(recode->config.root);

	if (root == 1 || root > len ||
	    memcmp(path, recode->config.root, root) != 0 ||
	    (len > root && path[root] != '/'))
		return 0;
	return root;
}

/* A whole path, or a link's text; 0, EILSEQ or ENAMETOOLONG. */
static int convert_path(const struct recode *recode, enum recode_way way,
			struct csftp_slice path, char out[CSFTP_PATH_MAX + 1],
			size_t *out_len)
{
	const char *text = path.ptr;
	size_t at = path.len > 0 ? root_len(recode, text, path.len) : 0;
	size_t used = at;

	if (path.len > CSFTP_PATH_MAX)
		return ENAMETOOLONG;
	memcpy(out, text, at);
	while (at < path.len) {
		const char *slash = memchr(text + at, '/', path.len - at);
		size_t name =
			slash ? (size_t)(slash - text) - at : path.len - at;
		size_t room = CSFTP_PATH_MAX - used;
		size_t len = 0;

		if (name > 0 &&
		    !convert(recode, way, (struct csftp_slice){text + at, name},
			     out + used, room, &len))
			return EILSEQ;
		if (len > room || (slash && len == room))
			return ENAMETOOLONG;
		used += len;
		if (slash)
			out[used++] = '/';
		at += name + (slash != NULL);
	}
	out[used] = '\0';
	*out_len = used;
	return 0;
}

/*
 * What is asked
 */

static int down(struct recode_job *job, const char **path, char *room)
{
	size_t len;
	int err;

	if (!*path)
		return 0;
	err = convert_path(recode_of(&job->job), RECODE_DOWN,
			   (struct csftp_slice){*path, strlen(*path)}, room,
			   &len);
	*path = room;
	return err;
}

static void pass_up(struct csftp_req *req, const struct csftp_reply *reply)
{
	relay_answer((struct relay_job *)req, reply);
}

static void ask(struct relay *relay, struct csftp_req *req,
		void (*done)(struct csftp_req *, const struct csftp_reply *))
{
	struct recode_job *job = (struct recode_job *)relay_take(relay, req);
	int err;

	if (!job)
		return;
	err = down(job, &job->job.req.path, job->path);
	if (!err)
		err = down(job, &job->job.req.path2, job->path2);
	if (err)
		relay_answer_err(&job->job, err);
	else
		relay_ask(&job->job, done);
}

static void op_usual(struct csftp_fs *fs, struct csftp_req *req)
{
	const struct recode *recode = (const struct recode *)fs;

	if ((!req->path ||
	     (recode->keeps_ascii && is_ascii(req->path, strlen(req->path)))) &&
	    (!req->path2 ||
	     (recode->keeps_ascii && is_ascii(req->path2, strlen(req->path2)))))
		relay_pass(fs, req);
	else
		ask((struct relay *)fs, req, pass_up);
}

/*
 * What is answered
 */

static void has_text(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct recode_job *job = (struct recode_job *)req;
	struct csftp_reply answer = *reply;
	size_t len;
	int err;

	if (reply->err) {
		relay_answer(&job->job, reply);
		return;
	}
	err = convert_path(recode_of(&job->job), RECODE_UP, reply->text,
			   job->path2, &len);
	answer.text = (struct csftp_slice){job->path2, len};
	if (err)
		relay_answer_err(&job->job, err);
	else
		relay_answer(&job->job, &answer);
}

static void op_text(struct csftp_fs *fs, struct csftp_req *req)
{
	ask((struct relay *)fs, req, has_text);
}

static bool left_out(struct recode *recode)
{
	if (!recode->said && recode->config.log)
		recode->config.log(recode->config.arg,
				   "names that cannot be converted are left "
				   "out of listings");
	recode->said = true;
	return true;
}

static bool on_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	const struct relay_job *job = (const struct relay_job *)req;
	struct recode *recode = recode_of(job);
	struct csftp_entry shown = *entry;
	char name[CSFTP_NAME_MAX];

	if (!convert(recode, RECODE_UP, entry->name, name, sizeof(name),
		     &shown.name.len) ||
	    shown.name.len > sizeof(name))
		return left_out(recode);
	shown.name.ptr = name;
	return job->asked->entry(job->asked, &shown);
}

static void op_readdir(struct csftp_fs *fs, struct csftp_req *req)
{
	struct relay_job *job = relay_take((struct relay *)fs, req);

	if (!job)
		return;
	job->req.entry = on_entry;
	relay_ask(job, pass_up);
}

/* Each ASCII character but '/', and that they come out as they went in. */
static bool keeps_ascii(const struct recode_config *config)
{
	char all[127];
	char out[2 * sizeof(all)];
	size_t count = 0;

	for (int c = 1; c < 0x80; c++) {
		if (c != '/')
			all[count++] = (char)c;
	}
	for (int way = RECODE_UP; way <= RECODE_DOWN; way++) {
		size_t len = 0;

		if (!config->convert(config->charset, (enum recode_way)way,
				     (struct csftp_slice){all, count}, out,
				     sizeof(out), &len) ||
		    len != count || memcmp(all, out, count) != 0)
			return false;
	}
	return true;
}

enum csftp_err recode_new(struct csftp_fs **out,
			  const struct recode_config *config)
{
	struct recode *recode;
	struct csftp_fs_ops *ops;

	if (!config->under || !config->root || !config->convert)
		return CSFTP_ERR_ARG;
	recode = calloc(1, sizeof(*recode));
	if (!recode)
		return CSFTP_ERR_NOMEM;
	relay_init(&recode->relay, config->under, sizeof(struct recode_job),
		   op_usual);
	recode->config = *config;
	recode->keeps_ascii = keeps_ascii(config);
	ops = &recode->relay.ops;
	ops->op[CSFTP_OP_HOMEDIR] = relay_pass;
	ops->op[CSFTP_OP_IDNAME] = relay_pass;
	ops->op[CSFTP_OP_READLINK] = op_text;
	ops->op[CSFTP_OP_REALPATH] = op_text;
	ops->op[CSFTP_OP_READDIR] = op_readdir;
	*out = &recode->relay.fs;
	return CSFTP_OK;
}

void recode_free(struct csftp_fs *fs)
{
	if (!fs)
		return;
	relay_release((struct relay *)fs);
	free(fs);
}
