/* The client engine, whose callbacks ask, give up and end the session. */
#include <errno.h>

#include "tests/lib/test.h"
#include "tests/lib/told.h"

/* A listing whose callback does something else than to take the name. */
struct meddler {
	struct told_ask ask; /* first */
	struct told *session;
	void (*meddle)(struct meddler *meddler);
	struct told_ask close;
	unsigned answers_inside;
	bool refuse;
};

static bool meddling_entry(struct csftp_req *req,
			   const struct csftp_entry *entry)
{
	struct meddler *meddler = (struct meddler *)req;

	meddler->ask.entries++;
	if (meddler->meddle && meddler->ask.entries == 1)
		meddler->meddle(meddler);
	meddler->answers_inside = meddler->ask.answers;
	/* Still there, and still its own. */
	assert_int_equal(*(const char *)entry->name.ptr, 'n');
	return !meddler->refuse;
}

static void meddle_cancel(struct meddler *meddler)
{
	csftp_cancel(meddler->session->fs, &meddler->ask.req);
}

static void meddle_end(struct meddler *meddler)
{
	csftp_link_close(meddler->session->link, CSFTP_ERR_EOF);
}

static void meddle_tick(struct meddler *meddler)
{
	(void)csftp_remote_tick(meddler->session->remote, 1000);
}

static void meddle_close(struct meddler *meddler)
{
	told_ask(meddler->session, &meddler->close,
		 (struct csftp_req){.op = CSFTP_OP_CLOSE,
				    .fh = meddler->ask.req.fh});
}

static void list(struct meddler *meddler, csftp_fh fh)
{
	meddler->ask = (struct told_ask){.req = {.op = CSFTP_OP_READDIR,
						 .done = told_done,
						 .entry = meddling_entry,
						 .deadline_ms = 900,
						 .fh = fh}};
	csftp_submit(meddler->session->fs, &meddler->ask.req);
}

static void say_three_names(struct told *session)
{
	static const struct csftp_entry entry = {.name = {"name", 4}};
	uint8_t buf[64];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	for (int i = 0; i < 3; i++)
		sftp_entry_put(&wr, &entry);
	told_msg(session, (struct sftp_msg){.kind = SFTP_NAME,
					    .num = 3,
					    .data = {buf, wr.len}});
}

static const struct {
	void (*meddle)(struct meddler *meddler);
	int err;
	unsigned entries;
} meddlings[] = {
	{meddle_cancel, EINTR, 1},
	{meddle_end, EIO, 1},
	{meddle_tick, ETIMEDOUT, 1},
	{meddle_close, 0, 3},
};

#define MEDDLINGS (sizeof(meddlings) / sizeof(meddlings[0]))

static void a_listing_given_up_in_entry_is_answered_after_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEDDLINGS; i++) {
		struct told session;
		struct meddler meddler = {.session = &session,
					  .meddle = meddlings[i].meddle};

		told_begin(&session);
		list(&meddler, told_open(&session, CSFTP_OP_OPENDIR));
		assert_true(told_next(&session));
		say_three_names(&session);
		assert_int_equal(meddler.answers_inside, 0);
		assert_int_equal(meddler.ask.answers, 1);
		assert_int_equal(meddler.ask.err, meddlings[i].err);
		assert_int_equal(meddler.ask.entries, meddlings[i].entries);
		told_end(&session);
		assert_int_equal(meddler.ask.answers, 1);
	}
}

/* The same of names that an earlier listing left. */
static void a_kept_listing_given_up_in_entry_is_answered_after_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEDDLINGS; i++) {
		struct told session;
		struct meddler meddler = {.session = &session, .refuse = true};
		csftp_fh fh;

		told_begin(&session);
		fh = told_open(&session, CSFTP_OP_OPENDIR);
		list(&meddler, fh);
		assert_true(told_next(&session));
		say_three_names(&session);
		assert_int_equal(meddler.ask.answers, 1);
		meddler.refuse = false;
		meddler.meddle = meddlings[i].meddle;
		list(&meddler, fh);
		assert_int_equal(meddler.answers_inside, 0);
		assert_int_equal(meddler.ask.answers, 1);
		assert_int_equal(meddler.ask.err, meddlings[i].err);
		assert_int_equal(meddler.ask.entries, meddlings[i].entries);
		assert_int_equal(csftp_remote_pending(session.remote),
				 meddlings[i].err == 0 ? 1 : 0);
		told_end(&session);
	}
}

struct asks_again {
	struct told_ask ask; /* first */
	struct told *session;
	struct told_ask next;
};

static void ask_again(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct asks_again *again = (struct asks_again *)req;

	told_done(req, reply);
	told_ask(again->session, &again->next,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR,
				    .path = "f",
				    .deadline_ms = 500});
}

static void a_deadline_asked_for_within_a_tick_counts(void **state)
{
	struct told session;
	struct asks_again again = {.session = &session};
	struct told_ask first;

	(void)state;
	told_begin_with(&session, TOLD_PLAIN, 1);
	told_ask(&session, &first,
		 (struct csftp_req){.op = CSFTP_OP_GETATTR,
				    .path = "f",
				    .deadline_ms = 100});
	again.ask.req = (struct csftp_req){.op = CSFTP_OP_GETATTR,
					   .path = "g",
					   .done = ask_again,
					   .deadline_ms = 100};
	csftp_submit(session.fs, &again.ask.req);
	assert_int_equal(csftp_remote_tick(session.remote, 100), 500);
	assert_int_equal(first.err, ETIMEDOUT);
	assert_int_equal(again.ask.err, ETIMEDOUT);
	told_end(&session);
	assert_int_equal(again.next.err, ENOTCONN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_listing_given_up_in_entry_is_answered_after_it),
		cmocka_unit_test(
			a_kept_listing_given_up_in_entry_is_answered_after_it),
		cmocka_unit_test(a_deadline_asked_for_within_a_tick_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
