#include "core/sftp/msg.h"

#include <stdbool.h>
#include <string.h>

#include "core/sftp/fields.h"

#define FIELDS_MAX     5
#define EXTENDED       200
#define EXTENDED_REPLY 201

struct row {
	const char *name;
	const char *version; /* of an extension, else NULL */
	uint8_t type;
	uint8_t fields[FIELDS_MAX + 1];
};

/* The order of SYMLINK's paths is OpenSSH's, not the draft's (PROTOCOL, 4.1) */
static const struct row rows[SFTP_KINDS] = {
	[SFTP_INIT] = {"SSH_FXP_INIT", NULL, 1, {NUM, REST}},
	[SFTP_VERSION_MSG] = {"SSH_FXP_VERSION", NULL, 2, {NUM, REST}},
	[SFTP_OPEN] = {"SSH_FXP_OPEN", NULL, 3, {PATH, NUM, ATTRS}},
	[SFTP_CLOSE] = {"SSH_FXP_CLOSE", NULL, 4, {HANDLE}},
	[SFTP_READ] = {"SSH_FXP_READ", NULL, 5, {HANDLE, OFF, LEN32}},
	[SFTP_WRITE] = {"SSH_FXP_WRITE", NULL, 6, {HANDLE, OFF, DATA}},
	[SFTP_LSTAT] = {"SSH_FXP_LSTAT", NULL, 7, {PATH}},
	[SFTP_FSTAT] = {"SSH_FXP_FSTAT", NULL, 8, {HANDLE}},
	[SFTP_SETSTAT] = {"SSH_FXP_SETSTAT", NULL, 9, {PATH, ATTRS}},
	[SFTP_FSETSTAT] = {"SSH_FXP_FSETSTAT", NULL, 10, {HANDLE, ATTRS}},
	[SFTP_OPENDIR] = {"SSH_FXP_OPENDIR", NULL, 11, {PATH}},
	[SFTP_READDIR] = {"SSH_FXP_READDIR", NULL, 12, {HANDLE}},
	[SFTP_REMOVE] = {"SSH_FXP_REMOVE", NULL, 13, {PATH}},
	[SFTP_MKDIR] = {"SSH_FXP_MKDIR", NULL, 14, {PATH, ATTRS}},
	[SFTP_RMDIR] = {"SSH_FXP_RMDIR", NULL, 15, {PATH}},
	[SFTP_REALPATH] = {"SSH_FXP_REALPATH", NULL, 16, {PATH}},
	[SFTP_STAT] = {"SSH_FXP_STAT", NULL, 17, {PATH}},
	[SFTP_RENAME] = {"SSH_FXP_RENAME", NULL, 18, {PATH, PATH2}},
	[SFTP_READLINK] = {"SSH_FXP_READLINK", NULL, 19, {PATH}},
	[SFTP_SYMLINK] = {"SSH_FXP_SYMLINK", NULL, 20, {PATH2, PATH}},
	[SFTP_STATUS] = {"SSH_FXP_STATUS", NULL, 101, {NUM, PATH, PATH2}},
	[SFTP_HANDLE] = {"SSH_FXP_HANDLE", NULL, 102, {HANDLE}},
	[SFTP_DATA] = {"SSH_FXP_DATA", NULL, 103, {DATA}},
	[SFTP_NAME] = {"SSH_FXP_NAME", NULL, 104, {NUM, REST}},
	[SFTP_ATTRS] = {"SSH_FXP_ATTRS", NULL, 105, {ATTRS}},
	[SFTP_EXTENDED_REPLY] = {"SSH_FXP_EXTENDED_REPLY",
				 NULL,
				 EXTENDED_REPLY,
				 {REST}},
	[SFTP_POSIX_RENAME] = {"posix-rename@openssh.com",
			       "1",
			       EXTENDED,
			       {PATH, PATH2}},
	[SFTP_STATVFS] = {"statvfs@openssh.com", "2", EXTENDED, {PATH}},
	[SFTP_FSTATVFS] = {"fstatvfs@openssh.com", "2", EXTENDED, {HANDLE}},
	[SFTP_HARDLINK] = {"hardlink@openssh.com",
			   "1",
			   EXTENDED,
			   {PATH, PATH2}},
	[SFTP_FSYNC] = {"fsync@openssh.com", "1", EXTENDED, {HANDLE}},
	[SFTP_LSETSTAT] = {"lsetstat@openssh.com",
			   "1",
			   EXTENDED,
			   {PATH, ATTRS}},
	[SFTP_LIMITS] = {"limits@openssh.com", "1", EXTENDED, {END}},
	[SFTP_EXPAND_PATH] = {"expand-path@openssh.com", "1", EXTENDED, {PATH}},
	[SFTP_COPY_DATA] = {"copy-data",
			    "1",
			    EXTENDED,
			    {HANDLE, OFF, LEN64, HANDLE2, OFF2}},
	[SFTP_HOME_DIRECTORY] = {"home-directory", "1", EXTENDED, {PATH}},
	[SFTP_USERS_GROUPS_BY_ID] = {"users-groups-by-id@openssh.com",
				     "1",
				     EXTENDED,
				     {DATA, DATA2}},
	[SFTP_CHECK_FILE_HANDLE] = {"check-file-handle",
				    "1",
				    EXTENDED,
				    {HANDLE, DATA, OFF, LEN64, NUM}},
	[SFTP_CHECK_FILE_NAME] = {"check-file-name",
				  "1",
				  EXTENDED,
				  {PATH, DATA, OFF, LEN64, NUM}},
	[SFTP_SPACE_AVAILABLE] = {"space-available", "1", EXTENDED, {PATH}},
	[SFTP_COPY_FILE] = {"copy-file", "1", EXTENDED, {PATH, PATH2, FLAG}},
	/* Some send the structure as it is, some as a string. */
	[SFTP_VENDOR_ID] = {"vendor-id", "", EXTENDED, {REST}},
	/* check-file-handle, as clients ask that know it by this name only. */
	[SFTP_CHECK_FILE] = {"check-file",
			     "1",
			     EXTENDED,
			     {HANDLE, DATA, OFF, LEN64, NUM}},
};

static const uint8_t kind_of_type[256] = {
	[1] = SFTP_INIT,      [2] = SFTP_VERSION_MSG,
	[3] = SFTP_OPEN,      [4] = SFTP_CLOSE,
	[5] = SFTP_READ,      [6] = SFTP_WRITE,
	[7] = SFTP_LSTAT,     [8] = SFTP_FSTAT,
	[9] = SFTP_SETSTAT,   [10] = SFTP_FSETSTAT,
	[11] = SFTP_OPENDIR,  [12] = SFTP_READDIR,
	[13] = SFTP_REMOVE,   [14] = SFTP_MKDIR,
	[15] = SFTP_RMDIR,    [16] = SFTP_REALPATH,
	[17] = SFTP_STAT,     [18] = SFTP_RENAME,
	[19] = SFTP_READLINK, [20] = SFTP_SYMLINK,
	[101] = SFTP_STATUS,  [102] = SFTP_HANDLE,
	[103] = SFTP_DATA,    [104] = SFTP_NAME,
	[105] = SFTP_ATTRS,   [EXTENDED_REPLY] = SFTP_EXTENDED_REPLY,
};

static bool equals(struct wire_bytes bytes, const char *text)
{
	size_t len = strlen(text);

	return bytes.len == len && memcmp(bytes.ptr, text, len) == 0;
}

static enum sftp_kind ext_by_name(struct wire_bytes name)
{
	for (int kind = SFTP_EXT_FIRST; kind < SFTP_KINDS; kind++)
		if (equals(name, rows[kind].name))
			return (enum sftp_kind)kind;
	return SFTP_UNKNOWN;
}

enum sftp_kind sftp_ext_find(struct wire_bytes name, struct wire_bytes version)
{
	enum sftp_kind kind = name.len > 0 ? ext_by_name(name) : SFTP_UNKNOWN;

	if (kind == SFTP_UNKNOWN || !*rows[kind].version)
		return kind;
	return version.len > 0 && equals(version, rows[kind].version)
		       ? kind
		       : SFTP_UNKNOWN;
}

const char *sftp_kind_name(enum sftp_kind kind)
{
	if ((unsigned)kind >= SFTP_KINDS || !rows[kind].name)
		return "unknown";
	return rows[kind].name;
}

const char *sftp_ext_version(enum sftp_kind kind)
{
	return (unsigned)kind < SFTP_KINDS ? rows[kind].version : NULL;
}

const uint8_t *sftp_kind_fields(enum sftp_kind kind)
{
	return rows[kind].fields;
}

static bool has_id(enum sftp_kind kind)
{
	return kind != SFTP_INIT && kind != SFTP_VERSION_MSG;
}

static void get_field(struct wire_rd *rd, struct sftp_msg *msg, uint8_t field)
{
	switch ((enum sftp_field)field) {
	case END:
		break;
	case NUM:
		msg->num = wire_rd_u32(rd);
		break;
	case FLAG:
		msg->num = wire_rd_u8(rd);
		break;
	case OFF:
		msg->off = wire_rd_u64(rd);
		break;
	case OFF2:
		msg->off2 = wire_rd_u64(rd);
		break;
	case LEN32:
		msg->len = wire_rd_u32(rd);
		break;
	case LEN64:
		msg->len = wire_rd_u64(rd);
		break;
	case PATH:
		msg->path = wire_rd_string(rd, SIZE_MAX);
		break;
	case PATH2:
		msg->path2 = wire_rd_string(rd, SIZE_MAX);
		break;
	case HANDLE:
		msg->handle = wire_rd_string(rd, SFTP_HANDLE_MAX);
		break;
	case HANDLE2:
		msg->handle2 = wire_rd_string(rd, SFTP_HANDLE_MAX);
		break;
	case DATA:
		msg->data = wire_rd_string(rd, SIZE_MAX);
		break;
	case DATA2:
		msg->data2 = wire_rd_string(rd, SIZE_MAX);
		break;
	case ATTRS:
		sftp_attr_get(rd, &msg->attr);
		break;
	case REST:
		msg->data = wire_rd_rest(rd);
		break;
	}
}

enum csftp_err sftp_msg_decode(struct sftp_msg *msg, const uint8_t *body,
			       size_t len)
{
	struct wire_rd rd = {.next = body, .left = len};
	uint8_t type = wire_rd_u8(&rd);

	*msg = (struct sftp_msg){.kind = (enum sftp_kind)kind_of_type[type]};
	if (has_id(msg->kind))
		msg->id = wire_rd_u32(&rd);
	if (type == EXTENDED)
		msg->kind = ext_by_name(wire_rd_string(&rd, SIZE_MAX));
	if (rd.err == CSFTP_OK && msg->kind == SFTP_UNKNOWN)
		return CSFTP_ERR_STATE;
	for (const uint8_t *f = rows[msg->kind].fields; *f != END; f++)
		get_field(&rd, msg, *f);
	return wire_rd_end(&rd);
}

static void put_bytes(struct wire_wr *wr, struct wire_bytes bytes)
{
	wire_wr_string(wr, bytes.ptr, bytes.len);
}

static void put_field(struct wire_wr *wr, const struct sftp_msg *msg,
		      uint8_t field)
{
	switch ((enum sftp_field)field) {
	case END:
		break;
	case NUM:
		wire_wr_u32(wr, msg->num);
		break;
	case FLAG:
		wire_wr_u8(wr, msg->num != 0);
		break;
	case OFF:
		wire_wr_u64(wr, msg->off);
		break;
	case OFF2:
		wire_wr_u64(wr, msg->off2);
		break;
	case LEN32:
		wire_wr_u32(wr, (uint32_t)msg->len);
		break;
	case LEN64:
		wire_wr_u64(wr, msg->len);
		break;
	case PATH:
		put_bytes(wr, msg->path);
		break;
	case PATH2:
		put_bytes(wr, msg->path2);
		break;
	case HANDLE:
		put_bytes(wr, msg->handle);
		break;
	case HANDLE2:
		put_bytes(wr, msg->handle2);
		break;
	case DATA:
		if (msg->data.ptr)
			put_bytes(wr, msg->data);
		else
			wire_wr_u32(wr, (uint32_t)msg->data.len);
		break;
	case DATA2:
		put_bytes(wr, msg->data2);
		break;
	case ATTRS:
		sftp_attr_put(wr, &msg->attr);
		break;
	case REST:
		wire_wr_raw(wr, msg->data.ptr, msg->data.len);
		break;
	}
}

void sftp_msg_encode(struct wire_wr *wr, const struct sftp_msg *msg)
{
	const struct row *row = &rows[msg->kind];
	size_t mark = wire_wr_open(wr);

	wire_wr_u8(wr, row->type);
	if (has_id(msg->kind))
		wire_wr_u32(wr, msg->id);
	if (row->type == EXTENDED)
		wire_wr_string(wr, row->name, strlen(row->name));
	for (const uint8_t *f = row->fields; *f != END; f++)
		put_field(wr, msg, *f);
	wire_wr_close(wr, mark);
	if (!msg->data.ptr && wr->err == CSFTP_OK)
		wire_put_u32(wr->base + mark - 4,
			     (uint32_t)(wr->len - mark + msg->data.len));
}
