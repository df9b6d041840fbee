#include "tests/lib/told.h"

#include <string.h>

#include "tests/lib/packets.h"
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
	packets_say(session->link, bytes, len);
}

void told_hex(struct told *session, const char *hex)
{
	packets_say_hex(session->link, hex);
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
	return packets_next(session->link, session->buf, sizeof(session->buf),
			    &session->request);
}

static void begin(struct told *session, const char *version, uint32_t slots,
		  uint32_t handles)
{
	struct csftp_remote_config config = {.ready = set_ready,
					     .log = keep_log,
					     .arg = session,
					     .slots = slots,
					     .handles = handles};

	memset(session, 0, sizeof(*session));
	assert_int_equal(csftp_remote_new(&session->remote, &config), CSFTP_OK);
	session->fs = csftp_remote_fs(session->remote);
	session->link = csftp_remote_link(session->remote);
	assert_true(told_next(session));
	assert_int_equal(session->request.kind, SFTP_INIT);
	told_hex(session, version);
}

void told_begin_with(struct told *session, const char *version, uint32_t slots)
{
	begin(session, version, slots, 4);
}

void told_begin_many(struct told *session, uint32_t handles)
{
	begin(session, TOLD_PLAIN, 8, handles);
	assert_true(session->ready);
}

void told_begin(struct told *session)
{
	told_begin_many(session, 4);
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

static bool told_entry(struct csftp_req *req, const struct csftp_entry *entry)
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
	session->opened++;
	told_msg(session, (struct sftp_msg){.kind = SFTP_HANDLE,
					    .handle = {&session->opened, 1}});
	assert_int_equal(one.answers, 1);
	assert_int_equal(one.err, 0);
	return one.fh;
}
