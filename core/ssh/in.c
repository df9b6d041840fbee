/* Bytes to packets (RFC 4253, 6). */
#include "core/ssh/engine.h"

/* Before there is a cipher, packets are multiples of 8. */
enum { PLAIN_BLOCK = 8, PADDING_MIN = 4 };

/* From the length of the padding to that of the data, in a packet of data. */
enum { DATA_HEAD = 10 };

/* Less data stays in its packet: it is moved as cheaply. */
enum { PLACED_MIN = 1024 };

static size_t block_of(const struct ssh_half *half)
{
	return half->cipher ? half->cipher->block : PLAIN_BLOCK;
}

/* The length field counts for the block size where it is encrypted with it. */
static bool length_is_apart(const struct ssh_half *half)
{
	const struct ssh_protect *how = &half->crypt.how;

	return how->mode == SSH_GCM || how->mode == SSH_CHACHA ||
	       (how->mode == SSH_CTR && how->etm);
}

static bool length_is_fine(const struct csftp_ssh *ssh, uint32_t len)
{
	const struct ssh_half *half = &ssh->from_peer;
	size_t aligned = length_is_apart(half) ? len : (size_t)len + 4;

	if (len < 1 + PADDING_MIN + 1 ||
	    len > ssh->env->config.buf_size - 4 - half->crypt.how.mac_len)
		return false;
	return aligned % block_of(half) == 0;
}

static bool read_head(struct csftp_ssh *ssh)
{
	struct ssh_half *half = &ssh->from_peer;
	uint32_t len = 0;
	enum csftp_err err;

	if (ssh->in.tail - ssh->in.head < ssh_crypt_head_len(&half->crypt))
		return false;
	err = ssh_crypt_head(&half->crypt, half->seq,
			     ssh->in.base + ssh->in.head, &len);
	if (err != CSFTP_OK)
		return ssh_fail(ssh, err, CSFTP_SSH_BY_APPLICATION,
				"cannot decrypt");
	/* What decrypts to nonsense was changed under way, or never right. */
	if (!length_is_fine(ssh, len))
		return ssh_fail(ssh,
				half->cipher ? CSFTP_ERR_FORGED
					     : CSFTP_ERR_TOO_LONG,
				half->cipher ? CSFTP_SSH_MAC_ERROR
					     : CSFTP_SSH_PROTOCOL_ERROR,
				"bad packet length");
	ssh->in_whole = 4 + (size_t)len + half->crypt.how.mac_len;
	return true;
}

/* The counter is the nonce of a cipher: it must not come round. */
static bool count_packet(struct csftp_ssh *ssh)
{
	struct ssh_half *half = &ssh->from_peer;

	half->seq++;
	half->packets++;
	half->bytes += ssh->in_whole;
	if (half->packets == UINT32_MAX)
		return ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
				"too many packets with the same keys");
	return true;
}

/* Whether the packet, len bytes at body, could have data with a place. */
static bool may_have_place(const struct csftp_ssh *ssh, size_t len)
{
	return ssh->env->config.place && len >= PLACED_MIN &&
	       ssh_in_phase(ssh) == SSH_RUN &&
	       ssh_crypt_has_pieces(&ssh->from_peer.crypt);
}

/* How much data a packet with this head brings; 0: none that has a place. */
static size_t data_behind(struct csftp_ssh *ssh, const uint8_t *body,
			  size_t len)
{
	size_t data = wire_get_u32(body + 6);
	size_t padding = body[0];

	if (body[1] != SSH_CHANNEL_DATA || padding < PADDING_MIN ||
	    data != len - DATA_HEAD - padding)
		return 0;
	return ssh_would_take(ssh, wire_get_u32(body + 2), data) ? data : 0;
}

/*
 * The head in the packet tells whose data it is, and the owner where it goes.
 * What is wrong with it is found out when all is verified.
 */
static enum csftp_err run_to_places(struct csftp_ssh *ssh, uint8_t *body,
				    size_t len)
{
	const struct csftp_ssh_config *config = &ssh->env->config;
	struct ssh_crypt *crypt = &ssh->from_peer.crypt;
	enum csftp_err err = ssh_crypt_run(crypt, body, body, DATA_HEAD);
	size_t at = DATA_HEAD, room, left;
	uint8_t *to;

	left = err == CSFTP_OK ? data_behind(ssh, body, len) : 0;
	while (err == CSFTP_OK && left > 0) {
		room = 0;
		to = config->place(config->arg, ssh, wire_get_u32(body + 2),
				   left, &room);
		if (!to || room == 0)
			break;
		room = room < left ? room : left;
		err = ssh_crypt_run(crypt, to, body + at, room);
		at += room;
		left -= room;
	}
	ssh->placed = at - DATA_HEAD;
	if (err == CSFTP_OK)
		err = ssh_crypt_run(crypt, body + at, body + at, len - at);
	return err;
}

static enum csftp_err decrypt(struct csftp_ssh *ssh, uint8_t *packet,
			      size_t len)
{
	struct ssh_half *half = &ssh->from_peer;
	enum csftp_err err;

	ssh->placed = 0;
	if (!may_have_place(ssh, len))
		return ssh_crypt_open(&half->crypt, half->seq, packet, len);
	err = ssh_crypt_begin(&half->crypt, half->seq, packet, len);
	if (err == CSFTP_OK)
		err = run_to_places(ssh, packet + 4, len);
	if (err == CSFTP_OK)
		err = ssh_crypt_end(&half->crypt, half->seq, packet, len);
	return err;
}

static bool open_packet(struct csftp_ssh *ssh)
{
	uint8_t *packet = ssh->in.base + ssh->in.head;
	size_t len = ssh->in_whole - 4 - ssh->from_peer.crypt.how.mac_len;
	enum csftp_err err = decrypt(ssh, packet, len);

	if (err != CSFTP_OK)
		return ssh_fail(ssh, err, CSFTP_SSH_MAC_ERROR,
				"corrupted packet");
	/* RFC 4253, 6: "There MUST be at least four bytes of padding." */
	if (packet[4] < PADDING_MIN || (size_t)packet[4] + 1 >= len)
		return ssh_fail(ssh, CSFTP_ERR_VALUE, CSFTP_SSH_PROTOCOL_ERROR,
				"bad padding");
	ssh->payload = (struct wire_bytes){packet + 5, len - 1 - packet[4]};
	return count_packet(ssh);
}

bool ssh_next_packet(struct csftp_ssh *ssh)
{
	if (ssh->in.head == ssh->in.tail)
		return false;
	if (ssh->in_whole == 0 && !read_head(ssh))
		return false;
	if (ssh->in_whole > ssh->in.tail - ssh->in.head)
		return false;
	return open_packet(ssh);
}

/* Passwords do not stay in buffers that others borrow next. */
void ssh_wipe_packet(struct csftp_ssh *ssh)
{
	if (ssh->payload.ptr && ssh->payload.ptr[0] >= SSH_USERAUTH_REQUEST &&
	    ssh->payload.ptr[0] < SSH_GLOBAL_REQUEST)
		ssh_wipe(ssh->in.base + ssh->in.head, ssh->in_whole);
}

void ssh_finish_packet(struct csftp_ssh *ssh)
{
	if (!ssh->payload.ptr || !ssh->dispatched)
		return;
	ssh_wipe_packet(ssh);
	ssh->in.head += ssh->in_whole;
	ssh->in_whole = 0;
	ssh->payload = (struct wire_bytes){.ptr = NULL};
	ssh->dispatched = false;
	if (ssh->in.head == ssh->in.tail)
		ssh_buf_put(ssh, &ssh->in);
}
