/* Numbers and lists of names, as SSH writes them (RFC 4251, 5). */
#include "core/ssh/names.h"
#include "tests/lib/hex.h"
#include "tests/lib/test.h"

static void numbers_are_read_as_they_should_be_written(void **state)
{
	static const struct {
		const char *hex;
		size_t len; /* of the number; 99: refused */
	} rows[] = {
		{"00000001 7f", 1},	   {"00000002 0080", 1},
		{"00000001 80", 99},	   {"00000002 007f", 99},
		{"00000002 0000", 99},	   {"00000001 00", 99},
		{"00000000", 99},	   {"00000003 0100ff", 3},
		{"00000005 01020304", 99},
	};
	uint8_t bytes[16], back[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = hex_bytes(rows[i].hex, bytes, sizeof(bytes));
		struct wire_rd rd = {.next = bytes, .left = len};
		struct wire_wr wr = {.base = back, .cap = sizeof(back)};
		struct wire_bytes number = ssh_rd_mpint(&rd, 3);

		if (rows[i].len == 99) {
			assert_int_not_equal(wire_rd_end(&rd), CSFTP_OK);
			assert_int_equal(number.len, 0);
			continue;
		}
		assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
		assert_int_equal(number.len, rows[i].len);
		ssh_wr_mpint(&wr, number);
		assert_int_equal(wr.len, len);
		assert_memory_equal(back, bytes, len);
	}
}

static void name_lists_are_searched_by_whole_names(void **state)
{
	struct wire_bytes list = ssh_text("ab,abc,,c");
	struct wire_bytes name;
	size_t n = 0;

	(void)state;
	assert_true(ssh_list_has(list, "ab"));
	assert_true(ssh_list_has(list, "abc"));
	assert_true(ssh_list_has(list, "c"));
	assert_false(ssh_list_has(list, "a"));
	assert_false(ssh_list_has(list, "bc"));
	assert_false(ssh_list_has(list, "ab,abc"));
	while (ssh_next_name(&list, &name))
		n++;
	assert_int_equal(n, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_as_they_should_be_written),
		cmocka_unit_test(name_lists_are_searched_by_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
