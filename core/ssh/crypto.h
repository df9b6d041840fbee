/* The crypto seam: all that the SSH engine asks of libcrypto. */
#ifndef CSFTP_CORE_SSH_CRYPTO_H
#define CSFTP_CORE_SSH_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"
#include "csftp/ssh.h"

/*
 * Only the files crypto*.c see libcrypto's headers; another library would
 * replace these files and nothing else.  Each call takes whole buffers.  What
 * libcrypto looks up by name is fetched once, by ssh_lib_new(), and shared by
 * all that one thread does.
 *
 * Numbers go in and out as unsigned big-endian bytes.  A call that fails
 * returns CSFTP_ERR_CRYPTO, CSFTP_ERR_FORGED for what does not verify, and
 * CSFTP_ERR_VALUE for what cannot be a key, a point or a signature.
 */
struct ssh_lib;

CSFTP_MUST_CHECK enum csftp_err ssh_lib_new(struct ssh_lib **out);
void ssh_lib_free(struct ssh_lib *lib);

/* Overwrites a secret; the compiler does not drop it. */
void ssh_wipe(void *secret, size_t len);

/* Compares in a time that depends on len only. */
bool ssh_same(const void *a, const void *b, size_t len);

enum ssh_hash { SSH_SHA256, SSH_SHA384, SSH_SHA512, SSH_HASH_COUNT };
#define SSH_HASH_MAX 64

size_t ssh_hash_len(enum ssh_hash hash);

/* The hash of all parts, one behind the other. */
CSFTP_MUST_CHECK enum csftp_err ssh_hash(struct ssh_lib *lib,
					 enum ssh_hash hash,
					 const struct wire_bytes *part,
					 size_t count, uint8_t *out);

/* HMAC with SHA-1, which hides the names in known_hosts files. */
CSFTP_MUST_CHECK enum csftp_err
ssh_hmac_sha1(struct ssh_lib *lib, const uint8_t *key, size_t key_len,
	      struct wire_bytes data, uint8_t out[20]);

/*
 * Key agreement.  A pair is made for one exchange and released after it.  The
 * client shows its part; the server answers it and has the secret at once; the
 * answer gives the client the same.
 */
enum ssh_group {
	SSH_X25519,
	SSH_NISTP256,
	SSH_NISTP384,
	SSH_NISTP521,
	SSH_MLKEM768_X25519, /* draft-ietf-sshm-mlkem-hybrid-kex */
};
#define SSH_SEED_MAX   32
#define SSH_POINT_MAX  133  /* uncompressed, of nistp521 */
#define SSH_PART_MAX   1216 /* ML-KEM-768's key and a point of X25519 */
#define SSH_SHARED_MAX 66

struct ssh_pair {
	void *key; /* NULL: none */
	void *kem; /* of a group that has one beside its curve */
	enum ssh_group group;
};

/* Whether libcrypto has it: ML-KEM came with OpenSSL 3.5. */
bool ssh_group_works(enum ssh_group group);

/*
 * X25519 takes its private key from the seed; the others use libcrypto's own
 * random numbers.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_pair_init(struct ssh_pair *pair,
					      enum ssh_group group,
					      const uint8_t seed[SSH_SEED_MAX]);
void ssh_pair_release(struct ssh_pair *pair);

/* What the client shows: its public key. */
CSFTP_MUST_CHECK enum csftp_err ssh_pair_part(const struct ssh_pair *pair,
					      uint8_t part[SSH_PART_MAX],
					      size_t *part_len);

/*
 * The server's answer to the client's part, and the secret.  This and the next
 * are CSFTP_ERR_VALUE for what is no point or key of the group (RFC 5656, 4;
 * RFC 8731, 3).
 */
CSFTP_MUST_CHECK enum csftp_err
ssh_pair_answer(enum ssh_group group, const uint8_t seed[SSH_SEED_MAX],
		struct wire_bytes client, uint8_t part[SSH_PART_MAX],
		size_t *part_len, uint8_t secret[SSH_SHARED_MAX],
		size_t *secret_len);

/* The client's secret, by the server's answer. */
CSFTP_MUST_CHECK enum csftp_err ssh_pair_shared(const struct ssh_pair *pair,
						struct wire_bytes server,
						uint8_t out[SSH_SHARED_MAX],
						size_t *out_len);

/*
 * Packet protection, one object for a direction and a set of keys.  A packet
 * is its length field, `len` bytes behind it, and room for the tag.
 */
enum ssh_mode { SSH_PLAIN, SSH_CTR, SSH_GCM, SSH_CHACHA };
#define SSH_KEY_MAX 64
#define SSH_IV_MAX  16
#define SSH_TAG_MAX 64

struct ssh_protect {
	enum ssh_mode mode;
	size_t key_len;
	size_t iv_len;
	enum ssh_hash mac; /* CTR: HMAC with it; its key is as long */
	bool etm;	   /* the MAC is over what was encrypted */
	size_t mac_len;
};

enum ssh_way { SSH_SEAL, SSH_OPEN };

struct ssh_keys {
	uint8_t key[SSH_KEY_MAX];
	uint8_t iv[SSH_IV_MAX];
	uint8_t mac[SSH_HASH_MAX];
};

struct ssh_crypt {
	struct ssh_protect how;
	enum ssh_way way;
	uint8_t iv[SSH_IV_MAX];
	void *cipher;
	void *header; /* ChaCha20 of the length field */
	void *mac;
};

CSFTP_MUST_CHECK enum csftp_err ssh_crypt_init(struct ssh_crypt *crypt,
					       struct ssh_lib *lib,
					       const struct ssh_protect *how,
					       enum ssh_way way,
					       const struct ssh_keys *keys);

/* All zero is fine. */
void ssh_crypt_release(struct ssh_crypt *crypt);

/* The bytes from which ssh_crypt_head() tells the length. */
size_t ssh_crypt_head_len(const struct ssh_crypt *crypt);

/*
 * The length field of the packet whose first bytes are at head.  CTR without
 * etm decrypts them where they are: once for a packet.
 */
CSFTP_MUST_CHECK enum csftp_err ssh_crypt_head(struct ssh_crypt *crypt,
					       uint32_t seq, uint8_t *head,
					       uint32_t *len);

/* In place; what was encrypted is plain afterwards, and the other way round. */
CSFTP_MUST_CHECK enum csftp_err ssh_crypt_open(struct ssh_crypt *crypt,
					       uint32_t seq, uint8_t *packet,
					       size_t len);
CSFTP_MUST_CHECK enum csftp_err ssh_crypt_seal(struct ssh_crypt *crypt,
					       uint32_t seq, uint8_t *packet,
					       size_t len);

/*
 * The same in pieces, each from where it is to where it is to be: begin, then
 * run for all of the len bytes in their order, then end.  from and to are the
 * same or do not overlap.  The length field stands in the packet, and so does
 * the tag; a packet that is sealed stands there whole at its end, and one that
 * is opened at its beginning.  What run gave is not to be believed before end
 * is CSFTP_OK.
 *
 * False: this cipher cannot, as its MAC is made of the whole plain text.
 */
bool ssh_crypt_has_pieces(const struct ssh_crypt *crypt);
CSFTP_MUST_CHECK enum csftp_err ssh_crypt_begin(struct ssh_crypt *crypt,
						uint32_t seq, uint8_t *packet,
						size_t len);
CSFTP_MUST_CHECK enum csftp_err ssh_crypt_run(struct ssh_crypt *crypt,
					      uint8_t *to, const uint8_t *from,
					      size_t len);
CSFTP_MUST_CHECK enum csftp_err ssh_crypt_end(struct ssh_crypt *crypt,
					      uint32_t seq, uint8_t *packet,
					      size_t len);

/*
 * Signature keys.  A signature is 64 bytes for Ed25519, r and s of the
 * curve's length each for ECDSA, and the modulus' length for RSA.
 */
#define SSH_RSA_BITS_MIN 2048
#define SSH_RSA_BITS_MAX 8192
#define SSH_RAW_SIG_MAX	 (SSH_RSA_BITS_MAX / 8)

/* The parts of a public key: point, or modulus n and exponent e. */
struct ssh_public {
	struct wire_bytes point;
	struct wire_bytes n;
	struct wire_bytes e;
};

/* And of a private one: Ed25519's seed or the curve's scalar, or RSA's. */
struct ssh_private {
	struct wire_bytes scalar;
	struct wire_bytes d;
	struct wire_bytes p;
	struct wire_bytes q;
	struct wire_bytes inverse; /* of q modulo p */
};

struct ssh_pkey {
	void *key;
	enum csftp_ssh_key_type type;
};

/* private NULL: the public half alone. */
CSFTP_MUST_CHECK enum csftp_err
ssh_pkey_init(struct ssh_pkey *pkey, enum csftp_ssh_key_type type,
	      const struct ssh_public *public,
	      const struct ssh_private *private);
CSFTP_MUST_CHECK enum csftp_err ssh_pkey_make(struct ssh_pkey *pkey,
					      enum csftp_ssh_key_type type,
					      unsigned bits);
CSFTP_MUST_CHECK enum csftp_err ssh_pkey_pem(struct ssh_pkey *pkey,
					     const char *text, size_t len,
					     const char *passphrase);
void ssh_pkey_release(struct ssh_pkey *pkey);

size_t ssh_pkey_point_len(enum csftp_ssh_key_type type);

/* Writes the parts into buf and points at them there. */
CSFTP_MUST_CHECK enum csftp_err ssh_pkey_public(const struct ssh_pkey *pkey,
						struct wire_wr *buf,
						struct ssh_public *out);
/* The same of its other half, which is the caller's to wipe. */
CSFTP_MUST_CHECK enum csftp_err ssh_pkey_private(const struct ssh_pkey *pkey,
						 struct wire_wr *buf,
						 struct ssh_private *out);

CSFTP_MUST_CHECK enum csftp_err ssh_pkey_sign(const struct ssh_pkey *pkey,
					      enum ssh_hash hash,
					      struct wire_bytes data,
					      uint8_t out[SSH_RAW_SIG_MAX],
					      size_t *out_len);
CSFTP_MUST_CHECK enum csftp_err ssh_pkey_verify(const struct ssh_pkey *pkey,
						enum ssh_hash hash,
						struct wire_bytes data,
						struct wire_bytes signature);

/* AES-256-CTR in place, whole blocks: what key files are encrypted with. */
CSFTP_MUST_CHECK enum csftp_err ssh_decrypt_section(const uint8_t key[32],
						    const uint8_t iv[16],
						    uint8_t *data, size_t len);

#endif
