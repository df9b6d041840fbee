#include "tests/lib/served.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

bool served_feed(struct served *served, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		size_t room;
		uint8_t *in = csftp_link_in(served->link, &room);
		size_t n = len < room ? len : room;

		if (n == 0)
			return false;
		memcpy(in, at, n);
		/* The link remembers its error. */
		if (csftp_link_in_ack(served->link, n) == CSFTP_ERR_ARG)
			fail();
		at += n;
		len -= n;
	}
	return true;
}

/* Up to len bytes of the output, wherever they lie. */
static size_t take(struct served *served, uint8_t *to, size_t len)
{
	size_t have = 0;

	while (have < len) {
		struct csftp_slice out;
		size_t n;

		if (csftp_link_out(served->link, &out, 1) == 0)
			break;
		n = out.len < len - have ? out.len : len - have;
		memcpy(to + have, out.ptr, n);
		have += n;
		if (csftp_link_out_ack(served->link, n) == CSFTP_ERR_ARG)
			fail();
	}
	return have;
}

bool served_next(struct served *served)
{
	size_t got = take(served, served->buf, 4);
	size_t len;

	if (got == 0)
		return false;
	assert_int_equal(got, 4);
	len = wire_get_u32(served->buf);
	assert_true(len > 0 && len <= CSFTP_SERVE_PACKET_MAX);
	assert_int_equal(take(served, served->buf + 4, len), len);
	assert_int_equal(sftp_msg_decode(&served->answer, served->buf + 4, len),
			 CSFTP_OK);
	served->len = 4 + len;
	return true;
}

void served_send(struct served *served, const struct sftp_msg *msg)
{
	uint8_t buf[16384];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	sftp_msg_encode(&wr, msg);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	assert_true(served_feed(served, buf, wr.len));
}

bool served_work(struct served *served)
{
	if (served->later && later_run(served->later))
		return true;
	if (!(csftp_link_wants(served->link) & CSFTP_WANT_WORK))
		return false;
	assert_int_equal(csftp_link_work(served->link), CSFTP_OK);
	return true;
}

const struct sftp_msg *served_ask(struct served *served,
				  const struct sftp_msg *msg)
{
	served_send(served, msg);
	while (!served_next(served))
		assert_true(served_work(served));
	assert_int_equal(served->answer.id, msg->id);
	return &served->answer;
}

uint32_t served_status(struct served *served, const struct sftp_msg *msg)
{
	const struct sftp_msg *answer = served_ask(served, msg);

	assert_int_equal(answer->kind, SFTP_STATUS);
	return answer->num;
}

static void *lend(void *arg)
{
	struct served *served = arg;
	void *buf;

	if (served->borrowed == served->pool)
		return NULL;
	buf = malloc(CSFTP_SERVE_BUF);
	assert_non_null(buf);
	served->borrowed++;
	return buf;
}

static void take_back(void *arg, void *buf)
{
	struct served *served = arg;

	assert_true(served->borrowed > 0);
	served->borrowed--;
	free(buf);
}

void served_start(struct served *served,
		  const struct csftp_serve_config *config)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	struct csftp_serve_config lent = *config;

	if (served->pool > 0) {
		assert_null(config->arg);
		lent.buf_get = lend;
		lent.buf_put = take_back;
		lent.arg = served;
	}
	assert_int_equal(csftp_serve_new(&served->serve, &lent), CSFTP_OK);
	served->link = csftp_serve_link(served->serve);
	assert_true(served_feed(served, init, sizeof(init)));
	assert_true(served_next(served));
	assert_int_equal(served->answer.kind, SFTP_VERSION_MSG);
	assert_true(served->len <= sizeof(served->greeting_buf));
	memcpy(served->greeting_buf, served->buf, served->len);
	assert_int_equal(sftp_msg_decode(&served->greeting,
					 served->greeting_buf + 4,
					 served->len - 4),
			 CSFTP_OK);
}

void served_stop(struct served *served)
{
	csftp_link_close(served->link, CSFTP_ERR_EOF);
	while (served->later && later_run(served->later))
		;
	assert_int_equal(csftp_serve_pending(served->serve), 0);
	csftp_serve_free(served->serve);
	assert_int_equal(served->borrowed, 0);
}

bool served_announces(const struct served *served, const char *name)
{
	struct wire_rd rd = {.next = served->greeting.data.ptr,
			     .left = served->greeting.data.len};

	while (rd.left > 0) {
		struct wire_bytes got = wire_rd_string(&rd, SIZE_MAX);

		(void)wire_rd_string(&rd, SIZE_MAX);
		assert_int_equal(rd.err, CSFTP_OK);
		if (got.len == strlen(name) &&
		    memcmp(got.ptr, name, got.len) == 0)
			return true;
	}
	return false;
}
