#include "core/wire.h"

#include <stdbool.h>
#include <string.h>

#include "tests/lib/test.h"

/* RFC 4251, section 5: one of each type. */
static const uint8_t sample[] = {
	0x7f,						/* byte */
	0x29, 0xb7, 0xf4, 0xaa,				/* uint32 */
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* uint64 */
	0x00, 0x00, 0x00, 0x07, 't',  'e',  's',  't',
	'i',  'n',  'g', /* string */
};

static enum csftp_err read_sample(struct wire_rd *rd)
{
	uint8_t byte = wire_rd_u8(rd);
	uint32_t word = wire_rd_u32(rd);
	uint64_t dword = wire_rd_u64(rd);
	struct wire_bytes text = wire_rd_string(rd, 7);
	bool whole = rd->err == CSFTP_OK;

	/* What was read before the error may be there; the string is not. */
	assert_true(byte == 0x7f || (!whole && byte == 0));
	assert_true(word == 699921578 || (!whole && word == 0));
	assert_true(dword == 0x0102030405060708 || (!whole && dword == 0));
	assert_int_equal(text.len, whole ? 7 : 0);
	if (whole)
		assert_memory_equal(text.ptr, "testing", 7);
	return wire_rd_end(rd);
}

static void known_bytes_read_as_their_values(void **state)
{
	struct wire_rd rd = {.next = sample, .left = sizeof(sample)};

	(void)state;
	assert_int_equal(read_sample(&rd), CSFTP_OK);
}

static void every_proper_prefix_is_short_and_reads_as_nothing(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(sample); n++) {
		struct wire_rd rd = {.next = sample, .left = n};

		assert_int_equal(read_sample(&rd), CSFTP_ERR_SHORT);
	}
}

static void values_write_as_known_bytes(void **state)
{
	uint8_t buf[sizeof(sample)];
	struct wire_wr wr = {.base = buf, .cap = sizeof(buf)};
	size_t mark;

	(void)state;
	wire_wr_u8(&wr, 0x7f);
	wire_wr_u32(&wr, 699921578);
	wire_wr_u64(&wr, 0x0102030405060708);
	mark = wire_wr_open(&wr);
	wire_wr_raw(&wr, "test", 4);
	wire_wr_raw(&wr, "ing", 3);
	wire_wr_close(&wr, mark);
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	assert_int_equal(wr.len, sizeof(sample));
	assert_memory_equal(buf, sample, sizeof(sample));
}

static void a_writer_never_passes_its_end(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < sizeof(sample); cap++) {
		uint8_t buf[sizeof(sample) + 1];
		struct wire_wr wr = {.base = buf, .cap = cap};

		memset(buf, 0xee, sizeof(buf));
		wire_wr_u8(&wr, 1);
		wire_wr_u32(&wr, 2);
		wire_wr_u64(&wr, 3);
		wire_wr_string(&wr, "testing", 7);
		assert_int_equal(wire_wr_end(&wr), CSFTP_ERR_NO_ROOM);
		for (size_t i = cap; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xee);
	}
}

static void the_first_error_stays(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 9, 'x', 'y'};
	struct wire_rd rd = {.next = bytes, .left = sizeof(bytes)};

	(void)state;
	assert_null(wire_rd_string(&rd, 8).ptr);
	assert_int_equal(rd.err, CSFTP_ERR_TOO_LONG);
	(void)wire_rd_u64(&rd);
	assert_int_equal(wire_rd_end(&rd), CSFTP_ERR_TOO_LONG);
}

static void a_huge_length_is_short_and_not_an_overflow(void **state)
{
	static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 'x'};
	struct wire_rd rd = {.next = bytes, .left = sizeof(bytes)};

	(void)state;
	assert_int_equal(wire_rd_string(&rd, SIZE_MAX).len, 0);
	assert_int_equal(wire_rd_end(&rd), CSFTP_ERR_SHORT);
}

static void bytes_left_over_are_seen(void **state)
{
	static const uint8_t bytes[5] = {0};
	struct wire_rd rd = {.next = bytes, .left = sizeof(bytes)};

	(void)state;
	(void)wire_rd_u32(&rd);
	assert_int_equal(wire_rd_end(&rd), CSFTP_ERR_TRAILING);
	assert_int_equal(wire_rd_rest(&rd).len, 1);
	assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_bytes_read_as_their_values),
		cmocka_unit_test(
			every_proper_prefix_is_short_and_reads_as_nothing),
		cmocka_unit_test(values_write_as_known_bytes),
		cmocka_unit_test(a_writer_never_passes_its_end),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(a_huge_length_is_short_and_not_an_overflow),
		cmocka_unit_test(bytes_left_over_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
