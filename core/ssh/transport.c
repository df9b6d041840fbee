/* Identification, disconnection, services and extensions. */
#include <string.h>

#include "core/ssh/engine.h"
#include "core/ssh/names.h"
#include "core/ssh/sk.h"
#include "core/version.h"

/* RFC 4253, 4.2: a server may send other lines first. */
enum { LINES_MAX = 64 };

/*
 * Clients such as libssh and asyncssh give SYMLINK its arguments in OpenSSH's
 * order, which is ours, if that name is in the server's version; libssh reads a
 * number behind it.  It stands in the comments (RFC 4253, 4.2).
 */
struct wire_bytes ssh_own_version(void)
{
	return ssh_text("SSH-2.0-csftp_" CSFTP_VERSION " like_OpenSSH_9.2");
}

/*
 * A client says everything it can at once; a server keeps its KEXINIT, and
 * the buffer for it, until the client has shown that it is one.
 */
void ssh_hello(struct csftp_ssh *ssh)
{
	struct wire_bytes own = ssh_own_version();

	if (!ssh_is_server(ssh) && !ssh_kex_ready(ssh))
		return;
	if (!ssh_out_room(ssh, SSH_VERSION_MAX))
		return;
	ssh->hello_sent = true;
	ssh_out_raw(ssh, own.ptr, own.len);
	ssh_out_raw(ssh, "\r\n", 2);
	if (!ssh_is_server(ssh))
		ssh_kex_start(ssh);
}

static bool starts_with(struct wire_bytes line, const char *text)
{
	size_t len = strlen(text);

	return line.len >= len && memcmp(line.ptr, text, len) == 0;
}

/* RFC 4253, 4.2: printable US-ASCII. */
static bool version_is_fine(struct wire_bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] < ' ' || line.ptr[i] > '~')
			return false;
	return line.len <= SSH_VERSION_MAX - 2 &&
	       (starts_with(line, "SSH-2.0-") ||
		starts_with(line, "SSH-1.99-"));
}

static bool take_version(struct csftp_ssh *ssh, struct wire_bytes line)
{
	if (!version_is_fine(line))
		return ssh_fail(ssh, CSFTP_ERR_VERSION,
				CSFTP_SSH_VERSION_NOT_SUPPORTED,
				"no common protocol version");
	memcpy(ssh->version, line.ptr, line.len);
	ssh->version_len = line.len;
	/* It has a NUL behind it: nothing else is written there. */
	ssh_trace_text(ssh, (const char *)ssh->version);
	ssh_set_phase(ssh, SSH_START);
	return true;
}

static bool take_line(struct csftp_ssh *ssh, struct wire_bytes line)
{
	if (starts_with(line, "SSH-"))
		return take_version(ssh, line);
	if (ssh_is_server(ssh) || ++ssh->lines > LINES_MAX)
		return ssh_fail(ssh, CSFTP_ERR_VERSION,
				CSFTP_SSH_PROTOCOL_ERROR,
				"no identification of an SSH peer");
	return true;
}

/* A server gives up before the line ends where it cannot be one. */
static bool cannot_be(const struct csftp_ssh *ssh, struct wire_bytes start)
{
	size_t len = start.len < 4 ? start.len : 4;

	if (!ssh_is_server(ssh))
		return start.len >= ssh->env->config.buf_size;
	return start.len >= SSH_VERSION_MAX ||
	       (len > 0 && memcmp(start.ptr, "SSH-", len) != 0);
}

bool ssh_read_hello(struct csftp_ssh *ssh)
{
	struct ssh_buf *in = &ssh->in;
	struct wire_bytes line;
	const uint8_t *end;
	bool good;

	if (!ssh->hello_sent || in->head == in->tail)
		return false;
	line = (struct wire_bytes){in->base + in->head, in->tail - in->head};
	end = memchr(line.ptr, '\n', line.len);
	if (!end) {
		if (cannot_be(ssh, line))
			return ssh_fail(ssh, CSFTP_ERR_VERSION,
					CSFTP_SSH_PROTOCOL_ERROR,
					"no identification of an SSH peer");
		return false;
	}
	line.len = (size_t)(end - line.ptr);
	in->head += line.len + 1;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	good = take_line(ssh, line);
	if (in->head == in->tail)
		ssh_buf_put(ssh, in);
	return good;
}

/* RFC 4253, 11.1: "the recipient MUST NOT accept any data after it". */
void ssh_on_disconnect(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t reason = wire_rd_u32(rd);
	struct wire_bytes text = wire_rd_string(rd, rd->left);
	struct csftp_ssh_event *event;

	/* Some peers leave out the language, or the text. */
	if (reason == 0 || rd->err != CSFTP_OK)
		text = (struct wire_bytes){.len = 0};
	(void)ssh_fail(ssh, CSFTP_ERR_EOF, reason, "disconnected by the peer");
	event = ssh_event(ssh, CSFTP_SSH_CLOSED);
	event->by_peer = true;
	event->reason = reason;
	event->text = ssh_shown(text);
	event->err = ssh->err;
	ssh->closed_told = true;
}

void ssh_send_disconnect(struct csftp_ssh *ssh, uint32_t reason,
			 const char *text)
{
	struct wire_wr wr;
	size_t len = strnlen(text, 200);

	/* Before it knows us for an SSH peer, it could not read a packet. */
	if (ssh->phase == SSH_HELLO || !ssh_out_room(ssh, 512))
		return;
	wr = ssh_begin(ssh, SSH_DISCONNECT);
	wire_wr_u32(&wr, reason);
	wire_wr_string(&wr, text, len);
	ssh_wr_text(&wr, "");
	(void)!ssh_end(ssh, &wr);
}

void ssh_on_ignore(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	(void)wire_rd_string(rd, rd->left);
	(void)!ssh_whole(ssh, rd);
}

void ssh_on_debug(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	(void)ssh_rd_bool(rd);
	(void)wire_rd_string(rd, rd->left);
	(void)wire_rd_string(rd, rd->left);
	(void)!ssh_whole(ssh, rd);
}

/*
 * All that we send without knowing that the peer understands it has an answer
 * of its own that we would miss.
 */
void ssh_on_unimplemented(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	(void)wire_rd_u32(rd);
	if (ssh_whole(ssh, rd) && ssh->phase < SSH_AUTH)
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "the peer lacks a message of the protocol");
}

/* RFC 4253, 11.4: with the number of the packet that was not understood. */
void ssh_unimplemented(struct csftp_ssh *ssh)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_UNIMPLEMENTED);

	wire_wr_u32(&wr, ssh->from_peer.seq - 1);
	ssh_reply(ssh, &wr);
}

void ssh_request_service(struct csftp_ssh *ssh)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_SERVICE_REQUEST);

	ssh_wr_text(&wr, "ssh-userauth");
	ssh_reply(ssh, &wr);
}

void ssh_on_service_request(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes service = wire_rd_string(rd, 64);
	struct wire_wr wr;

	if (!ssh_whole(ssh, rd))
		return;
	if (!ssh_is(service, "ssh-userauth")) {
		(void)ssh_fail(ssh, CSFTP_ERR_VALUE,
			       CSFTP_SSH_SERVICE_NOT_AVAILABLE,
			       "no such service");
		return;
	}
	wr = ssh_begin(ssh, SSH_SERVICE_ACCEPT);
	ssh_wr_bytes(&wr, service);
	ssh_reply(ssh, &wr);
	ssh_set_phase(ssh, SSH_AUTH);
}

void ssh_on_service_accept(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes service = wire_rd_string(rd, 64);

	if (!ssh_whole(ssh, rd))
		return;
	if (!ssh_is(service, "ssh-userauth")) {
		(void)ssh_fail(ssh, CSFTP_ERR_VALUE, CSFTP_SSH_PROTOCOL_ERROR,
			       "a service that was not asked for");
		return;
	}
	ssh_set_phase(ssh, SSH_AUTH);
	(void)ssh_event(ssh, CSFTP_SSH_READY);
}

/* RFC 8308, 3.1: what the server verifies. */
void ssh_send_ext_info(struct csftp_ssh *ssh)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_EXT_INFO);
	const struct ssh_alg *alg;
	size_t mark;

	wire_wr_u32(&wr, 1);
	ssh_wr_text(&wr, "server-sig-algs");
	mark = wire_wr_open(&wr);
	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++) {
		wire_wr_raw(&wr, alg->name, strlen(alg->name));
		wire_wr_u8(&wr, ',');
	}
	wire_wr_raw(&wr, ssh_sk_alg.name, strlen(ssh_sk_alg.name));
	wire_wr_close(&wr, mark);
	ssh_reply(ssh, &wr);
}

static void note_sig_algs(struct csftp_ssh *ssh, struct wire_bytes names)
{
	const struct ssh_alg *alg;

	ssh->auth.peer_sigs = 0;
	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++)
		if (ssh_list_has(names, alg->name))
			ssh->auth.peer_sigs |= 1U << i;
}

void ssh_on_ext_info(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes sigs = {.ptr = NULL};
	uint32_t count = wire_rd_u32(rd);

	/* The count is the peer's word: the bytes end the loop. */
	for (uint32_t i = 0; i < count && rd->err == CSFTP_OK; i++) {
		struct wire_bytes name = wire_rd_string(rd, rd->left);
		struct wire_bytes value = wire_rd_string(rd, rd->left);

		if (ssh_is(name, "server-sig-algs"))
			sigs = value;
	}
	if (ssh_whole(ssh, rd) && sigs.ptr && !ssh_is_server(ssh))
		note_sig_algs(ssh, sigs);
}
