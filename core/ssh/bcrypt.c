/*
 * Key files with a passphrase: bcrypt as a key derivation (OpenSSH
 * PROTOCOL.key, 2).  libcrypto has no Blowfish that could be started in
 * bcrypt's way.
 */
#include "core/ssh/keyfile.h"

#include <stdlib.h>
#include <string.h>

#include "core/ssh/crypto.h"
#include "core/ssh/names.h"

enum {
	SUBKEYS = 18,
	WORDS = SUBKEYS + 4 * 256,
	GUARD = 2, /* words behind the last, where rounding ends */
	FIXED = 1 + WORDS + GUARD,
	HASH = 32, /* bytes that one bcrypt makes */
	DIGEST = 64,
	KEY_AND_IV = 48,
	ROUNDS_MAX = 10000, /* a few minutes */
};

/* word[0] to word[17] are the subkeys, behind them stand the four boxes. */
struct blowfish {
	uint32_t word[WORDS];
};

/*
 * Fixed-point numbers with FIXED words, the first of them before the point.
 */
static void divide(uint32_t *number, uint32_t by)
{
	uint64_t rest = 0;

	for (size_t i = 0; i < FIXED; i++) {
		rest = rest << 32 | number[i];
		number[i] = (uint32_t)(rest / by);
		rest %= by;
	}
}

static void add(uint32_t *sum, const uint32_t *number)
{
	uint64_t carry = 0;

	for (size_t i = FIXED; i-- > 0;) {
		carry += (uint64_t)sum[i] + number[i];
		sum[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

static void subtract(uint32_t *sum, const uint32_t *number)
{
	uint64_t borrow = 0;

	for (size_t i = FIXED; i-- > 0;) {
		uint64_t part = (uint64_t)sum[i] - number[i] - borrow;

		sum[i] = (uint32_t)part;
		borrow = part >> 63;
	}
}

static bool is_zero(const uint32_t *number)
{
	for (size_t i = 0; i < FIXED; i++)
		if (number[i] != 0)
			return false;
	return true;
}

/* sum += factor * arctan(1 / x), or minus it. */
static void add_arctan(uint32_t *sum, uint32_t factor, uint32_t x, bool minus)
{
	uint32_t power[FIXED] = {factor}, term[FIXED];

	divide(power, x);
	for (uint32_t k = 0; !is_zero(power); k++) {
		memcpy(term, power, sizeof(term));
		divide(term, 2 * k + 1);
		if ((k % 2 == 1) != minus)
			subtract(sum, term);
		else
			add(sum, term);
		divide(power, x * x);
	}
}

/*
 * Blowfish starts from the digits of pi.  They are worked out (Machin's
 * formula) rather than kept: key files are read once, and a table of a
 * thousand numbers is hard to check.
 */
static void blowfish_pi(struct blowfish *pi)
{
	uint32_t number[FIXED] = {0};

	add_arctan(number, 16, 5, false);
	add_arctan(number, 4, 239, true);
	memcpy(pi->word, number + 1, sizeof(pi->word));
}

static uint32_t mix(const struct blowfish *state, uint32_t x)
{
	const uint32_t *box = state->word + SUBKEYS;

	return ((box[x >> 24] + box[256 + (x >> 16 & 255)]) ^
		box[512 + (x >> 8 & 255)]) +
	       box[768 + (x & 255)];
}

static void encrypt(const struct blowfish *state, uint32_t pair[2])
{
	uint32_t left = pair[0], right = pair[1];

	for (size_t i = 0; i < 16; i += 2) {
		left ^= state->word[i];
		right ^= mix(state, left);
		right ^= state->word[i + 1];
		left ^= mix(state, right);
	}
	pair[0] = right ^ state->word[17];
	pair[1] = left ^ state->word[16];
}

/* The next four bytes of a digest that is read round and round. */
static uint32_t next_word(const uint8_t digest[DIGEST], size_t *at)
{
	uint32_t word = wire_get_u32(digest + *at);

	*at = (*at + 4) % DIGEST;
	return word;
}

/* Mixes a key into the state, and data as well where it is not NULL. */
static void expand(struct blowfish *state, const uint8_t *data,
		   const uint8_t *key)
{
	uint32_t pair[2] = {0, 0};
	size_t at = 0;

	for (size_t i = 0; i < SUBKEYS; i++)
		state->word[i] ^= next_word(key, &at);
	at = 0;
	for (size_t i = 0; i < WORDS; i += 2) {
		if (data) {
			pair[0] ^= next_word(data, &at);
			pair[1] ^= next_word(data, &at);
		}
		encrypt(state, pair);
		state->word[i] = pair[0];
		state->word[i + 1] = pair[1];
	}
}

/* One bcrypt of two digests, with more rounds at its end than the password
 * hash has, and another text. */
static void hash(const struct blowfish *pi, const uint8_t *pass,
		 const uint8_t *salt, uint8_t out[HASH])
{
	static const uint8_t text[HASH + 1] =
		"OxychromaticBlowfishSwatDynamite";
	struct blowfish state = *pi;
	uint32_t pair[2];

	expand(&state, salt, pass);
	for (int i = 0; i < 64; i++) {
		expand(&state, NULL, salt);
		expand(&state, NULL, pass);
	}
	for (size_t i = 0; i < HASH; i += 8) {
		pair[0] = wire_get_u32(text + i);
		pair[1] = wire_get_u32(text + i + 4);
		for (int j = 0; j < 64; j++)
			encrypt(&state, pair);
		/* The words come out with their bytes turned round. */
		for (size_t j = 0; j < 8; j++)
			out[i + j] = (uint8_t)(pair[j / 4] >> 8 * (j % 4));
	}
	ssh_wipe(&state, sizeof(state));
}

struct derivation {
	struct blowfish pi;
	struct ssh_lib *lib;
	uint8_t pass[DIGEST];
	struct wire_bytes salt;
	uint32_t rounds;
};

/* The count-th block: all rounds of it, one on top of the other. */
static enum csftp_err block(const struct derivation *derive, uint32_t count,
			    uint8_t out[HASH])
{
	uint8_t number[4], salt[DIGEST], one[HASH];
	struct wire_bytes part[2] = {derive->salt, {number, sizeof(number)}};
	size_t parts = 2;
	enum csftp_err err = CSFTP_OK;

	wire_put_u32(number, count);
	memset(out, 0, HASH);
	for (uint32_t i = 0; i < derive->rounds && err == CSFTP_OK; i++) {
		err = ssh_hash(derive->lib, SSH_SHA512, part, parts, salt);
		hash(&derive->pi, derive->pass, salt, one);
		for (size_t j = 0; j < HASH; j++)
			out[j] ^= one[j];
		part[0] = (struct wire_bytes){one, HASH};
		parts = 1;
	}
	ssh_wipe(one, sizeof(one));
	return err;
}

/* The blocks' bytes are dealt out in turn, as cards are. */
static enum csftp_err derive_key(const struct derivation *derive, uint8_t *key,
				 size_t len)
{
	size_t blocks = (len + HASH - 1) / HASH;
	enum csftp_err err = CSFTP_OK;
	uint8_t out[HASH];

	for (size_t i = 0; i < blocks && err == CSFTP_OK; i++) {
		err = block(derive, (uint32_t)i + 1, out);
		for (size_t j = 0; i + j * blocks < len; j++)
			key[i + j * blocks] = out[j];
	}
	ssh_wipe(out, sizeof(out));
	return err;
}

/*
 * len bytes of key from a passphrase.  It takes its time, which is what it is
 * for: some milliseconds a round.  CSFTP_ERR_VALUE: no salt, or a number of
 * rounds that nobody would wait for.
 */
static enum csftp_err bcrypt_key(struct wire_bytes passphrase,
				 struct wire_bytes salt, uint32_t rounds,
				 uint8_t *key, size_t len)
{
	struct derivation *derive;
	enum csftp_err err;

	if (rounds == 0 || rounds > ROUNDS_MAX || salt.len == 0)
		return CSFTP_ERR_VALUE;
	derive = calloc(1, sizeof(*derive));
	if (!derive)
		return CSFTP_ERR_NOMEM;
	derive->salt = salt;
	derive->rounds = rounds;
	blowfish_pi(&derive->pi);
	err = ssh_lib_new(&derive->lib);
	if (err == CSFTP_OK)
		err = ssh_hash(derive->lib, SSH_SHA512, &passphrase, 1,
			       derive->pass);
	if (err == CSFTP_OK)
		err = derive_key(derive, key, len);
	ssh_lib_free(derive->lib);
	ssh_wipe(derive, sizeof(*derive));
	free(derive);
	return err;
}

enum csftp_err ssh_keyfile_decrypt(struct wire_bytes cipher,
				   struct wire_bytes kdf,
				   struct wire_bytes options,
				   struct wire_bytes section,
				   const char *passphrase)
{
	struct wire_rd rd = {.next = options.ptr, .left = options.len};
	struct wire_bytes salt = wire_rd_string(&rd, 64);
	uint32_t rounds = wire_rd_u32(&rd);
	uint8_t key[KEY_AND_IV];
	enum csftp_err err;

	if (ssh_is(cipher, "none"))
		return ssh_is(kdf, "none") ? CSFTP_OK : CSFTP_ERR_VALUE;
	/* What ssh-keygen writes; its other ciphers have to be asked for. */
	if (!ssh_is(cipher, "aes256-ctr") || !ssh_is(kdf, "bcrypt"))
		return CSFTP_ERR_ALGORITHM;
	if (wire_rd_end(&rd) != CSFTP_OK)
		return wire_rd_end(&rd);
	if (!passphrase || passphrase[0] == '\0')
		return CSFTP_ERR_DENIED;
	err = bcrypt_key(ssh_text(passphrase), salt, rounds, key, sizeof(key));
	if (err == CSFTP_OK)
		err = ssh_decrypt_section(key, key + 32,
					  (uint8_t *)(uintptr_t)section.ptr,
					  section.len);
	ssh_wipe(key, sizeof(key));
	return err;
}
