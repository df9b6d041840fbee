#include "fusefs/fusefs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fusefs/frontend.h"

#define OPS_DEFAULT 256U

/* Below this a piece is not worth a request of the kernel's. */
#define PIECE_WORTHY (128U * 1024U)

/* Reads ahead and the like that the kernel may have waiting here. */
#define BACKGROUND_MAX 128U

/*
 * From this version of the protocol on (Linux 6.6) a file can be mapped whose
 * descriptors go past the kernel's cache, if the answer to INIT says so, by a
 * bit in flags2 (FUSE_DIRECT_IO_ALLOW_MMAP) that older headers do not name.
 */
#define DIRECT_MAPS_MINOR 39U
#define DIRECT_MAPS	  (1U << 4)

static uint32_t otherwise(uint32_t wished)
{
	return wished > 0 ? wished : BACKGROUND_MAX;
}

static void init(void *userdata, struct fuse_conn_info *conn)
{
	struct fusefs *f = userdata;

	/*
	 * Payload is received where it is sent from; a pipe in between would
	 * cost more.  Setuid bits are the kernel's to clear, as SFTP does not
	 * say that a server does it.  Attributes come with the names, always.
	 */
	conn->want &=
		~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
			    FUSE_CAP_SPLICE_MOVE | FUSE_CAP_HANDLE_KILLPRIV |
			    FUSE_CAP_READDIRPLUS_AUTO);
	conn->want |=
		conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC |
				 FUSE_CAP_READDIRPLUS);
	f->parallel = conn->capable & FUSE_CAP_PARALLEL_DIROPS;
	f->direct_maps = conn->proto_minor >= DIRECT_MAPS_MINOR;
	conn->max_read = f->max_read; /* as the mount option says */
	conn->max_write = f->max_write;
	conn->max_background = otherwise(f->config.max_background);
	conn->congestion_threshold = otherwise(f->config.congestion);
	if (f->config.max_readahead > 0 &&
	    f->config.max_readahead < conn->max_readahead)
		conn->max_readahead = f->config.max_readahead;
	if (f->config.sync_read)
		conn->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
}

static const struct fuse_lowlevel_ops operations = {
	.init = init,
	.lookup = fusefs_lookup,
	.forget = fusefs_forget,
	.forget_multi = fusefs_forget_multi,
	.getattr = fusefs_getattr,
	.setattr = fusefs_setattr,
	.access = fusefs_access,
	.readlink = fusefs_readlink,
	.mknod = fusefs_mknod,
	.mkdir = fusefs_mkdir,
	.unlink = fusefs_unlink,
	.rmdir = fusefs_rmdir,
	.symlink = fusefs_symlink,
	.rename = fusefs_rename,
	.link = fusefs_link,
	.open = fusefs_open,
	.create = fusefs_create,
	.read = fusefs_read,
	.write = fusefs_write,
	.flush = fusefs_flush,
	.release = fusefs_release,
	.fsync = fusefs_fsync,
	.opendir = fusefs_opendir,
	.readdir = fusefs_readdir,
	.readdirplus = fusefs_readdirplus,
	.releasedir = fusefs_releasedir,
	.fsyncdir = fusefs_fsyncdir,
	.statfs = fusefs_statfs,
	.copy_file_range = fusefs_copy_file_range,
};

static uint32_t whole_pages(uint32_t size)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	return size < page ? page : size - size % page;
}

/*
 * A read of the kernel that is one piece goes through without a copy; but
 * where pieces are small, the kernel's requests are the greater cost.
 */
static uint32_t choose_read(const struct fusefs_config *config)
{
	uint32_t piece = config->fs->max_read;
	uint32_t size = FUSEFS_IO_MAX;

	if (piece >= PIECE_WORTHY && piece < size)
		size = piece;
	if (piece > 0 && piece < size / FUSEFS_ASKS)
		size = piece * FUSEFS_ASKS;
	if (config->max_read > 0 && config->max_read < size)
		size = config->max_read;
	return whole_pages(size);
}

static uint32_t choose_write(const struct fusefs_config *config)
{
	uint32_t piece = config->fs->max_write;
	uint32_t size = FUSEFS_IO_MAX;

	if (piece > 0 && piece < size / FUSEFS_ASKS)
		size = piece * FUSEFS_ASKS;
	if (config->max_write > 0 && config->max_write < size)
		size = config->max_write;
	return whole_pages(size);
}

static enum csftp_err allocate(struct fusefs *f)
{
	f->op_count = f->config.ops ? f->config.ops : OPS_DEFAULT;
	f->ops = calloc(f->op_count, sizeof(*f->ops));
	f->dirbuf = malloc(FUSEFS_DIRBUF);
	f->gather.item = calloc(f->op_count, sizeof(void *));
	if (!f->ops || !f->dirbuf || !f->gather.item)
		return CSFTP_ERR_NOMEM;
	for (uint32_t i = f->op_count; i > 0; i--) {
		f->ops[i - 1].next = f->unused;
		f->unused = &f->ops[i - 1];
	}
	f->unused_count = f->op_count;
	return inodes_new(&f->inodes);
}

/* libfuse takes the arguments apart, so it is given a copy. */
static enum csftp_err open_session(struct fusefs *f, char *const argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char option[64];
	int failed = 0;

	for (size_t i = 0; argv[i]; i++)
		failed |= fuse_opt_add_arg(&args, argv[i]);
	(void)snprintf(option, sizeof(option), "-omax_read=%u", f->max_read);
	failed |= fuse_opt_add_arg(&args, option);
	if (!failed)
		f->session = fuse_session_new(&args, &operations,
					      sizeof(operations), f);
	fuse_opt_free_args(&args);
	if (failed)
		return CSFTP_ERR_NOMEM;
	return f->session ? CSFTP_OK : CSFTP_ERR_ARG;
}

enum csftp_err fusefs_new(struct fusefs **out,
			  const struct fusefs_config *config,
			  char *const argv[])
{
	struct fusefs *f = calloc(1, sizeof(*f));
	enum csftp_err err;

	if (!f)
		return CSFTP_ERR_NOMEM;
	f->config = *config;
	f->fs = config->fs;
	f->max_read = choose_read(config);
	f->max_write = choose_write(config);
	err = allocate(f);
	if (!err)
		err = open_session(f, argv);
	if (err) {
		fusefs_free(f);
		return err;
	}
	*out = f;
	return CSFTP_OK;
}

/* How long buffers are kept that nobody uses. */
#define TRIM_MS 3000U

#define MANY_NODES 10000U

/* The C library keeps what is freed, in case that it is wanted again. */
static void give_memory_back(void)
{
	(void)malloc_trim(0);
}

/* Where the payload of a WRITE begins in its request. */
#define PAYLOAD_AT                                                             \
	(sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* Nobody holds it any more. */
static void received_release(struct csftp_buf *buf)
{
	struct received *received = (struct received *)buf;

	received->next = received->f->unheld;
	received->f->unheld = received;
}

/*
 * Room for one request, such that the payload of a WRITE begins with a page:
 * the kernel copies it page by page, and a page of its cache into two of ours
 * takes it twice the work.
 */
static struct received *received_new(struct fusefs *f)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct received *received = malloc(sizeof(*received));
	char *room = aligned_alloc(page, FUSEFS_IO_MAX + 2 * page);

	if (!received || !room) {
		free(received);
		free(room);
		return NULL;
	}
	*received = (struct received){
		.buf.release = received_release,
		.f = f,
		.mem = room + page - PAYLOAD_AT,
	};
	return received;
}

static void received_free(struct received *received)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	free((char *)received->mem + PAYLOAD_AT - page);
	free(received);
}

static struct received *received_take(struct fusefs *f)
{
	struct received *received = f->unheld;

	if (!received)
		return received_new(f);
	f->unheld = received->next;
	return received;
}

static void free_buffers(struct buffers *buffers)
{
	while (buffers->count > 0)
		free(buffers->item[--buffers->count]);
}

/* All but so many of those that nobody holds. */
static void free_received(struct fusefs *f, size_t but)
{
	struct received **at = &f->unheld;

	for (; but > 0 && *at; but--)
		at = &(*at)->next;
	while (*at) {
		struct received *received = *at;

		*at = received->next;
		received_free(received);
	}
}

/* Many names have been forgotten, and likely as much in other places. */
static bool has_shrunk(struct fusefs *f)
{
	size_t nodes = inodes_count(f->inodes);

	if (nodes > f->most_nodes)
		f->most_nodes = nodes;
	return f->most_nodes - nodes > MANY_NODES;
}

/* What a rush has left behind is not kept for the next one. */
uint64_t fusefs_trim(struct fusefs *f, uint64_t now_ms)
{
	bool spare = f->gather.count > 0 || (f->unheld && f->unheld->next) ||
		     has_shrunk(f);

	if (!spare || f->trim_ms == 0) {
		f->trim_ms = spare ? now_ms + TRIM_MS : 0;
	} else if (now_ms >= f->trim_ms) {
		free_buffers(&f->gather);
		free_received(f, 1);
		give_memory_back();
		f->most_nodes = inodes_count(f->inodes);
		f->trim_ms = 0;
	}
	return f->trim_ms;
}

void fusefs_free(struct fusefs *f)
{
	if (!f)
		return;
	fusefs_unmount(f);
	if (f->session)
		fuse_session_destroy(f->session);
	inodes_free(f->inodes);
	free_buffers(&f->gather);
	free(f->gather.item);
	free_received(f, 0);
	free(f->dirbuf);
	free(f->ops);
	free(f);
}

static ssize_t read_kernel(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buf, len);
}

/*
 * libfuse 3.14 knows that look-ups in one directory can go side by side, but
 * does not tell the kernel, which then waits a round trip for each; and of
 * mappings past the cache it does not know.
 */
static void complete_init(const struct fusefs *f, const struct iovec *iov)
{
	struct fuse_init_out *out = iov->iov_base;

	if (iov->iov_len < offsetof(struct fuse_init_out, unused))
		return;
	if (f->parallel)
		out->flags |= FUSE_PARALLEL_DIROPS;
	if (f->direct_maps) {
		out->flags |= FUSE_INIT_EXT;
		out->flags2 |= DIRECT_MAPS;
	}
}

static ssize_t write_kernel(int fd, struct iovec *iov, int count,
			    void *userdata)
{
	struct fusefs *f = userdata;

	if (!f->greeted && count == 2)
		complete_init(f, &iov[1]);
	f->greeted = true;
	return writev(fd, iov, count);
}

/* The descriptor stays the session's; only its bytes pass through us. */
static enum csftp_err pass_bytes(struct fusefs *f)
{
	static const struct fuse_custom_io io = {
		.writev = write_kernel,
		.read = read_kernel,
	};
	int fd = fuse_session_fd(f->session);

	return fuse_session_custom_io(f->session, &io, fd) == 0 ? CSFTP_OK
								: CSFTP_ERR_IO;
}

enum csftp_err fusefs_mount(struct fusefs *f, const char *mountpoint)
{
	int flags, fd;

	if (fuse_session_mount(f->session, mountpoint) != 0)
		return CSFTP_ERR_IO;
	f->mounted = true;
	fd = fuse_session_fd(f->session);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return CSFTP_ERR_IO;
	return pass_bytes(f);
}

void fusefs_unmount(struct fusefs *f)
{
	if (f->mounted)
		fuse_session_unmount(f->session);
	f->mounted = false;
}

int fusefs_fd(const struct fusefs *f)
{
	return fuse_session_fd(f->session);
}

bool fusefs_ended(const struct fusefs *f)
{
	return fuse_session_exited(f->session);
}

void fusefs_ending(struct fusefs *f)
{
	f->ending = true;
}

void fusefs_end(struct fusefs *f)
{
	fuse_session_exit(f->session);
}

bool fusefs_wants_input(const struct fusefs *f)
{
	return f->unused_count > 0 && !fusefs_ended(f);
}

/* False: there is none now. */
static bool take_request(struct fusefs *f)
{
	struct received *received = received_take(f);
	struct fuse_buf rx = {0};
	int len;

	if (!received)
		return false;
	rx.mem = received->mem;
	f->received = received;
	(void)csftp_buf_hold(&received->buf);
	len = fuse_session_receive_buf(f->session, &rx);
	if (len > 0)
		fuse_session_process_buf(f->session, &rx);
	csftp_buf_drop(&received->buf);
	return len > 0 || len == -EINTR;
}

/* libfuse keeps it to itself. */
bool fusefs_kills_setid(const struct fusefs *f)
{
	const struct fuse_write_in *in =
		(const void *)((const char *)f->received->mem +
			       sizeof(struct fuse_in_header));

	return in->write_flags & FUSE_WRITE_KILL_SUIDGID;
}

void fusefs_ready(struct fusefs *f)
{
	while (fusefs_wants_input(f) && take_request(f))
		;
}

uint32_t fusefs_pending(const struct fusefs *f)
{
	return f->op_count - f->unused_count + f->closings;
}

void fusefs_close_files(struct fusefs *f)
{
	file_close_all(f);
	dir_close_all(f);
}

bool fusefs_take_urgent(struct fusefs *f)
{
	bool urgent = f->urgent;

	f->urgent = false;
	return urgent;
}

uint32_t fusefs_lost_errors(const struct fusefs *f)
{
	return f->lost_errors;
}

uint32_t fusefs_failed_at_end(const struct fusefs *f)
{
	return f->failed_at_end;
}

size_t fusefs_nodes(const struct fusefs *f)
{
	return inodes_count(f->inodes);
}

/* Below the root; NULL: it is not. */
static const char *below_root(const struct fusefs *f, const char *path)
{
	size_t len = strlen(f->config.root);

	if (len > 0 && f->config.root[len - 1] == '/')
		len--;
	if (strncmp(path, f->config.root, len) != 0 || path[len] != '/')
		return NULL;
	return path + len + 1;
}

uint32_t fusefs_callers(const struct fusefs *f)
{
	uint32_t callers = 0;

	for (const struct fuse_op *op = f->used; op; op = op->next)
		callers += op->req != NULL;
	return callers;
}

/* A mapping keeps its file from being released, when that was closed, too. */
bool fusefs_may_be_mapped(const struct fusefs *f)
{
	const uint32_t both = CSFTP_OPEN_READ | CSFTP_OPEN_WRITE;
	const struct file *file = f->files;

	while (file && (file->released || (file->flags & both) != both))
		file = file->all_next;
	return file != NULL;
}

bool fusefs_writes_back(const struct fusefs *f)
{
	const struct fuse_op *op = f->used;

	while (op && !(op->req && op->fi.writepage))
		op = op->next;
	return op != NULL;
}

static void tell_caller(const struct fusefs *f, const struct fuse_op *op,
			void (*tell)(void *arg,
				     const struct fusefs_caller *caller),
			void *arg)
{
	uint64_t now = fusefs_now_ms();
	char path[CSFTP_PATH_MAX + 1];
	struct fusefs_caller caller = {
		.pid = op->pid,
		.op = op->asked > 0 ? csftp_op_name(op->first) : "wait",
		.path = op->path,
		.age_ms = now > op->began_ms ? now - op->began_ms : 0,
	};

	/* What works on an open file knows its node alone. */
	if (!*caller.path && op->node &&
	    inodes_path(f->inodes, f->config.root, op->node, NULL, path) == 0)
		caller.path = path;
	tell(arg, &caller);
}

void fusefs_each_caller(const struct fusefs *f,
			void (*tell)(void *arg,
				     const struct fusefs_caller *caller),
			void *arg)
{
	for (const struct fuse_op *op = f->used; op; op = op->next) {
		if (op->req)
			tell_caller(f, op, tell, arg);
	}
}

uint64_t fusefs_number(const struct fusefs *f, const char *path)
{
	const struct inode *node = inodes_root(f->inodes);
	const char *name = below_root(f, path);

	while (node && name) {
		size_t len = strcspn(name, "/");

		if (name[len] == '\0')
			return inodes_number(f->inodes, node, name, len);
		node = inodes_child(f->inodes, node, name, len);
		name += len + 1;
	}
	return 0;
}
