/*
 * The server engine over memfs: any bytes of a client, in odd pieces, whose
 * answers are read only now and then.  Each request that has an id is answered
 * once, and the engine never waits for nothing.
 */
#include <errno.h>
#include <string.h>

#include "core/sftp/msg.h"
#include "csftp/memfs.h"
#include "csftp/serve.h"
#include "csftp/stream.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/later.h"

/* How the session goes, from the first byte of the input. */
#define HOW_LATER  0x01U /* the file system answers later */
#define HOW_NEWEST 0x02U /* and in the opposite order */
#define HOW_RAW	   0x04U /* the input has lengths of its own */
#define HOW_CLOSE  0x08U /* the connection breaks, at the second byte */
#define HOW_ONLY   0x20U /* nothing is written, and some is denied */
#define HOW_TRACE  0x40U /* each packet is told of */
#define HOW_PIPE   0x10U /* large answers take a pipe, unless they are LATER */

/* Moves what it reads to what stands for a pipe, where it is offered one. */
struct lender {
	struct csftp_fs fs;
	struct csftp_fs *under;
	uint64_t file_max;
	struct csftp_pipe pipe; /* nothing looks into it */
	uint8_t bytes[CSFTP_SERVE_DATA_MAX];
	size_t head;
	size_t tail;
};

struct wait {
	uint32_t id;
	uint32_t count;
};

struct session {
	struct csftp_fs *memfs;
	struct lender *lender;
	struct later later;
	struct csftp_serve *serve;
	struct csftp_link *link;
	unsigned how;
	uint32_t chance;
	/* What the client says, and how much of it was taken. */
	uint8_t *say;
	size_t say_len;
	size_t said;
	/* The ids that wait for an answer. */
	struct wait *wait;
	size_t waits;
	size_t greetings;
	/* Of what the server says: the packet that has not ended yet. */
	uint8_t *heard;
	size_t heard_len;
};

/* xorshift: the same for the same input. */
static uint32_t chance(struct session *session, uint32_t below)
{
	uint32_t x = session->chance;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	session->chance = x;
	return x % below;
}

static void add_wait(struct session *session, uint32_t id)
{
	for (size_t i = 0; i < session->waits; i++) {
		if (session->wait[i].id == id) {
			session->wait[i].count++;
			return;
		}
	}
	session->wait[session->waits++] = (struct wait){id, 1};
}

static void answered(struct session *session, uint32_t id)
{
	for (size_t i = 0; i < session->waits; i++) {
		if (session->wait[i].id == id) {
			must(session->wait[i].count-- > 0);
			return;
		}
	}
	must(false);
}

/* Lists the requests of what the client says, as far as it keeps the frame. */
static void list_requests(struct session *session)
{
	const uint8_t *at = session->say;
	size_t left = session->say_len;

	while (left >= 4) {
		size_t len = wire_get_u32(at);

		if (len == 0 || len > CSFTP_SERVE_PACKET_MAX || len > left - 4)
			return;
		if (at[4] == 1)
			session->greetings++;
		else if (len >= 5)
			add_wait(session, wire_get_u32(at + 5));
		at += 4 + len;
		left -= 4 + len;
	}
}

static void hear_packet(struct session *session, const uint8_t *body,
			size_t len)
{
	struct sftp_msg msg;

	must(sftp_msg_decode(&msg, body, len) == CSFTP_OK);
	if (msg.kind == SFTP_VERSION_MSG) {
		must(session->greetings-- > 0);
		return;
	}
	must(msg.kind >= SFTP_STATUS && msg.kind <= SFTP_EXTENDED_REPLY);
	answered(session, msg.id);
}

static void hear(struct session *session, const uint8_t *bytes, size_t len)
{
	uint8_t *at = session->heard;

	must(len <= 4 + CSFTP_SERVE_PACKET_MAX);
	memcpy(at + session->heard_len, bytes, len);
	session->heard_len += len;
	while (session->heard_len >= 4) {
		size_t whole = 4 + (size_t)wire_get_u32(at);

		must(whole > 4 && whole <= 4 + CSFTP_SERVE_PACKET_MAX);
		if (whole > session->heard_len)
			break;
		hear_packet(session, at + 4, whole - 4);
		session->heard_len -= whole;
		memmove(at, at + whole, session->heard_len);
	}
}

/* These do some of what there is to do; false where there is nothing. */
static bool feed(struct session *session, size_t most)
{
	size_t room;
	uint8_t *in = csftp_link_in(session->link, &room);
	size_t len = fuzz_min(fuzz_min(most, room),
			      session->say_len - session->said);

	must((room > 0) == !!(csftp_link_wants(session->link) & CSFTP_WANT_IN));
	if (len == 0)
		return false;
	memcpy(in, session->say + session->said, len);
	session->said += len;
	must(csftp_link_in_ack(session->link, len) != CSFTP_ERR_ARG);
	return true;
}

/* The next bytes of the pipe. */
static const uint8_t *unlend(struct lender *lender, size_t len)
{
	must(len <= lender->tail - lender->head);
	lender->head += len;
	return lender->bytes + lender->head - len;
}

struct lent {
	struct csftp_req req;
	struct csftp_req *asker;
	struct lender *lender;
};

static void lent_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	const struct lent *lent = (struct lent *)req;
	struct lender *lender = lent->lender;
	struct csftp_reply piped = *reply;

	if (reply->err == 0 && reply->data.len > 0) {
		must(lender->head == lender->tail);
		memcpy(lender->bytes, reply->data.ptr, reply->data.len);
		lender->head = 0;
		lender->tail = reply->data.len;
		piped.data.ptr = NULL;
	}
	csftp_reply(lent->asker, &piped);
}

/* Holes cost nothing but to hash them, which would be most of what is done. */
static bool too_far(const struct lender *lender, const struct csftp_req *req)
{
	uint64_t end = lender->file_max;

	if (req->op == CSFTP_OP_WRITE)
		return req->off > end;
	if (req->op == CSFTP_OP_COPY_RANGE)
		return req->off2 > end;
	return req->op == CSFTP_OP_SETATTR &&
	       (req->attr->mask & CSFTP_ATTR_SIZE) && req->attr->size > end;
}

static void lend(struct csftp_fs *fs, struct csftp_req *req)
{
	struct lender *lender = (struct lender *)fs;
	struct lent lent = {.asker = req, .lender = lender};

	if (too_far(lender, req)) {
		csftp_reply_err(req, EFBIG);
		return;
	}
	if (!req->pipe) {
		csftp_submit(lender->under, req);
		return;
	}
	must(req->pipe == &lender->pipe);
	lent.req = *req;
	lent.req.pipe = NULL;
	lent.req.into = NULL;
	lent.req.done = lent_done;
	csftp_submit(lender->under, &lent.req);
}

static const struct csftp_fs_ops lender_ops = {.rest = lend};

static void lender_init(struct lender *lender, struct csftp_fs *under)
{
	lender->fs =
		(struct csftp_fs){.ops = &lender_ops, .traits = under->traits};
	lender->pipe = (struct csftp_pipe){.rfd = -1, .wfd = -1};
	lender->head = 0;
	lender->tail = 0;
	lender->under = under;
}

static bool drain(struct session *session, size_t most)
{
	struct csftp_slice out;
	size_t len;

	if (csftp_link_out(session->link, &out, 1) == 0) {
		must(!(csftp_link_wants(session->link) & CSFTP_WANT_OUT));
		return false;
	}
	len = fuzz_min(fuzz_min(most, out.len), 4 + CSFTP_SERVE_PACKET_MAX);
	hear(session, out.ptr ? out.ptr : unlend(session->lender, len), len);
	must(csftp_link_out_ack(session->link, len) != CSFTP_ERR_ARG);
	return true;
}

static bool work(struct session *session)
{
	if (!(csftp_link_wants(session->link) & CSFTP_WANT_WORK))
		return false;
	(void)csftp_link_work(session->link);
	return true;
}

static void some_rounds(struct session *session, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		size_t most = (size_t)1 << chance(session, 18);

		switch (chance(session, 5)) {
		case 0:
			(void)drain(session, most);
			break;
		case 2:
			(void)work(session);
			break;
		case 1:
			(void)later_run(&session->later);
			break;
		default:
			(void)feed(session, most);
			break;
		}
	}
}

static void the_rest(struct session *session)
{
	bool more = true;

	while (more) {
		more = later_run(&session->later);
		more = work(session) || more;
		more = feed(session, SIZE_MAX) || more;
		more = drain(session, SIZE_MAX) || more;
	}
}

static void check(const struct session *session)
{
	must(csftp_serve_pending(session->serve) == 0);
	if (csftp_link_error(session->link) != CSFTP_OK)
		return;
	must(session->said == session->say_len);
	must(session->heard_len == 0 && session->greetings == 0);
	for (size_t i = 0; i < session->waits; i++)
		must(session->wait[i].count == 0);
}

/* INIT, then the input: raw, or cut at lengths of its own of two bytes each. */
static void compose(struct session *session, const uint8_t *input, size_t len)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	uint8_t *to = session->say;

	memcpy(to, init, sizeof(init));
	to += sizeof(init);
	if (session->how & HOW_RAW) {
		memcpy(to, input, len);
		to += len;
		len = 0;
	}
	while (len > 2) {
		size_t part = (size_t)input[0] << 8 | input[1];

		part = fuzz_min(part, len - 2);
		wire_put_u32(to, (uint32_t)part);
		memcpy(to + 4, input + 2, part);
		to += 4 + part;
		input += 2 + part;
		len -= 2 + part;
	}
	session->say_len = (size_t)(to - session->say);
	list_requests(session);
}

static void told(void *arg, const char *line)
{
	(void)arg;
	for (; *line; line++)
		must(*line >= ' ' && *line <= '~');
}

static void start(struct session *session, const uint8_t *input, size_t len)
{
	const struct csftp_memfs_config config = {
		.max_bytes = 1 << 20,
		.max_nodes = 64,
	};
	struct csftp_serve_config serve = {.handles = 3};

	session->how = input[0];
	session->chance = 1 + (uint32_t)input[1] + 256U * input[0];
	session->say = malloc(16 + 2 * len);
	session->wait = calloc(8 + len, sizeof(*session->wait));
	session->heard = malloc(2 * (4 + CSFTP_SERVE_PACKET_MAX));
	session->lender = malloc(sizeof(*session->lender));
	must(session->say && session->wait && session->heard &&
	     session->lender);
	compose(session, input + 2, len - 2);
	must(csftp_memfs_new(&session->memfs, &config) == CSFTP_OK);
	lender_init(session->lender, session->memfs);
	session->lender->file_max = input[1] % 64 == 0 ? 1 << 19 : 1 << 14;
	later_init(&session->later, &session->lender->fs);
	if (session->how & HOW_NEWEST)
		session->later.order = LATER_NEWEST_FIRST;
	serve.fs = session->how & HOW_LATER ? &session->later.fs
					    : &session->lender->fs;
	if (session->how & HOW_ONLY) {
		serve.read_only = true;
		serve.denied = (uint64_t)input[1] << input[1] % 57;
	}
	if (session->how & HOW_TRACE)
		serve.trace = told;
	must(csftp_serve_new(&session->serve, &serve) == CSFTP_OK);
	if (session->how & HOW_PIPE)
		csftp_serve_pipe(session->serve, &session->lender->pipe);
	session->link = csftp_serve_link(session->serve);
}

static void stop(struct session *session)
{
	csftp_serve_free(session->serve);
	csftp_memfs_free(session->memfs);
	free(session->say);
	free(session->wait);
	free(session->heard);
	free(session->lender);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct session session = {.how = 0};

	if (len < 2)
		return 0;
	start(&session, input, len);
	some_rounds(&session, 16U + input[1]);
	if (session.how & HOW_CLOSE)
		csftp_link_close(session.link, CSFTP_ERR_EOF);
	the_rest(&session);
	check(&session);
	csftp_link_close(session.link, CSFTP_ERR_EOF);
	the_rest(&session);
	must(csftp_serve_pending(session.serve) == 0);
	stop(&session);
	return 0;
}
