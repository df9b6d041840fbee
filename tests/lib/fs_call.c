#include "tests/lib/fs_call.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The request that is submitted, and what its answer is kept in. */
struct call {
	struct csftp_req req;
	struct fs_caller *caller;
	unsigned answers;
	struct fs_names *names;
	size_t names_max;
};

static struct call *call_of(struct csftp_req *req)
{
	return (struct call *)req;
}

static void keep_data(struct fs_caller *caller, struct csftp_slice data)
{
	if (data.len == 0)
		return;
	assert_non_null(data.ptr);
	caller->data = malloc(data.len);
	assert_non_null(caller->data);
	memcpy(caller->data, data.ptr, data.len);
	caller->data_len = data.len;
}

static void keep_text(struct fs_caller *caller, struct csftp_slice text)
{
	assert_true(text.len < sizeof(caller->text));
	if (text.len > 0)
		memcpy(caller->text, text.ptr, text.len);
	caller->text[text.len] = '\0';
}

static void call_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct call *call = call_of(req);
	struct fs_caller *caller = call->caller;

	call->answers++;
	assert_true(reply->err >= 0);
	caller->err = reply->err;
	if (reply->err != 0) {
		assert_false(reply->eof);
		assert_true(reply->fh == 0);
		assert_null(reply->attr);
		assert_null(reply->statfs);
		return;
	}
	caller->eof = reply->eof;
	caller->fh = reply->fh;
	caller->count = reply->count;
	if (reply->attr)
		caller->attr = *reply->attr;
	if (reply->statfs)
		caller->statfs = *reply->statfs;
	keep_data(caller, reply->data);
	keep_text(caller, reply->text);
}

static void forget(struct fs_caller *caller)
{
	fs_caller_release(caller);
	caller->err = 0;
	caller->eof = false;
	caller->fh = 0;
	caller->count = 0;
	caller->attr = (struct csftp_attr){0};
	caller->statfs = (struct csftp_statfs){0};
	caller->text[0] = '\0';
}

void fs_caller_release(struct fs_caller *caller)
{
	free(caller->data);
	caller->data = NULL;
	caller->data_len = 0;
}

static int submit(struct fs_caller *caller, struct call *call)
{
	forget(caller);
	call->caller = caller;
	call->req.done = call_done;
	csftp_submit(caller->fs, &call->req);
	while (call->answers == 0 && caller->drive)
		if (!caller->drive(caller->arg))
			break;
	assert_int_equal(call->answers, 1);
	return caller->err;
}

int fs_call(struct fs_caller *caller, const struct csftp_req *req)
{
	struct call call = {.req = *req};

	return submit(caller, &call);
}

static void asked_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct fs_asked *asked = (struct fs_asked *)req;

	assert_int_equal(asked->err, -1);
	asked->err = reply->err;
	asked->fh = reply->fh;
	asked->data = reply->data.ptr;
	if (!reply->err && reply->attr)
		asked->attr = *reply->attr;
}

void fs_ask(struct csftp_fs *fs, struct fs_asked *asked,
	    const struct csftp_req *req)
{
	*asked = (struct fs_asked){.req = *req, .err = -1};
	asked->req.done = asked_done;
	csftp_submit(fs, &asked->req);
}

static int call_path(struct fs_caller *caller, enum csftp_op op,
		     const char *path, uint32_t flags)
{
	return fs_call(caller, &(struct csftp_req){
				       .op = op, .path = path, .flags = flags});
}

static int call_paths(struct fs_caller *caller, enum csftp_op op,
		      const char *path, const char *path2, uint32_t flags)
{
	return fs_call(caller, &(struct csftp_req){.op = op,
						   .path = path,
						   .path2 = path2,
						   .flags = flags});
}

static int call_fh(struct fs_caller *caller, enum csftp_op op, csftp_fh fh)
{
	return fs_call(caller, &(struct csftp_req){.op = op, .fh = fh});
}

int fs_getattr(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_GETATTR, path, 0);
}

int fs_lgetattr(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_GETATTR, path, CSFTP_NOFOLLOW);
}

int fs_fgetattr(struct fs_caller *caller, csftp_fh fh)
{
	return call_fh(caller, CSFTP_OP_GETATTR, fh);
}

int fs_setattr(struct fs_caller *caller, const char *path,
	       const struct csftp_attr *attr)
{
	return fs_call(caller, &(struct csftp_req){.op = CSFTP_OP_SETATTR,
						   .path = path,
						   .attr = attr});
}

int fs_lsetattr(struct fs_caller *caller, const char *path,
		const struct csftp_attr *attr)
{
	return fs_call(caller, &(struct csftp_req){.op = CSFTP_OP_SETATTR,
						   .path = path,
						   .flags = CSFTP_NOFOLLOW,
						   .attr = attr});
}

int fs_fsetattr(struct fs_caller *caller, csftp_fh fh,
		const struct csftp_attr *attr)
{
	return fs_call(caller, &(struct csftp_req){.op = CSFTP_OP_SETATTR,
						   .fh = fh,
						   .attr = attr});
}

int fs_readlink(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_READLINK, path, 0);
}

int fs_realpath(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_REALPATH, path, 0);
}

int fs_expand(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_REALPATH, path, CSFTP_EXPAND);
}

int fs_mkdir(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_MKDIR, path, 0);
}

int fs_rmdir(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_RMDIR, path, 0);
}

int fs_unlink(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_UNLINK, path, 0);
}

int fs_symlink(struct fs_caller *caller, const char *path, const char *text)
{
	return call_paths(caller, CSFTP_OP_SYMLINK, path, text, 0);
}

int fs_link(struct fs_caller *caller, const char *path, const char *path2)
{
	return call_paths(caller, CSFTP_OP_LINK, path, path2, 0);
}

int fs_rename(struct fs_caller *caller, const char *path, const char *path2)
{
	return call_paths(caller, CSFTP_OP_RENAME, path, path2, 0);
}

int fs_replace(struct fs_caller *caller, const char *path, const char *path2)
{
	return call_paths(caller, CSFTP_OP_RENAME, path, path2, CSFTP_REPLACE);
}

int fs_open(struct fs_caller *caller, const char *path, uint32_t flags)
{
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0644};

	return fs_call(caller, &(struct csftp_req){.op = CSFTP_OP_OPEN,
						   .path = path,
						   .flags = flags,
						   .attr = &attr});
}

csftp_fh fs_opened(struct fs_caller *caller, const char *path, uint32_t flags)
{
	assert_int_equal(fs_open(caller, path, flags), 0);
	return caller->fh;
}

int fs_opendir(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_OPENDIR, path, 0);
}

int fs_close(struct fs_caller *caller, csftp_fh fh)
{
	return call_fh(caller, CSFTP_OP_CLOSE, fh);
}

int fs_fsync(struct fs_caller *caller, csftp_fh fh)
{
	return call_fh(caller, CSFTP_OP_FSYNC, fh);
}

int fs_statfs(struct fs_caller *caller, const char *path)
{
	return call_path(caller, CSFTP_OP_STATFS, path, 0);
}

int fs_read(struct fs_caller *caller, csftp_fh fh, uint64_t off, uint64_t len)
{
	uint8_t *into = malloc(len > 0 ? len : 1);
	int err;

	assert_non_null(into);
	err = fs_call(caller, &(struct csftp_req){.op = CSFTP_OP_READ,
						  .fh = fh,
						  .off = off,
						  .len = len,
						  .into = into});
	free(into);
	assert_true(caller->data_len <= len);
	if (err == 0 && caller->data_len == 0)
		assert_true(caller->eof);
	return err;
}

int fs_read_all(struct fs_caller *caller, csftp_fh fh, uint64_t off,
		uint64_t len)
{
	uint8_t *all = malloc(len > 0 ? len : 1);
	size_t got = 0;
	int err;

	assert_non_null(all);
	do {
		err = fs_read(caller, fh, off + got, len - got);
		if (caller->data_len > 0)
			memcpy(all + got, caller->data, caller->data_len);
		got += caller->data_len;
	} while (err == 0 && !caller->eof && got < len);
	fs_caller_release(caller);
	caller->data = all;
	caller->data_len = got;
	return err;
}

int fs_write(struct fs_caller *caller, csftp_fh fh, uint64_t off,
	     const void *data, size_t len)
{
	const char *from = data;
	int err;

	do {
		size_t part = len;

		if (caller->fs->max_write > 0 && part > caller->fs->max_write)
			part = caller->fs->max_write;
		err = fs_call(caller, &(struct csftp_req){.op = CSFTP_OP_WRITE,
							  .fh = fh,
							  .off = off,
							  .data = from,
							  .len = part});
		from = part > 0 ? from + part : from;
		off += part;
		len -= part;
	} while (err == 0 && len > 0);
	return err;
}

int fs_copy_range(struct fs_caller *caller, const struct csftp_req *range)
{
	struct csftp_req req = *range;

	req.op = CSFTP_OP_COPY_RANGE;
	return fs_call(caller, &req);
}

void fs_names_release(struct fs_names *names)
{
	free(names->name);
	free(names->attr);
	*names = (struct fs_names){0};
}

size_t fs_names_find(const struct fs_names *names, const char *name, size_t *at)
{
	size_t times = 0;

	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->name[i], name) != 0)
			continue;
		times++;
		if (at)
			*at = i;
	}
	return times;
}

static void names_add(struct fs_names *names, const struct csftp_entry *entry)
{
	char *name;

	if (names->count == names->cap) {
		names->cap = names->cap > 0 ? 2 * names->cap : 16;
		names->name =
			realloc(names->name, names->cap * sizeof(*names->name));
		names->attr =
			realloc(names->attr, names->cap * sizeof(*names->attr));
		assert_non_null(names->name);
		assert_non_null(names->attr);
	}
	assert_in_range(entry->name.len, 1, CSFTP_NAME_MAX);
	assert_null(memchr(entry->name.ptr, 0, entry->name.len));
	name = names->name[names->count];
	memcpy(name, entry->name.ptr, entry->name.len);
	name[entry->name.len] = '\0';
	names->attr[names->count++] = entry->attr;
}

static bool call_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct call *call = call_of(req);

	assert_int_equal(call->answers, 0);
	if (call->names_max == 0)
		return false;
	call->names_max--;
	names_add(call->names, entry);
	return true;
}

int fs_readdir(struct fs_caller *caller, csftp_fh fh, struct fs_names *names,
	       size_t max)
{
	struct call call = {
		.req = {.op = CSFTP_OP_READDIR, .fh = fh, .entry = call_entry},
		.names = names,
		.names_max = max,
	};

	return submit(caller, &call);
}

int fs_readdir_all(struct fs_caller *caller, csftp_fh fh,
		   struct fs_names *names, size_t max)
{
	int err;

	do
		err = fs_readdir(caller, fh, names, max);
	while (err == 0 && !caller->eof);
	return err;
}

static void names_drop_dots(struct fs_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->name[i], ".") == 0 ||
		    strcmp(names->name[i], "..") == 0)
			continue;
		memmove(names->name[kept], names->name[i],
			sizeof(*names->name));
		names->attr[kept++] = names->attr[i];
	}
	names->count = kept;
}

int fs_list(struct fs_caller *caller, const char *path, struct fs_names *names)
{
	int err = fs_opendir(caller, path);
	csftp_fh fh = caller->fh;

	if (err != 0)
		return err;
	err = fs_readdir_all(caller, fh, names, SIZE_MAX);
	names_drop_dots(names);
	if (err != 0) {
		fs_close(caller, fh);
		return err;
	}
	return fs_close(caller, fh);
}

int fs_remove_tree(struct fs_caller *caller, const char *path)
{
	struct fs_names names = {0};
	char below[CSFTP_PATH_MAX + 1];
	int err = fs_lgetattr(caller, path);

	if (err != 0)
		return err == ENOENT ? 0 : err;
	if ((caller->attr.mode & CSFTP_S_IFMT) != CSFTP_S_IFDIR)
		return fs_unlink(caller, path);
	err = fs_list(caller, path, &names);
	for (size_t i = 0; err == 0 && i < names.count; i++) {
		int len = snprintf(below, sizeof(below), "%s/%s", path,
				   names.name[i]);

		assert_in_range(len, 1, sizeof(below) - 1);
		err = fs_remove_tree(caller, below);
	}
	fs_names_release(&names);
	return err != 0 ? err : fs_rmdir(caller, path);
}

int fs_put(struct fs_caller *caller, const char *path, const void *data,
	   size_t len)
{
	uint32_t flags = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_TRUNC;
	int err = fs_open(caller, path, flags);
	csftp_fh fh = caller->fh;
	int late;

	if (err)
		return err;
	err = fs_write(caller, fh, 0, data, len);
	late = fs_close(caller, fh);
	return err ? err : late;
}
