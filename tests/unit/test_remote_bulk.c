/* The client engine and bulk: in pieces, and behind who only asks. */
#include <errno.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/told.h"

#define CHUNK  32768U /* what a plain server takes in one piece */
#define WRITES 40U

static const uint8_t chunk[CHUNK];

struct crowd {
	struct told session;
	struct told_ask writes[WRITES];
	struct told_ask one;
	struct told_ask two;
	csftp_fh fh;
	csftp_fh other;
	uint8_t buf[2 * CHUNK];
	struct sftp_msg request;
};

static int set_up(void **state)
{
	static struct crowd crowd;

	memset(&crowd, 0, sizeof(crowd));
	told_begin_with(&crowd.session, TOLD_PLAIN, 128);
	crowd.fh = told_open(&crowd.session, CSFTP_OP_OPEN);
	crowd.other = told_open(&crowd.session, CSFTP_OP_OPEN);
	*state = &crowd;
	return 0;
}

static int tear_down(void **state)
{
	told_end(&((struct crowd *)*state)->session);
	return 0;
}

/* Output, of which a packet can be several slices. */
static void take(struct csftp_link *link, uint8_t *to, size_t len)
{
	while (len > 0) {
		struct csftp_slice out;
		size_t n;

		assert_int_equal(csftp_link_out(link, &out, 1), 1);
		n = out.len < len ? out.len : len;
		memcpy(to, out.ptr, n);
		assert_int_equal(csftp_link_out_ack(link, n), CSFTP_OK);
		to += n;
		len -= n;
	}
}

static bool next(struct crowd *crowd)
{
	struct csftp_link *link = crowd->session.link;
	size_t len;

	if (!(csftp_link_wants(link) & CSFTP_WANT_OUT))
		return false;
	take(link, crowd->buf, 4);
	len = wire_get_u32(crowd->buf);
	assert_in_range(len, 1, sizeof(crowd->buf));
	take(link, crowd->buf, len);
	assert_int_equal(sftp_msg_decode(&crowd->request, crowd->buf, len),
			 CSFTP_OK);
	return true;
}

static void copy(struct crowd *crowd)
{
	for (size_t i = 0; i < WRITES; i++)
		told_ask(&crowd->session, &crowd->writes[i],
			 (struct csftp_req){.op = CSFTP_OP_WRITE,
					    .fh = crowd->fh,
					    .off = i * CHUNK,
					    .data = chunk,
					    .len = CHUNK});
}

/* How many WRITEs are sent before a request of that kind. */
static size_t writes_before(struct crowd *crowd, enum sftp_kind kind)
{
	size_t writes = 0;

	while (next(crowd)) {
		if (crowd->request.kind == kind)
			return writes;
		assert_int_equal(crowd->request.kind, SFTP_WRITE);
		assert_int_equal(crowd->request.off, writes * CHUNK);
		writes++;
	}
	fail_msg("it was not sent");
	return 0;
}

static void pieces_of_a_payload_are_one_write(void **state)
{
	static const struct csftp_slice parts[] = {
		{"ab", 2}, {"c", 1}, {"defg", 4}};
	struct crowd *crowd = *state;

	assert_true(crowd->session.fs->traits & CSFTP_FS_PARTS);
	told_ask(&crowd->session, &crowd->one,
		 (struct csftp_req){.op = CSFTP_OP_WRITE,
				    .fh = crowd->fh,
				    .parts = parts,
				    .part_count = 3,
				    .len = 7});
	assert_true(next(crowd));
	assert_int_equal(crowd->request.kind, SFTP_WRITE);
	assert_int_equal(crowd->request.data.len, 7);
	assert_memory_equal(crowd->request.data.ptr, "abcdefg", 7);
	assert_false(next(crowd));
	told_msg(&crowd->session, (struct sftp_msg){.kind = SFTP_STATUS,
						    .id = crowd->request.id});
	assert_int_equal(crowd->one.answers, 1);
	assert_int_equal(crowd->one.err, 0);
}

static void too_many_pieces_are_refused(void **state)
{
	struct csftp_slice parts[CSFTP_PARTS_MAX + 1];
	struct crowd *crowd = *state;

	for (size_t i = 0; i < CSFTP_PARTS_MAX + 1; i++)
		parts[i] = (struct csftp_slice){"x", 1};
	told_ask(&crowd->session, &crowd->one,
		 (struct csftp_req){.op = CSFTP_OP_WRITE,
				    .fh = crowd->fh,
				    .parts = parts,
				    .part_count = CSFTP_PARTS_MAX + 1,
				    .len = CSFTP_PARTS_MAX + 1});
	assert_int_equal(crowd->one.err, EINVAL);
	assert_false(next(crowd));
}

static void who_asks_does_not_wait_for_bulk(void **state)
{
	struct crowd *crowd = *state;

	copy(crowd);
	told_ask(&crowd->session, &crowd->one,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "f"});
	assert_in_range(writes_before(crowd, SFTP_STAT), 1, WRITES / 2);
	told_ask(
		&crowd->session, &crowd->two,
		(struct csftp_req){.op = CSFTP_OP_GETATTR, .fh = crowd->other});
	while (next(crowd) && crowd->request.kind != SFTP_FSTAT)
		assert_int_not_equal(crowd->request.off, (WRITES - 1) * CHUNK);
	assert_int_equal(crowd->request.kind, SFTP_FSTAT);
}

/* filexfer-02, 6.1: requests about one file are done in their order. */
static void what_is_about_the_same_handle_waits_its_turn(void **state)
{
	struct crowd *crowd = *state;

	copy(crowd);
	told_ask(&crowd->session, &crowd->one,
		 (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = crowd->fh});
	assert_int_equal(writes_before(crowd, SFTP_CLOSE), WRITES);
	assert_false(next(crowd));
}

static void bulk_that_waits_can_be_given_up(void **state)
{
	struct crowd *crowd = *state;
	struct told_ask *last = &crowd->writes[WRITES - 1];

	copy(crowd);
	csftp_cancel(crowd->session.fs, &last->req);
	assert_int_equal(last->answers, 1);
	assert_int_equal(last->err, EINTR);
	told_ask(&crowd->session, &crowd->one,
		 (struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = crowd->fh});
	assert_int_equal(writes_before(crowd, SFTP_CLOSE), WRITES - 1);
}

static void the_end_of_the_session_is_told_to_all(void **state)
{
	struct crowd *crowd = *state;

	copy(crowd);
	csftp_link_close(crowd->session.link, CSFTP_ERR_EOF);
	for (size_t i = 0; i < WRITES; i++) {
		assert_int_equal(crowd->writes[i].answers, 1);
		/* EIO where it was sent, and nobody knows. */
		assert_true(crowd->writes[i].err == EIO ||
			    crowd->writes[i].err == ENOTCONN);
	}
}

#define BULK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BULK_TEST(pieces_of_a_payload_are_one_write),
		BULK_TEST(too_many_pieces_are_refused),
		BULK_TEST(who_asks_does_not_wait_for_bulk),
		BULK_TEST(what_is_about_the_same_handle_waits_its_turn),
		BULK_TEST(bulk_that_waits_can_be_given_up),
		BULK_TEST(the_end_of_the_session_is_told_to_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
