#include "core/ssh/key.h"

#include <stdlib.h>
#include <string.h>

#include "core/ssh/names.h"

/* The row whose key form is that of the type: the first of them. */
static const struct ssh_alg *alg_of_type(enum csftp_ssh_key_type type)
{
	const struct ssh_alg *alg;

	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++)
		if (alg->key == type)
			return alg;
	return NULL;
}

static bool type_named(struct wire_bytes name, enum csftp_ssh_key_type *type)
{
	const struct ssh_alg *alg;

	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++) {
		if (!ssh_is(name, alg->key_name))
			continue;
		*type = alg->key;
		return true;
	}
	return false;
}

bool ssh_key_blob_type(struct wire_bytes blob, enum csftp_ssh_key_type *type)
{
	struct wire_rd rd = {.next = blob.ptr, .left = blob.len};

	return type_named(wire_rd_string(&rd, 64), type);
}

/* RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4. */
static enum csftp_err read_public(struct wire_rd *rd,
				  enum csftp_ssh_key_type type,
				  struct ssh_public *public)
{
	const char *curve = ssh_curve_name(type);

	if (curve && !ssh_is(wire_rd_string(rd, 16), curve))
		return CSFTP_ERR_VALUE;
	if (type == CSFTP_SSH_RSA) {
		public->e = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		public->n = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
	} else {
		public->point = wire_rd_string(rd, SSH_POINT_MAX);
	}
	return wire_rd_end(rd);
}

/* The public key of a blob, for one use: ssh_pkey_release() it. */
static enum csftp_err ssh_key_open(struct ssh_pkey *pkey,
				   struct wire_bytes blob)
{
	struct wire_rd rd = {.next = blob.ptr, .left = blob.len};
	struct wire_bytes name = wire_rd_string(&rd, 64);
	struct ssh_public public = {.point.len = 0};
	enum csftp_ssh_key_type type;
	enum csftp_err err;

	if (!type_named(name, &type))
		return CSFTP_ERR_VALUE;
	err = read_public(&rd, type, &public);
	if (err != CSFTP_OK)
		return err;
	return ssh_pkey_init(pkey, type, &public, NULL);
}

static enum csftp_err write_public(const struct ssh_pkey *pkey,
				   struct wire_wr *wr)
{
	uint8_t parts[SSH_RAW_SIG_MAX + 16];
	struct wire_wr buf = {.base = parts, .cap = sizeof(parts)};
	const char *curve = ssh_curve_name(pkey->type);
	struct ssh_public public = {.point.len = 0};
	enum csftp_err err = ssh_pkey_public(pkey, &buf, &public);

	if (err != CSFTP_OK)
		return err;
	ssh_wr_text(wr, alg_of_type(pkey->type)->key_name);
	if (curve)
		ssh_wr_text(wr, curve);
	if (pkey->type == CSFTP_SSH_RSA) {
		ssh_wr_mpint(wr, public.e);
		ssh_wr_mpint(wr, public.n);
	} else {
		ssh_wr_bytes(wr, public.point);
	}
	return wire_wr_end(wr);
}

enum csftp_err ssh_key_new(struct csftp_ssh_key **out, struct ssh_pkey *pkey,
			   bool is_private)
{
	uint8_t blob[SSH_KEY_BLOB_MAX];
	struct wire_wr wr = {.base = blob, .cap = sizeof(blob)};
	enum csftp_err err = write_public(pkey, &wr);
	struct csftp_ssh_key *key = NULL;

	if (err == CSFTP_OK) {
		key = malloc(sizeof(*key) + wr.len);
		err = key ? CSFTP_OK : CSFTP_ERR_NOMEM;
	}
	if (!key) {
		ssh_pkey_release(pkey);
		return err;
	}
	key->pkey = *pkey;
	key->is_private = is_private;
	key->blob_len = wr.len;
	memcpy(key->blob, blob, wr.len);
	*out = key;
	return CSFTP_OK;
}

/* RFC 5656, 3.1.2: mpint r, mpint s. */
static void write_signature(struct wire_wr *wr, enum csftp_ssh_key_type type,
			    const uint8_t *raw, size_t len)
{
	size_t mark;

	if (!ssh_curve_name(type)) {
		wire_wr_string(wr, raw, len);
		return;
	}
	mark = wire_wr_open(wr);
	ssh_wr_mpint(wr, (struct wire_bytes){raw, len / 2});
	ssh_wr_mpint(wr, (struct wire_bytes){raw + len / 2, len / 2});
	wire_wr_close(wr, mark);
}

enum csftp_err ssh_key_sign(const struct csftp_ssh_key *key,
			    const struct ssh_alg *alg, struct wire_bytes data,
			    struct wire_wr *wr)
{
	uint8_t raw[SSH_RAW_SIG_MAX];
	size_t len = 0;
	enum csftp_err err;

	if (!key->is_private || alg->key != key->pkey.type)
		return CSFTP_ERR_ARG;
	err = ssh_pkey_sign(&key->pkey, alg->hash, data, raw, &len);
	if (err != CSFTP_OK)
		return err;
	ssh_wr_text(wr, alg->name);
	write_signature(wr, alg->key, raw, len);
	return wire_wr_end(wr);
}

/* One of ECDSA's numbers, as long as the curve has it. */
static void pad_number(struct wire_rd *rd, uint8_t *to, size_t len)
{
	struct wire_bytes number = ssh_rd_mpint(rd, len);

	memset(to, 0, len);
	if (number.len > 0)
		memcpy(to + len - number.len, number.ptr, number.len);
}

/* Points out at the raw signature: in blob, or where there is none, in raw. */
static enum csftp_err read_signature(const struct ssh_alg *alg,
				     struct wire_bytes blob,
				     uint8_t raw[2 * SSH_SHARED_MAX],
				     struct wire_bytes *out)
{
	size_t half = (ssh_pkey_point_len(alg->key) - 1) / 2;
	struct wire_rd rd = {.next = blob.ptr, .left = blob.len};

	if (!ssh_curve_name(alg->key)) {
		*out = blob;
		return CSFTP_OK;
	}
	pad_number(&rd, raw, half);
	pad_number(&rd, raw + half, half);
	*out = (struct wire_bytes){raw, 2 * half};
	return wire_rd_end(&rd);
}

static enum csftp_err verify(struct wire_bytes blob, const struct ssh_alg *alg,
			     struct wire_bytes data, struct wire_bytes raw)
{
	struct ssh_pkey pkey;
	enum csftp_err err = ssh_key_open(&pkey, blob);

	if (err != CSFTP_OK)
		return CSFTP_ERR_FORGED;
	err = pkey.type == alg->key
		      ? ssh_pkey_verify(&pkey, alg->hash, data, raw)
		      : CSFTP_ERR_FORGED;
	ssh_pkey_release(&pkey);
	return err;
}

enum csftp_err ssh_key_verify(struct wire_bytes blob, const struct ssh_alg *alg,
			      struct wire_bytes data,
			      struct wire_bytes signature)
{
	struct wire_rd rd = {.next = signature.ptr, .left = signature.len};
	struct wire_bytes name = wire_rd_string(&rd, 64);
	struct wire_bytes value = wire_rd_string(&rd, SSH_RAW_SIG_MAX);
	uint8_t raw[2 * SSH_SHARED_MAX];
	struct wire_bytes bytes;

	/* RFC 8332, 3: the name in the signature is the algorithm agreed on. */
	if (wire_rd_end(&rd) != CSFTP_OK || !ssh_is(name, alg->name) ||
	    read_signature(alg, value, raw, &bytes) != CSFTP_OK)
		return CSFTP_ERR_FORGED;
	return verify(blob, alg, data, bytes);
}

enum csftp_err csftp_ssh_key_make(struct csftp_ssh_key **out,
				  enum csftp_ssh_key_type type, unsigned bits)
{
	struct ssh_pkey pkey;
	enum csftp_err err;

	if (!out || (unsigned)type > CSFTP_SSH_RSA)
		return CSFTP_ERR_ARG;
	if (bits == 0)
		bits = 3072;
	if (type == CSFTP_SSH_RSA &&
	    (bits < SSH_RSA_BITS_MIN || bits > SSH_RSA_BITS_MAX))
		return CSFTP_ERR_ARG;
	err = ssh_pkey_make(&pkey, type, bits);
	return err == CSFTP_OK ? ssh_key_new(out, &pkey, true) : err;
}

enum csftp_err csftp_ssh_key_from_blob(struct csftp_ssh_key **out,
				       struct csftp_ssh_bytes blob)
{
	struct ssh_pkey pkey;
	enum csftp_err err;

	if (!out)
		return CSFTP_ERR_ARG;
	err = ssh_key_open(&pkey, ssh_wire(blob));
	return err == CSFTP_OK ? ssh_key_new(out, &pkey, false) : err;
}

void csftp_ssh_key_free(struct csftp_ssh_key *key)
{
	if (!key)
		return;
	ssh_pkey_release(&key->pkey);
	free(key);
}

enum csftp_ssh_key_type csftp_ssh_key_type(const struct csftp_ssh_key *key)
{
	return key->pkey.type;
}

bool csftp_ssh_key_is_private(const struct csftp_ssh_key *key)
{
	return key->is_private;
}

struct csftp_ssh_bytes csftp_ssh_key_blob(const struct csftp_ssh_key *key)
{
	return (struct csftp_ssh_bytes){key->blob, key->blob_len};
}

static enum csftp_err signer_sign(void *arg, const char *algorithm,
				  const uint8_t *data, size_t len, uint8_t *to,
				  size_t *to_len)
{
	const struct ssh_alg *alg =
		ssh_alg_find(CSFTP_SSH_ALG_HOSTKEY, ssh_text(algorithm));
	struct wire_wr wr = {.base = to, .cap = CSFTP_SSH_SIGN_MAX};
	enum csftp_err err;

	if (!alg)
		return CSFTP_ERR_ALGORITHM;
	err = ssh_key_sign(arg, alg, (struct wire_bytes){data, len}, &wr);
	if (err == CSFTP_OK)
		*to_len = wr.len;
	return err;
}

struct csftp_ssh_signer csftp_ssh_key_signer(const struct csftp_ssh_key *key)
{
	/* The callback's arg is not const for those that are no keys. */
	return (struct csftp_ssh_signer){
		.key = csftp_ssh_key_blob(key),
		.sign = signer_sign,
		.arg = (void *)(uintptr_t)key,
	};
}
