/* The client engine, and the handles of many open files. */
#include <errno.h>
#include <string.h>

#include "core/errmap.h"
#include "tests/lib/test.h"
#include "tests/lib/told.h"

#define MANY  50U
#define NAMES 100U

/* Open files, by the name that the server gave their handles. */
struct many {
	struct told session;
	bool is_open[NAMES];
	csftp_fh fh[NAMES];
	unsigned open;
	unsigned twins;
};

/* Handles are long and short, and begin alike. */
static struct wire_bytes name_of(uint8_t buf[SFTP_HANDLE_MAX], unsigned name)
{
	size_t len = name % 3 == 0 ? 1 : name % 3 == 1 ? 4 : SFTP_HANDLE_MAX;

	memset(buf, 'h', SFTP_HANDLE_MAX);
	buf[len - 1] = (uint8_t)name;
	return (struct wire_bytes){buf, len};
}

static void expect_close(struct many *many, unsigned name)
{
	uint8_t buf[SFTP_HANDLE_MAX];
	struct wire_bytes want = name_of(buf, name);
	const struct sftp_msg *told = &many->session.request;

	assert_true(told_next(&many->session));
	assert_int_equal(told->kind, SFTP_CLOSE);
	assert_int_equal(told->handle.len, want.len);
	assert_memory_equal(told->handle.ptr, want.ptr, want.len);
	told_msg(&many->session, (struct sftp_msg){.kind = SFTP_STATUS});
}

static int read_err(struct many *many, csftp_fh fh)
{
	struct told_ask read;

	told_ask(&many->session, &read,
		 (struct csftp_req){.op = CSFTP_OP_READ, .fh = fh, .len = 1});
	if (read.answers == 0 && told_next(&many->session))
		told_msg(&many->session, (struct sftp_msg){.kind = SFTP_STATUS,
							   .num = SSH_FX_EOF});
	assert_int_equal(read.answers, 1);
	return read.err;
}

static void open_one_of_many(struct many *many, unsigned name)
{
	uint8_t buf[SFTP_HANDLE_MAX];
	bool twin = many->is_open[name];
	struct told_ask open;

	told_ask(&many->session, &open,
		 (struct csftp_req){
			 .op = CSFTP_OP_OPEN, .path = "f", .flags = 1});
	assert_true(told_next(&many->session));
	told_msg(&many->session,
		 (struct sftp_msg){.kind = SFTP_HANDLE,
				   .handle = name_of(buf, name)});
	assert_int_equal(open.answers, 1);
	assert_int_equal(open.err, twin ? EIO : 0);
	many->is_open[name] = !twin;
	if (!twin) {
		many->fh[name] = open.fh;
		many->open++;
		return;
	}
	expect_close(many, name);
	assert_int_equal(read_err(many, many->fh[name]), EBADF);
	many->twins++;
	many->open--;
}

static void close_one_of_many(struct many *many, unsigned name)
{
	struct told_ask close;

	if (!many->is_open[name])
		return;
	told_ask(
		&many->session, &close,
		(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = many->fh[name]});
	expect_close(many, name);
	assert_int_equal(close.answers, 1);
	assert_int_equal(read_err(many, many->fh[name]), EBADF);
	many->is_open[name] = false;
	many->open--;
}

static void twins_are_found_among_many(void **state)
{
	struct many many = {.open = 0};
	uint32_t random = 1;

	(void)state;
	told_begin_many(&many.session, MANY + 1);
	for (unsigned i = 0; i < 5000; i++) {
		random = random * 1664525 + 1013904223;
		if (many.open == MANY || random >> 30 == 0)
			close_one_of_many(&many, (random >> 8) % NAMES);
		else
			open_one_of_many(&many, (random >> 8) % NAMES);
	}
	assert_true(many.twins > 100);
	for (unsigned name = 0; name < NAMES; name++)
		if (many.is_open[name])
			assert_int_equal(read_err(&many, many.fh[name]), 0);
	assert_int_equal(csftp_link_error(many.session.link), CSFTP_OK);
	told_end(&many.session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twins_are_found_among_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
