/* How a request finds the function that has it. */
#include "csftp/fs.h"

#include <errno.h>

#include "tests/lib/test.h"

struct asked {
	struct csftp_req req; /* first */
	unsigned answers;
	int err;
};

static void done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct asked *asked = (struct asked *)req;

	asked->answers++;
	asked->err = reply->err;
}

static void own(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_err(req, EROFS);
}

static void rest(struct csftp_fs *fs, struct csftp_req *req)
{
	(void)fs;
	csftp_reply_err(req, ENOSPC);
}

static int ask(const struct csftp_fs_ops *ops, unsigned op)
{
	struct csftp_fs fs = {.ops = ops};
	struct asked asked = {
		.req = {.op = (enum csftp_op)op, .done = done, .path = ""}};

	csftp_submit(&fs, &asked.req);
	assert_int_equal(asked.answers, 1);
	return asked.err;
}

static void an_operation_is_its_functions_else_that_of_the_rest(void **state)
{
	static const struct csftp_fs_ops ops = {.op = {[CSFTP_OP_MKDIR] = own},
						.rest = rest};

	(void)state;
	for (unsigned op = 0; op < CSFTP_OP_COUNT; op++)
		assert_int_equal(ask(&ops, op),
				 op == CSFTP_OP_MKDIR ? EROFS : ENOSPC);
}

static void what_nobody_has_is_not_supported(void **state)
{
	static const struct csftp_fs_ops ops = {.op = {[CSFTP_OP_MKDIR] = own}};

	(void)state;
	for (unsigned op = 0; op < CSFTP_OP_COUNT; op++)
		assert_int_equal(ask(&ops, op),
				 op == CSFTP_OP_MKDIR ? EROFS : EOPNOTSUPP);
}

static void a_number_that_is_no_operation_is_nobodys(void **state)
{
	static const struct csftp_fs_ops ops = {.rest = rest};

	(void)state;
	assert_int_equal(ask(&ops, CSFTP_OP_COUNT), EOPNOTSUPP);
	assert_int_equal(ask(&ops, UINT32_MAX), EOPNOTSUPP);
	assert_string_equal(csftp_op_name(CSFTP_OP_COUNT), "?");
}

static void who_cannot_cancel_is_not_asked_to(void **state)
{
	static const struct csftp_fs_ops ops = {.rest = rest};
	struct csftp_fs fs = {.ops = &ops};
	struct asked asked = {.req = {.op = CSFTP_OP_MKDIR, .done = done}};

	(void)state;
	csftp_cancel(&fs, &asked.req);
	assert_int_equal(asked.answers, 0);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(
			an_operation_is_its_functions_else_that_of_the_rest),
		cmocka_unit_test(what_nobody_has_is_not_supported),
		cmocka_unit_test(a_number_that_is_no_operation_is_nobodys),
		cmocka_unit_test(who_cannot_cancel_is_not_asked_to),
	};

	return cmocka_run_group_tests(claims, NULL, NULL);
}
