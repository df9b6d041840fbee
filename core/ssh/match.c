#include "core/ssh/match.h"

#include <string.h>

#include "core/ssh/names.h"

/* The longest prefix an address can have. */
enum { V4_BITS = 32, V6_BITS = 128 };

static bool take_char(struct wire_bytes *text, char c)
{
	if (text->len == 0 || text->ptr[0] != (uint8_t)c)
		return false;
	text->ptr++;
	text->len--;
	return true;
}

static bool digit_of(uint8_t c, unsigned base, unsigned *out)
{
	unsigned digit = base;

	if (c >= '0' && c <= '9')
		digit = c - (unsigned)'0';
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		digit = (c | 0x20U) - 'a' + 10;
	*out = digit;
	return digit < base;
}

/* One to max digits; false: none, or one more. */
static bool take_number(struct wire_bytes *text, unsigned base, size_t max,
			unsigned *out)
{
	unsigned value = 0, digit;
	size_t n = 0;

	for (; n < text->len && digit_of(text->ptr[n], base, &digit); n++) {
		if (n == max)
			return false;
		value = value * base + digit;
	}
	text->ptr += n;
	text->len -= n;
	*out = value;
	return n > 0;
}

/* A zero in front would mean octal to some, so it is not let in. */
static bool take_decimal(struct wire_bytes *text, size_t max, unsigned *out)
{
	const uint8_t *start = text->ptr;

	return take_number(text, 10, max, out) &&
	       (*start != '0' || text->ptr - start == 1);
}

static bool read_v4(uint8_t out[4], struct wire_bytes text)
{
	unsigned value;

	for (size_t i = 0; i < 4; i++) {
		if ((i > 0 && !take_char(&text, '.')) ||
		    !take_decimal(&text, 3, &value) || value > 255)
			return false;
		out[i] = (uint8_t)value;
	}
	return text.len == 0;
}

/* An IPv6 address while it is read. */
struct groups {
	uint8_t bytes[16];
	size_t len; /* of bytes, even */
	size_t gap; /* where "::" stands; SIZE_MAX: nowhere */
};

/* The next group, or the IPv4 address at the end; false: it is none. */
static bool take_group(struct wire_bytes *text, struct groups *groups)
{
	uint8_t *to = groups->bytes + groups->len;
	unsigned value;

	if (groups->len + 4 <= sizeof(groups->bytes) && read_v4(to, *text)) {
		groups->len += 4;
		text->len = 0;
		return true;
	}
	if (groups->len == sizeof(groups->bytes) ||
	    !take_number(text, 16, 4, &value))
		return false;
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	groups->len += 2;
	return true;
}

static bool take_gap(struct wire_bytes *text, struct groups *groups)
{
	if (text->len < 2 || memcmp(text->ptr, "::", 2) != 0)
		return false;
	if (groups->gap != SIZE_MAX)
		return false;
	groups->gap = groups->len;
	text->ptr += 2;
	text->len -= 2;
	return true;
}

/* RFC 4291, 2.2. */
static bool read_v6(uint8_t out[16], struct wire_bytes text)
{
	struct groups groups = {.gap = SIZE_MAX};
	size_t behind = 0;

	(void)take_gap(&text, &groups);
	while (text.len > 0) {
		if (!take_group(&text, &groups))
			return false;
		if (text.len == 0 || take_gap(&text, &groups))
			continue;
		if (!take_char(&text, ':') || text.len == 0)
			return false;
	}
	/* "::" stands for one group at least. */
	if (groups.gap == SIZE_MAX ? groups.len != 16 : groups.len > 14)
		return false;
	if (groups.gap != SIZE_MAX)
		behind = groups.len - groups.gap;
	memset(out, 0, 16);
	memcpy(out, groups.bytes, groups.len - behind);
	memcpy(out + 16 - behind, groups.bytes + groups.len - behind, behind);
	return true;
}

/* RFC 4291, 2.5.5.2: how a socket for both families shows an IPv4 peer. */
static bool is_mapped(const uint8_t v6[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(v6, prefix, sizeof(prefix)) == 0;
}

bool ssh_addr_read(struct ssh_addr *addr, struct wire_bytes text)
{
	struct ssh_addr out = {.bits = 0};
	const uint8_t *zone = NULL;

	if (text.len > 0)
		zone = memchr(text.ptr, '%', text.len);
	if (read_v4(out.bytes, text)) {
		out.bits = V4_BITS;
		*addr = out;
		return true;
	}
	if (zone)
		text.len = (size_t)(zone - text.ptr);
	if (text.len == 0 || !read_v6(out.bytes, text))
		return false;
	out.bits = V6_BITS;
	if (is_mapped(out.bytes)) {
		memmove(out.bytes, out.bytes + 12, 4);
		memset(out.bytes + 4, 0, 12);
		out.bits = V4_BITS;
	}
	*addr = out;
	return true;
}

void ssh_addr_mask(struct ssh_addr *addr, unsigned keep)
{
	for (unsigned i = 0; i < sizeof(addr->bytes); i++) {
		unsigned left = keep > 8 * i ? keep - 8 * i : 0;

		if (left < 8)
			addr->bytes[i] &= (uint8_t)(0xff00U >> left);
	}
}

bool ssh_addr_same(const struct ssh_addr *a, const struct ssh_addr *b,
		   unsigned prefix)
{
	struct ssh_addr one = *a, two = *b;

	ssh_addr_mask(&one, prefix);
	ssh_addr_mask(&two, prefix);
	return one.bits > 0 && one.bits == two.bits &&
	       memcmp(one.bytes, two.bytes, sizeof(one.bytes)) == 0;
}

static uint8_t small(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

enum letters { AS_THEY_ARE, ANY_CASE };

static bool same_letter(uint8_t a, uint8_t b, enum letters letters)
{
	return letters == ANY_CASE ? small(a) == small(b) : a == b;
}

/* One star is remembered: what a later one takes, an earlier need not. */
static bool match(struct wire_bytes text, struct wire_bytes pattern,
		  enum letters letters)
{
	size_t t = 0, p = 0, star = SIZE_MAX, from = 0;

	while (t < text.len) {
		uint8_t want = p < pattern.len ? pattern.ptr[p] : 0;
		bool more = p < pattern.len;

		if (more && want == '*') {
			star = p++;
			from = t;
		} else if (more && (want == '?' ||
				    same_letter(want, text.ptr[t], letters))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

bool ssh_match_pattern(struct wire_bytes text, struct wire_bytes pattern)
{
	return match(text, pattern, AS_THEY_ARE);
}

/* The two sides of the first slash; false: there is none. */
static bool split(struct wire_bytes *entry, struct wire_bytes *behind)
{
	const uint8_t *slash = NULL;

	if (entry->len > 0)
		slash = memchr(entry->ptr, '/', entry->len);
	if (!slash)
		return false;
	behind->ptr = slash + 1;
	behind->len = entry->len - (size_t)(slash + 1 - entry->ptr);
	entry->len = (size_t)(slash - entry->ptr);
	return true;
}

/* An address, or a range of them, in which no bit behind the prefix is set. */
static enum ssh_match in_range(const struct ssh_addr *addr,
			       struct wire_bytes entry)
{
	struct ssh_addr range, masked;
	struct wire_bytes behind;
	bool is_range = split(&entry, &behind);
	unsigned prefix;

	if (!ssh_addr_read(&range, entry))
		return is_range ? SSH_MATCH_BROKEN : SSH_MATCH_NO;
	prefix = range.bits;
	if (is_range && (!take_decimal(&behind, 3, &prefix) || behind.len > 0 ||
			 prefix > range.bits))
		return SSH_MATCH_BROKEN;
	masked = range;
	ssh_addr_mask(&masked, prefix);
	if (!ssh_addr_same(&masked, &range, range.bits))
		return SSH_MATCH_BROKEN;
	return ssh_addr_same(addr, &range, prefix) ? SSH_MATCH_YES
						   : SSH_MATCH_NO;
}

enum ssh_match ssh_match_addr(const struct ssh_addr *addr,
			      struct wire_bytes text, struct wire_bytes list)
{
	enum ssh_match found = SSH_MATCH_NO, one;
	struct wire_bytes entry;

	while (ssh_next_name(&list, &entry)) {
		bool never = take_char(&entry, '!');

		one = in_range(addr, entry);
		if (one == SSH_MATCH_BROKEN)
			return one;
		if (one == SSH_MATCH_NO && ssh_match_pattern(text, entry))
			one = SSH_MATCH_YES;
		if (one == SSH_MATCH_YES && found != SSH_MATCH_NEVER)
			found = never ? SSH_MATCH_NEVER : SSH_MATCH_YES;
	}
	return found;
}

enum ssh_match ssh_match_name(struct wire_bytes name, struct wire_bytes list)
{
	enum ssh_match found = SSH_MATCH_NO;
	struct wire_bytes entry;

	while (ssh_next_name(&list, &entry)) {
		bool never = take_char(&entry, '!');

		if (match(name, entry, ANY_CASE) && found != SSH_MATCH_NEVER)
			found = never ? SSH_MATCH_NEVER : SSH_MATCH_YES;
	}
	return found;
}
