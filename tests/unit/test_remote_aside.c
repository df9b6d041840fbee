/* Answers to READ that go past the buffer, to where the asker wants them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/told.h"

enum { LEN = 40000, HEAD = 13 };

struct rig {
	struct told session;
	struct told_ask ask;
	uint8_t answer[HEAD + LEN + 64];
	size_t answer_len;
	uint8_t *into;
	const void *data; /* of the reply */
};

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct rig *rig =
		(struct rig *)((char *)req - offsetof(struct rig, ask.req));

	rig->data = reply->data.ptr;
	told_done(req, reply);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* A READ that waits for its answer, which is ready to be said. */
static void begin(struct rig *rig)
{
	struct wire_wr wr = {.base = rig->answer, .cap = sizeof(rig->answer)};
	uint8_t *data = malloc(LEN);
	csftp_fh fh;

	told_begin(&rig->session);
	fh = told_open(&rig->session, CSFTP_OP_OPEN);
	rig->into = calloc(1, LEN);
	assert_non_null(data);
	assert_non_null(rig->into);
	rig->ask = (struct told_ask){.req = {.op = CSFTP_OP_READ,
					     .done = done,
					     .fh = fh,
					     .len = LEN,
					     .into = rig->into}};
	/* As a server has it that says nothing of limits. */
	rig->session.fs->max_read = LEN;
	csftp_submit(rig->session.fs, &rig->ask.req);
	assert_true(told_next(&rig->session));
	for (size_t i = 0; i < LEN; i++)
		data[i] = byte_at(i);
	sftp_msg_encode(&wr, &(struct sftp_msg){.kind = SFTP_DATA,
						.id = rig->session.request.id,
						.data = {data, LEN}});
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	rig->answer_len = wr.len;
	free(data);
}

static void end(struct rig *rig)
{
	told_end(&rig->session);
	free(rig->into);
	assert_int_equal(rig->ask.answers, 1);
}

static void assert_answered(const struct rig *rig)
{
	assert_int_equal(rig->ask.answers, 1);
	assert_int_equal(rig->ask.err, 0);
	assert_int_equal(rig->ask.len, LEN);
	for (size_t i = 0; i < LEN; i++)
		assert_int_equal(rig->into[i], byte_at(i));
}

/* Each byte of the head, and some behind it. */
static size_t next_cut(size_t cut)
{
	return cut < 40 ? cut + 1 : cut + 3989;
}

static void an_answer_is_where_it_is_wanted_however_it_is_cut(void **state)
{
	struct rig rig;

	(void)state;
	for (size_t cut = 0; cut < HEAD + LEN; cut = next_cut(cut)) {
		begin(&rig);
		told_say(&rig.session, rig.answer, cut);
		told_say(&rig.session, rig.answer + cut, rig.answer_len - cut);
		assert_int_equal(rig.ask.answers, 1);
		/* What comes whole stays in the buffer. */
		if (rig.data == rig.into)
			assert_answered(&rig);
		else
			assert_int_equal(cut < HEAD ||
						 rig.answer_len - cut < 16384,
					 true);
		end(&rig);
	}
}

/* As an owner does that decrypts: head, payload, and what is left to say. */
static size_t place_all(struct rig *rig, size_t from, size_t to)
{
	size_t at = from, room;

	while (at < to) {
		uint8_t *where =
			csftp_link_place(rig->session.link, to - at, &room);

		if (!where)
			break;
		assert_in_range(room, 1, to - at);
		memcpy(where, rig->answer + at, room);
		at += room;
		assert_int_equal(rig->ask.answers, 0);
	}
	return at - from;
}

static void what_has_its_place_is_answered_once_it_is_good(void **state)
{
	struct csftp_link *link;
	struct rig rig;

	(void)state;
	for (size_t cut = 0; cut < HEAD + LEN; cut = next_cut(cut)) {
		size_t placed;

		begin(&rig);
		link = rig.session.link;
		placed = place_all(&rig, 0, cut);
		assert_int_equal(placed, cut);
		if (placed > 0)
			assert_int_equal(csftp_link_in_ack(link, placed),
					 CSFTP_OK);
		placed = place_all(&rig, cut, rig.answer_len);
		assert_int_equal(placed, rig.answer_len - cut);
		assert_int_equal(csftp_link_in_ack(link, placed), CSFTP_OK);
		assert_ptr_equal(rig.data, rig.into);
		assert_answered(&rig);
		end(&rig);
	}
}

static void until_then_nothing_else_is_taken_or_handled(void **state)
{
	struct csftp_link *link;
	struct csftp_slice out;
	struct told_ask more;
	struct rig rig;
	size_t room;

	(void)state;
	begin(&rig);
	link = rig.session.link;
	assert_int_equal(place_all(&rig, 0, rig.answer_len), rig.answer_len);
	assert_null(csftp_link_place(link, 1, &room));
	assert_null(csftp_link_in(link, &room));
	assert_int_equal(room, 0);
	assert_int_equal(csftp_link_in_ack(link, 0), CSFTP_ERR_ARG);
	assert_int_equal(csftp_link_in_ack(link, rig.answer_len - 1),
			 CSFTP_ERR_ARG);
	/* Output goes on. */
	told_ask(&rig.session, &more,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "f"});
	assert_int_equal(csftp_link_out(link, &out, 1), 1);
	assert_int_equal(csftp_link_out_ack(link, out.len), CSFTP_OK);
	assert_int_equal(rig.ask.answers, 0);
	/* And it was not good. */
	csftp_link_close(link, CSFTP_ERR_FORGED);
	assert_int_equal(rig.ask.answers, 1);
	assert_int_equal(rig.ask.err, EIO);
	assert_int_equal(more.err, EIO);
	assert_null(csftp_link_place(link, 1, &room));
	end(&rig);
}

/* Its memory is its own again: a sanitizer sees who writes there. */
static void who_gives_up_in_the_middle_gets_no_more(void **state)
{
	struct told_ask more;
	struct rig rig;

	(void)state;
	for (size_t cut = HEAD; cut < HEAD + LEN; cut += 1999) {
		begin(&rig);
		told_say(&rig.session, rig.answer, HEAD);
		told_say(&rig.session, rig.answer + HEAD, cut - HEAD);
		csftp_cancel(rig.session.fs, &rig.ask.req);
		assert_int_equal(rig.ask.answers, 1);
		assert_int_equal(rig.ask.err, EINTR);
		free(rig.into);
		rig.into = NULL;
		told_say(&rig.session, rig.answer + cut, rig.answer_len - cut);
		assert_int_equal(csftp_link_error(rig.session.link), CSFTP_OK);
		/* And the session goes on. */
		told_ask(&rig.session, &more,
			 (struct csftp_req){.op = CSFTP_OP_GETATTR,
					    .path = "f"});
		assert_true(told_next(&rig.session));
		told_msg(&rig.session, (struct sftp_msg){.kind = SFTP_ATTRS});
		assert_int_equal(more.answers, 1);
		assert_int_equal(more.err, 0);
		end(&rig);
	}
}

/* A head that lies has no place, and is seen for what it is. */
static void data_that_was_not_asked_for_stays_in_the_buffer(void **state)
{
	static const struct {
		size_t at;
		uint8_t bits;
		int err;
		enum csftp_err link;
	} lies[] = {
		{3, 1, EIO, CSFTP_OK},	      /* longer than its data */
		{4, 2, EIO, CSFTP_OK},	      /* a STATUS, or what not */
		{7, 1, EIO, CSFTP_ERR_STATE}, /* of another request */
		{8, 1, EIO, CSFTP_ERR_STATE},
		{9, 0x80, EIO, CSFTP_OK},	    /* the data is too long */
		{0, 0x80, EIO, CSFTP_ERR_TOO_LONG}, /* and the packet */
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin(&rig);
		rig.answer[lies[i].at] ^= lies[i].bits;
		/* The packet may have become longer by one byte. */
		rig.answer_len += 2;
		for (size_t at = 0; at < rig.answer_len; at++) {
			size_t room;
			uint8_t *in = csftp_link_in(rig.session.link, &room);

			if (room == 0)
				break;
			*in = rig.answer[at];
			if (csftp_link_in_ack(rig.session.link, 1) != CSFTP_OK)
				break;
		}
		assert_int_equal(rig.ask.answers, 1);
		assert_int_equal(csftp_link_error(rig.session.link),
				 lies[i].link);
		if (lies[i].at != 3)
			assert_int_equal(rig.ask.err, lies[i].err);
		end(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_answer_is_where_it_is_wanted_however_it_is_cut),
		cmocka_unit_test(
			what_has_its_place_is_answered_once_it_is_good),
		cmocka_unit_test(until_then_nothing_else_is_taken_or_handled),
		cmocka_unit_test(who_gives_up_in_the_middle_gets_no_more),
		cmocka_unit_test(
			data_that_was_not_asked_for_stays_in_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
