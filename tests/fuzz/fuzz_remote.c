/*
 * The client engine: the input says what is asked, given up and timed out, and
 * what the server answers, in order or not, well or badly.  Each request is
 * answered once, and with an honest server none waits for ever.
 */
#include <string.h>

#include "core/errmap.h"
#include "core/sftp/msg.h"
#include "csftp/remote.h"
#include "tests/fuzz/fuzz.h"

#define ASKS_MAX  64U
#define SENT_MAX  128U
#define HEARD_MAX (512U * 1024U)

struct session;

/* One request, with all that it points at: freed in done. */
struct ask {
	struct csftp_req req; /* first */
	struct session *session;
	struct csftp_attr attr;
	char path[12];
	char path2[12];
	uint8_t data[64];
};

/* A request that the server got and did not answer yet. */
struct sent {
	uint32_t id;
	enum sftp_kind kind;
	uint64_t len;
};

struct session {
	struct wire_rd input;
	struct csftp_remote *remote;
	struct csftp_fs *fs;
	struct csftp_link *link;
	struct ask *ask[ASKS_MAX];
	uint32_t asks;
	unsigned depth; /* of callbacks that ask from within */
	uint64_t now_ms;
	csftp_fh fh[4]; /* the last that were opened */
	size_t opened;
	struct sent sent[SENT_MAX];
	size_t sents;
	uint8_t *heard;
	size_t heard_len;
	bool ready;
	bool garbled; /* raw bytes may have swallowed what followed */
	bool honest;
};

static void act(struct session *session, uint8_t what);

static uint8_t next(struct session *session)
{
	return wire_rd_u8(&session->input);
}

/* Now and then a callback does what any other code may do. */
static void act_inside(struct session *session)
{
	uint8_t what = session->honest ? 0 : next(session);

	if (what < 128 || session->depth > 3)
		return;
	session->depth++;
	act(session, what);
	session->depth--;
}

static void ask_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct ask *ask = (struct ask *)req;
	struct session *session = ask->session;
	uint32_t i = 0;

	while (i < ASKS_MAX && session->ask[i] != ask)
		i++;
	must(i < ASKS_MAX);
	must(reply->err >= 0);
	if (reply->err == 0 &&
	    (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR))
		session->fh[session->opened++ % 4] = reply->fh;
	if (reply->err == 0 && req->op == CSFTP_OP_GETATTR)
		must(reply->attr != NULL);
	if (reply->err == 0 && req->op == CSFTP_OP_READ)
		must(reply->data.len <= req->len &&
		     (reply->data.len > 0 || reply->eof));
	session->ask[i] = NULL;
	session->asks--;
	free(ask);
	act_inside(session);
}

static bool ask_entry(struct csftp_req *req, const struct csftp_entry *entry)
{
	struct session *session = ((struct ask *)req)->session;

	must(entry->name.len > 0 && entry->name.len <= CSFTP_NAME_MAX);
	must(!memchr(entry->name.ptr, '/', entry->name.len));
	act_inside(session);
	return session->honest || next(session) < 200;
}

static csftp_fh pick_fh(struct session *session)
{
	return session->fh[next(session) % 4];
}

static void submit(struct session *session)
{
	struct ask *ask;
	uint32_t i = 0;

	while (i < ASKS_MAX && session->ask[i])
		i++;
	if (i == ASKS_MAX)
		return;
	ask = calloc(1, sizeof(*ask));
	must(ask != NULL);
	ask->session = session;
	memset(ask->data, 'd', sizeof(ask->data));
	memcpy(ask->path, "~/path", 7);
	memcpy(ask->path2, "other", 6);
	ask->attr = (struct csftp_attr){
		.mask = next(session), .mode = 0644, .atime = {.sec = -1}};
	ask->req = (struct csftp_req){
		.op = (enum csftp_op)(next(session) % CSFTP_OP_COUNT),
		.flags = next(session),
		.done = ask_done,
		.entry = ask_entry,
		.attr = &ask->attr,
		.path2 = ask->path2,
		.fh = pick_fh(session),
		.fh2 = pick_fh(session),
		.data = ask->data,
		.len = next(session) % (1 + sizeof(ask->data)),
		.into = ask->data,
	};
	if (next(session) & 1)
		ask->req.deadline_ms = session->now_ms + next(session);
	/* With a path or with a handle, where both are possible. */
	if (!(next(session) & 1) ||
	    (ask->req.op != CSFTP_OP_GETATTR &&
	     ask->req.op != CSFTP_OP_SETATTR && ask->req.op != CSFTP_OP_STATFS))
		ask->req.path = ask->path;
	session->ask[i] = ask;
	session->asks++;
	csftp_submit(session->fs, &ask->req);
}

static void cancel(struct session *session)
{
	struct ask *ask = session->ask[next(session) % ASKS_MAX];

	if (ask)
		csftp_cancel(session->fs, &ask->req);
}

/* What the client says must be well-formed, whatever it was told. */
static void hear_packet(struct session *session, const uint8_t *body,
			size_t len)
{
	struct sftp_msg msg;

	must(sftp_msg_decode(&msg, body, len) == CSFTP_OK);
	if (msg.kind == SFTP_INIT)
		return;
	must((msg.kind >= SFTP_OPEN && msg.kind <= SFTP_SYMLINK) ||
	     msg.kind >= SFTP_EXT_FIRST);
	if (msg.kind == SFTP_WRITE)
		for (size_t i = 0; i < msg.data.len; i++)
			must(msg.data.ptr[i] == 'd');
	for (size_t i = 0; i < session->sents; i++)
		must(session->sent[i].id != msg.id);
	must(session->sents < SENT_MAX);
	session->sent[session->sents++] =
		(struct sent){.id = msg.id, .kind = msg.kind, .len = msg.len};
}

static void hear(struct session *session, const uint8_t *bytes, size_t len)
{
	uint8_t *at = session->heard;

	must(len <= HEARD_MAX - session->heard_len);
	memcpy(at + session->heard_len, bytes, len);
	session->heard_len += len;
	while (session->heard_len >= 4) {
		size_t whole = 4 + (size_t)wire_get_u32(at);

		if (whole > session->heard_len)
			break;
		hear_packet(session, at + 4, whole - 4);
		session->heard_len -= whole;
		memmove(at, at + whole, session->heard_len);
	}
}

static bool drain(struct session *session, size_t most)
{
	struct csftp_slice out;
	size_t len;

	if (csftp_link_out(session->link, &out, 1) == 0) {
		must(!(csftp_link_wants(session->link) & CSFTP_WANT_OUT));
		return false;
	}
	len = fuzz_min(most, out.len);
	hear(session, out.ptr, len);
	must(csftp_link_out_ack(session->link, len) != CSFTP_ERR_ARG);
	return true;
}

static void say(struct session *session, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t room;
		uint8_t *in = csftp_link_in(session->link, &room);
		size_t part = fuzz_min(len, room);

		if (part == 0)
			return;
		memcpy(in, bytes, part);
		must(csftp_link_in_ack(session->link, part) != CSFTP_ERR_ARG);
		bytes += part;
		len -= part;
	}
}

static void say_msg(struct session *session, const struct sftp_msg *msg)
{
	uint8_t buf[1024];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	sftp_msg_encode(&wr, msg);
	if (wire_wr_end(&wr) == CSFTP_OK)
		say(session, buf, wr.len);
}

/* Bytes of the input, as a length of one byte and the bytes. */
static struct wire_bytes some_bytes(struct session *session)
{
	static const uint8_t none[1];
	struct wire_rd *rd = &session->input;
	size_t len = fuzz_min(next(session), rd->left);
	struct wire_bytes bytes = {rd->next, len};

	if (len == 0)
		return (struct wire_bytes){none, 0};
	rd->next += len;
	rd->left -= len;
	return bytes;
}

static const struct csftp_attr all_attr = {
	.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE | CSFTP_ATTR_UID |
		CSFTP_ATTR_GID | CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	.mode = 0644,
	.size = 100,
};

/* One to four entries. */
static struct wire_bytes names(struct wire_wr *wr, unsigned count)
{
	static const struct csftp_entry entry = {.name = {"name", 4},
						 .longname = {"long", 4}};

	for (unsigned i = 0; i < count; i++)
		sftp_entry_put(wr, &entry);
	return (struct wire_bytes){wr->base, wr->len};
}

/* The answer that an honest server can give. */
static void answer_well(struct session *session, const struct sent *to,
			unsigned how)
{
	static const uint8_t bytes[88];
	uint8_t list[256];
	struct wire_wr wr = {.base = list, .cap = sizeof(list)};
	struct sftp_msg msg = {.kind = SFTP_STATUS, .id = to->id};

	msg.attr = all_attr;
	msg.path = msg.path2 = (struct wire_bytes){bytes, 0};
	if (to->kind == SFTP_OPEN || to->kind == SFTP_OPENDIR) {
		msg.kind = SFTP_HANDLE;
		msg.handle = (struct wire_bytes){bytes, 4};
	} else if (to->kind >= SFTP_LSTAT && to->kind <= SFTP_FSTAT) {
		msg.kind = SFTP_ATTRS;
	} else if (to->kind == SFTP_STAT) {
		msg.kind = SFTP_ATTRS;
	} else if (to->kind == SFTP_READ && to->len > 0 && how % 2 == 0) {
		msg.kind = SFTP_DATA;
		msg.data =
			(struct wire_bytes){bytes, fuzz_min(to->len, how + 1)};
		msg.data.len = fuzz_min(msg.data.len, sizeof(bytes));
	} else if (to->kind == SFTP_READ) {
		msg.num = SSH_FX_EOF;
	} else if (to->kind == SFTP_READDIR && how % 4 == 0) {
		msg.num = SSH_FX_EOF;
	} else if (to->kind == SFTP_READDIR) {
		msg.kind = SFTP_NAME;
		msg.num = how % 4;
		msg.data = names(&wr, how % 4);
	} else if (to->kind == SFTP_REALPATH || to->kind == SFTP_READLINK ||
		   to->kind == SFTP_EXPAND_PATH ||
		   to->kind == SFTP_HOME_DIRECTORY) {
		msg.kind = SFTP_NAME;
		msg.num = 1;
		msg.data = names(&wr, 1);
	} else if (to->kind == SFTP_STATVFS || to->kind == SFTP_FSTATVFS) {
		msg.kind = SFTP_EXTENDED_REPLY;
		msg.data = (struct wire_bytes){bytes, 88};
	} else if (to->kind == SFTP_LIMITS) {
		msg.kind = SFTP_EXTENDED_REPLY;
		msg.data = (struct wire_bytes){bytes, 32};
	} else if (to->kind == SFTP_USERS_GROUPS_BY_ID) {
		msg.kind = SFTP_EXTENDED_REPLY;
		msg.data = (struct wire_bytes){bytes, 8};
	}
	say_msg(session, &msg);
}

static void answer_badly(struct session *session, const struct sent *to)
{
	struct sftp_msg msg = {.id = to->id};

	msg.kind = (enum sftp_kind)(SFTP_STATUS + next(session) % 6);
	msg.num = next(session) % 9;
	msg.attr = all_attr;
	msg.attr.mask = next(session);
	msg.path = some_bytes(session);
	msg.path2 = msg.path;
	msg.handle = msg.path;
	msg.data = msg.path;
	say_msg(session, &msg);
}

static void answer(struct session *session, size_t at, bool well, unsigned how)
{
	struct sent to;

	if (session->sents == 0)
		return;
	at %= session->sents;
	to = session->sent[at];
	session->sent[at] = session->sent[--session->sents];
	if (well)
		answer_well(session, &to, how);
	else
		answer_badly(session, &to);
}

static void tick(struct session *session)
{
	uint64_t now_ms = session->now_ms + next(session);
	uint64_t due;

	session->now_ms = now_ms;
	due = csftp_remote_tick(session->remote, now_ms);
	must(due == 0 || due > now_ms);
}

static void act(struct session *session, uint8_t what)
{
	struct wire_bytes raw;

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		submit(session);
		break;
	case 5:
		cancel(session);
		break;
	case 6:
		tick(session);
		break;
	case 7:
		raw = some_bytes(session);
		session->garbled = true;
		say(session, raw.ptr, raw.len);
		break;
	case 8:
		if (what == 136)
			csftp_link_close(session->link, CSFTP_ERR_EOF);
		break;
	case 9:
		(void)drain(session, next(session));
		break;
	case 10:
	case 11:
		(void)drain(session, SIZE_MAX);
		break;
	case 12:
		answer(session, next(session), false, 0);
		break;
	default:
		answer(session, next(session), true, next(session));
		break;
	}
	/* Within done, its request is counted by neither. */
	must(csftp_remote_pending(session->remote) == session->asks);
}

/* The extensions whose bit is set, and all that a VERSION can say. */
static void greet(struct session *session, uint16_t extensions)
{
	uint8_t list[1024];
	struct wire_wr wr = {.base = list, .cap = sizeof(list)};
	struct sftp_msg msg = {.kind = SFTP_VERSION_MSG, .num = SFTP_VERSION};

	for (int i = SFTP_EXT_FIRST; i < SFTP_KINDS; i++) {
		const char *name = sftp_kind_name((enum sftp_kind)i);
		const char *version = sftp_ext_version((enum sftp_kind)i);

		if (!(extensions >> (i - SFTP_EXT_FIRST) & 1))
			continue;
		wire_wr_string(&wr, name, strlen(name));
		wire_wr_string(&wr, version, strlen(version));
	}
	msg.data = (struct wire_bytes){list, wr.len};
	say_msg(session, &msg);
}

static void log_line(void *arg, const char *text)
{
	(void)arg;
	for (; *text; text++)
		must(*text >= ' ' && *text <= '~');
}

static void set_ready(void *arg)
{
	struct session *session = arg;

	must(!session->ready);
	session->ready = true;
	act_inside(session);
}

static void start(struct session *session, const uint8_t *input, size_t len)
{
	struct csftp_remote_config config = {
		.ready = set_ready, .log = log_line, .arg = session};
	uint8_t how;

	session->input = (struct wire_rd){.next = input, .left = len};
	how = next(session);
	config.slots = 1 + how % 4;
	config.handles = 1 + how / 4 % 4;
	session->heard = malloc(HEARD_MAX);
	must(session->heard != NULL);
	must(csftp_remote_new(&session->remote, &config) == CSFTP_OK);
	session->fs = csftp_remote_fs(session->remote);
	session->link = csftp_remote_link(session->remote);
	session->now_ms = 1;
	if (how < 240) {
		uint16_t low = next(session);

		greet(session, (uint16_t)(low | next(session) << 8));
	}
}

/* From here on the server is honest, and the client asks no more. */
static void the_rest(struct session *session)
{
	bool more = true;

	session->honest = true;
	while (more) {
		more = drain(session, SIZE_MAX);
		more = more || session->sents > 0;
		answer(session, 0, true, 1);
	}
	must(session->asks == 0 || session->garbled || !session->ready);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct session session = {.depth = 0};

	start(&session, input, len);
	while (session.input.left > 0)
		act(&session, next(&session));
	the_rest(&session);
	session.honest = true;
	csftp_remote_free(session.remote);
	must(session.asks == 0);
	free(session.heard);
	return 0;
}
