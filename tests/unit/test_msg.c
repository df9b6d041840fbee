#include "core/sftp/msg.h"

#include <string.h>

#include "csftp/remote.h"
#include "tests/lib/hex.h"
#include "tests/lib/test.h"

#define BYTES(s)                                                               \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* Every field holds something, so that none can be lost unseen. */
static const struct sftp_msg full = {
	.id = 0x01020304,
	.num = 3,
	.off = 0x1122334455667788,
	.off2 = 0x99aabbccddeeff00,
	.len = 0x10000,
	.path = BYTES("path"),
	.path2 = BYTES("other"),
	.handle = BYTES("\0\0\0\7"),
	.handle2 = BYTES("\0\0\0\10"),
	.data = BYTES("payload"),
	.data2 = BYTES("more"),
	.attr = {.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_MODE | CSFTP_ATTR_UID |
			 CSFTP_ATTR_GID | CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
		 .size = 0x123456789a,
		 .mode = 0100644,
		 .uid = 1000,
		 .gid = 100,
		 .atime = {.sec = 1000000000},
		 .mtime = {.sec = 4000000000}},
};

static size_t encode(const struct sftp_msg *msg, uint8_t *buf, size_t cap)
{
	struct wire_wr wr = {.base = buf, .cap = cap};

	sftp_msg_encode(&wr, msg);
	return wire_wr_end(&wr) == CSFTP_OK ? wr.len : 0;
}

/* Decodes and encodes again: equal bytes mean that nothing was lost. */
static void each_kind_makes_the_round_trip(void **state)
{
	(void)state;
	for (int kind = SFTP_INIT; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = full;
		struct sftp_msg back;
		uint8_t first[512];
		uint8_t second[512];
		size_t len;

		msg.kind = (enum sftp_kind)kind;
		len = encode(&msg, first, sizeof(first));
		assert_true(len > 4);
		assert_int_equal(wire_get_u32(first), len - 4);
		assert_int_equal(sftp_msg_decode(&back, first + 4, len - 4),
				 CSFTP_OK);
		assert_int_equal(back.kind, kind);
		assert_int_equal(encode(&back, second, sizeof(second)), len);
		assert_memory_equal(first, second, len);
	}
}

/* Those that end in "all the rest" are whole as soon as that can begin. */
static size_t shortest(enum sftp_kind kind)
{
	switch ((int)kind) {
	case SFTP_INIT:
	case SFTP_VERSION_MSG:
		return 5;
	case SFTP_NAME:
		return 9;
	case SFTP_EXTENDED_REPLY:
		return 5;
	case SFTP_VENDOR_ID:
		return 18;
	default:
		return SIZE_MAX;
	}
}

static void every_proper_prefix_is_short(void **state)
{
	(void)state;
	for (int kind = SFTP_INIT; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = full;
		uint8_t buf[512];
		size_t len;

		msg.kind = (enum sftp_kind)kind;
		len = encode(&msg, buf, sizeof(buf)) - 4;
		for (size_t n = 0; n < len && n < shortest(msg.kind); n++) {
			struct sftp_msg back;

			assert_int_equal(sftp_msg_decode(&back, buf + 4, n),
					 CSFTP_ERR_SHORT);
		}
	}
}

static void trailing_bytes_are_told_apart(void **state)
{
	(void)state;
	for (int kind = SFTP_INIT; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = full;
		struct sftp_msg back;
		uint8_t buf[512];
		size_t len;

		msg.kind = (enum sftp_kind)kind;
		len = encode(&msg, buf, sizeof(buf) - 1) - 4;
		buf[len + 4] = 0x5a;
		assert_int_equal(sftp_msg_decode(&back, buf + 4, len + 1),
				 shortest(msg.kind) == SIZE_MAX
					 ? CSFTP_ERR_TRAILING
					 : CSFTP_OK);
		assert_int_equal(back.kind, kind);
	}
}

/* What is decoded from a damaged packet still lies inside of it. */
static void check_inside(struct wire_bytes bytes, const uint8_t *buf,
			 size_t len)
{
	if (bytes.len == 0)
		return;
	assert_true(bytes.ptr >= buf);
	assert_true(bytes.len <= len);
	assert_true((size_t)(bytes.ptr - buf) <= len - bytes.len);
}

static void every_one_byte_corruption_is_survived(void **state)
{
	(void)state;
	for (int kind = SFTP_INIT; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = full;
		uint8_t buf[512];
		size_t len;

		msg.kind = (enum sftp_kind)kind;
		len = encode(&msg, buf, sizeof(buf)) - 4;
		for (size_t at = 0; at < len; at++) {
			for (unsigned flip = 1; flip < 256; flip++) {
				struct sftp_msg back;
				enum csftp_err err;

				buf[4 + at] ^= (uint8_t)flip;
				err = sftp_msg_decode(&back, buf + 4, len);
				assert_true((unsigned)err < CSFTP_ERR_COUNT);
				check_inside(back.path, buf + 4, len);
				check_inside(back.path2, buf + 4, len);
				check_inside(back.handle, buf + 4, len);
				check_inside(back.handle2, buf + 4, len);
				check_inside(back.data, buf + 4, len);
				check_inside(back.data2, buf + 4, len);
				assert_true((unsigned)back.kind < SFTP_KINDS);
				buf[4 + at] ^= (uint8_t)flip;
			}
		}
	}
}

static void a_full_buffer_is_an_error_at_every_length(void **state)
{
	(void)state;
	for (int kind = SFTP_INIT; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = full;
		uint8_t buf[512];
		size_t len;

		msg.kind = (enum sftp_kind)kind;
		len = encode(&msg, buf, sizeof(buf));
		for (size_t cap = 0; cap < len; cap++)
			assert_int_equal(encode(&msg, buf, cap), 0);
	}
}

static size_t decode_hex(struct sftp_msg *msg, const char *hex, uint8_t *buf)
{
	size_t len = hex_bytes(hex, buf, 512);

	assert_int_equal(sftp_msg_decode(msg, buf, len), CSFTP_OK);
	return len;
}

/* Recorded from OpenSSH 9.2's sftp-server. */
static void answers_of_openssh_decode(void **state)
{
	struct sftp_limits limits;
	struct sftp_msg msg;
	struct wire_rd rd;
	uint8_t buf[512];

	(void)state;
	decode_hex(&msg,
		   "69 00000007 0000000f 0000000000000005 00000000 00000000"
		   "000081a0 3b9aca00 3b9aca00",
		   buf);
	assert_int_equal(msg.kind, SFTP_ATTRS);
	assert_int_equal(msg.id, 7);
	assert_int_equal(msg.attr.size, 5);
	assert_int_equal(msg.attr.mode, 0100640);
	assert_int_equal(msg.attr.mtime.sec, 1000000000);
	decode_hex(&msg, "67 00000009 00000004 656c6c6f", buf);
	assert_int_equal(msg.kind, SFTP_DATA);
	assert_memory_equal(msg.data.ptr, "ello", 4);
	decode_hex(&msg,
		   "65 0000000a 00000001 0000000b 456e64206f662066696c65"
		   "00000000",
		   buf);
	assert_int_equal(msg.kind, SFTP_STATUS);
	assert_int_equal(msg.num, 1);
	assert_memory_equal(msg.path.ptr, "End of file", 11);
	decode_hex(&msg,
		   "c9 0000000d 0000000000040000 000000000003fc00"
		   "000000000003fc00 0000000000004e1b",
		   buf);
	rd = (struct wire_rd){.next = msg.data.ptr, .left = msg.data.len};
	sftp_limits_get(&rd, &limits);
	assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
	assert_int_equal(limits.packet, 262144);
	assert_int_equal(limits.read, 261120);
	assert_int_equal(limits.handles, 19995);
}

/* The same requests were sent to it. */
static void requests_encode_as_openssh_takes_them(void **state)
{
	static const uint8_t handle[4] = {0};
	static const struct {
		struct sftp_msg msg;
		const char *hex;
	} rows[] = {
		{{.kind = SFTP_INIT, .num = 3}, "00000005 01 00000003"},
		{{.kind = SFTP_STAT, .id = 7, .path = BYTES("d/f")},
		 "0000000c 11 00000007 00000003 642f66"},
		{{.kind = SFTP_OPEN,
		  .id = 8,
		  .path = BYTES("d/f"),
		  .num = CSFTP_OPEN_READ},
		 "00000014 03 00000008 00000003 642f66 00000001 00000000"},
		{{.kind = SFTP_READ,
		  .id = 9,
		  .handle = {handle, 4},
		  .off = 1,
		  .len = 100},
		 "00000019 05 00000009 00000004 00000000 0000000000000001"
		 "00000064"},
		{{.kind = SFTP_LIMITS, .id = 13},
		 "0000001b c8 0000000d 00000012"
		 "6c696d697473406f70656e7373682e636f6d"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t want[512];
		uint8_t have[512];
		size_t len = hex_bytes(rows[i].hex, want, sizeof(want));

		assert_int_equal(encode(&rows[i].msg, have, sizeof(have)), len);
		assert_memory_equal(have, want, len);
	}
}

/* OpenSSH PROTOCOL, 4.1: the target comes first, unlike in the draft. */
static void symlink_has_the_order_of_openssh(void **state)
{
	struct sftp_msg msg;
	uint8_t buf[512];

	(void)state;
	decode_hex(&msg, "14 00000001 00000002 7474 00000001 6c", buf);
	assert_memory_equal(msg.path2.ptr, "tt", 2);
	assert_memory_equal(msg.path.ptr, "l", 1);
}

static void a_payload_can_follow_by_itself(void **state)
{
	struct sftp_msg msg = {
		.kind = SFTP_WRITE, .handle = BYTES("h"), .data = {NULL, 1000}};
	uint8_t buf[64];
	size_t len = encode(&msg, buf, sizeof(buf));

	(void)state;
	assert_int_equal(wire_get_u32(buf), len - 4 + 1000);
	assert_int_equal(wire_get_u32(buf + len - 4), 1000);
}

static void unknown_kinds_keep_their_id(void **state)
{
	static const char *const unknown[] = {
		"15 00000042",			     /* v4's LINK */
		"ff 00000042",			     /* no type at all */
		"c8 00000042 00000003 782d79",	     /* no such extension */
		"c8 00000042 00000003 782d79 112233" /* with a body */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct sftp_msg msg;
		uint8_t buf[64];
		size_t len = hex_bytes(unknown[i], buf, sizeof(buf));

		assert_int_equal(sftp_msg_decode(&msg, buf, len),
				 CSFTP_ERR_STATE);
		assert_int_equal(msg.kind, SFTP_UNKNOWN);
		assert_int_equal(msg.id, 0x42);
	}
}

static void handles_above_their_limit_are_refused(void **state)
{
	uint8_t big[SFTP_HANDLE_MAX + 1] = {0};
	struct sftp_msg msg = {.kind = SFTP_CLOSE, .handle = {big, 256}};
	uint8_t buf[512];
	size_t len = encode(&msg, buf, sizeof(buf));
	struct sftp_msg back;

	(void)state;
	assert_int_equal(sftp_msg_decode(&back, buf + 4, len - 4), CSFTP_OK);
	msg.handle.len = 257;
	len = encode(&msg, buf, sizeof(buf));
	assert_int_equal(sftp_msg_decode(&back, buf + 4, len - 4),
			 CSFTP_ERR_TOO_LONG);
}

/* filexfer-02, section 5: pairs that nobody knows are skipped. */
static void extended_attributes_are_skipped(void **state)
{
	static const char hex[] = "69 00000001 80000004 000081a4 00000002"
				  "00000001 61 00000002 6262"
				  "00000001 63 00000000";
	struct sftp_msg msg;
	uint8_t buf[512];

	(void)state;
	decode_hex(&msg, hex, buf);
	assert_int_equal(msg.attr.mask, CSFTP_ATTR_MODE);
	/* A count that the packet cannot hold ends at the packet's end. */
	buf[16] = 0xff;
	assert_int_equal(
		sftp_msg_decode(&msg, buf, hex_bytes(hex, buf + 64, 400)),
		CSFTP_ERR_SHORT);
}

static void times_are_clamped_to_32_bits(void **state)
{
	static const struct {
		int64_t sec;
		uint32_t wire;
	} rows[] = {{-1, 0},
		    {0, 0},
		    {4294967295, 4294967295U},
		    {4294967296, 4294967295U},
		    {INT64_MAX, 4294967295U},
		    {INT64_MIN, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct csftp_attr attr = {.mask = CSFTP_ATTR_ATIME |
						  CSFTP_ATTR_MTIME,
					  .mtime = {.sec = rows[i].sec}};
		uint8_t buf[32];
		struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

		sftp_attr_put(&wr, &attr);
		assert_int_equal(wr.len, 12);
		assert_int_equal(wire_get_u32(buf + 8), rows[i].wire);
	}
}

static void half_a_pair_is_not_sent(void **state)
{
	struct csftp_attr attr = {.mask = CSFTP_ATTR_UID | CSFTP_ATTR_MTIME};
	uint8_t buf[32];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};

	(void)state;
	sftp_attr_put(&wr, &attr);
	assert_int_equal(wr.len, 4);
	assert_int_equal(wire_get_u32(buf), 0);
}

static void extensions_are_found_by_name_and_version(void **state)
{
	(void)state;
	for (int i = SFTP_EXT_FIRST; i < SFTP_KINDS; i++) {
		enum sftp_kind kind = (enum sftp_kind)i;
		const char *name = sftp_kind_name(kind);
		const char *version = sftp_ext_version(kind);
		struct wire_bytes n = {(const uint8_t *)name, strlen(name)};
		struct wire_bytes v = {(const uint8_t *)version, 1};
		struct wire_bytes other = BYTES("9");

		/* It is announced with data of its own. */
		if (kind == SFTP_VENDOR_ID) {
			assert_string_equal(version, "");
			assert_int_equal(sftp_ext_find(n, other), kind);
			continue;
		}
		assert_int_equal(sftp_ext_find(n, v), kind);
		assert_int_equal(sftp_ext_find(n, other), SFTP_UNKNOWN);
		n.len--;
		assert_int_equal(sftp_ext_find(n, v), SFTP_UNKNOWN);
	}
	assert_int_equal(
		sftp_ext_find((struct wire_bytes){0}, (struct wire_bytes){0}),
		SFTP_UNKNOWN);
}

/* The public bits are the table's rows, in order. */
static void extension_bits_follow_the_table(void **state)
{
	static const uint32_t bits[] = {
		CSFTP_EXT_POSIX_RENAME, CSFTP_EXT_STATVFS,
		CSFTP_EXT_FSTATVFS,	CSFTP_EXT_HARDLINK,
		CSFTP_EXT_FSYNC,	CSFTP_EXT_LSETSTAT,
		CSFTP_EXT_LIMITS,	CSFTP_EXT_EXPAND_PATH,
		CSFTP_EXT_COPY_DATA,	CSFTP_EXT_HOME_DIR,
		CSFTP_EXT_IDNAMES,	CSFTP_EXT_CHECK_HANDLE,
		CSFTP_EXT_CHECK_NAME,	CSFTP_EXT_SPACE,
		CSFTP_EXT_COPY_FILE,	CSFTP_EXT_VENDOR_ID,
		CSFTP_EXT_CHECK_FILE};

	(void)state;
	assert_int_equal(sizeof(bits) / sizeof(bits[0]), SFTP_EXT_COUNT);
	for (size_t i = 0; i < SFTP_EXT_COUNT; i++)
		assert_int_equal(bits[i], 1U << i);
	assert_string_equal(sftp_kind_name(SFTP_EXT_FIRST),
			    "posix-rename@openssh.com");
	assert_string_equal(sftp_kind_name(SFTP_USERS_GROUPS_BY_ID),
			    "users-groups-by-id@openssh.com");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_makes_the_round_trip),
		cmocka_unit_test(every_proper_prefix_is_short),
		cmocka_unit_test(trailing_bytes_are_told_apart),
		cmocka_unit_test(every_one_byte_corruption_is_survived),
		cmocka_unit_test(a_full_buffer_is_an_error_at_every_length),
		cmocka_unit_test(answers_of_openssh_decode),
		cmocka_unit_test(requests_encode_as_openssh_takes_them),
		cmocka_unit_test(symlink_has_the_order_of_openssh),
		cmocka_unit_test(a_payload_can_follow_by_itself),
		cmocka_unit_test(unknown_kinds_keep_their_id),
		cmocka_unit_test(handles_above_their_limit_are_refused),
		cmocka_unit_test(extended_attributes_are_skipped),
		cmocka_unit_test(times_are_clamped_to_32_bits),
		cmocka_unit_test(half_a_pair_is_not_sent),
		cmocka_unit_test(extensions_are_found_by_name_and_version),
		cmocka_unit_test(extension_bits_follow_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
