/* Signature keys: made of their parts, or read from PEM; and their parts. */
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/param_build.h>
#include <string.h>

#include "core/ssh/crypto_lib.h"

static const struct {
	const char *curve; /* NULL: not a NIST curve */
	size_t point_len;
} types[] = {
	[CSFTP_SSH_ED25519] = {NULL, 32}, [CSFTP_SSH_P256] = {"P-256", 65},
	[CSFTP_SSH_P384] = {"P-384", 97}, [CSFTP_SSH_P521] = {"P-521", 133},
	[CSFTP_SSH_RSA] = {NULL, 0},
};

size_t ssh_pkey_point_len(enum csftp_ssh_key_type type)
{
	return types[type].point_len;
}

void ssh_pkey_release(struct ssh_pkey *pkey)
{
	EVP_PKEY_free(pkey->key);
	pkey->key = NULL;
}

/* The numbers of one key, wiped together; NULL where there is none. */
struct numbers {
	OSSL_PARAM_BLD *build;
	BIGNUM *number[10]; /* of an RSA key: eight, and two to work with */
	size_t count;
	bool broken;
};

static BIGNUM *add_number(struct numbers *numbers, BIGNUM *number)
{
	if (number)
		numbers->number[numbers->count++] = number;
	else
		numbers->broken = true;
	return number;
}

static void push(struct numbers *numbers, const char *name,
		 const BIGNUM *number)
{
	if (!number ||
	    OSSL_PARAM_BLD_push_BN(numbers->build, name, number) != 1)
		numbers->broken = true;
}

static BIGNUM *push_bytes(struct numbers *numbers, const char *name,
			  struct wire_bytes bytes)
{
	BIGNUM *number =
		add_number(numbers, BN_bin2bn(bytes.ptr, (int)bytes.len, NULL));

	push(numbers, name, number);
	return number;
}

static void numbers_release(struct numbers *numbers)
{
	for (size_t i = 0; i < numbers->count; i++)
		BN_clear_free(numbers->number[i]);
	OSSL_PARAM_BLD_free(numbers->build);
}

/* d modulo a prime less one: what the fast way to sign takes. */
static void push_crt(struct numbers *numbers, const char *name, const BIGNUM *d,
		     const BIGNUM *prime)
{
	BIGNUM *less = add_number(numbers, prime ? BN_dup(prime) : NULL);
	BIGNUM *rest = add_number(numbers, BN_secure_new());
	BN_CTX *ctx = BN_CTX_new();

	if (!ctx || !less || !rest || !d || BN_sub_word(less, 1) != 1 ||
	    BN_mod(rest, d, less, ctx) != 1)
		numbers->broken = true;
	BN_CTX_free(ctx);
	push(numbers, name, rest);
}

static void push_rsa_private(struct numbers *numbers,
			     const struct ssh_private *private)
{
	BIGNUM *d = push_bytes(numbers, OSSL_PKEY_PARAM_RSA_D, private->d);
	BIGNUM *p =
		push_bytes(numbers, OSSL_PKEY_PARAM_RSA_FACTOR1, private->p);
	BIGNUM *q =
		push_bytes(numbers, OSSL_PKEY_PARAM_RSA_FACTOR2, private->q);

	push_crt(numbers, OSSL_PKEY_PARAM_RSA_EXPONENT1, d, p);
	push_crt(numbers, OSSL_PKEY_PARAM_RSA_EXPONENT2, d, q);
	(void)push_bytes(numbers, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
			 private->inverse);
}

static void push_ec(struct numbers *numbers, enum csftp_ssh_key_type type,
		    struct wire_bytes point)
{
	if (OSSL_PARAM_BLD_push_utf8_string(numbers->build,
					    OSSL_PKEY_PARAM_GROUP_NAME,
					    types[type].curve, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(numbers->build,
					     OSSL_PKEY_PARAM_PUB_KEY, point.ptr,
					     point.len) != 1)
		numbers->broken = true;
}

static EVP_PKEY *from_params(const char *name, OSSL_PARAM_BLD *build,
			     int selection)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
	EVP_PKEY *key = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, selection, params);
	EVP_PKEY_CTX_free(ctx);
	/* Among them may be a private key, of which libcrypto has its copy. */
	for (OSSL_PARAM *at = params; at && at->key; at++)
		ssh_wipe(at->data, at->data_size);
	OSSL_PARAM_free(params);
	return key;
}

/*
 * Wrong numbers make signatures that give the key away.  A public key is not
 * checked beyond its form and, as libcrypto does, the curve of its point:
 * whoever sends a strange one can only harm himself, and for RSA the check
 * costs more than all else that we do for a peer.
 */
static bool halves_fit(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool fit = ctx && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return fit;
}

static enum csftp_err from_numbers(struct ssh_pkey *pkey,
				   enum csftp_ssh_key_type type,
				   const struct ssh_public *public,
				   const struct ssh_private *private)
{
	int selection = private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
	struct numbers numbers = {.build = OSSL_PARAM_BLD_new()};
	EVP_PKEY *key = NULL;

	if (!numbers.build)
		return CSFTP_ERR_CRYPTO;
	if (type == CSFTP_SSH_RSA) {
		(void)push_bytes(&numbers, OSSL_PKEY_PARAM_RSA_N, public->n);
		(void)push_bytes(&numbers, OSSL_PKEY_PARAM_RSA_E, public->e);
		if (private)
			push_rsa_private(&numbers, private);
	} else {
		push_ec(&numbers, type, public->point);
		if (private)
			(void)push_bytes(&numbers, OSSL_PKEY_PARAM_PRIV_KEY,
					 private->scalar);
	}
	if (!numbers.broken)
		key = from_params(type == CSFTP_SSH_RSA ? "RSA" : "EC",
				  numbers.build, selection);
	numbers_release(&numbers);
	if (!key || (private && !halves_fit(key))) {
		EVP_PKEY_free(key);
		return CSFTP_ERR_VALUE;
	}
	*pkey = (struct ssh_pkey){.key = key, .type = type};
	return CSFTP_OK;
}

/* RFC 8032: the private half is the seed, and tells the public one. */
static enum csftp_err from_raw(struct ssh_pkey *pkey,
			       const struct ssh_public *public,
			       const struct ssh_private *private)
{
	uint8_t point[32];
	size_t len = sizeof(point);
	EVP_PKEY *key;

	if (private && private->scalar.len != 32)
		return CSFTP_ERR_VALUE;
	if (private)
		key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL,
						      private->scalar.ptr, 32);
	else
		key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
						     public->point.ptr, 32);
	if (!key)
		return CSFTP_ERR_VALUE;
	if (EVP_PKEY_get_raw_public_key(key, point, &len) != 1 ||
	    memcmp(point, public->point.ptr, 32) != 0) {
		EVP_PKEY_free(key);
		return CSFTP_ERR_VALUE;
	}
	*pkey = (struct ssh_pkey){.key = key, .type = CSFTP_SSH_ED25519};
	return CSFTP_OK;
}

/* The number of bits of an unsigned number. */
static size_t bits_of(struct wire_bytes number)
{
	size_t bits;

	while (number.len > 0 && number.ptr[0] == 0) {
		number.ptr++;
		number.len--;
	}
	if (number.len == 0)
		return 0;
	bits = 8 * (number.len - 1);
	for (uint8_t top = number.ptr[0]; top > 0; top >>= 1)
		bits++;
	return bits;
}

/* Small keys are forged and huge ones, or huge exponents, waste our time. */
static bool rsa_size_is_fine(const struct ssh_public *public)
{
	size_t bits = bits_of(public->n);

	return bits >= SSH_RSA_BITS_MIN && bits <= SSH_RSA_BITS_MAX &&
	       bits_of(public->e) >= 2 && bits_of(public->e) <= 64 &&
	       public->e.ptr[public->e.len - 1] % 2 == 1 &&
	       public->n.ptr[public->n.len - 1] % 2 == 1;
}

enum csftp_err ssh_pkey_init(struct ssh_pkey *pkey,
			     enum csftp_ssh_key_type type,
			     const struct ssh_public *public,
			     const struct ssh_private *private)
{
	if (type == CSFTP_SSH_RSA) {
		if (!rsa_size_is_fine(public))
			return CSFTP_ERR_VALUE;
	} else if (public->point.len != types[type].point_len ||
		   (types[type].curve && public->point.ptr[0] != 4)) {
		return CSFTP_ERR_VALUE;
	}
	if (type == CSFTP_SSH_ED25519)
		return from_raw(pkey, public, private);
	return from_numbers(pkey, type, public, private);
}

enum csftp_err ssh_pkey_make(struct ssh_pkey *pkey,
			     enum csftp_ssh_key_type type, unsigned bits)
{
	EVP_PKEY *key;

	if (type == CSFTP_SSH_ED25519)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (type == CSFTP_SSH_RSA)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", types[type].curve);
	if (!key)
		return CSFTP_ERR_CRYPTO;
	*pkey = (struct ssh_pkey){.key = key, .type = type};
	return CSFTP_OK;
}

/* Which of our types a key of libcrypto's is; false: none of them. */
static bool type_of(const EVP_PKEY *key, enum csftp_ssh_key_type *type)
{
	char name[32];
	size_t len = 0;

	if (EVP_PKEY_is_a(key, "ED25519")) {
		*type = CSFTP_SSH_ED25519;
		return true;
	}
	if (EVP_PKEY_is_a(key, "RSA")) {
		*type = CSFTP_SSH_RSA;
		return EVP_PKEY_get_bits(key) >= SSH_RSA_BITS_MIN &&
		       EVP_PKEY_get_bits(key) <= SSH_RSA_BITS_MAX;
	}
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1)
		return false;
	*type = CSFTP_SSH_P256;
	if (strcmp(name, "secp384r1") == 0)
		*type = CSFTP_SSH_P384;
	else if (strcmp(name, "secp521r1") == 0)
		*type = CSFTP_SSH_P521;
	else if (strcmp(name, "prime256v1") != 0)
		return false;
	return true;
}

/* Without a passphrase libcrypto would ask on the terminal. */
static int no_passphrase(char *to, size_t size, size_t *len,
			 const OSSL_PARAM params[], void *arg)
{
	(void)to;
	(void)size;
	(void)params;
	*len = 0;
	*(bool *)arg = true;
	return 0;
}

static EVP_PKEY *decode_pem(const char *text, size_t len,
			    const char *passphrase, bool *asked)
{
	const unsigned char *next = (const unsigned char *)text;
	EVP_PKEY *key = NULL;
	OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(
		&key, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	int ok = ctx != NULL;

	if (ok && passphrase)
		ok = OSSL_DECODER_CTX_set_passphrase(
			ctx, (const unsigned char *)passphrase,
			strlen(passphrase));
	else if (ok)
		ok = OSSL_DECODER_CTX_set_passphrase_cb(ctx, no_passphrase,
							asked);
	if (ok == 1)
		(void)OSSL_DECODER_from_data(ctx, &next, &len);
	OSSL_DECODER_CTX_free(ctx);
	return key;
}

enum csftp_err ssh_pkey_pem(struct ssh_pkey *pkey, const char *text, size_t len,
			    const char *passphrase)
{
	bool asked = passphrase != NULL;
	EVP_PKEY *key = decode_pem(text, len, passphrase, &asked);
	enum csftp_ssh_key_type type = CSFTP_SSH_ED25519;

	if (!key)
		return asked ? CSFTP_ERR_DENIED : CSFTP_ERR_VALUE;
	if (!type_of(key, &type) || !halves_fit(key)) {
		EVP_PKEY_free(key);
		return CSFTP_ERR_VALUE;
	}
	*pkey = (struct ssh_pkey){.key = key, .type = type};
	return CSFTP_OK;
}

static struct wire_bytes put_number(const EVP_PKEY *key, const char *name,
				    struct wire_wr *buf)
{
	struct wire_bytes out = {.ptr = buf->base + buf->len};
	BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &number) != 1 ||
	    (size_t)BN_num_bytes(number) > buf->cap - buf->len) {
		buf->err = CSFTP_ERR_NO_ROOM;
	} else {
		out.len = (size_t)BN_bn2bin(number, buf->base + buf->len);
		buf->len += out.len;
	}
	BN_clear_free(number);
	return out;
}

static struct wire_bytes put_point(const struct ssh_pkey *pkey,
				   struct wire_wr *buf)
{
	uint8_t *at = buf->base + buf->len;
	size_t len = 0;
	int ok;

	if (pkey->type == CSFTP_SSH_ED25519) {
		len = buf->cap - buf->len;
		ok = EVP_PKEY_get_raw_public_key(pkey->key, at, &len);
	} else {
		ok = EVP_PKEY_get_octet_string_param(
			pkey->key, OSSL_PKEY_PARAM_PUB_KEY, at,
			buf->cap - buf->len, &len);
	}
	if (ok != 1 || len != ssh_pkey_point_len(pkey->type))
		buf->err = CSFTP_ERR_NO_ROOM;
	else
		buf->len += len;
	return (struct wire_bytes){at, len};
}

enum csftp_err ssh_pkey_public(const struct ssh_pkey *pkey, struct wire_wr *buf,
			       struct ssh_public *out)
{
	if (pkey->type == CSFTP_SSH_RSA) {
		out->n = put_number(pkey->key, OSSL_PKEY_PARAM_RSA_N, buf);
		out->e = put_number(pkey->key, OSSL_PKEY_PARAM_RSA_E, buf);
	} else {
		out->point = put_point(pkey, buf);
	}
	return wire_wr_end(buf);
}

static struct wire_bytes put_seed(const EVP_PKEY *key, struct wire_wr *buf)
{
	uint8_t *at = buf->base + buf->len;
	size_t len = buf->cap - buf->len;

	if (EVP_PKEY_get_raw_private_key(key, at, &len) != 1)
		buf->err = CSFTP_ERR_NO_ROOM;
	else
		buf->len += len;
	return (struct wire_bytes){at, len};
}

enum csftp_err ssh_pkey_private(const struct ssh_pkey *pkey,
				struct wire_wr *buf, struct ssh_private *out)
{
	const EVP_PKEY *key = pkey->key;

	*out = (struct ssh_private){.scalar.len = 0};
	if (pkey->type == CSFTP_SSH_ED25519) {
		out->scalar = put_seed(key, buf);
	} else if (pkey->type != CSFTP_SSH_RSA) {
		out->scalar = put_number(key, OSSL_PKEY_PARAM_PRIV_KEY, buf);
	} else {
		out->d = put_number(key, OSSL_PKEY_PARAM_RSA_D, buf);
		out->p = put_number(key, OSSL_PKEY_PARAM_RSA_FACTOR1, buf);
		out->q = put_number(key, OSSL_PKEY_PARAM_RSA_FACTOR2, buf);
		out->inverse =
			put_number(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, buf);
	}
	return wire_wr_end(buf);
}
