/*
 * Elliptic curve key exchange (RFC 5656, 4; RFC 8731), alone and with ML-KEM
 * (draft-ietf-sshm-mlkem-hybrid-kex), whose messages have the same form.
 */
#include <string.h>

#include "core/ssh/engine.h"
#include "core/ssh/kex.h"
#include "core/ssh/names.h"

static bool bad_crypto(struct csftp_ssh *ssh, enum csftp_err err)
{
	return ssh_fail(ssh, err, CSFTP_SSH_KEX_FAILED,
			err == CSFTP_ERR_VALUE ? "bad point in the key exchange"
					       : "cannot make a key");
}

/* The client's part: asks with its point. */
void ssh_kex_ask(struct csftp_ssh *ssh)
{
	struct ssh_kex *kex = ssh->kex;
	uint8_t seed[SSH_SEED_MAX], part[SSH_PART_MAX];
	struct wire_wr wr;
	enum csftp_err err;
	size_t len;

	if (!ssh_random(ssh, seed, sizeof(seed)))
		return;
	err = ssh_pair_init(&kex->pair, kex->kex->group, seed);
	ssh_wipe(seed, sizeof(seed));
	if (err == CSFTP_OK)
		err = ssh_pair_part(&kex->pair, part, &len);
	if (err != CSFTP_OK) {
		(void)bad_crypto(ssh, err);
		return;
	}
	wr = ssh_begin(ssh, SSH_ECDH_INIT);
	wire_wr_string(&wr, part, len);
	ssh_reply(ssh, &wr);
}

/*
 * The shared secret as the hashes take it: an mpint, or, where two secrets are
 * made into one, their hash as a string (mlkem-hybrid-kex, 2.4).
 */
static bool keep_secret(struct csftp_ssh *ssh, uint8_t secret[SSH_SHARED_MAX],
			size_t len)
{
	struct ssh_kex *kex = ssh->kex;
	struct wire_wr wr = {.base = kex->shared, .cap = sizeof(kex->shared)};
	struct wire_bytes bytes = {secret, len};
	uint8_t hash[SSH_HASH_MAX];
	enum csftp_err err = CSFTP_OK;

	if (kex->kex->group == SSH_MLKEM768_X25519) {
		err = ssh_hash(ssh->env->lib, kex->kex->hash, &bytes, 1, hash);
		wire_wr_string(&wr, hash, ssh_hash_len(kex->kex->hash));
		ssh_wipe(hash, sizeof(hash));
	} else {
		ssh_wr_mpint(&wr, bytes);
	}
	ssh_wipe(secret, SSH_SHARED_MAX);
	if (err == CSFTP_OK)
		err = wire_wr_end(&wr);
	kex->shared_len = wr.len;
	return err == CSFTP_OK || bad_crypto(ssh, err);
}

enum { STRINGS = 7 };

/* RFC 5656, 4: V_C, V_S, I_C, I_S, K_S, Q_C, Q_S as strings, and K. */
static bool hash_exchange(struct csftp_ssh *ssh, struct wire_bytes key,
			  struct wire_bytes client, struct wire_bytes server)
{
	struct ssh_kex *kex = ssh->kex;
	bool serve = ssh_is_server(ssh);
	struct wire_bytes own = ssh_own_version();
	struct wire_bytes peer = {ssh->version, ssh->version_len};
	struct wire_bytes ours = {kex->bytes, kex->ours};
	struct wire_bytes theirs = {kex->bytes + kex->ours, kex->theirs};
	const struct wire_bytes field[STRINGS] = {
		serve ? peer : own,
		serve ? own : peer,
		serve ? theirs : ours,
		serve ? ours : theirs,
		key,
		client,
		server,
	};
	struct wire_bytes part[2 * STRINGS + 1];
	uint8_t len[STRINGS][4];
	enum csftp_err err;

	for (size_t i = 0; i < STRINGS; i++) {
		wire_put_u32(len[i], (uint32_t)field[i].len);
		part[2 * i] = (struct wire_bytes){len[i], 4};
		part[2 * i + 1] = field[i];
	}
	part[14] = (struct wire_bytes){kex->shared, kex->shared_len};
	err = ssh_hash(ssh->env->lib, kex->kex->hash, part, 15, kex->hash);
	if (err != CSFTP_OK)
		return ssh_fail(ssh, err, CSFTP_SSH_KEX_FAILED, "no hash");
	/* RFC 4253, 7.2: the first hash names the session for good. */
	if (ssh->session_len == 0) {
		ssh->session_len = ssh_hash_len(kex->kex->hash);
		memcpy(ssh->session, kex->hash, ssh->session_len);
	}
	return true;
}

static const struct csftp_ssh_key *key_for(const struct csftp_ssh *ssh,
					   const struct ssh_alg *alg)
{
	const struct csftp_ssh_config *config = &ssh->env->config;

	for (size_t i = 0; i < config->key_count; i++)
		if (config->keys[i]->pkey.type == alg->key)
			return config->keys[i];
	return NULL;
}

static void send_reply(struct csftp_ssh *ssh, const struct csftp_ssh_key *key,
		       struct wire_bytes server)
{
	struct ssh_kex *kex = ssh->kex;
	struct wire_bytes hash = {kex->hash, ssh_hash_len(kex->kex->hash)};
	struct wire_wr wr = ssh_begin(ssh, SSH_ECDH_REPLY);
	enum csftp_err err;
	size_t mark;

	wire_wr_string(&wr, key->blob, key->blob_len);
	ssh_wr_bytes(&wr, server);
	mark = wire_wr_open(&wr);
	err = ssh_key_sign(key, kex->hostkey, hash, &wr);
	wire_wr_close(&wr, mark);
	if (err != CSFTP_OK) {
		(void)ssh_fail(ssh, err, CSFTP_SSH_KEX_FAILED, "cannot sign");
		return;
	}
	ssh_reply(ssh, &wr);
}

void ssh_on_ecdh_init(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes client = wire_rd_string(rd, SSH_PART_MAX);
	const struct csftp_ssh_key *key = key_for(ssh, ssh->kex->hostkey);
	struct wire_bytes blob = {key->blob, key->blob_len}, server;
	uint8_t seed[SSH_SEED_MAX], part[SSH_PART_MAX];
	uint8_t secret[SSH_SHARED_MAX];
	size_t part_len, secret_len;
	enum csftp_err err;

	if (!ssh_whole(ssh, rd) || !ssh_random(ssh, seed, sizeof(seed)))
		return;
	err = ssh_pair_answer(ssh->kex->kex->group, seed, client, part,
			      &part_len, secret, &secret_len);
	ssh_wipe(seed, sizeof(seed));
	if (err != CSFTP_OK) {
		ssh_wipe(secret, sizeof(secret));
		(void)bad_crypto(ssh, err);
		return;
	}
	server = (struct wire_bytes){part, part_len};
	if (!keep_secret(ssh, secret, secret_len) ||
	    !hash_exchange(ssh, blob, client, server))
		return;
	send_reply(ssh, key, server);
	if (ssh->err == CSFTP_OK)
		ssh_kex_send_newkeys(ssh);
}

static bool hash_of_key(struct csftp_ssh *ssh, struct wire_bytes key,
			uint8_t out[32])
{
	enum csftp_err err = ssh_hash(ssh->env->lib, SSH_SHA256, &key, 1, out);

	if (err != CSFTP_OK)
		return ssh_fail(ssh, err, CSFTP_SSH_KEX_FAILED, "no hash");
	return true;
}

/* The owner is asked once; later exchanges have to be with the same key. */
static void accept_key(struct csftp_ssh *ssh, struct wire_bytes key)
{
	struct csftp_ssh_event *event;
	uint8_t hash[32];

	if (!hash_of_key(ssh, key, hash))
		return;
	if (!ssh->kex->first) {
		if (ssh_same(hash, ssh->hostkey, sizeof(hash)))
			ssh_kex_send_newkeys(ssh);
		else
			(void)ssh_fail(ssh, CSFTP_ERR_DENIED,
				       CSFTP_SSH_HOSTKEY_NOT_VERIFIABLE,
				       "the host key has changed");
		return;
	}
	memcpy(ssh->hostkey, hash, sizeof(hash));
	event = ssh_event(ssh, CSFTP_SSH_HOSTKEY);
	event->key = ssh_shown(key);
	event->algorithm = ssh->kex->hostkey->name;
	ssh_ask(ssh, SSH_ECDH_REPLY);
}

/* The client's secret and the hash, by the server's answer. */
static bool agree(struct csftp_ssh *ssh, struct wire_bytes key,
		  struct wire_bytes server)
{
	struct ssh_kex *kex = ssh->kex;
	uint8_t part[SSH_PART_MAX], secret[SSH_SHARED_MAX];
	struct wire_bytes client = {part, 0};
	size_t secret_len;
	enum csftp_err err = ssh_pair_part(&kex->pair, part, &client.len);

	if (err == CSFTP_OK)
		err = ssh_pair_shared(&kex->pair, server, secret, &secret_len);
	if (err == CSFTP_OK)
		return keep_secret(ssh, secret, secret_len) &&
		       hash_exchange(ssh, key, client, server);
	ssh_wipe(secret, sizeof(secret));
	return bad_crypto(ssh, err);
}

void ssh_on_ecdh_reply(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes key = wire_rd_string(rd, SSH_KEY_BLOB_MAX);
	struct wire_bytes server = wire_rd_string(rd, SSH_PART_MAX);
	struct wire_bytes sig = wire_rd_string(rd, CSFTP_SSH_SIGN_MAX), hash;
	enum csftp_err err;

	if (!ssh_whole(ssh, rd))
		return;
	/* A second reply. */
	if (ssh->kex->shared_len > 0) {
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "message not legal now");
		return;
	}
	if (!agree(ssh, key, server))
		return;
	hash = (struct wire_bytes){ssh->kex->hash,
				   ssh_hash_len(ssh->kex->kex->hash)};
	err = ssh_key_verify(key, ssh->kex->hostkey, hash, sig);
	if (err == CSFTP_OK)
		accept_key(ssh, key);
	else
		(void)ssh_fail(ssh, err, CSFTP_SSH_HOSTKEY_NOT_VERIFIABLE,
			       "the host key's signature is wrong");
}

void ssh_kex_hostkey_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer)
{
	if (answer == CSFTP_SSH_YES)
		ssh_kex_send_newkeys(ssh);
	else
		(void)ssh_fail(ssh, CSFTP_ERR_DENIED,
			       CSFTP_SSH_HOSTKEY_NOT_VERIFIABLE,
			       "the host key was refused");
}
