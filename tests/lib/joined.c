#include "tests/lib/joined.h"

#include <string.h>

#include "tests/lib/test.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void hash(uint64_t *state, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*state = (*state ^ bytes[i]) * 0x100000001b3;
}

/* As much as may go at once, given what went and where the cut is. */
static size_t allowed(const struct joined *joined, size_t moved, size_t cut)
{
	size_t max = joined->piece > 0 ? joined->piece : SIZE_MAX;

	return moved < cut ? smaller(max, cut - moved) : max;
}

static size_t move(struct csftp_link *from, struct csftp_link *to, size_t max,
		   uint64_t *state)
{
	struct csftp_slice slice;
	uint8_t *in;
	size_t room;
	size_t len;

	if (csftp_link_out(from, &slice, 1) == 0)
		return 0;
	in = csftp_link_in(to, &room);
	len = smaller(smaller(room, slice.len), max);
	if (len == 0)
		return 0;
	memcpy(in, slice.ptr, len);
	hash(state, in, len);
	/* Taken off first: what the other side does must not see it again. */
	if (csftp_link_out_ack(from, len) == CSFTP_ERR_ARG ||
	    csftp_link_in_ack(to, len) == CSFTP_ERR_ARG)
		fail_msg("an engine took less than it offered");
	return len;
}

bool joined_drive(void *arg)
{
	struct joined *joined = arg;
	struct csftp_link *server = csftp_serve_link(joined->serve);
	struct csftp_link *client = csftp_remote_link(joined->remote);
	size_t up = move(client, server,
			 allowed(joined, joined->to_server, joined->cut_up),
			 &joined->hash_up);
	size_t down = move(server, client,
			   allowed(joined, joined->to_client, joined->cut_down),
			   &joined->hash_down);
	bool also = joined->also && joined->also(joined->arg);

	if (csftp_link_wants(server) & CSFTP_WANT_WORK) {
		also = true;
		assert_int_equal(csftp_link_work(server), CSFTP_OK);
	}

	joined->to_server += up;
	joined->to_client += down;
	return up > 0 || down > 0 || also;
}

static void set_true(void *arg)
{
	*(bool *)arg = true;
}

static void log_line(void *arg, const char *text)
{
	(void)arg;
	fail_msg("the client engine complains: %s", text);
}

void joined_start(struct joined *joined, struct csftp_fs *fs)
{
	struct csftp_serve_config serve = {.fs = fs};
	bool ready = false;
	struct csftp_remote_config remote = {
		.ready = set_true, .log = log_line, .arg = &ready};

	assert_int_equal(csftp_serve_new(&joined->serve, &serve), CSFTP_OK);
	assert_int_equal(csftp_remote_new(&joined->remote, &remote), CSFTP_OK);
	while (!ready)
		assert_true(joined_drive(joined));
}

void joined_stop(struct joined *joined)
{
	assert_int_equal(csftp_remote_pending(joined->remote), 0);
	csftp_link_close(csftp_serve_link(joined->serve), CSFTP_ERR_EOF);
	while (csftp_serve_pending(joined->serve) > 0)
		assert_true(joined->also && joined->also(joined->arg));
	csftp_serve_free(joined->serve);
	csftp_remote_free(joined->remote);
}
