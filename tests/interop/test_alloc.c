/*
 * In steady state a request allocates nothing, in the engine or behind it.
 * Not below a sanitizer, as malloc is counted here.
 */
#include <stdlib.h>
#include <string.h>

#include "core/errmap.h"
#include "server/posixfs.h"
#include "tests/lib/proc.h"
#include "tests/lib/served.h"
#include "tests/lib/test.h"

/* libc's own, below the names that all of the program calls. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static size_t allocations;

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	allocations++;
	return __libc_realloc(old, size);
}

static struct served served;

static uint32_t status(const struct sftp_msg *msg)
{
	return served_status(&served, msg);
}

static struct wire_bytes handle_of(const struct sftp_msg *msg, uint8_t keep[8])
{
	const struct sftp_msg *got = served_ask(&served, msg);

	assert_int_equal(got->kind, SFTP_HANDLE);
	memcpy(keep, got->handle.ptr, 8);
	return (struct wire_bytes){keep, 8};
}

static unsigned change_things(struct sftp_msg msg)
{
	static const struct wire_bytes ids = BYTES("\0\0\0\0");
	struct sftp_msg missing = {.kind = SFTP_STAT, .path = BYTES("gone")};

	msg.kind = SFTP_COPY_FILE;
	msg.num = 1;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_SETSTAT;
	msg.attr = (struct csftp_attr){.mask = CSFTP_ATTR_MODE, .mode = 0600};
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_POSIX_RENAME;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_SYMLINK;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_READLINK;
	(void)served_ask(&served, &msg);
	msg.kind = SFTP_REMOVE;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_MKDIR;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_RMDIR;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_LIMITS;
	(void)served_ask(&served, &msg);
	msg.kind = SFTP_USERS_GROUPS_BY_ID;
	msg.data = ids;
	msg.data2 = ids;
	(void)served_ask(&served, &msg);
	assert_int_equal(status(&missing), SSH_FX_NO_SUCH_FILE);
	return 11;
}

/* Each request once that does not end in a data base of libc's. */
static unsigned mixed_requests(void)
{
	static const struct wire_bytes file = BYTES("file");
	static const struct wire_bytes other = BYTES("other");
	static const enum sftp_kind looks[] = {
		SFTP_STAT,    SFTP_LSTAT,	    SFTP_REALPATH,
		SFTP_STATVFS, SFTP_SPACE_AVAILABLE, SFTP_EXPAND_PATH};
	struct sftp_msg msg = {.path = file, .path2 = other, .len = 1000};
	struct sftp_msg open = {.kind = SFTP_OPEN,
				.path = file,
				.num = CSFTP_OPEN_READ | CSFTP_OPEN_WRITE |
				       CSFTP_OPEN_CREAT};
	struct sftp_msg opendir = {.kind = SFTP_OPENDIR, .path = BYTES(".")};
	uint8_t keep[8], keep2[8];
	unsigned asked = 0;

	msg.handle = handle_of(&open, keep);
	msg.handle2 = handle_of(&opendir, keep2);
	msg.data = (struct wire_bytes)BYTES("payload");
	msg.kind = SFTP_WRITE;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.kind = SFTP_READ;
	assert_int_equal(served_ask(&served, &msg)->kind, SFTP_DATA);
	msg.kind = SFTP_FSTAT;
	assert_int_equal(served_ask(&served, &msg)->kind, SFTP_ATTRS);
	msg.kind = SFTP_FSTATVFS;
	(void)served_ask(&served, &msg);
	msg.kind = SFTP_READDIR;
	msg.handle = msg.handle2;
	assert_int_equal(served_ask(&served, &msg)->kind, SFTP_NAME);
	assert_int_equal(status(&msg), SSH_FX_EOF);
	msg.kind = SFTP_CLOSE;
	assert_int_equal(status(&msg), SSH_FX_OK);
	msg.handle = (struct wire_bytes){keep, 8};
	assert_int_equal(status(&msg), SSH_FX_OK);
	asked += 10;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++, asked++) {
		msg.kind = looks[i];
		(void)served_ask(&served, &msg);
	}
	return asked + change_things(msg);
}
static void requests_allocate_nothing(void **state)
{
	char dir[PROC_PATH_MAX];
	struct posixfs_config place = {.start = dir};
	struct csftp_serve_config config = {.idname = posixfs_idname};
	struct csftp_fs *fs = NULL;
	unsigned asked = 0;
	size_t before;

	(void)state;
	scratch_make(dir);
	assert_int_equal(posixfs_new(&fs, &place), CSFTP_OK);
	config.fs = fs;
	config.arg = fs;
	served_start(&served, &config);
	assert_true(allocations > 0);
	/* Names are looked up, and kept; libc has its tables. */
	(void)mixed_requests();
	before = allocations;
	while (asked < 100000)
		asked += mixed_requests();
	assert_int_equal(allocations - before, 0);
	served_stop(&served);
	posixfs_free(fs);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_allocate_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
