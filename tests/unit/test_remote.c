/* The client engine against servers that do not keep the rules. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/errmap.h"
#include "core/sftp/msg.h"
#include "csftp/remote.h"
#include "tests/lib/test.h"
#include "tests/lib/told.h"

/* Each request that has an answer of its own, met by each kind of answer. */
static void an_answer_of_the_wrong_kind_is_eio(void **state)
{
	static const struct {
		enum csftp_op op;
		enum sftp_kind right;
		uint32_t flags;
	} asks[] = {
		{CSFTP_OP_GETATTR, SFTP_ATTRS, 0},
		{CSFTP_OP_OPEN, SFTP_HANDLE, CSFTP_OPEN_READ},
		{CSFTP_OP_OPENDIR, SFTP_HANDLE, 0},
		{CSFTP_OP_READ, SFTP_DATA, 0},
		{CSFTP_OP_READLINK, SFTP_NAME, 0},
		{CSFTP_OP_REALPATH, SFTP_NAME, 0},
		{CSFTP_OP_READDIR, SFTP_NAME, 0},
		{CSFTP_OP_MKDIR, SFTP_STATUS, 0},
		{CSFTP_OP_CLOSE, SFTP_STATUS, 0},
		{CSFTP_OP_RENAME, SFTP_STATUS, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		for (int kind = SFTP_STATUS; kind <= SFTP_EXTENDED_REPLY;
		     kind++) {
			struct told session;
			struct told_ask one;
			csftp_fh fh;

			if (kind == (int)asks[i].right || kind == SFTP_STATUS)
				continue;
			told_begin(&session);
			fh = told_open(&session, CSFTP_OP_OPENDIR);
			told_ask(&session, &one,
				 (struct csftp_req){.op = asks[i].op,
						    .flags = asks[i].flags,
						    .path = "a",
						    .path2 = "b",
						    .fh = fh,
						    .len = 10});
			assert_true(told_next(&session));
			told_msg(&session,
				 (struct sftp_msg){
					 .kind = (enum sftp_kind)kind});
			assert_int_equal(one.answers, 1);
			assert_int_equal(one.err, EIO);
			assert_int_equal(session.logs, 1);
			assert_int_equal(csftp_link_error(session.link),
					 CSFTP_OK);
			told_end(&session);
		}
	}
}

static void success_without_the_answer_is_eio(void **state)
{
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin(&session);
	told_ask(&session, &one,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN, .path = "f", .flags = 1});
	assert_true(told_next(&session));
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS, .num = 0});
	assert_int_equal(one.err, EIO);
	assert_int_equal(session.logs, 1);
	/* The place kept for its handle is free again: all four can be had. */
	for (int i = 0; i < 4; i++)
		(void)told_open(&session, CSFTP_OP_OPEN);
	told_ask(&session, &one,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN, .path = "f", .flags = 1});
	assert_int_equal(one.err, EMFILE);
	told_end(&session);
}

static void an_answer_to_nothing_ends_the_session(void **state)
{
	struct told session;
	struct told_ask one;
	struct told_ask later;

	(void)state;
	told_begin(&session);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "f"});
	assert_true(told_next(&session));
	told_msg(&session, (struct sftp_msg){.kind = SFTP_ATTRS,
					     .id = session.request.id + 1});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, EIO);
	assert_int_equal(session.logs, 1);
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_STATE);
	told_ask(&session, &later,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "f"});
	assert_int_equal(later.err, ENOTCONN);
	told_end(&session);
	assert_int_equal(one.answers, 1);
}

static void an_answer_comes_once(void **state)
{
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin(&session);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "f"});
	assert_true(told_next(&session));
	told_msg(&session, (struct sftp_msg){.kind = SFTP_ATTRS});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, 0);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_ATTRS});
	assert_int_equal(one.answers, 1);
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_STATE);
	told_end(&session);
}

/* Until its payload has gone, memory of the asker is still read. */
static void an_answer_before_its_request_ends_the_session(void **state)
{
	struct told session;
	struct csftp_slice out;
	struct told_ask one;
	csftp_fh fh;

	(void)state;
	told_begin(&session);
	fh = told_open(&session, CSFTP_OP_OPEN);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_WRITE,
				    .fh = fh,
				    .data = "0123456789",
				    .len = 10});
	assert_int_equal(csftp_link_out(session.link, &out, 1), 1);
	session.request.id = wire_get_u32((const uint8_t *)out.ptr + 5);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
	assert_int_equal(one.err, EIO);
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_STATE);
	/* Nothing of it is sent any more. */
	assert_int_equal(csftp_link_out(session.link, &out, 1), 0);
	told_end(&session);
}

static void a_write_given_up_is_answered_when_its_bytes_have_gone(void **state)
{
	struct told session;
	struct csftp_slice out[2];
	struct told_ask one;
	csftp_fh fh;

	(void)state;
	told_begin(&session);
	fh = told_open(&session, CSFTP_OP_OPEN);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_WRITE,
				    .fh = fh,
				    .data = "0123456789",
				    .len = 10});
	assert_int_equal(csftp_link_out(session.link, out, 2), 2);
	assert_int_equal(out[1].len, 10);
	csftp_cancel(session.fs, &one.req);
	assert_int_equal(one.answers, 0);
	assert_int_equal(csftp_link_out_ack(session.link, out[0].len + 9),
			 CSFTP_OK);
	assert_int_equal(one.answers, 0);
	assert_int_equal(csftp_link_out_ack(session.link, 1), CSFTP_OK);
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, EINTR);
	told_end(&session);
	assert_int_equal(one.answers, 1);
}

static void more_data_than_asked_for_is_eio(void **state)
{
	struct told session;
	struct told_ask one;
	csftp_fh fh;

	(void)state;
	told_begin(&session);
	fh = told_open(&session, CSFTP_OP_OPEN);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_READ, .fh = fh, .len = 4});
	assert_true(told_next(&session));
	told_msg(&session,
		 (struct sftp_msg){.kind = SFTP_DATA,
				   .data = {(const uint8_t *)"12345", 5}});
	assert_int_equal(one.err, EIO);
	assert_int_equal(one.len, 0);
	assert_int_equal(session.logs, 1);
	told_end(&session);
}

static void a_read_error_is_not_the_end_of_the_file(void **state)
{
	static const struct {
		uint32_t status;
		int err;
		bool eof;
	} rows[] = {{SSH_FX_EOF, 0, true},
		    {SSH_FX_FAILURE, EIO, false},
		    {SSH_FX_PERMISSION_DENIED, EACCES, false},
		    {99, EIO, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told session;
		struct told_ask one;
		csftp_fh fh;

		told_begin(&session);
		fh = told_open(&session, CSFTP_OP_OPEN);
		told_ask(&session, &one,
			 (struct csftp_req){
				 .op = CSFTP_OP_READ, .fh = fh, .len = 4});
		assert_true(told_next(&session));
		told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS,
						     .num = rows[i].status});
		assert_int_equal(one.err, rows[i].err);
		assert_int_equal(one.eof, rows[i].eof);
		told_end(&session);
	}
}

/* "end of file" of what has no end is no success. */
static void eof_of_other_requests_is_an_error(void **state)
{
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin(&session);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_UNLINK, .path = "f"});
	assert_true(told_next(&session));
	told_msg(&session,
		 (struct sftp_msg){.kind = SFTP_STATUS, .num = SSH_FX_EOF});
	assert_int_equal(one.err, EIO);
	told_end(&session);
}

static void impossible_names_are_left_out(void **state)
{
	static const struct csftp_slice names[] = {
		{"good", 4}, {"", 0},  {"a/b", 3},
		{"a\0b", 3}, {"/", 1}, {"../../etc/passwd", 16},
		{"fine", 4}};
	char long_name[CSFTP_NAME_MAX + 1];
	struct told session;
	struct told_ask one;
	uint8_t buf[1024];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};
	csftp_fh fh;

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	told_begin(&session);
	fh = told_open(&session, CSFTP_OP_OPENDIR);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_READDIR, .fh = fh});
	assert_true(told_next(&session));
	for (size_t i = 0; i < 7; i++)
		sftp_entry_put(&wr, &(struct csftp_entry){.name = names[i]});
	sftp_entry_put(&wr, &(struct csftp_entry){
				    .name = {long_name, sizeof(long_name)}});
	told_msg(&session, (struct sftp_msg){.kind = SFTP_NAME,
					     .num = 8,
					     .data = {buf, wr.len}});
	assert_int_equal(one.err, 0);
	assert_int_equal(one.entries, 2);
	assert_int_equal(session.logs, 6);
	told_end(&session);
}

static void names_that_do_not_decode_are_eio(void **state)
{
	struct told session;
	struct told_ask one;
	csftp_fh fh;

	(void)state;
	told_begin(&session);
	fh = told_open(&session, CSFTP_OP_OPENDIR);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_READDIR, .fh = fh});
	assert_true(told_next(&session));
	told_msg(&session,
		 (struct sftp_msg){.kind = SFTP_NAME,
				   .num = 1000000,
				   .data = {(const uint8_t *)"\0\0\0\11x", 5}});
	assert_int_equal(one.err, EIO);
	assert_int_equal(session.logs, 1);
	told_end(&session);
}

static void a_link_target_has_neither_nul_nor_company(void **state)
{
	static const struct csftp_entry bad = {.name = {"a\0b", 3}};
	static const struct csftp_entry good = {.name = {"ab", 2}};
	const struct {
		const struct csftp_entry *entry;
		uint32_t count;
		int err;
	} rows[] = {{&good, 1, 0},
		    {&bad, 1, EIO},
		    {&good, 0, EIO},
		    {&good, 2, EIO}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told session;
		struct told_ask one;
		uint8_t buf[64];
		struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

		told_begin(&session);
		told_ask(&session, &one,
			 (struct csftp_req){.op = CSFTP_OP_READLINK,
					    .path = "l"});
		assert_true(told_next(&session));
		sftp_entry_put(&wr, rows[i].entry);
		told_msg(&session, (struct sftp_msg){.kind = SFTP_NAME,
						     .num = rows[i].count,
						     .data = {buf, wr.len}});
		assert_int_equal(one.err, rows[i].err);
		told_end(&session);
	}
}

static void a_broken_frame_ends_the_session(void **state)
{
	static const char *const frames[] = {"00000000", "00040001 69",
					     "ffffffff", "00000003 690000"};

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct told session;
		struct told_ask one;

		told_begin(&session);
		told_ask(
			&session, &one,
			(struct csftp_req){.op = CSFTP_OP_GETATTR, .path = ""});
		told_hex(&session, frames[i]);
		assert_int_equal(one.answers, 1);
		assert_int_equal(one.err, EIO);
		assert_true(csftp_link_error(session.link) != CSFTP_OK);
		told_end(&session);
	}
}

static void only_version_3_is_spoken(void **state)
{
	static const struct {
		const char *hello;
		enum csftp_err err;
	} rows[] = {{"00000005 02 00000002", CSFTP_ERR_VERSION},
		    {"00000005 02 00000006", CSFTP_ERR_VERSION},
		    {"00000004 02 000000", CSFTP_ERR_SHORT},
		    {"00000009 65 00000000 00000000", CSFTP_ERR_SHORT},
		    {"00000005 69 00000000", CSFTP_ERR_SHORT}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told session;

		told_begin_with(&session, rows[i].hello, 8);
		assert_false(session.ready);
		assert_int_equal(csftp_link_error(session.link), rows[i].err);
		told_end(&session);
	}
}

/* A server's limits are kept, and cannot be above what we can take. */
static void limits_of_the_server_are_kept(void **state)
{
	static const struct {
		struct sftp_limits said;
		uint32_t read;
		uint32_t write;
	} rows[] = {
		{{262144, 261120, 261120, 100}, 261120, 261120},
		{{0, 0, 0, 0}, 32768, 32768},
		{{34000, 0, 0, 0}, 32768, 32768},
		{{UINT64_MAX, UINT64_MAX, 65536, 0}, 261120, 65536},
		{{8192, 65536, 65536, 0}, 7168, 7168},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told session;
		uint8_t buf[32];
		struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

		told_begin_with(
			&session,
			"00000020 02 00000003 00000012"
			"6c696d697473406f70656e7373682e636f6d 00000001 31",
			8);
		assert_false(session.ready);
		assert_true(told_next(&session));
		assert_int_equal(session.request.kind, SFTP_LIMITS);
		sftp_limits_put(&wr, &rows[i].said);
		told_msg(&session,
			 (struct sftp_msg){.kind = SFTP_EXTENDED_REPLY,
					   .data = {buf, wr.len}});
		assert_true(session.ready);
		assert_int_equal(session.fs->max_read, rows[i].read);
		assert_int_equal(session.fs->max_write, rows[i].write);
		told_end(&session);
	}
}

static void a_plain_server_has_no_extensions(void **state)
{
	struct told session;
	struct told_ask one;
	csftp_fh fh;

	(void)state;
	told_begin(&session);
	assert_int_equal(csftp_remote_extensions(session.remote), 0);
	fh = told_open(&session, CSFTP_OP_OPEN);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_FSYNC, .fh = fh});
	assert_int_equal(one.err, EOPNOTSUPP);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_STATFS, .path = ""});
	assert_int_equal(one.err, EOPNOTSUPP);
	told_ask(&session, &one,
		 (struct csftp_req){
			 .op = CSFTP_OP_LINK, .path = "a", .path2 = "b"});
	assert_int_equal(one.err, EOPNOTSUPP);
	told_ask(&session, &one,
		 (struct csftp_req){.op = CSFTP_OP_REALPATH,
				    .path = "~/x",
				    .flags = CSFTP_EXPAND});
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_REALPATH);
	assert_memory_equal(session.request.path.ptr, "x", 1);
	assert_false(told_next(&session));
	told_end(&session);
}

/* filexfer-02, section 5: times travel together, and owners do. */
static void one_time_alone_keeps_the_other(void **state)
{
	static const struct csftp_attr set = {.mask = CSFTP_ATTR_MTIME |
						      CSFTP_ATTR_SIZE,
					      .size = 3,
					      .mtime = {.sec = 5}};
	static const struct csftp_attr have = {.mask = CSFTP_ATTR_ATIME |
						       CSFTP_ATTR_MTIME,
					       .atime = {.sec = 77},
					       .mtime = {.sec = 88}};
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin(&session);
	told_ask(&session, &one,
		 (struct csftp_req){
			 .op = CSFTP_OP_SETATTR, .path = "f", .attr = &set});
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_SETSTAT);
	assert_int_equal(session.request.attr.mask, CSFTP_ATTR_SIZE);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_STAT);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_ATTRS, .attr = have});
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_SETSTAT);
	assert_int_equal(session.request.attr.mask,
			 CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME);
	assert_int_equal(session.request.attr.atime.sec, 77);
	assert_int_equal(session.request.attr.mtime.sec, 5);
	assert_int_equal(one.answers, 0);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, 0);
	told_end(&session);
}

/* The decoder takes them in OpenSSH's order (PROTOCOL, 4.1). */
static void symlinks_can_be_told_in_the_order_of_the_draft(void **state)
{
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin(&session);
	for (int by_draft = 0; by_draft < 2; by_draft++) {
		told_ask(&session, &one,
			 (struct csftp_req){.op = CSFTP_OP_SYMLINK,
					    .flags = by_draft ? CSFTP_BY_DRAFT
							      : 0,
					    .path = "l",
					    .path2 = "t"});
		assert_true(told_next(&session));
		assert_int_equal(session.request.kind, SFTP_SYMLINK);
		assert_memory_equal(session.request.path.ptr,
				    by_draft ? "t" : "l", 1);
		assert_memory_equal(session.request.path2.ptr,
				    by_draft ? "l" : "t", 1);
		told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
		assert_int_equal(one.err, 0);
	}
	told_end(&session);
}

/* An owner that the server does not tell must not become root. */
static void a_missing_half_is_not_made_up(void **state)
{
	static const struct csftp_attr set = {.mask = CSFTP_ATTR_GID,
					      .gid = 100};
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin(&session);
	told_ask(&session, &one,
		 (struct csftp_req){
			 .op = CSFTP_OP_SETATTR, .path = "f", .attr = &set});
	assert_true(told_next(&session));
	told_msg(&session, (struct sftp_msg){.kind = SFTP_ATTRS});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, EOPNOTSUPP);
	assert_false(told_next(&session));
	told_end(&session);
}

static void open_as(struct told *session, struct told_ask *open,
		    const char *handle)
{
	told_ask(session, open,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN, .path = "f", .flags = 1});
	assert_true(told_next(session));
	told_msg(session,
		 (struct sftp_msg){.kind = SFTP_HANDLE,
				   .handle = {(const uint8_t *)handle, 1}});
}

/* What is written by it must not be another file's. */
static void a_handle_of_two_files_is_of_none(void **state)
{
	struct told session;
	struct told_ask first, other, second, read;

	(void)state;
	told_begin(&session);
	open_as(&session, &first, "1");
	open_as(&session, &other, "2");
	assert_int_equal(first.err, 0);
	assert_int_equal(other.err, 0);
	open_as(&session, &second, "1");
	assert_int_equal(second.err, EIO);
	assert_string_equal(session.log, "handle of another file in the answer "
					 "to SSH_FXP_OPEN");
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_CLOSE);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
	told_ask(&session, &read,
		 (struct csftp_req){
			 .op = CSFTP_OP_READ, .fh = first.fh, .len = 1});
	assert_int_equal(read.err, EBADF);
	/* Once it is closed it may be used again. */
	open_as(&session, &second, "1");
	assert_int_equal(second.err, 0);
	told_ask(&session, &read,
		 (struct csftp_req){
			 .op = CSFTP_OP_READ, .fh = other.fh, .len = 1});
	assert_true(told_next(&session));
	told_end(&session);
}

/* A file opened for nobody is closed again, when there is a slot for it. */
static void a_late_handle_is_closed(void **state)
{
	struct told session;
	struct told_ask open;
	struct told_ask stat;
	uint32_t open_id;

	(void)state;
	told_begin_with(&session, TOLD_PLAIN, 2);
	told_ask(&session, &open,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN, .path = "f", .flags = 1});
	assert_true(told_next(&session));
	open_id = session.request.id;
	told_ask(&session, &stat,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "f"});
	assert_true(told_next(&session));
	csftp_cancel(session.fs, &open.req);
	assert_int_equal(open.err, EINTR);
	told_msg(&session,
		 (struct sftp_msg){.kind = SFTP_HANDLE,
				   .id = open_id,
				   .handle = {(const uint8_t *)"late", 4}});
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_CLOSE);
	assert_memory_equal(session.request.handle.ptr, "late", 4);
	assert_int_equal(open.answers, 1);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
	assert_int_equal(csftp_link_error(session.link), CSFTP_OK);
	told_end(&session);
	assert_int_equal(stat.err, EIO);
}

/* Where all slots wait for their second step, none would ever be free. */
static void a_second_step_needs_no_other_slot(void **state)
{
	static const struct csftp_attr set = {.mask = CSFTP_ATTR_MTIME,
					      .mtime = {.sec = 5}};
	static const struct csftp_attr have = {.mask = CSFTP_ATTR_ATIME |
						       CSFTP_ATTR_MTIME};
	struct told session;
	struct told_ask one;

	(void)state;
	told_begin_with(&session, TOLD_PLAIN, 1);
	told_ask(&session, &one,
		 (struct csftp_req){
			 .op = CSFTP_OP_SETATTR, .path = "f", .attr = &set});
	assert_true(told_next(&session));
	told_msg(&session, (struct sftp_msg){.kind = SFTP_ATTRS, .attr = have});
	assert_true(told_next(&session));
	assert_int_equal(session.request.kind, SFTP_SETSTAT);
	told_msg(&session, (struct sftp_msg){.kind = SFTP_STATUS});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, 0);
	told_end(&session);
}

static void many_slashes_behind_the_home_are_one(void **state)
{
	static const char *const rows[][2] = {
		{"~", "."}, {"~/", "."}, {"~/a", "a"}, {"~//etc", "etc"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told session;
		struct told_ask one;

		told_begin(&session);
		told_ask(&session, &one,
			 (struct csftp_req){.op = CSFTP_OP_REALPATH,
					    .flags = CSFTP_EXPAND,
					    .path = rows[i][0]});
		assert_true(told_next(&session));
		assert_int_equal(session.request.path.len, strlen(rows[i][1]));
		assert_memory_equal(session.request.path.ptr, rows[i][1],
				    strlen(rows[i][1]));
		told_end(&session);
	}
}

/* OpenSSH's server looks for a file that is called "". */
static void the_start_directory_is_asked_for_as_a_dot(void **state)
{
	static const struct csftp_req rows[] = {
		{.op = CSFTP_OP_GETATTR, .path = ""},
		{.op = CSFTP_OP_GETATTR, .flags = CSFTP_NOFOLLOW, .path = ""},
		{.op = CSFTP_OP_OPENDIR, .path = ""},
		{.op = CSFTP_OP_REALPATH, .path = ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told session;
		struct told_ask one;

		told_begin(&session);
		told_ask(&session, &one, rows[i]);
		assert_true(told_next(&session));
		assert_int_equal(session.request.path.len, 1);
		assert_memory_equal(session.request.path.ptr, ".", 1);
		told_end(&session);
	}
}

static void limits_that_nobody_asked_for_end_the_session(void **state)
{
	struct told session;

	(void)state;
	told_begin_with(&session,
			"00000020 02 00000003 00000012"
			"6c696d697473406f70656e7373682e636f6d 00000001 31",
			8);
	told_msg(&session,
		 (struct sftp_msg){.kind = SFTP_EXTENDED_REPLY, .id = 9});
	assert_false(session.ready);
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_STATE);
	told_end(&session);
}

static void faults_without_end_are_not_logged_without_end(void **state)
{
	struct told session;
	uint8_t buf[1024];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};
	csftp_fh fh;

	(void)state;
	told_begin(&session);
	fh = told_open(&session, CSFTP_OP_OPENDIR);
	for (size_t i = 0; i < 10; i++)
		sftp_entry_put(&wr, &(struct csftp_entry){.name = {"/", 1}});
	for (size_t i = 0; i < 10; i++) {
		struct told_ask one;

		told_ask(&session, &one,
			 (struct csftp_req){.op = CSFTP_OP_READDIR, .fh = fh});
		assert_true(told_next(&session));
		told_msg(&session, (struct sftp_msg){.kind = SFTP_NAME,
						     .num = 10,
						     .data = {buf, wr.len}});
		assert_int_equal(one.err, 0);
		assert_int_equal(one.entries, 0);
	}
	assert_int_equal(session.logs, 21);
	told_end(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_step_needs_no_other_slot),
		cmocka_unit_test(many_slashes_behind_the_home_are_one),
		cmocka_unit_test(the_start_directory_is_asked_for_as_a_dot),
		cmocka_unit_test(limits_that_nobody_asked_for_end_the_session),
		cmocka_unit_test(an_answer_of_the_wrong_kind_is_eio),
		cmocka_unit_test(success_without_the_answer_is_eio),
		cmocka_unit_test(an_answer_to_nothing_ends_the_session),
		cmocka_unit_test(an_answer_comes_once),
		cmocka_unit_test(an_answer_before_its_request_ends_the_session),
		cmocka_unit_test(
			a_write_given_up_is_answered_when_its_bytes_have_gone),
		cmocka_unit_test(more_data_than_asked_for_is_eio),
		cmocka_unit_test(a_read_error_is_not_the_end_of_the_file),
		cmocka_unit_test(eof_of_other_requests_is_an_error),
		cmocka_unit_test(impossible_names_are_left_out),
		cmocka_unit_test(faults_without_end_are_not_logged_without_end),
		cmocka_unit_test(names_that_do_not_decode_are_eio),
		cmocka_unit_test(a_link_target_has_neither_nul_nor_company),
		cmocka_unit_test(a_broken_frame_ends_the_session),
		cmocka_unit_test(only_version_3_is_spoken),
		cmocka_unit_test(limits_of_the_server_are_kept),
		cmocka_unit_test(a_plain_server_has_no_extensions),
		cmocka_unit_test(one_time_alone_keeps_the_other),
		cmocka_unit_test(
			symlinks_can_be_told_in_the_order_of_the_draft),
		cmocka_unit_test(a_missing_half_is_not_made_up),
		cmocka_unit_test(a_handle_of_two_files_is_of_none),
		cmocka_unit_test(a_late_handle_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
