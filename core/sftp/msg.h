/*
 * Every SFTP v3 message: filexfer-02, section 4 of OpenSSH's PROTOCOL,
 * filexfer-extensions-00, and vendor-id of filexfer-13, 4.4.
 */
#ifndef CSFTP_CORE_SFTP_MSG_H
#define CSFTP_CORE_SFTP_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"
#include "csftp/err.h"
#include "csftp/fs.h"

#define SFTP_VERSION 3

/* Of a handle, in bytes (filexfer-02, 6.3). */
#define SFTP_HANDLE_MAX 256

/* What every implementation must take in one READ (filexfer-02, section 3). */
#define SFTP_DATA_BASE 32768U

/*
 * Each kind is one row of a table (msg.c) that names its fields in the order
 * of the wire.  Encoder and decoder, client and server all read that table.
 * Extended requests are kinds like any other, in the order of CSFTP_EXT_*.
 */
enum sftp_kind {
	SFTP_UNKNOWN, /* a type or an extension that has no row */
	SFTP_INIT,
	SFTP_VERSION_MSG,
	SFTP_OPEN,
	SFTP_CLOSE,
	SFTP_READ,
	SFTP_WRITE,
	SFTP_LSTAT,
	SFTP_FSTAT,
	SFTP_SETSTAT,
	SFTP_FSETSTAT,
	SFTP_OPENDIR,
	SFTP_READDIR,
	SFTP_REMOVE,
	SFTP_MKDIR,
	SFTP_RMDIR,
	SFTP_REALPATH,
	SFTP_STAT,
	SFTP_RENAME,
	SFTP_READLINK,
	SFTP_SYMLINK,
	SFTP_STATUS,
	SFTP_HANDLE,
	SFTP_DATA,
	SFTP_NAME,
	SFTP_ATTRS,
	SFTP_EXTENDED_REPLY,
	SFTP_POSIX_RENAME,
	SFTP_STATVFS,
	SFTP_FSTATVFS,
	SFTP_HARDLINK,
	SFTP_FSYNC,
	SFTP_LSETSTAT,
	SFTP_LIMITS,
	SFTP_EXPAND_PATH,
	SFTP_COPY_DATA,
	SFTP_HOME_DIRECTORY,
	SFTP_USERS_GROUPS_BY_ID,
	SFTP_CHECK_FILE_HANDLE,
	SFTP_CHECK_FILE_NAME,
	SFTP_SPACE_AVAILABLE,
	SFTP_COPY_FILE,
	SFTP_VENDOR_ID,
	SFTP_CHECK_FILE,
	SFTP_KINDS
};

#define SFTP_EXT_FIRST SFTP_POSIX_RENAME
#define SFTP_EXT_COUNT (SFTP_KINDS - SFTP_EXT_FIRST)

/*
 * Any message.  Which fields count depends on the kind; the others are zero.
 * The bytes are borrowed from the packet, or from the caller who encodes.
 */
struct sftp_msg {
	enum sftp_kind kind;
	uint32_t id; /* of all but INIT and VERSION */
	/* version, pflags, status, count of names, size of a block, flag */
	uint32_t num;
	uint64_t off;
	uint64_t off2; /* copy-data: of the file written to */
	uint64_t len;
	struct wire_bytes path;	 /* also a user's name, a status' text */
	struct wire_bytes path2; /* a new name, a link's target, a language */
	struct wire_bytes handle;
	struct wire_bytes handle2; /* copy-data: the file written to */
	struct wire_bytes data;	   /* payload; ids; algorithms; all the rest */
	struct wire_bytes data2;   /* users-groups-by-id: the groups */
	struct csftp_attr attr;
};

/*
 * body is a packet without its length.  kind and id are set as far as they
 * could be read, whatever is returned: they say what to answer.
 * CSFTP_ERR_TRAILING: all fields are there, and bytes behind them.
 * A kind without a row: SFTP_UNKNOWN and CSFTP_ERR_STATE.
 */
CSFTP_MUST_CHECK enum csftp_err
sftp_msg_decode(struct sftp_msg *msg, const uint8_t *body, size_t len);

/*
 * Appends a packet with its length.  A data with a NULL ptr and a len is
 * announced but not written: the caller sends those bytes right behind.
 */
void sftp_msg_encode(struct wire_wr *wr, const struct sftp_msg *msg);

/* "SSH_FXP_OPEN", or the extension's name; static. */
const char *sftp_kind_name(enum sftp_kind kind);

/*
 * The version an extension is announced with; NULL for what is none; "" where
 * it is announced with data of its own (vendor-id).
 */
const char *sftp_ext_version(enum sftp_kind kind);

/*
 * The kind of a pair of VERSION; SFTP_UNKNOWN unless both are as ours, but
 * for data of its own, which is not looked at.
 */
enum sftp_kind sftp_ext_find(struct wire_bytes name, struct wire_bytes version);

/* ATTRS (filexfer-02, section 5).  Times outside of 32 bits are clamped. */
void sftp_attr_put(struct wire_wr *wr, const struct csftp_attr *attr);
void sftp_attr_get(struct wire_rd *rd, struct csftp_attr *attr);

/* One entry of SSH_FXP_NAME (filexfer-02, section 7). */
void sftp_entry_put(struct wire_wr *wr, const struct csftp_entry *entry);
void sftp_entry_get(struct wire_rd *rd, struct csftp_entry *entry);

/* The body of the reply to statvfs@openssh.com and fstatvfs@openssh.com. */
void sftp_statfs_put(struct wire_wr *wr, const struct csftp_statfs *fs);
void sftp_statfs_get(struct wire_rd *rd, struct csftp_statfs *fs);

/* The body of the reply to space-available (filexfer-extensions-00, 4). */
void sftp_space_put(struct wire_wr *wr, const struct csftp_statfs *fs);

/* The body of the reply to limits@openssh.com; 0: the server does not say. */
struct sftp_limits {
	uint64_t packet;
	uint64_t read;
	uint64_t write;
	uint64_t handles;
};

void sftp_limits_put(struct wire_wr *wr, const struct sftp_limits *limits);
void sftp_limits_get(struct wire_rd *rd, struct sftp_limits *limits);

#endif
