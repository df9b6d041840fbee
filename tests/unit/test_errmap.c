#include "core/errmap.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "csftp/err.h"
#include "tests/lib/test.h"

/* Above every errno of Linux. */
#define ERRNO_END 200

static void success_is_success_both_ways(void **state)
{
	(void)state;
	assert_int_equal(sftp_status_from_errno(0), SSH_FX_OK);
	assert_int_equal(sftp_errno_from_status(SSH_FX_OK, "", 0), 0);
	assert_int_equal(sftp_errno_from_status(SSH_FX_OK, "Success", 7), 0);
}

static void no_errno_becomes_success_or_end_of_file(void **state)
{
	(void)state;
	for (int err = 1; err < ERRNO_END; err++) {
		enum sftp_status status = sftp_status_from_errno(err);

		assert_true(status != SSH_FX_OK && status != SSH_FX_EOF);
		assert_true(strlen(sftp_errno_text(err)) > 0);
	}
}

static void no_failure_status_becomes_errno_0(void **state)
{
	(void)state;
	for (uint32_t status = 1; status < 1000; status++)
		assert_true(sftp_errno_from_status(status, "x", 1) > 0);
	assert_true(sftp_errno_from_status(UINT32_MAX, NULL, 0) > 0);
}

/* What the server says in words comes back as the errno it was. */
static void a_known_text_brings_the_errno_back(void **state)
{
	size_t known = 0;

	(void)state;
	for (int err = 1; err < ERRNO_END; err++) {
		const char *text = sftp_errno_text(err);

		if (strcmp(text, "Failure") == 0)
			continue;
		assert_string_equal(text, strerror(err));
		assert_int_equal(
			sftp_errno_from_status(sftp_status_from_errno(err),
					       text, strlen(text)),
			err);
		known++;
	}
	assert_true(known > 40);
}

/* A text cannot turn one status into what belongs to another. */
static void a_text_of_another_status_is_not_believed(void **state)
{
	(void)state;
	assert_int_equal(sftp_errno_from_status(SSH_FX_NO_SUCH_FILE,
						"No space left on device", 23),
			 ENOENT);
}

/* draft-ietf-secsh-filexfer-02, section 7, as OpenSSH's server uses it. */
static void statuses_are_those_of_openssh(void **state)
{
	static const struct {
		int err;
		enum sftp_status status;
	} rows[] = {
		{ENOENT, SSH_FX_NO_SUCH_FILE},
		{ENOTDIR, SSH_FX_NO_SUCH_FILE},
		{EBADF, SSH_FX_NO_SUCH_FILE},
		{ELOOP, SSH_FX_NO_SUCH_FILE},
		{EPERM, SSH_FX_PERMISSION_DENIED},
		{EACCES, SSH_FX_PERMISSION_DENIED},
		{EFAULT, SSH_FX_PERMISSION_DENIED},
		{ENAMETOOLONG, SSH_FX_BAD_MESSAGE},
		{EINVAL, SSH_FX_BAD_MESSAGE},
		{ENOSYS, SSH_FX_OP_UNSUPPORTED},
		{ENOSPC, SSH_FX_FAILURE},
		{EEXIST, SSH_FX_FAILURE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sftp_status_from_errno(rows[i].err),
				 rows[i].status);
}

static void every_error_has_its_own_text(void **state)
{
	(void)state;
	for (int i = 0; i < CSFTP_ERR_COUNT; i++) {
		const char *text = csftp_strerror((enum csftp_err)i);

		assert_non_null(text);
		assert_string_not_equal(text, "unknown error");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
				text, csftp_strerror((enum csftp_err)k));
	}
	assert_string_equal(csftp_strerror(CSFTP_ERR_COUNT), "unknown error");
}

static void of_a_broken_stream_errno_tells_why(void **state)
{
	(void)state;
	assert_string_equal(csftp_strerror_io(CSFTP_ERR_IO, ECONNREFUSED),
			    "Connection refused");
	assert_string_equal(csftp_strerror_io(CSFTP_ERR_IO, 0),
			    csftp_strerror(CSFTP_ERR_IO));
	assert_string_equal(csftp_strerror_io(CSFTP_ERR_IO, INT_MAX),
			    csftp_strerror(CSFTP_ERR_IO));
	assert_string_equal(csftp_strerror_io(CSFTP_ERR_EOF, ECONNREFUSED),
			    csftp_strerror(CSFTP_ERR_EOF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_is_success_both_ways),
		cmocka_unit_test(no_errno_becomes_success_or_end_of_file),
		cmocka_unit_test(no_failure_status_becomes_errno_0),
		cmocka_unit_test(a_known_text_brings_the_errno_back),
		cmocka_unit_test(a_text_of_another_status_is_not_believed),
		cmocka_unit_test(statuses_are_those_of_openssh),
		cmocka_unit_test(every_error_has_its_own_text),
		cmocka_unit_test(of_a_broken_stream_errno_tells_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
