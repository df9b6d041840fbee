#include "tests/lib/packets.h"

#include <string.h>

#include "tests/lib/hex.h"
#include "tests/lib/test.h"

void packets_say(struct csftp_link *link, const void *bytes, size_t len)
{
	const uint8_t *next = bytes;

	while (len > 0 && csftp_link_wants(link) & CSFTP_WANT_IN) {
		size_t room;
		uint8_t *in = csftp_link_in(link, &room);
		size_t n = len < room ? len : room;

		if (n == 0)
			return;
		memcpy(in, next, n);
		/* Of any other error the link says the same ever after. */
		if (csftp_link_in_ack(link, n) == CSFTP_ERR_ARG)
			fail();
		next += n;
		len -= n;
	}
}

void packets_say_hex(struct csftp_link *link, const char *hex)
{
	uint8_t buf[1024];

	packets_say(link, buf, hex_bytes(hex, buf, sizeof(buf)));
}

bool packets_next(struct csftp_link *link, uint8_t *buf, size_t size,
		  struct sftp_msg *msg)
{
	struct csftp_slice out;
	size_t len;

	if (csftp_link_out(link, &out, 1) == 0)
		return false;
	len = 4 + (size_t)wire_get_u32(out.ptr);
	assert_true(len <= out.len && len <= size);
	memcpy(buf, out.ptr, len);
	if (csftp_link_out_ack(link, len) == CSFTP_ERR_ARG)
		fail();
	assert_int_equal(sftp_msg_decode(msg, buf + 4, len - 4), CSFTP_OK);
	return true;
}
