/* Bytes to packets (RFC 4253, 6). */
#include "core/ssh/engine.h"

/* Before there is a cipher, packets are multiples of 8. */
enum { PLAIN_BLOCK = 8, PADDING_MIN = 4 };

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

static bool open_packet(struct csftp_ssh *ssh)
{
	struct ssh_half *half = &ssh->from_peer;
	uint8_t *packet = ssh->in.base + ssh->in.head;
	size_t len = ssh->in_whole - 4 - half->crypt.how.mac_len;
	enum csftp_err err =
		ssh_crypt_open(&half->crypt, half->seq, packet, len);

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
