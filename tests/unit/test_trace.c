/* Messages as lines for people. */
#include "core/sftp/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "csftp/remote.h"
#include "tests/lib/later.h"
#include "tests/lib/served.h"
#include "tests/lib/test.h"

static char line[SFTP_TRACE_MAX];

static const char *trace(const struct sftp_msg *msg, enum sftp_way way)
{
	uint8_t buf[16384];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	sftp_msg_encode(&wr, msg);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	sftp_trace(line, way, buf + 4, wr.len - 4, wire_get_u32(buf));
	return line;
}

static const char *const lines[SFTP_KINDS] = {
	[SFTP_INIT] = "<- INIT 3",
	[SFTP_VERSION_MSG] = "<- VERSION 3 bytes 4",
	[SFTP_OPEN] = "<- 7 OPEN \"path\" pflags 0x3 mode 0644",
	[SFTP_CLOSE] = "<- 7 CLOSE handle 6831",
	[SFTP_READ] = "<- 7 READ handle 6831 offset 10 length 20",
	[SFTP_WRITE] = "<- 7 WRITE handle 6831 offset 10 bytes 4",
	[SFTP_LSTAT] = "<- 7 LSTAT \"path\"",
	[SFTP_FSTAT] = "<- 7 FSTAT handle 6831",
	[SFTP_SETSTAT] = "<- 7 SETSTAT \"path\" mode 0644",
	[SFTP_FSETSTAT] = "<- 7 FSETSTAT handle 6831 mode 0644",
	[SFTP_OPENDIR] = "<- 7 OPENDIR \"path\"",
	[SFTP_READDIR] = "<- 7 READDIR handle 6831",
	[SFTP_REMOVE] = "<- 7 REMOVE \"path\"",
	[SFTP_MKDIR] = "<- 7 MKDIR \"path\" mode 0644",
	[SFTP_RMDIR] = "<- 7 RMDIR \"path\"",
	[SFTP_REALPATH] = "<- 7 REALPATH \"path\"",
	[SFTP_STAT] = "<- 7 STAT \"path\"",
	[SFTP_RENAME] = "<- 7 RENAME \"path\" \"other\"",
	[SFTP_READLINK] = "<- 7 READLINK \"path\"",
	[SFTP_SYMLINK] = "<- 7 SYMLINK \"other\" \"path\"",
	[SFTP_STATUS] = "<- 7 STATUS 3 \"path\"",
	[SFTP_HANDLE] = "<- 7 HANDLE handle 6831",
	[SFTP_DATA] = "<- 7 DATA bytes 4",
	[SFTP_NAME] = "<- 7 NAME names 3 bytes 4",
	[SFTP_ATTRS] = "<- 7 ATTRS mode 0644",
	[SFTP_EXTENDED_REPLY] = "<- 7 EXTENDED_REPLY bytes 4",
	[SFTP_POSIX_RENAME] = "<- 7 posix-rename@openssh.com \"path\" "
			      "\"other\"",
	[SFTP_STATVFS] = "<- 7 statvfs@openssh.com \"path\"",
	[SFTP_FSTATVFS] = "<- 7 fstatvfs@openssh.com handle 6831",
	[SFTP_HARDLINK] = "<- 7 hardlink@openssh.com \"path\" "
			  "\"other\"",
	[SFTP_FSYNC] = "<- 7 fsync@openssh.com handle 6831",
	[SFTP_LSETSTAT] = "<- 7 lsetstat@openssh.com \"path\" "
			  "mode 0644",
	[SFTP_LIMITS] = "<- 7 limits@openssh.com",
	[SFTP_EXPAND_PATH] = "<- 7 expand-path@openssh.com \"path\"",
	[SFTP_COPY_DATA] = "<- 7 copy-data handle 6831 offset 10 "
			   "length 20 to handle 6832 offset 30",
	[SFTP_HOME_DIRECTORY] = "<- 7 home-directory \"path\"",
	[SFTP_USERS_GROUPS_BY_ID] =
		"<- 7 users-groups-by-id@openssh.com bytes 4 bytes 8",
	[SFTP_CHECK_FILE_HANDLE] =
		"<- 7 check-file-handle handle 6831 \"1234\" offset 10 "
		"length 20 block 3",
	[SFTP_CHECK_FILE_NAME] =
		"<- 7 check-file-name \"path\" \"1234\" offset 10 "
		"length 20 block 3",
	[SFTP_SPACE_AVAILABLE] = "<- 7 space-available \"path\"",
	[SFTP_COPY_FILE] = "<- 7 copy-file \"path\" \"other\" "
			   "overwrite",
	[SFTP_CHECK_FILE] = "<- 7 check-file handle 6831 \"1234\" offset 10 "
			    "length 20 block 3",
	[SFTP_VENDOR_ID] = "<- 7 vendor-id bytes 4",
};

static void each_kind_has_its_line(void **state)
{
	struct sftp_msg msg = {
		.id = 7,
		.num = 3,
		.off = 10,
		.off2 = 30,
		.len = 20,
		.path = BYTES("path"),
		.path2 = BYTES("other"),
		.handle = BYTES("h1"),
		.handle2 = BYTES("h2"),
		.data = BYTES("1234"),
		.data2 = BYTES("12345678"),
		.attr = {.mask = CSFTP_ATTR_MODE, .mode = 0644},
	};

	(void)state;
	for (int kind = SFTP_INIT; kind < SFTP_KINDS; kind++) {
		msg.kind = (enum sftp_kind)kind;
		msg.data.len = kind == SFTP_INIT ? 0 : 4;
		assert_non_null(lines[kind]);
		assert_string_equal(trace(&msg, SFTP_RECEIVED), lines[kind]);
	}
}

static void all_attributes_are_shown(void **state)
{
	struct sftp_msg msg = {
		.kind = SFTP_ATTRS,
		.id = 1,
		.attr = {.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE |
				 CSFTP_ATTR_UID | CSFTP_ATTR_GID |
				 CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
			 .size = UINT64_MAX,
			 .uid = 0,
			 .gid = UINT32_MAX,
			 .mode = 0100600,
			 .atime = {.sec = 1},
			 .mtime = {.sec = 2}}};

	(void)state;
	assert_string_equal(trace(&msg, SFTP_SENT),
			    "-> 1 ATTRS size 18446744073709551615 uid 0 "
			    "gid 4294967295 mode 0100600 atime 1 mtime 2");
}

static void one_name_is_shown(void **state)
{
	struct sftp_msg msg = {.kind = SFTP_NAME,
			       .id = 1,
			       .num = 1,
			       .data = BYTES("\0\0\0\1/\0\0\0\1/\0\0\0\0")};

	(void)state;
	assert_string_equal(trace(&msg, SFTP_SENT), "-> 1 NAME names 1 \"/\"");
}

static void no_name_can_forge_a_line(void **state)
{
	struct sftp_msg msg = {
		.kind = SFTP_STAT,
		.path = BYTES("a\n<- 1 STAT \"b\"\\\0\x7f\x80\xff\t\x1b[2J")};

	(void)state;
	assert_string_equal(trace(&msg, SFTP_RECEIVED),
			    "<- 0 STAT \"a\\x0a<- 1 STAT \\x22b\\x22\\x5c\\x00"
			    "\\x7f\\x80\\xff\\x09\\x1b[2J\"");
}

/* Two of them, all escaped, still fit with what is around them. */
static void long_names_are_cut(void **state)
{
	static uint8_t name[5000];
	struct sftp_msg msg = {.kind = SFTP_RENAME,
			       .path = {name, sizeof(name)},
			       .path2 = {name, 201}};

	(void)state;
	trace(&msg, SFTP_RECEIVED);
	assert_true(strlen(line) > 1600 && strlen(line) < SFTP_TRACE_MAX - 1);
	assert_string_equal(line + strlen(line) - 4, "...\"");
	msg.kind = SFTP_COPY_FILE;
	trace(&msg, SFTP_RECEIVED);
	assert_true(strlen(line) < SFTP_TRACE_MAX - 1);
}

static void what_does_not_decode_says_so(void **state)
{
	static const uint8_t bytes[] = {17, 0, 0, 0, 9, 0, 0};

	(void)state;
	sftp_trace(line, SFTP_RECEIVED, bytes, sizeof(bytes), sizeof(bytes));
	assert_string_equal(line, "<- 9 STAT: message ends too early");
	sftp_trace(line, SFTP_RECEIVED, (const uint8_t *)"\xee\0\0\0\1", 5, 5);
	assert_string_equal(line, "<- 1 unknown type 238");
	sftp_trace(line, SFTP_RECEIVED, bytes, 0, 0);
	assert_true(strlen(line) > 3);
}

/* The payload is not there where it is sent from where it lies. */
static void payload_can_be_left_out(void **state)
{
	uint8_t buf[64];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	(void)state;
	sftp_msg_encode(&wr, &(struct sftp_msg){.kind = SFTP_DATA,
						.id = 2,
						.data = {NULL, 1000}});
	sftp_trace(line, SFTP_SENT, buf + 4, wr.len - 4, wire_get_u32(buf));
	assert_string_equal(line, "-> 2 DATA bytes 1000");
}

static void any_bytes_are_one_printable_line(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t buf[64];
		size_t len = (size_t)round % sizeof(buf);

		for (size_t i = 0; i < len; i++) {
			x = x * 1664525 + 1013904223;
			buf[i] = (uint8_t)(x >> 24);
		}
		if (len > 0)
			buf[0] = (uint8_t)(buf[0] % 24);
		memset(line, 'x', sizeof(line));
		sftp_trace(line, SFTP_SENT, buf, len, len);
		assert_non_null(memchr(line, '\0', sizeof(line)));
		for (const char *at = line; *at; at++)
			assert_true(*at >= ' ' && *at <= '~');
	}
}

struct log {
	char text[65536];
	size_t len;
};

static void add_line(void *arg, const char *text)
{
	struct log *log = arg;

	log->len +=
		(size_t)snprintf(log->text + log->len,
				 sizeof(log->text) - log->len, "%s\n", text);
	assert_true(log->len < sizeof(log->text));
}

/* A request that has to wait is told of once, when it is taken up. */
static void the_server_tells_of_requests_and_answers(void **state)
{
	struct log *log = calloc(1, sizeof(*log));
	struct served *served = calloc(1, sizeof(*served));
	struct csftp_serve_config config = {.trace = add_line, .arg = log};
	struct csftp_fs *memfs = NULL;
	struct later later;

	(void)state;
	assert_true(log && served);
	assert_int_equal(csftp_memfs_new(&memfs, NULL), CSFTP_OK);
	later_init(&later, memfs);
	served->later = &later;
	config.fs = &later.fs;
	served_start(served, &config);
	assert_ptr_equal(strstr(log->text, "<- INIT 3\n-> VERSION 3 bytes "),
			 log->text);
	log->len = 0;
	(void)served_ask(served, &(struct sftp_msg){.kind = SFTP_OPENDIR,
						    .id = 5,
						    .path = BYTES("/")});
	(void)served_ask(served, &(struct sftp_msg){.kind = SFTP_STAT,
						    .id = 6,
						    .path = BYTES("none")});
	assert_string_equal(log->text,
			    "<- 5 OPENDIR \"/\"\n"
			    "-> 5 HANDLE handle 0000000000000000\n"
			    "<- 6 STAT \"none\"\n"
			    "-> 6 STATUS 2 \"No such file or directory\"\n");
	log->len = 0;
	for (uint32_t id = 1; id <= 2; id++)
		served_send(served,
			    &(struct sftp_msg){.kind = SFTP_READDIR,
					       .id = id,
					       .handle = BYTES("\0\0\0\0\0\0\0"
							       "\0")});
	assert_string_equal(log->text,
			    "<- 1 READDIR handle 0000000000000000\n");
	while (served_work(served))
		;
	assert_non_null(strstr(log->text, "-> 1 NAME names 2 bytes "));
	assert_non_null(strstr(log->text, "<- 2 READDIR handle 00"));
	assert_null(strstr(strstr(log->text, "<- 2 R") + 1, "<- 2 R"));
	assert_non_null(strstr(log->text, "-> 2 STATUS 1 \"End of file\"\n"));
	served_stop(served);
	csftp_memfs_free(memfs);
	free(served);
	free(log);
}

static void move(struct csftp_link *from, struct csftp_link *to)
{
	struct csftp_slice slice;

	while (csftp_link_out(from, &slice, 1) > 0) {
		size_t room;
		uint8_t *in = csftp_link_in(to, &room);
		size_t len = slice.len < room ? slice.len : room;

		assert_true(len > 0);
		memcpy(in, slice.ptr, len);
		assert_int_equal(csftp_link_out_ack(from, len), CSFTP_OK);
		assert_int_equal(csftp_link_in_ack(to, len), CSFTP_OK);
	}
}

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	(void)req;
	assert_int_equal(reply->err, 0);
}

/* What one has sent is what the other has received. */
static void client_and_server_tell_the_same(void **state)
{
	struct log *ours = calloc(1, sizeof(*ours));
	struct log *theirs = calloc(1, sizeof(*theirs));
	struct csftp_serve_config serving = {.trace = add_line, .arg = theirs};
	struct csftp_remote_config asking = {.trace = add_line, .arg = ours};
	struct csftp_req mkdir = {
		.op = CSFTP_OP_MKDIR, .path = "new", .done = done};
	struct csftp_serve *serve = NULL;
	struct csftp_remote *remote = NULL;
	struct csftp_link *up, *down;

	(void)state;
	assert_true(ours && theirs);
	assert_int_equal(csftp_memfs_new(&serving.fs, NULL), CSFTP_OK);
	assert_int_equal(csftp_serve_new(&serve, &serving), CSFTP_OK);
	assert_int_equal(csftp_remote_new(&remote, &asking), CSFTP_OK);
	up = csftp_remote_link(remote);
	down = csftp_serve_link(serve);
	for (int i = 0; i < 3; i++) {
		move(up, down);
		move(down, up);
	}
	csftp_submit(csftp_remote_fs(remote), &mkdir);
	move(up, down);
	move(down, up);
	assert_non_null(strstr(ours->text, " MKDIR \"new\""));
	for (char *at = ours->text; *at; at = strchr(at, '\n') + 1)
		memcpy(at, at[0] == '-' ? "<-" : "->", 2);
	assert_string_equal(ours->text, theirs->text);
	csftp_remote_free(remote);
	csftp_serve_free(serve);
	csftp_memfs_free(serving.fs);
	free(ours);
	free(theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_line),
		cmocka_unit_test(all_attributes_are_shown),
		cmocka_unit_test(one_name_is_shown),
		cmocka_unit_test(no_name_can_forge_a_line),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(what_does_not_decode_says_so),
		cmocka_unit_test(payload_can_be_left_out),
		cmocka_unit_test(any_bytes_are_one_printable_line),
		cmocka_unit_test(the_server_tells_of_requests_and_answers),
		cmocka_unit_test(client_and_server_tell_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
