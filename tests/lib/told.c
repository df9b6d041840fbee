#include "tests/lib/told.h"

#include <string.h>

#include "tests/lib/hex.h"
#include "tests/lib/test.h"

static void set_ready(void *arg)
{
	((struct told *)arg)->ready = true;
}

static void keep_log(void *arg, const char *text)
{
	struct told *session = arg;

	session->logs++;
	assert_true(strlen(text) < sizeof(session->log));
	memcpy(session->log, text, strlen(text) + 1);
	for (const char *p = text; *p != '\0'; p++)
		assert_true(*p >= ' ' && *p <= '~');
}

void told_say(struct told *session, const void *bytes, size_t len)
{
	const uint8_t *next = bytes;

	while (len > 0 && csftp_link_wants(session->link) & CSFTP_WANT_IN) {
		size_t room;
		uint8_t *in = csftp_link_in(session->link, &room);
		size_t n = len < room ? len : room;

		memcpy(in, next, n);
		if (csftp_link_in_ack(session->link, n) == CSFTP_ERR_ARG)
			fail();
		next += n;
		len -= n;
	}
}

void told_hex(struct told *session, const char *hex)
{
	uint8_t buf[1024];

	told_say(session, buf, hex_bytes(hex, buf, sizeof(buf)));
}

void told_msg(struct told *session, struct sftp_msg msg)
{
	uint8_t buf[1024];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	if (msg.id == 0)
		msg.id = session->request.id;
	sftp_msg_encode(&wr, &msg);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	told_say(session, buf, wr.len);
}

bool told_next(struct told *session)
{
	struct csftp_slice out;
	size_t len;

	if (csftp_link_out(session->link, &out, 1) == 0)
		return false;
	len = 4 + (size_t)wire_get_u32(out.ptr);
	assert_true(len <= out.len && len <= sizeof(session->buf));
	memcpy(session->buf, out.ptr, len);
	if (csftp_link_out_ack(session->link, len) == CSFTP_ERR_ARG)
		fail();
	assert_int_equal(
		sftp_msg_decode(&session->request, session->buf + 4, len - 4),
		CSFTP_OK);
	return true;
}

void told_begin_with(struct told *session, const char *version, uint32_t slots)
{
	struct csftp_remote_config config = {.ready = set_ready,
					     .log = keep_log,
					     .arg = session,
					     .slots = slots,
					     .handles = 4};

	memset(session, 0, sizeof(*session));
	assert_int_equal(csftp_remote_new(&session->remote, &config), CSFTP_OK);
	session->fs = csftp_remote_fs(session->remote);
	session->link = csftp_remote_link(session->remote);
	assert_true(told_next(session));
	assert_int_equal(session->request.kind, SFTP_INIT);
	told_hex(session, version);
}

void told_begin(struct told *session)
{
	told_begin_with(session, TOLD_PLAIN, 8);
	assert_true(session->ready);
}

void told_end(struct told *session)
{
	csftp_remote_free(session->remote);
}

void told_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct told_ask *ask = (struct told_ask *)req;

	ask->answers++;
	ask->err = reply->err;
	ask->eof = reply->eof;
	ask->fh = reply->fh;
	ask->len = reply->data.len + reply->text.len;
	if (reply->attr)
		ask->attr = *reply->attr;
}

bool told_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	(void)entry;
	((struct told_ask *)req)->entries++;
	return true;
}

void told_ask(struct told *session, struct told_ask *ask, struct csftp_req req)
{
	*ask = (struct told_ask){.req = req};
	ask->req.done = told_done;
	ask->req.entry = told_entry;
	csftp_submit(session->fs, &ask->req);
}

csftp_fh told_open(struct told *session, enum csftp_op op)
{
	struct told_ask one;

	told_ask(session, &one,
		 (struct csftp_req){.op = op, .path = "f", .flags = 1});
	assert_true(told_next(session));
	told_msg(session,
		 (struct sftp_msg){.kind = SFTP_HANDLE,
				   .handle = {(const uint8_t *)"h", 1}});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, 0);
	return one.fh;
}
