/* The crypto seam against vectors: of the RFCs, and of other libraries. */
#include <string.h>

#include "core/ssh/crypto.h"
#include "core/ssh/engine.h"
#include "core/ssh/names.h"
#include "tests/lib/hex.h"
#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

static int open_lib(void **state)
{
	struct ssh_lib *lib;

	if (ssh_lib_new(&lib) != CSFTP_OK)
		return -1;
	*state = lib;
	return 0;
}

static int close_lib(void **state)
{
	ssh_lib_free(*state);
	ssh_rig_free_keys();
	return 0;
}

/*
 * Two packets, numbers 7 and 8, sealed with the keys below.  Made with
 * Python's hashlib, hmac and cryptography from the texts that crypto_seal.c
 * cites: keys count up from 0x00, the IV from 0xf0, the MAC key from 0x80, and
 * byte i of a body is 7 i + 3.
 */
static const struct {
	struct ssh_protect how;
	uint32_t len[2];
	const char *sealed[2];
} packets[] = {
	{
		{SSH_CHACHA, 64, 0, SSH_SHA256, false, 16},
		{24, 40},
		{"a39afcb22b4c045b51a5076a572ff2a080d1b64047c8b1bef175a027"
		 "3f81ff8c0a0415e69331037f36225a8b",
		 "2fe1f289d8a947beb7642a22b21c0a74bcce24def6a600722be1dd10"
		 "ea25c04a1bdcdb6d860a0efbc17016e0f7d1811bdb55c07daa9df6a1"
		 "30a1587e"},
	},
	{
		{SSH_GCM, 16, 12, SSH_SHA256, false, 16},
		{32, 48},
		{"000000201210f76b25fe484008be76e0805ec81b36f5a2bc645d6ae9"
		 "73036c8ba37fcd7e439692b2bef0e8f83fc1b2eeec647d8d",
		 "00000030a30f56eccc971551c0b9b7ee2b8faa842ea4a773dc8dd165"
		 "28a3b2088335d25584f9d156d1d06f4c09a67fc416f472fa990cafde"
		 "f9e4d527dbf45ce51afb44c9"},
	},
	{
		{SSH_GCM, 32, 12, SSH_SHA256, false, 16},
		{32, 48},
		{"000000206a0c5218631cff40a4b5becad91407da639bd84ab791d23c"
		 "fde48a609efd07db7c52b522b091771c33f010480625e8d1",
		 "000000306e00bd49b29d1e2ea12780558e6ab59e9ae287a028e1b1b4"
		 "493d0a689504534eeebf80be725181ba5ac33b801bbd4fad8aafbb5e"
		 "70a2aafdc8545b26dccb90c6"},
	},
	{
		{SSH_CTR, 16, 16, SSH_SHA256, false, 32},
		{28, 44},
		{"66a7c7f4375820508877f3330854e4fde5dfb26cc4e4bd252b3bee1f"
		 "c52ea62a88e8f26a660fd5a747c9004d0cebd0c306df39c5abe7d3eb"
		 "3271a38c6d5c63d3",
		 "d271927a7f51fa85e4a7a66d74d01c21278603364fc5d9cfd8fb9ebc"
		 "e4d28e5aaccf77f4ce7ca29a7b84d406e4dca80df60a30066700073e"
		 "629187a9832e1bd348c1b61cb0f24adb4919fcd87f443e1c"},
	},
	{
		{SSH_CTR, 24, 16, SSH_SHA512, false, 64},
		{28, 44},
		{"2b82484e57f87888acff1b36cba7e1a38c564eefbaee76b908f91560"
		 "807310c4a1fd2e3ccd70cc15b6892ccf45de118df657c2a0319734d6"
		 "0a64853bd2464f673f1e5e8fd20aec83866ff84a39546a51d0e78e75"
		 "a5f88aabb1c9ed02dfa1c36f",
		 "df7a7bea41c00dfea48b7082c9c2049ded10da87c431fc8ff929ca54"
		 "7c63a52cec217718b0c54d26961f57661c722beec0af99b49720a03c"
		 "76e8ebdce8381180b95256419e8d027ab345ab1605ff268f0e7d65da"
		 "ab45a3cd24ab19b907515fa2df8ba566755d1df38455b36ebac16ea4"},
	},
	{
		{SSH_CTR, 32, 16, SSH_SHA256, true, 32},
		{32, 48},
		{"00000020910adc953cb0adff612baf04176c0678b925fac87ebca965"
		 "c515ece18db953529ba2be159fa29497bb7376954c09c9d81a67b9ac"
		 "b7743f1eef501fcc19d4eeed",
		 "000000309a6630430b3ed8ac43c76940c20a97e33a1242a559667a86"
		 "b8a965343bad8d7855ee8a21867af7f6e1af36e950a870db26a3f79f"
		 "533502f5a46ed88575e8908680c8afdbf52bcbe863d2e45085d4a92a"},
	},
	{
		{SSH_CTR, 32, 16, SSH_SHA512, true, 64},
		{32, 48},
		{"00000020910adc953cb0adff612baf04176c0678b925fac87ebca965"
		 "c515ece18db95352c52b0575ce003b58ba09e81672f3d5bcba4a3038"
		 "295a5a03f45a63d6f68f23318bdab2a1f1ce932c34abc09a39ab064d"
		 "aa3fb889df2e2160babc41c5f860f49b",
		 "000000309a6630430b3ed8ac43c76940c20a97e33a1242a559667a86"
		 "b8a965343bad8d7855ee8a21867af7f6e1af36e950a870dbd6012ebf"
		 "f3cbbb9c21ff8d451559908cc4c533eefce069cc752319611050dd31"
		 "7b4662387e16d8222219bbcf6fc59f1b387c321a2c3852620dc2f757"
		 "03de5031"},
	},
};

enum { PACKETS = sizeof(packets) / sizeof(packets[0]) };

static struct ssh_keys keys_of_table(void)
{
	struct ssh_keys keys;

	for (size_t i = 0; i < sizeof(keys.key); i++)
		keys.key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(keys.iv); i++)
		keys.iv[i] = (uint8_t)(0xf0 + i);
	for (size_t i = 0; i < sizeof(keys.mac); i++)
		keys.mac[i] = (uint8_t)(0x80 + i);
	return keys;
}

static void write_body(uint8_t *packet, uint32_t len)
{
	wire_put_u32(packet, len);
	for (size_t i = 0; i < len; i++)
		packet[4 + i] = (uint8_t)(7 * i + 3);
}

static void packets_are_sealed_as_others_seal_them(void **state)
{
	struct ssh_keys keys = keys_of_table();

	for (size_t i = 0; i < PACKETS; i++) {
		struct ssh_crypt crypt;

		assert_int_equal(ssh_crypt_init(&crypt, *state, &packets[i].how,
						SSH_SEAL, &keys),
				 CSFTP_OK);
		for (size_t n = 0; n < 2; n++) {
			uint8_t packet[256], want[256];
			size_t len = hex_bytes(packets[i].sealed[n], want,
					       sizeof(want));

			assert_int_equal(len, 4 + packets[i].len[n] +
						      packets[i].how.mac_len);
			write_body(packet, packets[i].len[n]);
			assert_int_equal(ssh_crypt_seal(&crypt, 7 + (uint32_t)n,
							packet,
							packets[i].len[n]),
					 CSFTP_OK);
			assert_memory_equal(packet, want, len);
		}
		ssh_crypt_release(&crypt);
	}
}

/* Opens packet n of a row with a byte changed (not if it is behind the end). */
static enum csftp_err open_changed(struct ssh_lib *lib, size_t row, size_t at,
				   uint8_t bits, uint32_t seq)
{
	struct ssh_keys keys = keys_of_table();
	struct ssh_crypt crypt;
	uint8_t packet[256], want[256];
	uint32_t len = 0;
	enum csftp_err err;

	(void)hex_bytes(packets[row].sealed[0], packet, sizeof(packet));
	packet[at] ^= bits;
	assert_int_equal(
		ssh_crypt_init(&crypt, lib, &packets[row].how, SSH_OPEN, &keys),
		CSFTP_OK);
	err = ssh_crypt_head(&crypt, seq, packet, &len);
	assert_int_equal(err, CSFTP_OK);
	/* The engine would refuse most other lengths before. */
	err = ssh_crypt_open(&crypt, seq, packet, packets[row].len[0]);
	if (err == CSFTP_OK) {
		assert_int_equal(len, packets[row].len[0]);
		write_body(want, len);
		assert_memory_equal(packet + 4, want + 4, len);
	}
	ssh_crypt_release(&crypt);
	return err;
}

static void packets_open_and_no_changed_byte_does(void **state)
{
	for (size_t i = 0; i < PACKETS; i++) {
		size_t whole = 4 + packets[i].len[0] + packets[i].how.mac_len;

		assert_int_equal(open_changed(*state, i, 0, 0, 7), CSFTP_OK);
		for (size_t at = 0; at < whole; at++)
			for (unsigned bit = 0; bit < 8; bit++)
				assert_int_equal(
					open_changed(*state, i, at,
						     (uint8_t)(1U << bit), 7),
					CSFTP_ERR_FORGED);
	}
}

/* GCM counts by itself (RFC 5647, 7.1); the others have the packet's number. */
static void packets_open_in_their_place_only(void **state)
{
	for (size_t i = 0; i < PACKETS; i++)
		assert_int_equal(open_changed(*state, i, 0, 0, 8),
				 packets[i].how.mode == SSH_GCM
					 ? CSFTP_OK
					 : CSFTP_ERR_FORGED);
}

/*
 * One packet of a row in two pieces, cut at a byte, from other memory to other
 * memory; in the packet there is only what has to be.
 */
static enum csftp_err in_two(struct ssh_lib *lib, size_t row, enum ssh_way way,
			     uint8_t *packet, size_t cut, const uint8_t *from,
			     uint8_t *to)
{
	struct ssh_keys keys = keys_of_table();
	size_t len = packets[row].len[0];
	struct ssh_crypt crypt;
	enum csftp_err err;
	uint32_t got = 0;

	assert_int_equal(
		ssh_crypt_init(&crypt, lib, &packets[row].how, way, &keys),
		CSFTP_OK);
	if (way == SSH_OPEN)
		assert_int_equal(ssh_crypt_head(&crypt, 7, packet, &got),
				 CSFTP_OK);
	err = ssh_crypt_begin(&crypt, 7, packet, len);
	if (err == CSFTP_OK) {
		assert_int_equal(ssh_crypt_run(&crypt, to, from, cut),
				 CSFTP_OK);
		assert_int_equal(
			ssh_crypt_run(&crypt, to + cut, from + cut, len - cut),
			CSFTP_OK);
		err = ssh_crypt_end(&crypt, 7, packet, len);
	}
	ssh_crypt_release(&crypt);
	return err;
}

static bool row_has_pieces(size_t row)
{
	return packets[row].how.mode != SSH_CTR || packets[row].how.etm;
}

static void packets_are_sealed_from_pieces_however_they_are_cut(void **state)
{
	uint8_t packet[256], want[256], body[256];

	for (size_t i = 0; i < PACKETS; i++) {
		size_t whole =
			hex_bytes(packets[i].sealed[0], want, sizeof(want));
		uint32_t len = packets[i].len[0];

		for (size_t cut = 0; row_has_pieces(i) && cut <= len; cut++) {
			memset(packet, 0, sizeof(packet));
			write_body(body, len);
			wire_put_u32(packet, len);
			assert_int_equal(in_two(*state, i, SSH_SEAL, packet,
						cut, body + 4, packet + 4),
					 CSFTP_OK);
			assert_memory_equal(packet, want, whole);
		}
	}
}

static void packets_are_opened_to_pieces_however_they_are_cut(void **state)
{
	uint8_t packet[256], want[256], to[256];

	for (size_t i = 0; i < PACKETS; i++) {
		uint32_t len = packets[i].len[0];

		write_body(want, len);
		for (size_t cut = 0; row_has_pieces(i) && cut <= len; cut++) {
			(void)hex_bytes(packets[i].sealed[0], packet,
					sizeof(packet));
			assert_int_equal(in_two(*state, i, SSH_OPEN, packet,
						cut, packet + 4, to),
					 CSFTP_OK);
			assert_memory_equal(to, want + 4, len);
		}
	}
}

static void no_changed_byte_opens_to_pieces(void **state)
{
	uint8_t packet[256], to[256];

	for (size_t i = 0; i < PACKETS; i++) {
		size_t whole = 4 + packets[i].len[0] + packets[i].how.mac_len;

		for (size_t at = 0; row_has_pieces(i) && at < whole; at++) {
			(void)hex_bytes(packets[i].sealed[0], packet,
					sizeof(packet));
			packet[at] ^= 1;
			assert_int_equal(in_two(*state, i, SSH_OPEN, packet, 9,
						packet + 4, to),
					 CSFTP_ERR_FORGED);
		}
	}
}

static void a_mac_over_plain_text_takes_no_pieces(void **state)
{
	struct ssh_keys keys = keys_of_table();
	struct ssh_crypt crypt = {.how = {.mode = SSH_PLAIN}};

	assert_false(ssh_crypt_has_pieces(&crypt));
	for (size_t i = 0; i < PACKETS; i++) {
		assert_int_equal(ssh_crypt_init(&crypt, *state, &packets[i].how,
						SSH_OPEN, &keys),
				 CSFTP_OK);
		assert_int_equal(ssh_crypt_has_pieces(&crypt),
				 row_has_pieces(i));
		ssh_crypt_release(&crypt);
	}
}

/* RFC 7748, 6.1: Bob's part. */
static void x25519_agrees_with_its_rfc(void **state)
{
	uint8_t seed[32], alice[32], bob[32], want[32];
	uint8_t point[SSH_PART_MAX], shared[SSH_SHARED_MAX];
	struct ssh_pair pair;
	size_t len = 0;

	(void)state;
	hex_bytes("5dab087e624a8a4b79e17f8b83800ee6"
		  "6f3bb1292618b6fd1c2f8b27ff88e0eb",
		  seed, 32);
	hex_bytes("8520f0098930a754748b7ddcb43ef75a"
		  "0dbf3a0d26381af4eba4a98eaa9b4e6a",
		  alice, 32);
	hex_bytes("de9edb7d7b7dc1b4d35b61c2ece43537"
		  "3f8343c85b78674dadfc7e146f882b4f",
		  bob, 32);
	hex_bytes("4a5d9d5ba4ce2de1728e3bf480350f25"
		  "e07e21c947d19e3376f09b3c1e161742",
		  want, 32);
	assert_int_equal(ssh_pair_init(&pair, SSH_X25519, seed), CSFTP_OK);
	assert_int_equal(ssh_pair_part(&pair, point, &len), CSFTP_OK);
	assert_int_equal(len, 32);
	assert_memory_equal(point, bob, 32);
	assert_int_equal(ssh_pair_shared(&pair, (struct wire_bytes){alice, 32},
					 shared, &len),
			 CSFTP_OK);
	assert_int_equal(len, 32);
	assert_memory_equal(shared, want, 32);
	ssh_pair_release(&pair);
}

/* RFC 8032, 7.1, test 1. */
static void ed25519_signs_as_its_rfc_does(void **state)
{
	uint8_t seed[32], point[32], want[64], sig[SSH_RAW_SIG_MAX];
	struct ssh_public public = {.point = {point, 32}};
	struct ssh_private private = {.scalar = {seed, 32}};
	struct wire_bytes nothing = {(const uint8_t *)"", 0};
	struct ssh_pkey pkey;
	size_t len = 0;

	(void)state;
	hex_bytes("9d61b19deffd5a60ba844af492ec2cc4"
		  "4449c5697b326919703bac031cae7f60",
		  seed, 32);
	hex_bytes("d75a980182b10ab7d54bfed3c964073a"
		  "0ee172f3daa62325af021a68f707511a",
		  point, 32);
	hex_bytes("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974"
		  "d873e065224901555fb8821590a33bacc61e39701cf9b46b"
		  "d25bf5f0595bbe24655141438e7a100b",
		  want, 64);
	assert_int_equal(
		ssh_pkey_init(&pkey, CSFTP_SSH_ED25519, &public, &private),
		CSFTP_OK);
	assert_int_equal(ssh_pkey_sign(&pkey, SSH_SHA512, nothing, sig, &len),
			 CSFTP_OK);
	assert_int_equal(len, 64);
	assert_memory_equal(sig, want, 64);
	ssh_pkey_release(&pkey);
	/* Halves that do not belong together make no key. */
	point[0] ^= 1;
	assert_int_equal(
		ssh_pkey_init(&pkey, CSFTP_SSH_ED25519, &public, &private),
		CSFTP_ERR_VALUE);
}

/* RFC 6979, A.2.5 to A.2.7: the message "sample". */
static const struct {
	enum csftp_ssh_key_type type;
	enum ssh_hash hash;
	const char *point;
	const char *signature; /* r and s */
} samples[] = {
	{CSFTP_SSH_P256, SSH_SHA256,
	 "04"
	 "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6c"
	 "e669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64"
	 "f2f1b20c2d7e9f5177a3c294d4462299",
	 "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991"
	 "c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65"
	 "f3e900dbb9aff4064dc4ab2f843acda8"},
	{CSFTP_SSH_P384, SSH_SHA384,
	 "04"
	 "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e"
	 "06aae5286b300c64def8f0ea9055866064a254515480bc13"
	 "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9"
	 "f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
	 "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa7"
	 "3d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46"
	 "99ef4aeb15f178cea1fe40db2603138f130e740a19624526"
	 "203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8"},
	{CSFTP_SSH_P521, SSH_SHA512,
	 "04"
	 "01894550d0785932e00eaa23b694f213f8c3121f86dc97a0"
	 "4e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633"
	 "155d38ffa16d2bd761dcac474b9a2f5023a400493101c962"
	 "cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f"
	 "746a28a0db25741b5b34a828008b22acc23f924faafbd4d3"
	 "3f81ea66956dfeaa2bfdfcf5",
	 "00c328fafcbd79dd77850370c46325d987cb525569fb63c5"
	 "d3bc53950e6d4c5f174e25a1ee9017b5d450606add152b53"
	 "4931d7d4e8455cc91f9b15bf05ec36e377fa00617cce7cf5"
	 "064806c467f678d3b4080d6f1cc50af26ca209417308281b"
	 "68af282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1"
	 "dccc43997f1ee0e44da4a67a"},
};

static void ecdsa_verifies_what_its_rfc_signs(void **state)
{
	struct wire_bytes sample = ssh_text("sample"), other = ssh_text("s");

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		uint8_t point[SSH_POINT_MAX], sig[2 * SSH_SHARED_MAX];
		struct ssh_public public = {.point = {point, 0}};
		struct wire_bytes raw = {sig, 0};
		struct ssh_pkey pkey;

		public.point.len =
			hex_bytes(samples[i].point, point, sizeof(point));
		raw.len = hex_bytes(samples[i].signature, sig, sizeof(sig));
		assert_int_equal(
			ssh_pkey_init(&pkey, samples[i].type, &public, NULL),
			CSFTP_OK);
		assert_int_equal(
			ssh_pkey_verify(&pkey, samples[i].hash, sample, raw),
			CSFTP_OK);
		assert_int_equal(
			ssh_pkey_verify(&pkey, samples[i].hash, other, raw),
			CSFTP_ERR_FORGED);
		sig[raw.len - 1] ^= 1;
		assert_int_equal(
			ssh_pkey_verify(&pkey, samples[i].hash, sample, raw),
			CSFTP_ERR_FORGED);
		ssh_pkey_release(&pkey);
	}
}

/* FIPS 180-2, B.1, in two parts. */
static void hashes_take_parts_as_one(void **state)
{
	struct wire_bytes part[2] = {ssh_text("a"), ssh_text("bc")};
	uint8_t out[SSH_HASH_MAX], want[32];

	hex_bytes("ba7816bf8f01cfea414140de5dae2223"
		  "b00361a396177a9cb410ff61f20015ad",
		  want, 32);
	assert_int_equal(ssh_hash(*state, SSH_SHA256, part, 2, out), CSFTP_OK);
	assert_memory_equal(out, want, 32);
}

static const enum ssh_group groups[] = {
	SSH_X25519,   SSH_NISTP256,	   SSH_NISTP384,
	SSH_NISTP521, SSH_MLKEM768_X25519,
};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

/* Both sides of one agreement. */
struct agreement {
	struct ssh_pair pair;
	uint8_t client[SSH_PART_MAX], server[SSH_PART_MAX];
	size_t client_len, server_len;
	uint8_t secret[2][SSH_SHARED_MAX];
	size_t len[2];
};

static const uint8_t seeds[2][SSH_SEED_MAX] = {{1}, {2}};

static void show(struct agreement *both, enum ssh_group group)
{
	assert_int_equal(ssh_pair_init(&both->pair, group, seeds[0]), CSFTP_OK);
	assert_int_equal(
		ssh_pair_part(&both->pair, both->client, &both->client_len),
		CSFTP_OK);
}

static enum csftp_err answer(struct agreement *both, enum ssh_group group)
{
	return ssh_pair_answer(
		group, seeds[1],
		(struct wire_bytes){both->client, both->client_len},
		both->server, &both->server_len, both->secret[1],
		&both->len[1]);
}

static enum csftp_err shared(struct agreement *both)
{
	return ssh_pair_shared(
		&both->pair,
		(struct wire_bytes){both->server, both->server_len},
		both->secret[0], &both->len[0]);
}

static void both_sides_of_each_group_agree(void **state)
{
	(void)state;
	for (size_t g = 0; g < GROUPS; g++) {
		struct agreement both;

		if (!ssh_group_works(groups[g]))
			continue;
		show(&both, groups[g]);
		assert_int_equal(answer(&both, groups[g]), CSFTP_OK);
		assert_int_equal(shared(&both), CSFTP_OK);
		assert_int_equal(both.len[0], both.len[1]);
		assert_memory_equal(both.secret[0], both.secret[1],
				    both.len[0]);
		ssh_pair_release(&both.pair);
	}
}

/* A point that is none: the last byte changed, or zero, which is X25519's. */
static void spoil(uint8_t *part, size_t len, enum ssh_group group)
{
	if (group == SSH_X25519 || group == SSH_MLKEM768_X25519)
		memset(part + len - 32, 0, 32);
	else
		part[len - 1] ^= 1;
}

static void bad_points_and_wrong_lengths_are_refused(void **state)
{
	(void)state;
	for (size_t g = 0; g < GROUPS; g++) {
		struct agreement both;
		size_t len;

		if (!ssh_group_works(groups[g]))
			continue;
		show(&both, groups[g]);
		assert_int_equal(answer(&both, groups[g]), CSFTP_OK);
		len = both.server_len;
		for (both.server_len = 0; both.server_len < len;
		     both.server_len++)
			assert_int_equal(shared(&both), CSFTP_ERR_VALUE);
		spoil(both.server, len, groups[g]);
		assert_int_equal(shared(&both), CSFTP_ERR_VALUE);
		len = both.client_len;
		for (both.client_len = 0; both.client_len < len;
		     both.client_len += 7)
			assert_int_equal(answer(&both, groups[g]),
					 CSFTP_ERR_VALUE);
		both.client_len = len;
		spoil(both.client, len, groups[g]);
		assert_int_equal(answer(&both, groups[g]), CSFTP_ERR_VALUE);
		ssh_pair_release(&both.pair);
	}
}

/* A compressed point, and the one at infinity. */
static void points_have_to_be_whole(void **state)
{
	(void)state;
	for (size_t g = 0; g < GROUPS; g++) {
		struct agreement both;

		if (groups[g] == SSH_X25519 || groups[g] == SSH_MLKEM768_X25519)
			continue;
		show(&both, groups[g]);
		both.client[0] = 2;
		both.client_len = both.client_len / 2 + 1;
		assert_int_equal(answer(&both, groups[g]), CSFTP_ERR_VALUE);
		both.client[0] = 0;
		both.client_len = 1;
		assert_int_equal(answer(&both, groups[g]), CSFTP_ERR_VALUE);
		ssh_pair_release(&both.pair);
	}
}

/* FIPS 203, 6.3: a text that was changed opens to another secret. */
static void a_changed_ciphertext_gives_another_secret(void **state)
{
	struct agreement both;

	(void)state;
	if (!ssh_group_works(SSH_MLKEM768_X25519)) {
		print_message("# skip: libcrypto has no ML-KEM\n");
		skip();
	}
	show(&both, SSH_MLKEM768_X25519);
	assert_int_equal(answer(&both, SSH_MLKEM768_X25519), CSFTP_OK);
	both.server[7] ^= 1;
	assert_int_equal(shared(&both), CSFTP_OK);
	assert_memory_not_equal(both.secret[0], both.secret[1], 32);
	assert_memory_equal(both.secret[0] + 32, both.secret[1] + 32, 32);
	/* And a key that is none, its numbers being too large, is refused. */
	memset(both.client, 0xff, 384);
	assert_int_equal(answer(&both, SSH_MLKEM768_X25519), CSFTP_ERR_VALUE);
	ssh_pair_release(&both.pair);
}

/* RFC 4253, 8 and RFC 5656, 4, put together once more, in one piece. */
static bool check_exchange_hash(struct ssh_side *side,
				const struct csftp_ssh_event *event)
{
	const struct ssh_kex *kex = side->ssh->kex;
	struct wire_rd rd = {side->ssh->payload.ptr, side->ssh->payload.len,
			     CSFTP_OK};
	uint8_t client[SSH_PART_MAX];
	struct wire_bytes answer;
	size_t client_len;
	static uint8_t flat[16384];
	struct wire_wr wr = {.base = flat, .cap = sizeof(flat)};
	struct wire_bytes whole;
	uint8_t want[SSH_HASH_MAX];

	if (event->kind != CSFTP_SSH_HOSTKEY)
		return false;
	ssh_wr_bytes(&wr, ssh_own_version());
	wire_wr_string(&wr, side->ssh->version, side->ssh->version_len);
	wire_wr_string(&wr, kex->bytes, kex->ours);
	wire_wr_string(&wr, kex->bytes + kex->ours, kex->theirs);
	wire_wr_string(&wr, event->key.ptr, event->key.len);
	assert_int_equal(ssh_pair_part(&kex->pair, client, &client_len),
			 CSFTP_OK);
	wire_wr_string(&wr, client, client_len);
	/* The reply: its number, the key, the point, the signature. */
	(void)wire_rd_u8(&rd);
	(void)wire_rd_string(&rd, SSH_KEY_BLOB_MAX);
	answer = wire_rd_string(&rd, SSH_PART_MAX);
	wire_wr_string(&wr, answer.ptr, answer.len);
	wire_wr_raw(&wr, kex->shared, kex->shared_len);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	whole = (struct wire_bytes){flat, wr.len};
	assert_int_equal(
		ssh_hash(side->env->lib, kex->kex->hash, &whole, 1, want),
		CSFTP_OK);
	assert_memory_equal(kex->hash, want, ssh_hash_len(kex->kex->hash));
	assert_memory_equal(side->ssh->session, want, side->ssh->session_len);
	*(unsigned *)side->rig->arg += 1;
	return false;
}

static void the_exchange_hash_is_over_what_its_rfc_says(void **state)
{
	const char *kex;
	unsigned checked = 0;

	(void)state;
	for (size_t k = 0; (kex = csftp_ssh_algorithms(CSFTP_SSH_ALG_KEX, k));
	     k++) {
		struct ssh_rig rig;

		ssh_rig_init(&rig);
		rig.client.config.kex = kex;
		rig.on_event = check_exchange_hash;
		rig.arg = &checked;
		ssh_rig_start(&rig);
		ssh_rig_run(&rig);
		ssh_rig_stop(&rig);
	}
	assert_int_equal(checked,
			 GROUPS + 1 - !ssh_group_works(SSH_MLKEM768_X25519));
}

/* What RFC 4253, 7.2 makes the first IVs of, one for each direction. */
struct derived {
	uint8_t iv[2][32];
	unsigned count;
};

static bool derive_ivs(struct ssh_side *side,
		       const struct csftp_ssh_event *event)
{
	struct derived *derived = side->rig->arg;
	const struct ssh_kex *kex = side->ssh->kex;

	if (event->kind != CSFTP_SSH_HOSTKEY)
		return false;
	for (size_t i = 0; i < 2; i++) {
		uint8_t flat[SSH_SHARED_MAX + 8 + 2 * SSH_HASH_MAX + 1];
		struct wire_wr wr = {.base = flat, .cap = sizeof(flat)};
		struct wire_bytes whole;

		/* K || H || "A" or "B" || session id, which is H as well. */
		wire_wr_raw(&wr, kex->shared, kex->shared_len);
		wire_wr_raw(&wr, kex->hash, 32);
		wire_wr_u8(&wr, (uint8_t)("AB"[i]));
		wire_wr_raw(&wr, kex->hash, 32);
		assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
		whole = (struct wire_bytes){flat, wr.len};
		assert_int_equal(ssh_hash(side->env->lib, SSH_SHA256, &whole, 1,
					  derived->iv[i]),
				 CSFTP_OK);
	}
	derived->count++;
	return false;
}

static void keys_are_derived_as_their_rfc_says(void **state)
{
	uint8_t session[SSH_HASH_MAX];
	struct derived derived = {.count = 0};
	struct ssh_rig rig;

	(void)state;
	ssh_rig_init(&rig);
	rig.client.config.kex = "curve25519-sha256";
	rig.client.config.cipher = "aes256-ctr";
	rig.on_event = derive_ivs;
	rig.arg = &derived;
	ssh_rig_start(&rig);
	ssh_rig_login(&rig);
	assert_int_equal(derived.count, 1);
	assert_memory_equal(rig.server.ssh->from_peer.crypt.iv, derived.iv[0],
			    16);
	assert_memory_equal(rig.client.ssh->from_peer.crypt.iv, derived.iv[1],
			    16);
	/* RFC 4253, 7.2: the session's name outlives its keys. */
	memcpy(session, rig.server.ssh->session, sizeof(session));
	assert_int_equal(csftp_ssh_rekey(rig.client.ssh), CSFTP_OK);
	ssh_rig_run(&rig);
	assert_memory_equal(session, rig.server.ssh->session, sizeof(session));
	assert_memory_equal(session, rig.client.ssh->session, sizeof(session));
	assert_memory_not_equal(rig.server.ssh->from_peer.crypt.iv,
				derived.iv[0], 16);
	ssh_rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_sealed_as_others_seal_them),
		cmocka_unit_test(packets_open_and_no_changed_byte_does),
		cmocka_unit_test(packets_open_in_their_place_only),
		cmocka_unit_test(
			packets_are_sealed_from_pieces_however_they_are_cut),
		cmocka_unit_test(
			packets_are_opened_to_pieces_however_they_are_cut),
		cmocka_unit_test(no_changed_byte_opens_to_pieces),
		cmocka_unit_test(a_mac_over_plain_text_takes_no_pieces),
		cmocka_unit_test(x25519_agrees_with_its_rfc),
		cmocka_unit_test(ed25519_signs_as_its_rfc_does),
		cmocka_unit_test(ecdsa_verifies_what_its_rfc_signs),
		cmocka_unit_test(hashes_take_parts_as_one),
		cmocka_unit_test(both_sides_of_each_group_agree),
		cmocka_unit_test(bad_points_and_wrong_lengths_are_refused),
		cmocka_unit_test(points_have_to_be_whole),
		cmocka_unit_test(a_changed_ciphertext_gives_another_secret),
		cmocka_unit_test(the_exchange_hash_is_over_what_its_rfc_says),
		cmocka_unit_test(keys_are_derived_as_their_rfc_says),
	};

	return cmocka_run_group_tests(tests, open_lib, close_lib);
}
