/* Algorithm negotiation and the turn of the keys (RFC 4253, 7). */
#include <string.h>

#include "core/ssh/engine.h"
#include "core/ssh/kex.h"
#include "core/ssh/names.h"

/* RFC 4344, 3.1: new keys long before the counter comes round. */
#define PACKETS_MAX (UINT32_C(1) << 31)

/* A peer that does not go on with new keys keeps a buffer of ours for long. */
enum { EXCHANGE_MS = 120000 };

bool ssh_kex_ready(struct csftp_ssh *ssh)
{
	struct ssh_buf buf;

	if (ssh->kex)
		return true;
	if (!ssh_buf_get(ssh, &buf))
		return false;
	ssh->kex = (struct ssh_kex *)(void *)buf.base;
	*ssh->kex = (struct ssh_kex){
		.first = ssh->session_len == 0,
		.since_ms = ssh->env->config.now_ms(ssh->env->config.arg),
	};
	return true;
}

/* The first is part of a login, which the owner bounds: people may be asked. */
uint64_t ssh_kex_deadline(const struct csftp_ssh *ssh)
{
	if (ssh->kex->first || ssh->kex->since_ms > UINT64_MAX - EXCHANGE_MS)
		return UINT64_MAX;
	return ssh->kex->since_ms + EXCHANGE_MS;
}

void ssh_kex_release(struct csftp_ssh *ssh)
{
	struct ssh_buf buf = {.base = (uint8_t *)ssh->kex};

	if (!ssh->kex)
		return;
	ssh_pair_release(&ssh->kex->pair);
	ssh_wipe(ssh->kex, sizeof(*ssh->kex));
	ssh->kex = NULL;
	ssh_buf_put(ssh, &buf);
}

static bool keys_are_old(const struct csftp_ssh *ssh)
{
	const struct csftp_ssh_config *config = &ssh->env->config;
	uint32_t packets = ssh->to_peer.packets > ssh->from_peer.packets
				   ? ssh->to_peer.packets
				   : ssh->from_peer.packets;

	if (packets >= PACKETS_MAX)
		return true;
	/*
	 * OpenSSH takes no KEXINIT during a login, and what that sends is
	 * little.  Keys that nobody uses do not age.
	 */
	return ssh->phase == SSH_RUN && packets > 0 &&
	       (ssh->to_peer.bytes >= config->rekey_bytes ||
		ssh->from_peer.bytes >= config->rekey_bytes ||
		config->now_ms(config->arg) >= csftp_ssh_deadline(ssh));
}

bool ssh_kex_due(const struct csftp_ssh *ssh)
{
	if (!ssh->hello_sent)
		return false;
	if (ssh->kex)
		return !ssh->kex->sent;
	if (ssh->phase < SSH_SERVICE)
		return ssh->phase == SSH_START;
	return keys_are_old(ssh);
}

/* RFC 4253, 7.1: names with commas between them. */
static void put_list(struct wire_wr *wr, const struct ssh_alg_list *list,
		     const char *more)
{
	size_t mark = wire_wr_open(wr);

	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			wire_wr_u8(wr, ',');
		wire_wr_raw(wr, list->alg[i]->name, strlen(list->alg[i]->name));
	}
	if (more)
		wire_wr_raw(wr, more, strlen(more));
	wire_wr_close(wr, mark);
}

/* Marks that are no algorithms, in the first exchange only. */
static const char *marks_of(const struct csftp_ssh *ssh)
{
	if (!ssh->kex->first)
		return NULL;
	return ssh_is_server(ssh) ? ",ext-info-s,kex-strict-s-v00@openssh.com"
				  : ",ext-info-c,kex-strict-c-v00@openssh.com";
}

static void write_init(struct csftp_ssh *ssh, struct wire_wr *wr)
{
	const struct ssh_alg_list *list = ssh->env->list;
	uint8_t cookie[16];

	(void)ssh_random(ssh, cookie, sizeof(cookie));
	wire_wr_u8(wr, SSH_KEXINIT);
	wire_wr_raw(wr, cookie, sizeof(cookie));
	put_list(wr, &list[CSFTP_SSH_ALG_KEX], marks_of(ssh));
	put_list(wr, &list[CSFTP_SSH_ALG_HOSTKEY], NULL);
	for (int way = 0; way < 2; way++)
		put_list(wr, &list[CSFTP_SSH_ALG_CIPHER], NULL);
	for (int way = 0; way < 2; way++)
		put_list(wr, &list[CSFTP_SSH_ALG_MAC], NULL);
	for (int way = 0; way < 2; way++)
		ssh_wr_text(wr, "none");
	for (int way = 0; way < 2; way++)
		ssh_wr_text(wr, "");
	ssh_wr_bool(wr, false);
	wire_wr_u32(wr, 0);
}

static size_t kex_room(const struct csftp_ssh *ssh)
{
	return ssh->env->config.buf_size - sizeof(struct ssh_kex);
}

void ssh_kex_start(struct csftp_ssh *ssh)
{
	struct ssh_kex *kex = ssh->kex;
	struct wire_wr init = {.base = kex->bytes, .cap = kex_room(ssh)};
	struct wire_wr wr;

	if (kex->sent || !ssh_out_room(ssh, SSH_MESSAGE_MAX + SSH_OVERHEAD))
		return;
	write_init(ssh, &init);
	kex->ours = init.len;
	wr = ssh_begin(ssh, SSH_KEXINIT);
	wire_wr_raw(&wr, kex->bytes + 1, kex->ours - 1);
	kex->sent = true;
	ssh_reply(ssh, &wr);
}

struct offer {
	struct wire_bytes kex;
	struct wire_bytes hostkey;
	struct wire_bytes cipher[2];
	struct wire_bytes mac[2];
	struct wire_bytes compress[2];
	bool guess;
};

static bool read_init(struct csftp_ssh *ssh, struct wire_rd *rd,
		      struct offer *offer)
{
	for (int i = 0; i < 16; i++)
		(void)wire_rd_u8(rd);
	offer->kex = wire_rd_string(rd, rd->left);
	offer->hostkey = wire_rd_string(rd, rd->left);
	for (int way = 0; way < 2; way++)
		offer->cipher[way] = wire_rd_string(rd, rd->left);
	for (int way = 0; way < 2; way++)
		offer->mac[way] = wire_rd_string(rd, rd->left);
	for (int way = 0; way < 2; way++)
		offer->compress[way] = wire_rd_string(rd, rd->left);
	for (int way = 0; way < 2; way++)
		(void)wire_rd_string(rd, rd->left);
	offer->guess = ssh_rd_bool(rd);
	(void)wire_rd_u32(rd);
	return ssh_whole(ssh, rd);
}

/* RFC 4253, 7: right if both first choices are the same on both sides. */
static bool guess_was_right(const struct csftp_ssh *ssh,
			    const struct offer *offer)
{
	const struct ssh_alg_list *list = ssh->env->list;
	struct wire_bytes kex = offer->kex, hostkey = offer->hostkey, first;

	return ssh_next_name(&kex, &first) &&
	       ssh_is(first, list[CSFTP_SSH_ALG_KEX].alg[0]->name) &&
	       ssh_next_name(&hostkey, &first) &&
	       ssh_is(first, list[CSFTP_SSH_ALG_HOSTKEY].alg[0]->name);
}

static const struct ssh_alg *choose_one(const struct csftp_ssh *ssh,
					enum csftp_ssh_alg_kind kind,
					struct wire_bytes theirs)
{
	return ssh_alg_choose(&ssh->env->list[kind], theirs,
			      ssh->env->config.role);
}

/* What the two lack in common, in OpenSSH's words; NULL: all is there. */
static const char *choose_for(struct csftp_ssh *ssh, const struct offer *offer,
			      int way)
{
	struct ssh_kex *kex = ssh->kex;
	const struct ssh_alg *cipher =
		choose_one(ssh, CSFTP_SSH_ALG_CIPHER, offer->cipher[way]);

	kex->cipher[way] = cipher;
	if (!cipher)
		return "no matching cipher found";
	/* One with a tag of its own needs no MAC. */
	if (cipher->tag_len == 0)
		kex->mac[way] =
			choose_one(ssh, CSFTP_SSH_ALG_MAC, offer->mac[way]);
	if (cipher->tag_len == 0 && !kex->mac[way])
		return "no matching MAC found";
	return ssh_list_has(offer->compress[way], "none")
		       ? NULL
		       : "no matching compression method found";
}

static bool choose(struct csftp_ssh *ssh, const struct offer *offer)
{
	struct ssh_kex *kex = ssh->kex;
	const char *lacks = NULL;

	kex->kex = choose_one(ssh, CSFTP_SSH_ALG_KEX, offer->kex);
	kex->hostkey = choose_one(ssh, CSFTP_SSH_ALG_HOSTKEY, offer->hostkey);
	if (!kex->kex)
		lacks = "no matching key exchange method found";
	else if (!kex->hostkey)
		lacks = "no matching host key type found";
	for (int way = 0; way < 2 && !lacks; way++)
		lacks = choose_for(ssh, offer, way);
	if (!lacks)
		return true;
	return ssh_fail(ssh, CSFTP_ERR_ALGORITHM, CSFTP_SSH_KEX_FAILED, lacks);
}

/*
 * OpenSSH PROTOCOL, 1.10: where both sides say so, nothing may come before
 * the first KEXINIT, so that nothing can be slipped in.
 */
static bool read_marks(struct csftp_ssh *ssh, const struct offer *offer)
{
	bool server = ssh_is_server(ssh);

	if (!ssh->kex->first)
		return true;
	ssh->peer_ext_info =
		ssh_list_has(offer->kex, server ? "ext-info-c" : "ext-info-s");
	ssh->strict = ssh_list_has(offer->kex,
				   server ? "kex-strict-c-v00@openssh.com"
					  : "kex-strict-s-v00@openssh.com");
	if (ssh->strict && ssh->from_peer.seq != 1)
		return ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
				"a message before the first KEXINIT");
	return true;
}

void ssh_on_kexinit(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct ssh_kex *kex = ssh->kex;
	struct offer offer = {.guess = false};

	ssh_kex_start(ssh);
	if (!read_init(ssh, rd, &offer))
		return;
	if (ssh->payload.len > kex_room(ssh) - kex->ours) {
		(void)ssh_fail(ssh, CSFTP_ERR_TOO_LONG, CSFTP_SSH_KEX_FAILED,
			       "KEXINIT too long");
		return;
	}
	memcpy(kex->bytes + kex->ours, ssh->payload.ptr, ssh->payload.len);
	kex->theirs = ssh->payload.len;
	kex->got = true;
	if (!read_marks(ssh, &offer) || !choose(ssh, &offer))
		return;
	kex->skip = offer.guess && !guess_was_right(ssh, &offer);
	if (!ssh_is_server(ssh))
		ssh_kex_ask(ssh);
}

/* RFC 4253, 7.2: the key of a purpose, as long as it is needed. */
static enum csftp_err derive(struct csftp_ssh *ssh, uint8_t letter, uint8_t *to,
			     size_t len)
{
	const struct ssh_kex *kex = ssh->kex;
	uint8_t key[2 * SSH_HASH_MAX];
	size_t hash_len = ssh_hash_len(kex->kex->hash);
	struct wire_bytes part[4] = {
		{kex->shared, kex->shared_len},
		{kex->hash, hash_len},
		{&letter, 1},
		{ssh->session, ssh->session_len},
	};
	enum csftp_err err =
		ssh_hash(ssh->env->lib, kex->kex->hash, part, 4, key);

	part[2] = (struct wire_bytes){key, hash_len};
	if (err == CSFTP_OK && len > hash_len)
		err = ssh_hash(ssh->env->lib, kex->kex->hash, part, 3,
			       key + hash_len);
	if (err == CSFTP_OK)
		memcpy(to, key, len);
	ssh_wipe(key, sizeof(key));
	return err;
}

static struct ssh_protect protect_by(const struct ssh_alg *cipher,
				     const struct ssh_alg *mac)
{
	return (struct ssh_protect){
		.mode = cipher->mode,
		.key_len = cipher->key_len,
		.iv_len = cipher->iv_len,
		.mac = mac ? mac->hash : SSH_SHA256,
		.etm = mac && mac->etm,
		.mac_len = mac ? mac->tag_len : cipher->tag_len,
	};
}

static bool take_keys(struct csftp_ssh *ssh, struct ssh_half *half,
		      enum ssh_way way)
{
	bool from_client = ssh_is_server(ssh) == (way == SSH_OPEN);
	const struct ssh_kex *kex = ssh->kex;
	const struct ssh_alg *cipher = kex->cipher[from_client ? 0 : 1];
	const struct ssh_alg *mac = kex->mac[from_client ? 0 : 1];
	struct ssh_protect how = protect_by(cipher, mac);
	uint8_t letter = from_client ? 'A' : 'B';
	struct ssh_keys keys = {.key = {0}};
	enum csftp_err err = derive(ssh, letter, keys.iv, how.iv_len);

	if (err == CSFTP_OK)
		err = derive(ssh, (uint8_t)(letter + 2), keys.key, how.key_len);
	if (err == CSFTP_OK && mac)
		err = derive(ssh, (uint8_t)(letter + 4), keys.mac,
			     ssh_hash_len(mac->hash));
	ssh_crypt_release(&half->crypt);
	if (err == CSFTP_OK)
		err = ssh_crypt_init(&half->crypt, ssh->env->lib, &how, way,
				     &keys);
	ssh_wipe(&keys, sizeof(keys));
	if (err != CSFTP_OK)
		return ssh_fail(ssh, err, CSFTP_SSH_KEX_FAILED, "no keys");
	half->cipher = cipher;
	half->mac = mac;
	half->packets = 0;
	half->bytes = 0;
	/* OpenSSH PROTOCOL, 1.10: counted anew with each set of keys. */
	if (ssh->strict)
		half->seq = 0;
	return true;
}

static void finish(struct csftp_ssh *ssh)
{
	struct ssh_kex *kex = ssh->kex;
	bool first = kex->first;

	if (!kex->newkeys_sent || !kex->newkeys_got)
		return;
	ssh->kex_alg = kex->kex;
	ssh->hostkey_alg = kex->hostkey;
	ssh->keys_ms = ssh->env->config.now_ms(ssh->env->config.arg);
	ssh_kex_release(ssh);
	if (!first)
		return;
	ssh_set_phase(ssh, SSH_SERVICE);
	if (!ssh_is_server(ssh))
		ssh_request_service(ssh);
}

void ssh_kex_send_newkeys(struct csftp_ssh *ssh)
{
	struct wire_wr wr = ssh_begin(ssh, SSH_NEWKEYS_MSG);

	ssh_reply(ssh, &wr);
	if (ssh->err != CSFTP_OK || !take_keys(ssh, &ssh->to_peer, SSH_SEAL))
		return;
	ssh->kex->newkeys_sent = true;
	if (ssh->kex->first && ssh_is_server(ssh) && ssh->peer_ext_info)
		ssh_send_ext_info(ssh);
}

void ssh_on_newkeys(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	if (!ssh_whole(ssh, rd) || !take_keys(ssh, &ssh->from_peer, SSH_OPEN))
		return;
	ssh->kex->newkeys_got = true;
	finish(ssh);
}

enum csftp_err csftp_ssh_rekey(struct csftp_ssh *ssh)
{
	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (ssh->phase < SSH_SERVICE || ssh->kex)
		return CSFTP_ERR_STATE;
	if (!ssh_kex_ready(ssh))
		return CSFTP_ERR_NO_ROOM;
	ssh_kex_start(ssh);
	return CSFTP_OK;
}
