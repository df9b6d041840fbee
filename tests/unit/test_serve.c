/* The server engine against clients that do not keep the rules. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/errmap.h"
#include "core/sftp/msg.h"
#include "csftp/serve.h"
#include "tests/lib/hex.h"
#include "tests/lib/packets.h"
#include "tests/lib/test.h"

#define BYTES(s)                                                               \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* Counts what reaches it, and refuses all of it but OPEN. */
struct counting {
	struct csftp_fs fs;
	unsigned asked;
	enum csftp_op last;
	char path[64];
	csftp_fh closed;
	unsigned closes;
	unsigned forced; /* of these */
};

static void count(struct csftp_fs *fs, struct csftp_req *req)
{
	struct counting *counting = (struct counting *)fs;

	counting->asked++;
	counting->last = req->op;
	memset(counting->path, 0, sizeof(counting->path));
	if (req->path)
		memcpy(counting->path, req->path, strnlen(req->path, 63));
	if (req->op == CSFTP_OP_CLOSE) {
		counting->closed = req->fh;
		counting->closes++;
		counting->forced += req->flags == CSFTP_FORCED;
		csftp_reply_err(req, 0);
	} else if (req->op == CSFTP_OP_OPEN) {
		csftp_reply_fh(req, 1000 + counting->asked);
	} else {
		csftp_reply_err(req, ENOSPC);
	}
}

static const struct csftp_fs_ops counting_ops = {.rest = count};

struct session {
	struct counting counting;
	struct csftp_serve *serve;
	struct csftp_link *link;
	/* The last answer. */
	uint8_t buf[512];
	struct sftp_msg answer;
};

static void feed(struct session *session, const void *bytes, size_t len)
{
	packets_say(session->link, bytes, len);
}

static bool next_answer(struct session *session)
{
	return packets_next(session->link, session->buf, sizeof(session->buf),
			    &session->answer);
}

static void begin(struct session *session)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	struct csftp_serve_config config = {.fs = &session->counting.fs,
					    .handles = 4};

	memset(session, 0, sizeof(*session));
	session->counting.fs.ops = &counting_ops;
	session->counting.fs.traits = CSFTP_FS_INLINE;
	assert_int_equal(csftp_serve_new(&session->serve, &config), CSFTP_OK);
	session->link = csftp_serve_link(session->serve);
	feed(session, init, sizeof(init));
	assert_true(next_answer(session));
	assert_int_equal(session->answer.kind, SFTP_VERSION_MSG);
	assert_int_equal(session->answer.num, 3);
}

static void end(struct session *session)
{
	csftp_serve_free(session->serve);
}

static void feed_hex(struct session *session, const char *hex)
{
	packets_say_hex(session->link, hex);
}

static void expect_status(struct session *session, uint32_t id, uint32_t code)
{
	assert_true(next_answer(session));
	assert_int_equal(session->answer.kind, SFTP_STATUS);
	assert_int_equal(session->answer.id, id);
	assert_int_equal(session->answer.num, code);
}

static const struct sftp_msg full = {
	.id = 0x51,
	.path = BYTES("path"),
	.path2 = BYTES("other"),
	.handle = BYTES("\0\0\0\0\0\0\0\0"),
	.handle2 = BYTES("\0\0\0\0\0\0\0\0"),
	.data = BYTES("1234"),
	.data2 = BYTES("5678"),
	.attr = {.mask = CSFTP_ATTR_MODE, .mode = 0644},
};

static bool is_request(int kind)
{
	return (kind >= SFTP_OPEN && kind <= SFTP_SYMLINK) ||
	       (kind >= SFTP_EXT_FIRST && kind != SFTP_VENDOR_ID);
}

/* Cut anywhere behind its id, a request touches nothing. */
static void a_truncated_request_is_a_bad_message(void **state)
{
	(void)state;
	for (int kind = SFTP_OPEN; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = full;
		struct wire_wr wr;
		uint8_t buf[256];
		uint8_t cut[256];

		if (!is_request(kind))
			continue;
		msg.kind = (enum sftp_kind)kind;
		wr = (struct wire_wr){.base = buf, .cap = sizeof(buf)};
		sftp_msg_encode(&wr, &msg);
		for (size_t len = 5; len < wr.len - 4; len++) {
			struct session session;

			begin(&session);
			memcpy(cut, buf, wr.len);
			wire_put_u32(cut, (uint32_t)len);
			feed(&session, cut, 4 + len);
			assert_true(next_answer(&session));
			assert_int_equal(session.answer.kind, SFTP_STATUS);
			assert_int_equal(session.answer.id, 0x51);
			/* A name cut short is one that nobody knows. */
			assert_true(
				session.answer.num == SSH_FX_BAD_MESSAGE ||
				(kind >= SFTP_EXT_FIRST &&
				 session.answer.num == SSH_FX_OP_UNSUPPORTED));
			assert_int_equal(session.counting.asked, 0);
			assert_false(next_answer(&session));
			assert_int_equal(csftp_link_error(session.link),
					 CSFTP_OK);
			end(&session);
		}
	}
}

static void a_packet_without_an_id_ends_the_session(void **state)
{
	static const char *const packets[] = {"00000001 11", "00000002 1100",
					      "00000004 11000000"};

	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct session session;

		begin(&session);
		feed_hex(&session, packets[i]);
		assert_int_equal(csftp_link_error(session.link),
				 CSFTP_ERR_SHORT);
		assert_int_equal(csftp_link_wants(session.link), 0);
		assert_int_equal(session.counting.asked, 0);
		end(&session);
	}
}

static void an_impossible_length_ends_the_session(void **state)
{
	static const char *const lengths[] = {"00000000", "00040001",
					      "7fffffff", "ffffffff"};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct session session;

		begin(&session);
		feed_hex(&session, lengths[i]);
		assert_int_equal(csftp_link_error(session.link),
				 CSFTP_ERR_TOO_LONG);
		assert_false(next_answer(&session));
		end(&session);
	}
}

static void the_longest_packet_is_taken(void **state)
{
	struct session session;
	uint8_t *packet = calloc(1, 4 + CSFTP_SERVE_PACKET_MAX);

	(void)state;
	assert_non_null(packet);
	begin(&session);
	wire_put_u32(packet, CSFTP_SERVE_PACKET_MAX);
	packet[4] = 17; /* STAT of "", and a great many trailing bytes */
	packet[8] = 9;
	feed(&session, packet, 4 + CSFTP_SERVE_PACKET_MAX);
	expect_status(&session, 9, SSH_FX_FAILURE);
	assert_int_equal(session.counting.asked, 1);
	end(&session);
	free(packet);
}

static void unknown_requests_are_unsupported(void **state)
{
	(void)state;
	for (unsigned type = 3; type < 256; type++) {
		uint8_t packet[] = {0, 0, 0, 5, (uint8_t)type, 0, 0, 0, 5};
		struct session session;

		if (type <= 20 || type == 200)
			continue;
		begin(&session);
		feed(&session, packet, sizeof(packet));
		expect_status(&session, 5, SSH_FX_OP_UNSUPPORTED);
		assert_int_equal(session.counting.asked, 0);
		end(&session);
	}
}

static void nothing_is_served_before_init(void **state)
{
	struct counting counting = {.asked = 0};
	struct csftp_serve_config config = {.fs = &counting.fs};
	struct session session = {.serve = NULL};

	(void)state;
	counting.fs.ops = &counting_ops;
	assert_int_equal(csftp_serve_new(&session.serve, &config), CSFTP_OK);
	session.link = csftp_serve_link(session.serve);
	feed_hex(&session, "0000000a 11 00000001 00000001 2e");
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_STATE);
	assert_int_equal(counting.asked, 0);
	csftp_serve_free(session.serve);
}

static void a_path_with_a_nul_byte_is_refused(void **state)
{
	struct session session;

	(void)state;
	begin(&session);
	feed_hex(&session, "0000000c 11 00000001 00000003 610062");
	expect_status(&session, 1, SSH_FX_BAD_MESSAGE);
	assert_int_equal(session.counting.asked, 0);
	end(&session);
}

static void a_path_has_a_limit(void **state)
{
	uint8_t *packet = calloc(1, 8192);

	(void)state;
	assert_non_null(packet);
	for (uint32_t len = CSFTP_PATH_MAX; len <= CSFTP_PATH_MAX + 1; len++) {
		struct session session;

		begin(&session);
		wire_put_u32(packet, 9 + len);
		packet[4] = 17;
		wire_put_u32(packet + 5, 3);
		wire_put_u32(packet + 9, len);
		memset(packet + 13, 'x', len);
		feed(&session, packet, 13 + len);
		expect_status(&session, 3,
			      len > CSFTP_PATH_MAX ? SSH_FX_BAD_MESSAGE
						   : SSH_FX_FAILURE);
		assert_int_equal(session.counting.asked,
				 len > CSFTP_PATH_MAX ? 0 : 1);
		end(&session);
	}
	free(packet);
}

static void paths_arrive_whole(void **state)
{
	struct session session;

	(void)state;
	begin(&session);
	feed_hex(&session, "00000010 12 00000001 00000002 6162 00000001 63");
	expect_status(&session, 1, SSH_FX_FAILURE);
	assert_int_equal(session.counting.last, CSFTP_OP_RENAME);
	assert_string_equal(session.counting.path, "ab");
	/* The reason travels as text. */
	assert_int_equal(session.answer.path.len, 23);
	assert_memory_equal(session.answer.path.ptr, "No space left on device",
			    23);
	end(&session);
}

static void invented_handles_reach_nothing(void **state)
{
	static const char *const handles[] = {
		"00000008 0000000000000000", "00000008 ffffffffffffffff",
		"00000008 0000000400000000", "00000000",
		"00000004 00000000",	     "00000009 000000000000000000"};
	static const char *const types[] = {"04", "08", "0c"};

	(void)state;
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
			struct session session;
			uint8_t packet[64];
			size_t len;

			begin(&session);
			packet[4] = (uint8_t)strtoul(types[k], NULL, 16);
			wire_put_u32(packet + 5, 77);
			len = 9 + hex_bytes(handles[i], packet + 9, 50);
			wire_put_u32(packet, (uint32_t)len - 4);
			feed(&session, packet, len);
			/* OpenSSH says EBADF of CLOSE, which has a status. */
			expect_status(&session, 77,
				      packet[4] == 4 ? SSH_FX_NO_SUCH_FILE
						     : SSH_FX_FAILURE);
			assert_int_equal(session.counting.asked, 0);
			end(&session);
		}
	}
}

#define OPEN_F "00000012 03 00000001 00000001 66 00000001 00000000"

static void a_handle_is_good_until_it_is_closed(void **state)
{
	struct session session;
	uint8_t close[64] = {0, 0, 0, 17, 4, 0, 0, 0, 2};

	(void)state;
	begin(&session);
	feed_hex(&session, OPEN_F);
	assert_true(next_answer(&session));
	assert_int_equal(session.answer.kind, SFTP_HANDLE);
	assert_int_equal(session.answer.handle.len, 8);
	wire_put_u32(close + 9, 8);
	memcpy(close + 13, session.answer.handle.ptr, 8);
	feed(&session, close, 21);
	expect_status(&session, 2, SSH_FX_OK);
	assert_int_equal(session.counting.closed, 1001);
	feed(&session, close, 21);
	expect_status(&session, 2, SSH_FX_NO_SUCH_FILE);
	assert_int_equal(session.counting.closes, 1);
	assert_int_equal(session.counting.forced, 0);
	end(&session);
}

static void handles_have_a_limit_and_are_closed_at_the_end(void **state)
{
	struct session session;

	(void)state;
	begin(&session);
	for (int i = 0; i < 4; i++) {
		feed_hex(&session, OPEN_F);
		assert_true(next_answer(&session));
		assert_int_equal(session.answer.kind, SFTP_HANDLE);
	}
	feed_hex(&session, OPEN_F);
	expect_status(&session, 1, SSH_FX_FAILURE);
	assert_memory_equal(session.answer.path.ptr, "Too many open files", 19);
	assert_int_equal(session.counting.asked, 4);
	csftp_link_close(session.link, CSFTP_ERR_EOF);
	assert_int_equal(session.counting.closes, 4);
	assert_int_equal(session.counting.forced, 4);
	end(&session);
}

static void ids_must_be_whole(void **state)
{
	struct session session;

	(void)state;
	begin(&session);
	/* users-groups-by-id@openssh.com with three bytes of users */
	feed_hex(&session, "00000032 c8 00000001 0000001e"
			   "75736572732d67726f7570732d62792d6964406f70656e7373"
			   "682e636f6d 00000003 010203 00000000");
	expect_status(&session, 1, SSH_FX_BAD_MESSAGE);
	assert_int_equal(session.counting.asked, 0);
	end(&session);
}

/* It has no id that could be answered. */
static void a_version_of_the_client_ends_the_session(void **state)
{
	struct session session;

	(void)state;
	begin(&session);
	feed_hex(&session, "00000005 02 00000003");
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_STATE);
	assert_false(next_answer(&session));
	end(&session);
}

/* A directory with one name, which it offers until it is taken. */
struct one_name {
	struct csftp_fs fs;
	struct csftp_entry entry;
	bool taken;
	unsigned offers;
};

static void one_name_list(struct csftp_fs *fs, struct csftp_req *req)
{
	struct one_name *one = (struct one_name *)fs;

	if (!one->taken) {
		one->taken = req->entry(req, &one->entry);
		assert_true(++one->offers < 10);
	}
	csftp_reply(req, &(struct csftp_reply){.eof = one->taken});
}

static void one_name_opendir(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_fh(req, 1);
}

static void one_name_close(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_err(req, 0);
}

static const struct csftp_fs_ops one_name_ops = {
	.op = {[CSFTP_OP_OPENDIR] = one_name_opendir,
	       [CSFTP_OP_READDIR] = one_name_list,
	       [CSFTP_OP_CLOSE] = one_name_close},
};

/* What READDIR gives of the one name; its long name is kept in session. */
static void list_one(struct session *session, struct one_name *one,
		     struct csftp_entry *out)
{
	struct csftp_serve_config config = {.fs = &one->fs};
	struct wire_rd rd;

	one->fs.ops = &one_name_ops;
	one->fs.traits = CSFTP_FS_INLINE;
	memset(session, 0, sizeof(*session));
	assert_int_equal(csftp_serve_new(&session->serve, &config), CSFTP_OK);
	session->link = csftp_serve_link(session->serve);
	feed_hex(session, "00000005 01 00000003");
	assert_true(next_answer(session));
	feed_hex(session, "0000000a 0b 00000001 00000001 64");
	assert_true(next_answer(session));
	feed_hex(session, "00000011 0c 00000001 00000008 0000000000000000");
	assert_true(next_answer(session));
	assert_int_equal(session->answer.kind, SFTP_NAME);
	assert_int_equal(session->answer.num, 1);
	rd = (struct wire_rd){.next = session->answer.data.ptr,
			      .left = session->answer.data.len};
	sftp_entry_get(&rd, out);
	assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
	assert_int_equal(out->name.len, 4);
}

/* Else it would be offered for ever. */
static void a_long_name_that_fits_nowhere_is_made_anew(void **state)
{
	struct one_name one = {.entry = {.name = {"name", 4}}};
	size_t len = 128UL * 1024;
	char *text = malloc(len);
	struct csftp_entry got;
	struct session session;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	one.entry.longname = (struct csftp_slice){text, len};
	list_one(&session, &one, &got);
	assert_true(got.longname.len < 100);
	end(&session);
	free(text);
}

static void times_that_no_calendar_has_can_be_listed(void **state)
{
	static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1,
					0,	   INT64_MAX - 1, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct one_name one = {.entry = {.name = {"name", 4}}};
		struct csftp_entry got;
		struct session session;

		one.entry.attr.mtime.sec = times[i];
		list_one(&session, &one, &got);
		assert_memory_equal((const char *)got.longname.ptr +
					    got.longname.len - 5,
				    " name", 5);
		assert_true(got.longname.len < 100);
		end(&session);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_of_the_client_ends_the_session),
		cmocka_unit_test(a_long_name_that_fits_nowhere_is_made_anew),
		cmocka_unit_test(times_that_no_calendar_has_can_be_listed),
		cmocka_unit_test(a_truncated_request_is_a_bad_message),
		cmocka_unit_test(a_packet_without_an_id_ends_the_session),
		cmocka_unit_test(an_impossible_length_ends_the_session),
		cmocka_unit_test(the_longest_packet_is_taken),
		cmocka_unit_test(unknown_requests_are_unsupported),
		cmocka_unit_test(nothing_is_served_before_init),
		cmocka_unit_test(a_path_with_a_nul_byte_is_refused),
		cmocka_unit_test(a_path_has_a_limit),
		cmocka_unit_test(paths_arrive_whole),
		cmocka_unit_test(invented_handles_reach_nothing),
		cmocka_unit_test(a_handle_is_good_until_it_is_closed),
		cmocka_unit_test(
			handles_have_a_limit_and_are_closed_at_the_end),
		cmocka_unit_test(ids_must_be_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
