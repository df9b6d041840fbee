/* Patterns of names, and ranges of addresses. */
#include "core/ssh/match.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/ssh/names.h"
#include "tests/lib/test.h"

static bool matches(const char *text, const char *pattern)
{
	return ssh_match_pattern(ssh_text(text), ssh_text(pattern));
}

static void stars_and_question_marks_stand_for_others(void **state)
{
	(void)state;
	assert_true(matches("", ""));
	assert_true(matches("", "**"));
	assert_false(matches("", "?"));
	assert_true(matches("abc", "abc"));
	assert_false(matches("abc", "abcd"));
	assert_false(matches("abcd", "abc"));
	assert_true(matches("abc", "a?c"));
	assert_true(matches("abc", "*"));
	assert_true(matches("a.b.example.com", "*.example.com"));
	assert_false(matches("example.com", "*.example.com"));
	assert_true(matches("aXbXXc", "a*b*c"));
	assert_false(matches("aXbXXd", "a*b*c"));
	assert_true(matches("mississippi", "*sip*"));
	assert_true(matches("aaaaab", "*ab"));
	assert_false(matches("ABC", "abc"));
}

/* Each of them would cost years if a star were tried for each other star. */
static void many_stars_take_no_time(void **state)
{
	char text[2048], pattern[2048];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof(pattern) - 1] = 'b';
	assert_false(ssh_match_pattern(
		(struct wire_bytes){(uint8_t *)text, sizeof(text)},
		(struct wire_bytes){(uint8_t *)pattern, sizeof(pattern)}));
}

/* libc's reader is the oracle. */
static const char *const addresses[] = {
	"1.2.3.4",
	"255.255.255.255",
	"0.0.0.0",
	"01.2.3.4",
	"1.2.3",
	"1.2.3.4.5",
	"256.1.1.1",
	"1.2.3.",
	".1.2.3",
	"1..2.3",
	"",
	"::",
	"::1",
	"1::",
	"1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4::6:7:8",
	"1:2:3:4::5:6:7:8",
	"::2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7::",
	":1:2:3:4:5:6:7:8",
	"1::2::3",
	":::",
	":",
	"1:",
	"fe80::AbCd",
	"12345::",
	"g::",
	"::1.2.3.4",
	"1:2:3:4:5:6:1.2.3.4",
	"1:2:3:4:5:6:7:1.2.3.4",
	"::1.2.3.4:5",
	"64:ff9b::10.0.0.1",
	"::1.2.3",
	"1.2.3.4 ",
	" ::1",
	"::00001",
	"1::1::",
	"::1:",
	"1:::2",
	"2001:db8::ffff:1.2.3.4",
	"1.2.3.4::",
};

static void addresses_are_read_as_libc_reads_them(void **state)
{
	uint8_t v4[4], v6[16];
	struct ssh_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		bool is4 = inet_pton(AF_INET, addresses[i], v4) == 1;
		bool is6 = inet_pton(AF_INET6, addresses[i], v6) == 1;
		bool ours = ssh_addr_read(&addr, ssh_text(addresses[i]));

		if (ours != (is4 || is6))
			fail_msg("%s", addresses[i]);
		if (is4) {
			assert_int_equal(addr.bits, 32);
			assert_memory_equal(addr.bytes, v4, 4);
		}
		if (is6) {
			assert_int_equal(addr.bits, 128);
			assert_memory_equal(addr.bytes, v6, 16);
		}
	}
}

static void ipv4_inside_of_ipv6_is_ipv4(void **state)
{
	struct ssh_addr a, b;

	(void)state;
	assert_true(ssh_addr_read(&a, ssh_text("::ffff:1.2.3.4")));
	assert_true(ssh_addr_read(&b, ssh_text("1.2.3.4")));
	assert_true(ssh_addr_same(&a, &b, 32));
	assert_true(ssh_addr_read(&a, ssh_text("fe80::1%eth0")));
	assert_int_equal(a.bits, 128);
	assert_false(ssh_addr_read(&a, ssh_text("1.2.3.4%eth0")));
}

static void masks_keep_what_they_say(void **state)
{
	struct ssh_addr a = {.bits = 128}, b = {.bits = 128};

	(void)state;
	for (unsigned keep = 0; keep <= 128; keep++) {
		memset(a.bytes, 0xff, 16);
		ssh_addr_mask(&a, keep);
		for (unsigned bit = 0; bit < 128; bit++)
			assert_int_equal(a.bytes[bit / 8] >> (7 - bit % 8) & 1,
					 bit < keep);
	}
	memset(a.bytes, 0, 16);
	memset(b.bytes, 0, 16);
	b.bytes[2] = 0x10;
	assert_true(ssh_addr_same(&a, &b, 19));
	assert_false(ssh_addr_same(&a, &b, 20));
	b.bits = 32;
	assert_false(ssh_addr_same(&a, &b, 0));
	a.bits = b.bits = 0;
	assert_false(ssh_addr_same(&a, &b, 0));
}

static enum ssh_match by_address(const char *text, const char *list)
{
	struct ssh_addr addr;

	assert_true(ssh_addr_read(&addr, ssh_text(text)));
	return ssh_match_addr(&addr, ssh_text(text), ssh_text(list));
}

static void an_address_is_looked_up_in_ranges_and_patterns(void **state)
{
	(void)state;
	assert_int_equal(by_address("10.1.2.3", "10.0.0.0/8"), SSH_MATCH_YES);
	assert_int_equal(by_address("11.1.2.3", "10.0.0.0/8"), SSH_MATCH_NO);
	assert_int_equal(by_address("10.1.2.3", "10.1.2.3"), SSH_MATCH_YES);
	assert_int_equal(by_address("10.1.2.3", "10.1.*"), SSH_MATCH_YES);
	assert_int_equal(by_address("10.1.2.3", "x,10.?.2.3"), SSH_MATCH_YES);
	assert_int_equal(by_address("10.1.2.3", "0.0.0.0/0"), SSH_MATCH_YES);
	assert_int_equal(by_address("10.1.2.3", "::/0"), SSH_MATCH_NO);
	assert_int_equal(by_address("fe80::1", "fe80:0::/10"), SSH_MATCH_YES);
	assert_int_equal(by_address("FE80:0::1", "fe80::1"), SSH_MATCH_YES);
	assert_int_equal(by_address("10.1.2.3", ""), SSH_MATCH_NO);
	assert_int_equal(by_address("10.1.2.3", "example.com"), SSH_MATCH_NO);
}

static void an_entry_with_a_no_outweighs_all_others(void **state)
{
	(void)state;
	assert_int_equal(by_address("10.1.2.3", "*,!10.0.0.0/8"),
			 SSH_MATCH_NEVER);
	assert_int_equal(by_address("10.1.2.3", "!10.0.0.0/8,*"),
			 SSH_MATCH_NEVER);
	assert_int_equal(by_address("10.1.2.3", "!11.0.0.0/8"), SSH_MATCH_NO);
	assert_int_equal(by_address("10.1.2.3", "!11.0.0.0/8,10.*"),
			 SSH_MATCH_YES);
	assert_int_equal(by_address("10.1.2.3", "*,!10.1.2.?"),
			 SSH_MATCH_NEVER);
}

static void ranges_that_cannot_be_meant_are_broken(void **state)
{
	static const char *const lists[] = {
		"10.1.2.3/8", "*,10.0.0.0/33", "10.0.0.0/",
		"10.0.0.0/x", "::/129",	       "::1/64",
		"name/8",     "10.0.0.0/08",   "10.0.0.0/8/8",
		"/8",	      "!10.1.2.3/8,*",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_int_equal(by_address("10.1.2.3", lists[i]),
				 SSH_MATCH_BROKEN);
}

static void names_match_in_any_case(void **state)
{
	struct wire_bytes name = ssh_text("Host.Example.COM");

	(void)state;
	assert_int_equal(ssh_match_name(name, ssh_text("*.example.com")),
			 SSH_MATCH_YES);
	assert_int_equal(ssh_match_name(name, ssh_text("*.com,!host.*")),
			 SSH_MATCH_NEVER);
	assert_int_equal(ssh_match_name(name, ssh_text("a,b,")), SSH_MATCH_NO);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(stars_and_question_marks_stand_for_others),
		cmocka_unit_test(many_stars_take_no_time),
		cmocka_unit_test(addresses_are_read_as_libc_reads_them),
		cmocka_unit_test(ipv4_inside_of_ipv6_is_ipv4),
		cmocka_unit_test(masks_keep_what_they_say),
		cmocka_unit_test(
			an_address_is_looked_up_in_ranges_and_patterns),
		cmocka_unit_test(an_entry_with_a_no_outweighs_all_others),
		cmocka_unit_test(ranges_that_cannot_be_meant_are_broken),
		cmocka_unit_test(names_match_in_any_case),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
