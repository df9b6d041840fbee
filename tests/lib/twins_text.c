#include "tests/lib/twins_text.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

static const uint8_t handle_marks[TWINS_HANDLES];

struct wire_bytes twins_handle(unsigned i)
{
	return (struct wire_bytes){&handle_marks[i], 1};
}

/* Answers as text. */

void twins_say(char *said, const char *format, ...)
{
	size_t len = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + len, TWINS_SAID_MAX - len, format, args);
	va_end(args);
}

static void say_bytes(char *said, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] > ' ' && bytes[i] <= '~' && bytes[i] != '\\')
			twins_say(said, "%c", bytes[i]);
		else
			twins_say(said, "\\%02x", bytes[i]);
	}
}

/* The tree's own path is the same for both. */
static void say_path(char *said, const struct twin *twin,
		     struct csftp_slice path)
{
	size_t len = strlen(twin->root);

	if (path.len >= len && memcmp(path.ptr, twin->root, len) == 0) {
		twins_say(said, "<tree>");
		say_bytes(said, (const uint8_t *)path.ptr + len,
			  path.len - len);
	} else {
		say_bytes(said, path.ptr, path.len);
	}
}

/* Times of this run are the same, too. */
static void say_time(char *said, const struct twins *twins, int64_t sec)
{
	if (sec >= twins->began)
		twins_say(said, " now");
	else
		twins_say(said, " %lld", (long long)sec);
}

static void say_attr(char *said, const struct twins *twins,
		     const struct csftp_attr *attr)
{
	twins_say(said, "%x", attr->mask);
	if (attr->mask & CSFTP_ATTR_SIZE)
		twins_say(said, " size %llu", (unsigned long long)attr->size);
	if (attr->mask & CSFTP_ATTR_UID)
		twins_say(said, " %u:%u", attr->uid, attr->gid);
	if (attr->mask & CSFTP_ATTR_MODE)
		twins_say(said, " %o", attr->mode);
	if (attr->mask & CSFTP_ATTR_ATIME) {
		say_time(said, twins, attr->atime.sec);
		say_time(said, twins, attr->mtime.sec);
	}
}

/* "Nov 22 10:00" stands before the name. */
#define DATE_LEN 13

static void say_entry(char *said, const struct twins *twins,
		      const struct twin *twin, struct wire_rd *rd)
{
	struct csftp_entry entry;
	size_t shown;

	sftp_entry_get(rd, &entry);
	assert_int_equal(rd->err, CSFTP_OK);
	twins_say(said, " <");
	say_path(said, twin, entry.name);
	twins_say(said, "|");
	shown = entry.longname.len;
	if (entry.attr.mask == 0)
		say_path(said, twin, entry.longname);
	else if (entry.attr.mtime.sec >= twins->began)
		say_bytes(said, entry.longname.ptr,
			  shown - entry.name.len - DATE_LEN);
	else
		say_bytes(said, entry.longname.ptr, shown);
	twins_say(said, "|");
	say_attr(said, twins, &entry.attr);
	twins_say(said, ">");
}

static void say_data(char *said, struct wire_bytes data)
{
	uint64_t hash = 14695981039346656037U;

	for (size_t i = 0; i < data.len; i++)
		hash = (hash ^ data.ptr[i]) * 1099511628211U;
	twins_say(said, "DATA %zu ", data.len);
	say_bytes(said, data.ptr, data.len < 40 ? data.len : 40);
	twins_say(said, " %016llx", (unsigned long long)hash);
}

/* How much is free changes between two questions. */
static void say_reply(char *said, const struct sftp_msg *answer)
{
	struct wire_rd rd = {.next = answer->data.ptr,
			     .left = answer->data.len};
	struct csftp_statfs fs;

	twins_say(said, "REPLY ");
	if (answer->data.len != 88) {
		say_bytes(said, answer->data.ptr, answer->data.len);
		return;
	}
	sftp_statfs_get(&rd, &fs);
	twins_say(said, "%llu %llu %llu %llu %llx %llx %llu",
		  (unsigned long long)fs.bsize, (unsigned long long)fs.frsize,
		  (unsigned long long)fs.blocks, (unsigned long long)fs.files,
		  (unsigned long long)fs.fsid, (unsigned long long)fs.flag,
		  (unsigned long long)fs.namemax);
}

void twins_say_answer(const struct twins *twins, struct twin *twin)
{
	const struct sftp_msg *answer = &twin->answer;
	struct wire_rd rd = {.next = answer->data.ptr,
			     .left = answer->data.len};
	char *said = twin->said;

	switch ((int)answer->kind) {
	case SFTP_STATUS:
		twins_say(said, "STATUS %u", answer->num);
		assert_true(answer->path.len > 0);
		break;
	case SFTP_HANDLE:
		twins_say(said, "HANDLE");
		break;
	case SFTP_DATA:
		say_data(said, answer->data);
		break;
	case SFTP_NAME:
		twins_say(said, "NAME %u", answer->num);
		while (rd.left > 0)
			say_entry(said, twins, twin, &rd);
		break;
	case SFTP_ATTRS:
		twins_say(said, "ATTRS ");
		say_attr(said, twins, &answer->attr);
		break;
	case SFTP_EXTENDED_REPLY:
		say_reply(said, answer);
		break;
	case SFTP_VERSION_MSG:
		twins_say(said, "VERSION %u ", answer->num);
		say_bytes(said, answer->data.ptr, answer->data.len);
		break;
	default:
		twins_say(said, "an answer of kind %d", (int)answer->kind);
		break;
	}
}

/* Requests as text. */

static void ask_bytes(char *text, const char *name, struct wire_bytes bytes)
{
	if (!bytes.ptr)
		return;
	for (unsigned i = 0; i < TWINS_HANDLES; i++) {
		if (bytes.ptr == &handle_marks[i]) {
			twins_say(text, " %s #%u", name, i);
			return;
		}
	}
	twins_say(text, " %s ", name);
	say_bytes(text, bytes.ptr, bytes.len < 60 ? bytes.len : 60);
}

void twins_say_request(char *text, const struct sftp_msg *msg, int more)
{
	const char *name = sftp_kind_name(msg->kind);

	if (strncmp(name, "SSH_FXP_", 8) == 0)
		name += 8;
	twins_say(text, "%s", name);
	ask_bytes(text, "path", msg->path);
	ask_bytes(text, "to", msg->path2);
	ask_bytes(text, "handle", msg->handle);
	ask_bytes(text, "handle", msg->handle2);
	if (msg->num)
		twins_say(text, " num %x", msg->num);
	if (msg->off || msg->off2 || msg->len)
		twins_say(text, " off %llx len %llx off %llx",
			  (unsigned long long)msg->off,
			  (unsigned long long)msg->len,
			  (unsigned long long)msg->off2);
	if (msg->data.ptr)
		twins_say(text, " data %zu", msg->data.len);
	if (msg->attr.mask)
		twins_say(text, " attr %x size %llx mode %o", msg->attr.mask,
			  (unsigned long long)msg->attr.size, msg->attr.mode);
	if (more)
		twins_say(text, " %+d", more);
}
