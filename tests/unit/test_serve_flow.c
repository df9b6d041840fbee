/* Clients that ask faster than they listen. */
#include <stdlib.h>
#include <string.h>

#include "core/errmap.h"
#include "csftp/memfs.h"
#include "tests/lib/served.h"
#include "tests/lib/test.h"

#define FILE_LEN 200000U

struct flow {
	struct csftp_fs *memfs;
	struct later later;
	struct served served;
	struct wire_bytes handle;
	uint8_t keep[8];
};

static struct flow *flow_start(enum later_when later, unsigned pool)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	struct csftp_serve_config config = {.handles = 8};
	uint8_t *data = calloc(1, FILE_LEN);
	const struct sftp_msg *got;

	assert_true(flow && data);
	assert_int_equal(csftp_memfs_new(&flow->memfs, NULL), CSFTP_OK);
	config.fs = flow->memfs;
	flow->served.pool = pool;
	if (later != LATER_NEVER) {
		later_init_when(&flow->later, flow->memfs, later);
		flow->served.later = &flow->later;
		config.fs = &flow->later.fs;
	}
	served_start(&flow->served, &config);
	got = served_ask(&flow->served,
			 &(struct sftp_msg){.kind = SFTP_OPEN,
					    .path = BYTES("f"),
					    .num = CSFTP_OPEN_READ |
						   CSFTP_OPEN_WRITE |
						   CSFTP_OPEN_CREAT});
	assert_int_equal(got->kind, SFTP_HANDLE);
	memcpy(flow->keep, got->handle.ptr, 8);
	flow->handle = (struct wire_bytes){flow->keep, 8};
	for (size_t off = 0; off < FILE_LEN; off += 10000)
		assert_int_equal(served_status(&flow->served,
					       &(struct sftp_msg){
						       .kind = SFTP_WRITE,
						       .handle = flow->handle,
						       .off = off,
						       .data = {data, 10000}}),
				 SSH_FX_OK);
	free(data);
	return flow;
}

static void flow_stop(struct flow *flow)
{
	served_stop(&flow->served);
	csftp_memfs_free(flow->memfs);
	free(flow);
}

/* Bytes of requests that the server takes while nothing is read from it. */
static size_t say_until_full(struct flow *flow, const struct sftp_msg *request,
			     uint32_t *asked)
{
	size_t taken = 0;

	for (;;) {
		struct sftp_msg msg = *request;
		uint8_t buf[512];
		struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};
		size_t room;

		(void)csftp_link_in(flow->served.link, &room);
		if (room < sizeof(buf) && !served_work(&flow->served)) {
			assert_true(room == 0 || taken > 0);
			break;
		}
		if (room < sizeof(buf))
			continue;
		msg.id = (*asked)++;
		sftp_msg_encode(&wr, &msg);
		assert_true(served_feed(&flow->served, buf, wr.len));
		taken += wr.len;
		/* As much as there is in any session at a time, and more. */
		assert_true(taken < 16U * 1024 * 1024);
	}
	return taken;
}

static size_t waiting_output(const struct flow *flow)
{
	struct csftp_slice slice[8];
	size_t n = csftp_link_out(flow->served.link, slice, 8);
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += slice[i].len;
	return len;
}

/* All that was asked is answered in the end, each once. */
static void hear_all(struct flow *flow, enum sftp_kind kind, uint32_t asked)
{
	bool *heard = calloc(asked, sizeof(*heard));
	uint32_t count = 0;

	assert_non_null(heard);
	while (count < asked) {
		if (!served_next(&flow->served)) {
			assert_true(served_work(&flow->served));
			continue;
		}
		assert_int_equal(flow->served.answer.kind, kind);
		assert_true(flow->served.answer.id < asked);
		assert_false(heard[flow->served.answer.id]);
		heard[flow->served.answer.id] = true;
		count++;
	}
	assert_false(served_next(&flow->served));
	assert_true(csftp_link_wants(flow->served.link) & CSFTP_WANT_IN);
	free(heard);
}

static void greedy_with(enum later_when later, unsigned pool,
			const struct sftp_msg *request, enum sftp_kind answer)
{
	struct flow *flow = flow_start(later, pool);
	struct sftp_msg msg = *request;
	uint32_t asked = 0;

	if (!msg.path.ptr)
		msg.handle = flow->handle;
	for (int round = 0; round < 3; round++) {
		size_t taken = say_until_full(flow, &msg, &asked);

		assert_true(taken > 0);
		/* It is not asked for more, and holds no more. */
		assert_false(csftp_link_wants(flow->served.link) &
			     CSFTP_WANT_IN);
		assert_true(waiting_output(flow) <= 3 * CSFTP_SERVE_PACKET_MAX);
		hear_all(flow, answer, asked);
		asked = 0;
	}
	flow_stop(flow);
}

static void greedy(enum later_when later, const struct sftp_msg *request,
		   enum sftp_kind answer)
{
	greedy_with(later, 0, request, answer);
	greedy_with(later, 3, request, answer);
}

static const struct sftp_msg reading = {.kind = SFTP_READ, .len = 200000};
static const struct sftp_msg looking = {.kind = SFTP_STAT, .path = BYTES("/")};
static const struct sftp_msg resolving = {.kind = SFTP_REALPATH,
					  .path = BYTES("f")};
static const struct sftp_msg hashing = {.kind = SFTP_CHECK_FILE_NAME,
					.path = BYTES("f"),
					.data = BYTES("crc32"),
					.num = 256};

static void a_client_that_does_not_listen_is_not_read(void **state)
{
	(void)state;
	greedy(LATER_NEVER, &reading, SFTP_DATA);
	greedy(LATER_NEVER, &looking, SFTP_ATTRS);
	greedy(LATER_NEVER, &resolving, SFTP_NAME);
	greedy(LATER_NEVER, &hashing, SFTP_EXTENDED_REPLY);
}

static void nor_is_it_where_answers_come_later(void **state)
{
	(void)state;
	greedy(LATER_ALWAYS, &reading, SFTP_DATA);
	greedy(LATER_ALWAYS, &looking, SFTP_ATTRS);
	greedy(LATER_ALWAYS, &resolving, SFTP_NAME);
	greedy(LATER_ALWAYS, &hashing, SFTP_EXTENDED_REPLY);
}

static void nor_is_it_where_some_do(void **state)
{
	(void)state;
	greedy(LATER_SOMETIMES, &reading, SFTP_DATA);
	greedy(LATER_SOMETIMES, &looking, SFTP_ATTRS);
	greedy(LATER_SOMETIMES, &resolving, SFTP_NAME);
	greedy(LATER_SOMETIMES, &hashing, SFTP_EXTENDED_REPLY);
}

static void ask_late(struct flow *flow, const struct sftp_msg *msg)
{
	served_send(&flow->served, msg);
	assert_false(served_next(&flow->served));
}

/* A listing and a READ that come after what was asked for behind them. */
static void a_late_answer_goes_where_the_output_is_by_then(void **state)
{
	struct flow *flow = flow_start(LATER_SOMETIMES, 3);
	struct sftp_msg msg = reading;
	uint8_t dir[8];

	(void)state;
	flow->later.late = 0;
	flow->later.seen = 0;
	(void)served_ask(&flow->served, &(struct sftp_msg){.kind = SFTP_OPENDIR,
							   .path = BYTES("/")});
	memcpy(dir, flow->served.answer.handle.ptr, 8);
	flow->later.late = 1U << CSFTP_OP_READDIR | 1U << CSFTP_OP_READ;
	msg.id = 1;
	msg.handle = flow->handle;
	ask_late(flow, &(struct sftp_msg){.kind = SFTP_READDIR,
					  .handle = {dir, sizeof(dir)}});
	ask_late(flow, &msg);
	for (uint32_t id = 2; id < 5; id++) {
		served_send(&flow->served,
			    &(struct sftp_msg){.kind = SFTP_STAT,
					       .id = id,
					       .path = BYTES("/")});
	}
	while (later_run(&flow->later))
		;
	for (uint32_t id = 2; id < 5; id++) {
		assert_true(served_next(&flow->served));
		assert_int_equal(flow->served.answer.kind, SFTP_ATTRS);
		assert_int_equal(flow->served.answer.id, id);
	}
	assert_true(served_next(&flow->served));
	assert_int_equal(flow->served.answer.kind, SFTP_NAME);
	assert_int_equal(flow->served.answer.num, 3);
	assert_true(served_next(&flow->served));
	assert_int_equal(flow->served.answer.kind, SFTP_DATA);
	assert_int_equal(flow->served.answer.data.len, FILE_LEN);
	assert_int_equal(flow->served.borrowed, 0);
	flow_stop(flow);
}

/* Requests one by one, in pieces of a byte; nothing stays borrowed. */
static void an_idle_session_has_no_buffer(void **state)
{
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct flow *flow = flow_start(later, 3);
		struct served *served = &flow->served;
		struct sftp_msg msgs[] = {reading, looking, resolving, hashing};
		uint8_t buf[512];

		(void)state;
		assert_int_equal(served->borrowed, 0);
		msgs[0].handle = flow->handle;
		for (size_t i = 0; i < 4; i++) {
			struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

			sftp_msg_encode(&wr, &msgs[i]);
			for (size_t n = 0; n < wr.len; n++) {
				assert_true(served_feed(served, buf + n, 1));
				assert_true(served->borrowed > 0);
			}
			while (!served_next(served))
				assert_true(served_work(served));
			assert_int_equal(served->borrowed, 0);
		}
		flow_stop(flow);
	}
}

/* With a pool of `pool`, all but `left` taken by others. */
static void ask_of_empty_pool(const struct sftp_msg *msg, unsigned left,
			      enum sftp_kind answer)
{
	struct flow *flow = flow_start(LATER_NEVER, 3);
	struct served *served = &flow->served;
	uint8_t buf[512];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};
	bool fed;

	sftp_msg_encode(&wr, msg);
	served->pool = left;
	fed = served_feed(served, buf, wr.len);
	assert_true(csftp_link_starved(served->link));
	assert_int_equal(fed, left > 0);
	assert_false(served_next(served));
	/* It does not help to ask. */
	assert_int_equal(csftp_link_in_ack(served->link, 0), CSFTP_OK);
	assert_int_equal(left > 0, csftp_link_starved(served->link));
	assert_false(served_next(served));
	served->pool = 3;
	assert_int_equal(csftp_link_in_ack(served->link, 0), CSFTP_OK);
	if (!fed)
		assert_true(served_feed(served, buf, wr.len));
	assert_false(csftp_link_starved(served->link));
	while (!served_next(served))
		assert_true(served_work(served));
	assert_int_equal(served->answer.kind, answer);
	assert_int_equal(served->borrowed, 0);
	flow_stop(flow);
}

static void a_session_waits_while_the_pool_is_empty(void **state)
{
	(void)state;
	for (unsigned left = 0; left < 2; left++) {
		ask_of_empty_pool(&looking, left, SFTP_ATTRS);
		ask_of_empty_pool(&resolving, left, SFTP_NAME);
	}
	for (unsigned left = 0; left < 3; left++)
		ask_of_empty_pool(&hashing, left, SFTP_EXTENDED_REPLY);
}

static void a_session_can_end_with_all_buffers(void **state)
{
	struct flow *flow = flow_start(LATER_NEVER, 3);
	struct sftp_msg msg = reading;
	uint32_t asked = 0;

	(void)state;
	msg.handle = flow->handle;
	(void)say_until_full(flow, &msg, &asked);
	assert_int_equal(flow->served.borrowed, 2);
	flow_stop(flow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_does_not_listen_is_not_read),
		cmocka_unit_test(nor_is_it_where_answers_come_later),
		cmocka_unit_test(nor_is_it_where_some_do),
		cmocka_unit_test(
			a_late_answer_goes_where_the_output_is_by_then),
		cmocka_unit_test(an_idle_session_has_no_buffer),
		cmocka_unit_test(a_session_waits_while_the_pool_is_empty),
		cmocka_unit_test(a_session_can_end_with_all_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
