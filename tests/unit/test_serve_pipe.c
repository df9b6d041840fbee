/* The server engine with a pipe for its answers, of which it only counts. */
#include <string.h>

#include "core/sftp/msg.h"
#include "csftp/serve.h"
#include "csftp/stream.h"
#include "tests/lib/test.h"

#define LARGE 100000U

/* Answers a READ of `len` bytes with a slice of `gives` bytes of the pipe. */
struct lender {
	struct csftp_fs fs;
	struct csftp_fs_ops ops;
	size_t gives;
	unsigned offers;
	unsigned reads;
};

static void op_open(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_fh(req, 1);
}

static void op_close(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_err(req, 0);
}

static void op_read(struct csftp_fs *fs, struct csftp_req *req)
{
	struct lender *lender = (struct lender *)fs;
	struct csftp_reply reply = {0};

	lender->reads++;
	if (req->pipe) {
		lender->offers++;
		reply.data.len = lender->gives;
		reply.eof = lender->gives == 0;
	} else {
		reply.data = (struct csftp_slice){"copied", 6};
	}
	csftp_reply(req, &reply);
}

struct session {
	struct lender lender;
	struct csftp_pipe pipe;
	struct csftp_serve *serve;
	struct csftp_link *link;
};

static void feed(struct session *session, struct sftp_msg msg)
{
	uint8_t buf[256];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};
	uint8_t *in;
	size_t room;

	sftp_msg_encode(&wr, &msg);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	in = csftp_link_in(session->link, &room);
	assert_true(room >= wr.len);
	memcpy(in, buf, wr.len);
	if (csftp_link_in_ack(session->link, wr.len) == CSFTP_ERR_ARG)
		fail();
}

static void drop_output(struct session *session)
{
	struct csftp_slice out;

	while (csftp_link_out(session->link, &out, 1) > 0)
		assert_int_equal(csftp_link_out_ack(session->link, out.len),
				 CSFTP_OK);
}

static void begin(struct session *session, uint32_t traits)
{
	struct csftp_serve_config config = {.fs = &session->lender.fs};

	*session = (struct session){.lender = {.gives = LARGE}};
	session->lender.ops.op[CSFTP_OP_OPEN] = op_open;
	session->lender.ops.op[CSFTP_OP_CLOSE] = op_close;
	session->lender.ops.op[CSFTP_OP_READ] = op_read;
	session->lender.fs.ops = &session->lender.ops;
	session->lender.fs.traits = traits;
	assert_int_equal(csftp_serve_new(&session->serve, &config), CSFTP_OK);
	session->link = csftp_serve_link(session->serve);
	csftp_serve_pipe(session->serve, &session->pipe);
	feed(session, (struct sftp_msg){.kind = SFTP_INIT, .num = 3});
	feed(session, (struct sftp_msg){.kind = SFTP_OPEN,
					.num = CSFTP_OPEN_READ,
					.path = {(const uint8_t *)"f", 1}});
	drop_output(session);
}

static void feed_read(struct session *session, uint32_t id, uint32_t len)
{
	static const uint8_t zeros[8];

	feed(session, (struct sftp_msg){.kind = SFTP_READ,
					.id = id,
					.handle = {zeros, sizeof(zeros)},
					.len = len});
}

static const uint8_t head[] = {0, 1, 0x86, 0xa9, 103,  0,   0,
			       0, 7, 0,	   1,	 0x86, 0xa0};

static void a_header_in_memory_comes_before_the_pipe(void **state)
{
	struct csftp_slice out[4];
	struct session session;

	(void)state;
	begin(&session, CSFTP_FS_INLINE);
	feed_read(&session, 7, LARGE);
	assert_int_equal(csftp_link_out(session.link, out, 4), 2);
	assert_int_equal(out[0].len, sizeof(head));
	assert_memory_equal(out[0].ptr, head, sizeof(head));
	assert_null(out[1].ptr);
	assert_int_equal(out[1].len, LARGE);
	csftp_serve_free(session.serve);
}

/* Whatever the kernel takes at a time. */
static void output_can_be_taken_in_any_pieces(void **state)
{
	static const size_t pieces[] = {1, 5, 13, 14, 4096, 65536, LARGE};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t left = sizeof(head) + LARGE;
		struct csftp_slice out[4];
		struct session session;

		begin(&session, CSFTP_FS_INLINE);
		feed_read(&session, 7, LARGE);
		while (left > 0) {
			size_t n = csftp_link_out(session.link, out, 4);
			size_t take = left < pieces[i] ? left : pieces[i];

			assert_int_equal(n, left > LARGE ? 2 : 1);
			assert_null(out[n - 1].ptr);
			assert_int_equal(out[n - 1].len,
					 left > LARGE ? LARGE : left);
			assert_int_equal(csftp_link_out_ack(session.link, take),
					 CSFTP_OK);
			left -= take;
		}
		assert_int_equal(csftp_link_wants(session.link), CSFTP_WANT_IN);
		csftp_serve_free(session.serve);
	}
}

static void one_answer_uses_the_pipe_at_a_time(void **state)
{
	struct csftp_slice out[4];
	struct session session;

	(void)state;
	begin(&session, CSFTP_FS_INLINE);
	feed_read(&session, 7, LARGE);
	feed_read(&session, 8, 100); /* is copied, behind the first */
	feed_read(&session, 9, LARGE);
	assert_int_equal(session.lender.reads, 2);
	assert_int_equal(csftp_link_wants(session.link), CSFTP_WANT_OUT);
	assert_int_equal(csftp_link_out(session.link, out, 4), 3);
	assert_int_equal(
		csftp_link_out_ack(session.link, sizeof(head) + LARGE - 1),
		CSFTP_OK);
	assert_int_equal(session.lender.reads, 2);
	assert_int_equal(csftp_link_out_ack(session.link, 1), CSFTP_OK);
	assert_int_equal(session.lender.reads, 3);
	assert_int_equal(csftp_link_out(session.link, out, 4), 2);
	assert_int_equal(out[0].len, 13 + 6 + 13);
	assert_null(out[1].ptr);
	csftp_serve_free(session.serve);
}

static void what_is_not_offered_a_pipe(void **state)
{
	struct session session;

	(void)state;
	begin(&session, CSFTP_FS_INLINE);
	session.lender.gives = 1;
	feed_read(&session, 1, 16U * 1024 - 1); /* too short to pay */
	assert_int_equal(session.lender.offers, 0);
	feed_read(&session, 2, 16U * 1024);
	assert_int_equal(session.lender.offers, 1);
	csftp_serve_free(session.serve);
	begin(&session, CSFTP_FS_INLINE);
	csftp_serve_pipe(session.serve, NULL);
	feed_read(&session, 3, LARGE);
	assert_int_equal(session.lender.offers, 0);
	csftp_serve_free(session.serve);
	begin(&session, 0); /* may answer later, in any order */
	feed_read(&session, 4, LARGE);
	assert_int_equal(session.lender.reads, 1);
	assert_int_equal(session.lender.offers, 0);
	csftp_serve_free(session.serve);
}

static void the_end_of_a_file_is_no_slice(void **state)
{
	struct csftp_slice out[4];
	struct session session;

	(void)state;
	begin(&session, CSFTP_FS_INLINE);
	session.lender.gives = 0;
	feed_read(&session, 7, LARGE);
	assert_int_equal(csftp_link_out(session.link, out, 4), 1);
	assert_int_equal(((const uint8_t *)out[0].ptr)[4], 101);
	csftp_serve_free(session.serve);
}

/* The client would take what is too much for the next answer. */
static void more_than_was_asked_for_ends_the_session(void **state)
{
	struct csftp_slice out[4];
	struct session session;

	(void)state;
	begin(&session, CSFTP_FS_INLINE);
	session.lender.gives = LARGE + 1;
	feed_read(&session, 7, LARGE);
	assert_int_equal(csftp_link_error(session.link), CSFTP_ERR_VALUE);
	assert_int_equal(csftp_link_out(session.link, out, 4), 0);
	csftp_serve_free(session.serve);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(a_header_in_memory_comes_before_the_pipe),
		cmocka_unit_test(output_can_be_taken_in_any_pieces),
		cmocka_unit_test(one_answer_uses_the_pipe_at_a_time),
		cmocka_unit_test(what_is_not_offered_a_pipe),
		cmocka_unit_test(the_end_of_a_file_is_no_slice),
		cmocka_unit_test(more_than_was_asked_for_ends_the_session),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
