#include <errno.h>
#include <string.h>

#include "core/layer/relay.h"
#include "core/layer/why_impl.h"

/*
 * What Linux says, in the order in which it looks.  A reason that cannot be
 * seen is none: a wrong errno is worse than EIO.
 */

/* The largest file of FAT in bytes, and of ext4 in blocks. */
#define SIZE_MAX_FAT	0xffffffffU
#define BLOCKS_MAX_EXT4 0xffffffffU

static bool is_dir(const struct why_facts *facts, int which)
{
	return facts->exists[which] && facts->type[which] == CSFTP_S_IFDIR;
}

static bool is_file(const struct why_facts *facts, int which)
{
	return facts->exists[which] && !is_dir(facts, which);
}

static int is_read_only(const struct why_space *space)
{
	return space->known && (space->is.flag & CSFTP_ST_RDONLY) ? EROFS : 0;
}

static int read_only(const struct why_facts *facts, int which)
{
	return is_read_only(&facts->around[which]);
}

/* Whether there are so few bytes left. */
static int has_less(const struct why_space *space, uint64_t needed)
{
	uint64_t bytes;

	if (!space->known ||
	    __builtin_mul_overflow(space->is.bavail, space->is.frsize, &bytes))
		return 0;
	return bytes < needed ? ENOSPC : 0;
}

static int no_space(const struct why_facts *facts, int which, uint64_t needed)
{
	return has_less(&facts->around[which], needed);
}

/*
 * Where what has the name is: a mount point is not where its name is.  A link
 * is there, but its space would be that of what it leads to.
 */
static const struct why_space *own_space(const struct why_facts *facts)
{
	bool leads = facts->type[0] != CSFTP_S_IFDIR &&
		     facts->type[0] != CSFTP_S_IFREG;

	return leads || !facts->inside[0].known ? &facts->around[0]
						: &facts->inside[0];
}

/* Or no files.  Some file systems do not count them. */
static int no_room(const struct why_facts *facts, int which)
{
	const struct csftp_statfs *is = &facts->around[which].is;

	if (facts->around[which].known && is->files > 0 && is->favail == 0)
		return ENOSPC;
	return no_space(facts, which, 1);
}

static int either(int first, int second)
{
	return first ? first : second;
}

/* One is mounted to be read only, so they are two mounts. */
static bool differ_in_rights(const struct csftp_statfs *a,
			     const struct csftp_statfs *b)
{
	return (a->flag ^ b->flag) & CSFTP_ST_RDONLY;
}

/* Some servers tell none: then its size has to say that it is another one. */
static bool have_numbers(const struct csftp_statfs *a,
			 const struct csftp_statfs *b)
{
	return a->fsid || b->fsid;
}

static bool differ_in_size(const struct csftp_statfs *a,
			   const struct csftp_statfs *b)
{
	return a->blocks != b->blocks || a->frsize != b->frsize;
}

/*
 * Another file system begins there.  One with the same space is no other one,
 * but a part, as the subvolumes of btrfs are, which can be removed.
 */
static bool is_mount(const struct why_facts *facts, int which)
{
	const struct csftp_statfs *out = &facts->around[which].is;
	const struct csftp_statfs *in = &facts->inside[which].is;
	uint32_t type = facts->type[which];

	if (!facts->exists[which] || !facts->around[which].known ||
	    !facts->inside[which].known ||
	    (type != CSFTP_S_IFDIR && type != CSFTP_S_IFREG))
		return false;
	return differ_in_rights(out, in) ||
	       (!have_numbers(out, in) && differ_in_size(out, in)) ||
	       (out->fsid != in->fsid &&
		(differ_in_size(out, in) || out->bfree != in->bfree ||
		 out->files != in->files));
}

static bool has_long_name(const struct why_facts *facts, int which,
			  const char *path)
{
	const struct why_space *space = &facts->around[which];

	return path && space->known && space->is.namemax > 0 &&
	       strlen(why_name(path)) > space->is.namemax;
}

/* The numbers of links at which file systems end. */
static int no_links(const struct why_facts *facts)
{
	static const uint64_t ends[] = {
		1024,  /* NTFS */
		32000, /* ext2, ext3 */
		65000, /* ext4 */
		65535, /* btrfs */
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (facts->links == ends[i])
			return EMLINK;
	return 0;
}

/* A file that ends beyond it already shows that there is no such limit. */
static int no_such_size(const struct why_facts *facts, uint64_t end)
{
	const struct csftp_statfs *is = &facts->around[0].is;
	uint64_t max;

	if (!facts->exists[0] || !facts->has_size || end <= facts->size)
		return 0;
	if (facts->size == SIZE_MAX_FAT)
		return EFBIG;
	if (!facts->around[0].known || is->frsize == 0 ||
	    __builtin_mul_overflow(is->frsize, (uint64_t)BLOCKS_MAX_EXT4, &max))
		return 0;
	return facts->size <= max && end > max ? EFBIG : 0;
}

/* Something was to be made at path. */
static int why_not_made(const struct why_facts *facts,
			const struct csftp_req *req)
{
	if (has_long_name(facts, 0, req->path))
		return ENAMETOOLONG;
	if (facts->exists[0])
		return EEXIST;
	return either(read_only(facts, 0),
		      either(no_room(facts, 0), no_links(facts)));
}

static int why_not_removed(const struct why_facts *facts, enum csftp_op op)
{
	if (read_only(facts, 0))
		return EROFS;
	if (op == CSFTP_OP_UNLINK && is_dir(facts, 0))
		return EISDIR;
	if (op == CSFTP_OP_RMDIR && is_file(facts, 0))
		return ENOTDIR;
	if (is_mount(facts, 0))
		return EBUSY;
	return op == CSFTP_OP_RMDIR && facts->has_names[0] ? ENOTEMPTY : 0;
}

/* Really below: not itself. */
static bool is_below(const char *path, const char *top)
{
	return relay_is_in(path, top) && !relay_is_in(top, path);
}

static int other_file_system(const struct why_facts *facts)
{
	const struct csftp_statfs *from = &facts->around[0].is;
	const struct csftp_statfs *to = &facts->around[1].is;

	if (!facts->around[0].known || !facts->around[1].known)
		return 0;
	return from->fsid != to->fsid || differ_in_rights(from, to) ||
			       (!have_numbers(from, to) &&
				differ_in_size(from, to))
		       ? EXDEV
		       : 0;
}

static int why_not_renamed(const struct why_facts *facts,
			   const struct csftp_req *req)
{
	if (has_long_name(facts, 1, req->path2))
		return ENAMETOOLONG;
	if (other_file_system(facts))
		return EXDEV;
	if (read_only(facts, 1))
		return EROFS;
	if (facts->exists[1] && !(req->flags & CSFTP_REPLACE))
		return EEXIST;
	if (is_dir(facts, 0) && is_below(req->path2, req->path))
		return EINVAL;
	/* It is below what it was to replace. */
	if (facts->exists[1] && is_below(req->path, req->path2))
		return ENOTEMPTY;
	if (is_dir(facts, 0) && is_file(facts, 1))
		return ENOTDIR;
	if (is_file(facts, 0) && is_dir(facts, 1))
		return EISDIR;
	if (is_mount(facts, 0) || is_mount(facts, 1))
		return EBUSY;
	if (facts->has_names[1])
		return ENOTEMPTY;
	return either(no_room(facts, 1), no_links(facts));
}

static int why_not_linked(const struct why_facts *facts,
			  const struct csftp_req *req)
{
	if (has_long_name(facts, 1, req->path2))
		return ENAMETOOLONG;
	if (facts->exists[1])
		return EEXIST;
	if (read_only(facts, 1))
		return EROFS;
	if (other_file_system(facts))
		return EXDEV;
	if (is_dir(facts, 0))
		return EPERM;
	return either(no_room(facts, 1), no_links(facts));
}

static int why_not_opened(const struct why_facts *facts,
			  const struct csftp_req *req)
{
	if ((req->flags & CSFTP_OPEN_CREAT) && !facts->exists[0] &&
	    has_long_name(facts, 0, req->path))
		return ENAMETOOLONG;
	if (facts->exists[0] && (req->flags & CSFTP_OPEN_CREAT) &&
	    (req->flags & CSFTP_OPEN_EXCL))
		return EEXIST;
	if (is_dir(facts, 0))
		return EISDIR;
	return either(read_only(facts, 0),
		      facts->exists[0] ? 0 : no_room(facts, 0));
}

static int why_not_set(const struct why_facts *facts,
		       const struct csftp_req *req)
{
	const struct why_space *space = own_space(facts);
	bool sized = req->attr && (req->attr->mask & CSFTP_ATTR_SIZE);

	if (sized && is_dir(facts, 0))
		return EISDIR;
	if (is_read_only(space) || !sized)
		return is_read_only(space);
	return either(no_such_size(facts, req->attr->size), has_less(space, 1));
}

static int why_not_written(const struct why_facts *facts,
			   const struct csftp_req *req)
{
	uint64_t end;

	if (__builtin_add_overflow(req->off, req->len, &end))
		return EFBIG;
	return either(
		read_only(facts, 0),
		either(no_such_size(facts, end), no_space(facts, 0, req->len)));
}

/*
 * OpenSSH refuses to copy within a file.  Whatever else it is, the asker can
 * read and write instead, and is told by these calls what is wrong.
 */
static int why_not_copied(const struct why_facts *facts)
{
	int err = either(read_only(facts, 1), no_space(facts, 1, 1));

	return err ? err : EOPNOTSUPP;
}

int why_verdict(const struct why_facts *facts, const struct csftp_req *req)
{
	switch (req->op) {
	case CSFTP_OP_MKDIR:
	case CSFTP_OP_SYMLINK:
		return why_not_made(facts, req);
	case CSFTP_OP_RMDIR:
	case CSFTP_OP_UNLINK:
		return why_not_removed(facts, req->op);
	case CSFTP_OP_LINK:
		return why_not_linked(facts, req);
	case CSFTP_OP_RENAME:
		return why_not_renamed(facts, req);
	case CSFTP_OP_OPEN:
		return why_not_opened(facts, req);
	case CSFTP_OP_SETATTR:
		return why_not_set(facts, req);
	case CSFTP_OP_WRITE:
		return why_not_written(facts, req);
	case CSFTP_OP_FSYNC:
		return no_space(facts, 0, 1);
	case CSFTP_OP_COPY_RANGE:
		return why_not_copied(facts);
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

/* Everybody may write there, but not remove what is another's. */
static bool is_sticky(const struct why_facts *facts, int which)
{
	return (facts->around_mode[which] & 01777) == 01777;
}

static bool is_open(const struct why_facts *facts, int which)
{
	return (facts->around_mode[which] & 0777) == 0777;
}

static bool same_directory(const char *a, const char *b)
{
	size_t len = (size_t)(why_name(a) - a);

	return len == (size_t)(why_name(b) - b) && memcmp(a, b, len) == 0;
}

/*
 * Of what can be looked at, only its owner may change mode, owner and times;
 * but who sets the times to now has to be allowed to write it.
 */
static bool is_owners_to_set(const struct why_facts *facts,
			     const struct csftp_attr *set)
{
	const uint32_t now = CSFTP_ATTR_ATIME_NOW | CSFTP_ATTR_MTIME_NOW;

	return facts->exists[0] && !(set->mask & CSFTP_ATTR_SIZE) &&
	       (set->mask & now) != now;
}

bool why_not_permitted(const struct why_facts *facts,
		       const struct csftp_req *req)
{
	if (req->op == CSFTP_OP_SETATTR)
		return is_owners_to_set(facts, req->attr);
	if (req->op == CSFTP_OP_UNLINK || req->op == CSFTP_OP_RMDIR)
		return facts->exists[0] && is_sticky(facts, 0);
	if (req->op != CSFTP_OP_RENAME || !facts->exists[0] ||
	    !is_open(facts, 0) || !is_open(facts, 1))
		return false;
	/* A directory that gets another parent is written to itself. */
	if (is_dir(facts, 0) && !same_directory(req->path, req->path2))
		return false;
	return is_sticky(facts, 0) || (facts->exists[1] && is_sticky(facts, 1));
}

/*
 * What is said of names
 */

const char *why_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "-rw-r--r--    2 user ..." */
uint64_t why_links(const struct csftp_slice *longname)
{
	const char *at = longname->ptr;
	const char *end = at ? at + longname->len : NULL;
	uint64_t count = 0;

	while (at < end && *at != ' ')
		at++;
	while (at < end && *at == ' ')
		at++;
	for (; at < end && *at >= '0' && *at <= '9' && count < UINT32_MAX; at++)
		count = count * 10 + (uint64_t)(*at - '0');
	return at < end && *at == ' ' ? count : 0;
}
