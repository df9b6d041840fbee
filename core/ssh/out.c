/* Messages to bytes (RFC 4253, 6). */
#include <string.h>

#include "core/ssh/engine.h"

enum { PLAIN_BLOCK = 8, PADDING_MIN = 4, HEAD = 5 };

bool ssh_out_in_kex(const struct csftp_ssh *ssh)
{
	return ssh->kex && ssh->kex->sent && !ssh->kex->newkeys_sent;
}

/* Moves what is left to the front, where that makes the room. */
static void close_up(struct ssh_buf *buf)
{
	memmove(buf->base, buf->base + buf->head, buf->tail - buf->head);
	buf->tail -= buf->head;
	buf->head = 0;
}

/* And leaves nothing behind that was moved: it is not encrypted. */
static void close_up_later(struct ssh_buf *later)
{
	size_t end = later->tail;

	close_up(later);
	ssh_wipe(later->base + later->tail, end - later->tail);
}

bool ssh_out_room(struct csftp_ssh *ssh, size_t len)
{
	struct ssh_buf *out = &ssh->out;
	size_t cap = ssh->env->config.buf_size;

	if (!out->base && !ssh_buf_get(ssh, out))
		return false;
	if (len <= cap - out->tail)
		return true;
	if (len > cap - (out->tail - out->head))
		return false;
	close_up(out);
	return true;
}

void ssh_out_raw(struct csftp_ssh *ssh, const void *bytes, size_t len)
{
	memcpy(ssh->out.base + ssh->out.tail, bytes, len);
	ssh->out.tail += len;
}

/* RFC 4253, 6: at least 4 bytes, to a multiple of the block size. */
static size_t padding_for(const struct ssh_half *half, size_t payload_len)
{
	size_t block = half->cipher ? half->cipher->block : PLAIN_BLOCK;
	enum ssh_mode mode = half->crypt.how.mode;
	bool apart = mode == SSH_GCM || mode == SSH_CHACHA ||
		     (mode == SSH_CTR && half->crypt.how.etm);
	size_t body = payload_len + 1 + (apart ? 0 : 4);
	size_t padding = block - body % block;

	return padding < PADDING_MIN ? padding + block : padding;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Of a packet of len bytes behind its length the first `at` are in place, and
 * the padding; what is between is in the slices. */
static enum csftp_err crypt_from(struct ssh_half *half, uint8_t *packet,
				 size_t len, size_t at,
				 const struct csftp_slice *slice)
{
	struct ssh_crypt *crypt = &half->crypt;
	uint8_t *body = packet + 4;
	size_t end = len - packet[4];
	enum csftp_err err = ssh_crypt_begin(crypt, half->seq, packet, len);

	if (err == CSFTP_OK)
		err = ssh_crypt_run(crypt, body, body, at);
	for (; err == CSFTP_OK && at < end; slice++) {
		size_t n = smaller(slice->len, end - at);

		err = ssh_crypt_run(crypt, body + at, slice->ptr, n);
		at += n;
	}
	if (err == CSFTP_OK)
		err = ssh_crypt_run(crypt, body + at, body + at, len - at);
	if (err == CSFTP_OK)
		err = ssh_crypt_end(crypt, half->seq, packet, len);
	return err;
}

/* For a cipher that wants all in one place. */
static void gather(uint8_t *to, size_t len, const struct csftp_slice *slice)
{
	for (; len > 0; slice++) {
		size_t n = smaller(slice->len, len);

		if (n > 0)
			memcpy(to, slice->ptr, n);
		to += n;
		len -= n;
	}
}

static enum csftp_err protect(struct ssh_half *half, uint8_t *packet,
			      size_t len, size_t head,
			      const struct csftp_slice *slice)
{
	size_t payload = len - 1 - packet[4];

	if (slice && ssh_crypt_has_pieces(&half->crypt))
		return crypt_from(half, packet, len, 1 + head, slice);
	if (slice)
		gather(packet + HEAD + head, payload - head, slice);
	return ssh_crypt_seal(&half->crypt, half->seq, packet, len);
}

static enum csftp_err seal(struct csftp_ssh *ssh, uint8_t *packet,
			   size_t payload_len, size_t head,
			   const struct csftp_slice *slice)
{
	struct ssh_half *half = &ssh->to_peer;
	size_t padding = padding_for(half, payload_len);
	size_t len = 1 + payload_len + padding;
	enum csftp_err err;

	if (!ssh_random(ssh, packet + HEAD + payload_len, padding))
		return ssh->err;
	wire_put_u32(packet, (uint32_t)len);
	packet[4] = (uint8_t)padding;
	if (half->packets == UINT32_MAX)
		return CSFTP_ERR_STATE;
	ssh->out.tail += 4 + len + half->crypt.how.mac_len;
	half->bytes += 4 + len + half->crypt.how.mac_len;
	half->packets++;
	err = protect(half, packet, len, head, slice);
	half->seq++;
	return err;
}

enum csftp_err ssh_out_seal_from(struct csftp_ssh *ssh, size_t head,
				 const struct csftp_slice *slice,
				 size_t payload_len)
{
	uint8_t *packet = ssh->out.base + ssh->out.tail;
	enum csftp_err err;

	/* Of data only the length is told, which is in the head. */
	ssh_trace(ssh, SSH_TO_PEER, packet + HEAD, payload_len);
	err = seal(ssh, packet, payload_len, head, slice);
	if (err != CSFTP_OK)
		(void)ssh_fail(ssh, err, CSFTP_SSH_BY_APPLICATION,
			       "cannot encrypt");
	return err;
}

/* The payload stands behind the place for the packet's head. */
enum csftp_err ssh_out_seal(struct csftp_ssh *ssh, size_t payload_len)
{
	return ssh_out_seal_from(ssh, payload_len, NULL, payload_len);
}

static bool is_kex_message(uint8_t msg)
{
	return msg == SSH_DISCONNECT || msg == SSH_KEXINIT ||
	       msg == SSH_NEWKEYS_MSG || msg == SSH_ECDH_INIT ||
	       msg == SSH_ECDH_REPLY;
}

static bool has_to_wait(struct csftp_ssh *ssh, uint8_t msg)
{
	if (is_kex_message(msg))
		return false;
	return ssh_out_in_kex(ssh) || ssh->later.tail > 0 ||
	       !ssh_out_room(ssh, SSH_MESSAGE_MAX + SSH_OVERHEAD);
}

struct wire_wr ssh_begin(struct csftp_ssh *ssh, uint8_t msg)
{
	size_t cap = ssh->env->config.buf_size;
	struct ssh_buf *later = &ssh->later;
	struct wire_wr wr = {.err = CSFTP_ERR_NO_ROOM};

	/* It goes where data was to be written: that has to start anew. */
	ssh->data_room = 0;
	ssh->writing_later = has_to_wait(ssh, msg);
	if (ssh->writing_later) {
		if (!later->base && !ssh_buf_get(ssh, later))
			return wr;
		if (later->head > 0)
			close_up_later(later);
		if (cap - later->tail < 4)
			return wr;
		wr = (struct wire_wr){.base = later->base + later->tail + 4,
				      .cap = cap - later->tail - 4};
	} else {
		if (!ssh_out_room(ssh, SSH_OVERHEAD + 16))
			return wr;
		wr = (struct wire_wr){
			.base = ssh->out.base + ssh->out.tail + HEAD,
			.cap = cap - ssh->out.tail - SSH_OVERHEAD};
	}
	wire_wr_u8(&wr, msg);
	return wr;
}

/* A message has to fit into a packet later, too. */
enum csftp_err ssh_end(struct csftp_ssh *ssh, struct wire_wr *wr)
{
	enum csftp_err err = wire_wr_end(wr);

	if (err == CSFTP_OK && ssh->writing_later &&
	    wr->len > ssh->env->config.buf_size - SSH_OVERHEAD)
		err = CSFTP_ERR_NO_ROOM;
	if (err != CSFTP_OK) {
		if (ssh->writing_later && wr->base)
			ssh_wipe(wr->base, wr->len);
		if (ssh->later.tail == 0)
			ssh_buf_put(ssh, &ssh->later);
		if (ssh->out.tail == 0)
			ssh_buf_put(ssh, &ssh->out);
		return err;
	}
	if (!ssh->writing_later)
		return ssh_out_seal(ssh, wr->len);
	wire_put_u32(ssh->later.base + ssh->later.tail, (uint32_t)wr->len);
	ssh->later.tail += 4 + wr->len;
	return CSFTP_OK;
}

void ssh_reply(struct csftp_ssh *ssh, struct wire_wr *wr)
{
	if (ssh_end(ssh, wr) == CSFTP_ERR_NO_ROOM)
		(void)ssh_fail(ssh, CSFTP_ERR_NO_ROOM, CSFTP_SSH_BY_APPLICATION,
			       "too many messages that wait for replies");
}

/*
 * What waits is not encrypted yet, and could be a password.  The rest of the
 * buffer is left alone, as memory that nobody touches costs nothing.
 */
void ssh_drop_later(struct csftp_ssh *ssh)
{
	if (ssh->later.base)
		ssh_wipe(ssh->later.base + ssh->later.head,
			 ssh->later.tail - ssh->later.head);
	ssh_buf_put(ssh, &ssh->later);
}

void ssh_flush_later(struct csftp_ssh *ssh)
{
	struct ssh_buf *later = &ssh->later;
	uint32_t len;

	while (later->base && later->head < later->tail &&
	       !ssh_out_in_kex(ssh) && ssh->err == CSFTP_OK) {
		len = wire_get_u32(later->base + later->head);
		if (!ssh_out_room(ssh, len + SSH_OVERHEAD))
			return;
		memcpy(ssh->out.base + ssh->out.tail + HEAD,
		       later->base + later->head + 4, len);
		ssh_wipe(later->base + later->head, 4 + (size_t)len);
		later->head += 4 + (size_t)len;
		(void)ssh_out_seal(ssh, len);
	}
	if (later->base && later->head == later->tail)
		ssh_drop_later(ssh);
}
