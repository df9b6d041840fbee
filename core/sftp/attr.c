#include "core/sftp/msg.h"

/* SSH_FILEXFER_ATTR_* (filexfer-02, section 5). */
#define ATTR_SIZE	 0x00000001U
#define ATTR_UIDGID	 0x00000002U
#define ATTR_PERMISSIONS 0x00000004U
#define ATTR_ACMODTIME	 0x00000008U
#define ATTR_EXTENDED	 0x80000000U

#define BOTH_IDS   (CSFTP_ATTR_UID | CSFTP_ATTR_GID)
#define BOTH_TIMES (CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME)

static uint32_t seconds(const struct csftp_time *time)
{
	if (time->sec < 0)
		return 0;
	return time->sec > UINT32_MAX ? UINT32_MAX : (uint32_t)time->sec;
}

/* Ids and times travel in pairs only: half a pair is not sent. */
static uint32_t wire_flags(uint32_t mask)
{
	uint32_t flags = 0;

	if (mask & CSFTP_ATTR_SIZE)
		flags |= ATTR_SIZE;
	if ((mask & BOTH_IDS) == BOTH_IDS)
		flags |= ATTR_UIDGID;
	if (mask & CSFTP_ATTR_MODE)
		flags |= ATTR_PERMISSIONS;
	if ((mask & BOTH_TIMES) == BOTH_TIMES)
		flags |= ATTR_ACMODTIME;
	return flags;
}

void sftp_attr_put(struct wire_wr *wr, const struct csftp_attr *attr)
{
	uint32_t flags = wire_flags(attr->mask);

	wire_wr_u32(wr, flags);
	if (flags & ATTR_SIZE)
		wire_wr_u64(wr, attr->size);
	if (flags & ATTR_UIDGID) {
		wire_wr_u32(wr, attr->uid);
		wire_wr_u32(wr, attr->gid);
	}
	if (flags & ATTR_PERMISSIONS)
		wire_wr_u32(wr, attr->mode);
	if (flags & ATTR_ACMODTIME) {
		wire_wr_u32(wr, seconds(&attr->atime));
		wire_wr_u32(wr, seconds(&attr->mtime));
	}
}

/* Pairs of type and data that nobody here knows. */
static void skip_extended(struct wire_rd *rd)
{
	uint32_t count = wire_rd_u32(rd);

	while (count > 0 && rd->err == CSFTP_OK) {
		(void)wire_rd_string(rd, SIZE_MAX);
		(void)wire_rd_string(rd, SIZE_MAX);
		count--;
	}
}

void sftp_attr_get(struct wire_rd *rd, struct csftp_attr *attr)
{
	uint32_t flags = wire_rd_u32(rd);

	*attr = (struct csftp_attr){.mask = 0};
	if (flags & ATTR_SIZE) {
		attr->size = wire_rd_u64(rd);
		attr->mask |= CSFTP_ATTR_SIZE;
	}
	if (flags & ATTR_UIDGID) {
		attr->uid = wire_rd_u32(rd);
		attr->gid = wire_rd_u32(rd);
		attr->mask |= BOTH_IDS;
	}
	if (flags & ATTR_PERMISSIONS) {
		attr->mode = wire_rd_u32(rd);
		attr->mask |= CSFTP_ATTR_MODE;
	}
	if (flags & ATTR_ACMODTIME) {
		attr->atime.sec = wire_rd_u32(rd);
		attr->mtime.sec = wire_rd_u32(rd);
		attr->mask |= BOTH_TIMES;
	}
	if (flags & ATTR_EXTENDED)
		skip_extended(rd);
}

void sftp_entry_put(struct wire_wr *wr, const struct csftp_entry *entry)
{
	wire_wr_string(wr, entry->name.ptr, entry->name.len);
	wire_wr_string(wr, entry->longname.ptr, entry->longname.len);
	sftp_attr_put(wr, &entry->attr);
}

void sftp_entry_get(struct wire_rd *rd, struct csftp_entry *entry)
{
	struct wire_bytes name = wire_rd_string(rd, SIZE_MAX);
	struct wire_bytes longname = wire_rd_string(rd, SIZE_MAX);

	entry->name = (struct csftp_slice){name.ptr, name.len};
	entry->longname = (struct csftp_slice){longname.ptr, longname.len};
	sftp_attr_get(rd, &entry->attr);
}

void sftp_statfs_put(struct wire_wr *wr, const struct csftp_statfs *fs)
{
	wire_wr_u64(wr, fs->bsize);
	wire_wr_u64(wr, fs->frsize);
	wire_wr_u64(wr, fs->blocks);
	wire_wr_u64(wr, fs->bfree);
	wire_wr_u64(wr, fs->bavail);
	wire_wr_u64(wr, fs->files);
	wire_wr_u64(wr, fs->ffree);
	wire_wr_u64(wr, fs->favail);
	wire_wr_u64(wr, fs->fsid);
	wire_wr_u64(wr, fs->flag);
	wire_wr_u64(wr, fs->namemax);
}

void sftp_statfs_get(struct wire_rd *rd, struct csftp_statfs *fs)
{
	fs->bsize = wire_rd_u64(rd);
	fs->frsize = wire_rd_u64(rd);
	fs->blocks = wire_rd_u64(rd);
	fs->bfree = wire_rd_u64(rd);
	fs->bavail = wire_rd_u64(rd);
	fs->files = wire_rd_u64(rd);
	fs->ffree = wire_rd_u64(rd);
	fs->favail = wire_rd_u64(rd);
	fs->fsid = wire_rd_u64(rd);
	fs->flag = wire_rd_u64(rd);
	fs->namemax = wire_rd_u64(rd);
}

/* What a file system of impossible size would overflow is the most there is */
static uint64_t bytes_of(uint64_t blocks, uint64_t size)
{
	uint64_t bytes;

	return __builtin_mul_overflow(blocks, size, &bytes) ? UINT64_MAX
							    : bytes;
}

/*
 * Quotas are not known here: what is available to the user is taken for all
 * that is used and what may be used still.
 */
void sftp_space_put(struct wire_wr *wr, const struct csftp_statfs *fs)
{
	uint64_t used = fs->blocks > fs->bfree ? fs->blocks - fs->bfree : 0;

	wire_wr_u64(wr, bytes_of(fs->blocks, fs->frsize));
	wire_wr_u64(wr, bytes_of(fs->bfree, fs->frsize));
	wire_wr_u64(wr, bytes_of(used + fs->bavail, fs->frsize));
	wire_wr_u64(wr, bytes_of(fs->bavail, fs->frsize));
	wire_wr_u32(wr, fs->frsize > UINT32_MAX ? UINT32_MAX
						: (uint32_t)fs->frsize);
}

void sftp_limits_put(struct wire_wr *wr, const struct sftp_limits *limits)
{
	wire_wr_u64(wr, limits->packet);
	wire_wr_u64(wr, limits->read);
	wire_wr_u64(wr, limits->write);
	wire_wr_u64(wr, limits->handles);
}

void sftp_limits_get(struct wire_rd *rd, struct sftp_limits *limits)
{
	limits->packet = wire_rd_u64(rd);
	limits->read = wire_rd_u64(rd);
	limits->write = wire_rd_u64(rd);
	limits->handles = wire_rd_u64(rd);
}
