/* What the server engine lets through, and what it announces. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/errmap.h"
#include "tests/lib/served.h"
#include "tests/lib/test.h"

/* Counts what reaches it; only CLOSE and the opening do anything. */
struct counting {
	struct csftp_fs fs;
	unsigned asked;
};

static void count(struct csftp_fs *fs, struct csftp_req *req)
{
	struct counting *counting = (struct counting *)fs;

	counting->asked++;
	if (req->op == CSFTP_OP_OPEN || req->op == CSFTP_OP_OPENDIR)
		csftp_reply_fh(req, counting->asked);
	else
		csftp_reply_err(req, req->op == CSFTP_OP_CLOSE ? 0 : ENOSPC);
}

static const struct csftp_fs_ops counting_ops = {.rest = count};

static struct served served;
static struct counting counting;

static void begin(struct csftp_serve_config config)
{
	memset(&counting, 0, sizeof(counting));
	counting.fs.ops = &counting_ops;
	counting.fs.traits = CSFTP_FS_INLINE;
	config.fs = &counting.fs;
	served_start(&served, &config);
}

/* The names of OpenSSH's "sftp-server -Q requests", then ours. */
static const struct {
	const char *name;
	enum sftp_kind kind;
	bool writes;
} requests[] = {
	{"open", SFTP_OPEN, false},
	{"close", SFTP_CLOSE, false},
	{"read", SFTP_READ, false},
	{"write", SFTP_WRITE, true},
	{"lstat", SFTP_LSTAT, false},
	{"fstat", SFTP_FSTAT, false},
	{"setstat", SFTP_SETSTAT, true},
	{"fsetstat", SFTP_FSETSTAT, true},
	{"opendir", SFTP_OPENDIR, false},
	{"readdir", SFTP_READDIR, false},
	{"remove", SFTP_REMOVE, true},
	{"mkdir", SFTP_MKDIR, true},
	{"rmdir", SFTP_RMDIR, true},
	{"realpath", SFTP_REALPATH, false},
	{"stat", SFTP_STAT, false},
	{"rename", SFTP_RENAME, true},
	{"readlink", SFTP_READLINK, false},
	{"symlink", SFTP_SYMLINK, true},
	{"posix-rename", SFTP_POSIX_RENAME, true},
	{"statvfs", SFTP_STATVFS, false},
	{"fstatvfs", SFTP_FSTATVFS, false},
	{"hardlink", SFTP_HARDLINK, true},
	{"fsync", SFTP_FSYNC, true},
	{"lsetstat", SFTP_LSETSTAT, true},
	{"limits", SFTP_LIMITS, false},
	{"expand-path", SFTP_EXPAND_PATH, false},
	{"copy-data", SFTP_COPY_DATA, true},
	{"home-directory", SFTP_HOME_DIRECTORY, false},
	{"users-groups-by-id", SFTP_USERS_GROUPS_BY_ID, false},
	{"check-file-handle", SFTP_CHECK_FILE_HANDLE, false},
	{"check-file-name", SFTP_CHECK_FILE_NAME, false},
	{"space-available", SFTP_SPACE_AVAILABLE, false},
	{"copy-file", SFTP_COPY_FILE, true},
	{"vendor-id", SFTP_VENDOR_ID, false},
	{"check-file", SFTP_CHECK_FILE, false},
};

#define REQUESTS ((int)(sizeof(requests) / sizeof(requests[0])))

static struct sftp_msg request(int i)
{
	return (struct sftp_msg){
		.kind = requests[i].kind,
		.id = 7,
		.num = CSFTP_OPEN_READ,
		.path = BYTES("path"),
		.path2 = BYTES("other"),
		.handle = BYTES("\0\0\0\0\0\0\0\0"),
		.handle2 = BYTES("\0\0\0\0\0\0\0\0"),
		.data = BYTES("1234"),
		.data2 = BYTES("5678"),
	};
}

static bool is_extension(int i)
{
	return requests[i].kind >= SFTP_EXT_FIRST;
}

static void requests_have_the_names_of_openssh(void **state)
{
	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		assert_string_equal(csftp_serve_request_name(i),
				    requests[i].name);
		assert_int_equal(csftp_serve_request(requests[i].name), i);
	}
	assert_null(csftp_serve_request_name(REQUESTS));
	assert_null(csftp_serve_request_name(-1));
	assert_int_equal(csftp_serve_request("posix-rename@openssh.com"), -1);
	assert_int_equal(csftp_serve_request("opens"), -1);
	assert_int_equal(csftp_serve_request(""), -1);
	assert_int_equal(csftp_serve_request(NULL), -1);
}

/* One is denied, all others are as they were. */
static void what_is_denied_reaches_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		begin((struct csftp_serve_config){.denied = 1ULL << i});
		for (int k = 0; k < REQUESTS; k++) {
			struct sftp_msg msg = request(k);
			unsigned before = counting.asked;
			const struct sftp_msg *got = served_ask(&served, &msg);

			assert_int_equal(
				got->kind == SFTP_STATUS &&
					got->num == SSH_FX_PERMISSION_DENIED,
				i == k);
			if (i == k)
				assert_int_equal(counting.asked, before);
			if (is_extension(k))
				assert_int_equal(
					served_announces(
						&served,
						sftp_kind_name(msg.kind)),
					i != k);
		}
		served_stop(&served);
	}
}

/* A denied request is not even looked into. */
static void a_broken_request_that_is_denied_is_denied(void **state)
{
	static const uint8_t stat[] = {0, 0, 0, 5, 17, 0, 0, 0, 9};
	int bit = csftp_serve_request("stat");

	(void)state;
	begin((struct csftp_serve_config){.denied = 1ULL << bit});
	assert_true(served_feed(&served, stat, sizeof(stat)));
	assert_true(served_next(&served));
	assert_int_equal(served.answer.id, 9);
	assert_int_equal(served.answer.num, SSH_FX_PERMISSION_DENIED);
	served_stop(&served);
}

static void read_only_denies_what_writes(void **state)
{
	(void)state;
	begin((struct csftp_serve_config){.read_only = true});
	for (int k = 0; k < REQUESTS; k++) {
		struct sftp_msg msg = request(k);
		const struct sftp_msg *got;
		unsigned before = counting.asked;
		bool denied;

		got = served_ask(&served, &msg);
		denied = got->kind == SFTP_STATUS &&
			 got->num == SSH_FX_PERMISSION_DENIED;
		assert_int_equal(denied, requests[k].writes);
		if (denied)
			assert_int_equal(counting.asked, before);
		if (is_extension(k))
			assert_int_equal(
				served_announces(&served,
						 sftp_kind_name(msg.kind)),
				!denied);
	}
	served_stop(&served);
}

static void read_only_opens_nothing_for_writing(void **state)
{
	(void)state;
	begin((struct csftp_serve_config){.read_only = true});
	for (uint32_t flags = 0; flags < 64; flags++) {
		struct sftp_msg msg = {
			.kind = SFTP_OPEN, .num = flags, .path = BYTES("path")};
		unsigned before = counting.asked;
		bool writes = flags & (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT |
				       CSFTP_OPEN_TRUNC);

		(void)served_ask(&served, &msg);
		assert_int_equal(counting.asked == before, writes);
		assert_int_equal(served.answer.kind == SFTP_STATUS, writes);
		if (writes)
			assert_int_equal(served.answer.num,
					 SSH_FX_PERMISSION_DENIED);
	}
	served_stop(&served);
}

/* What a user of the library has set for requests that will come. */
static void bits_of_no_request_mean_nothing(void **state)
{
	(void)state;
	begin((struct csftp_serve_config){.denied = ~0ULL << REQUESTS});
	for (int k = 0; k < REQUESTS; k++) {
		struct sftp_msg msg = request(k);

		(void)served_ask(&served, &msg);
		assert_false(served.answer.kind == SFTP_STATUS &&
			     served.answer.num == SSH_FX_PERMISSION_DENIED);
	}
	served_stop(&served);
}

/* What was told last: the name, and the paths behind it. */
static void told(void *arg, const struct csftp_refusal *refusal)
{
	char(*last)[96] = arg;

	snprintf(*last, sizeof(*last), "%s%s%.*s%s%.*s%s", refusal->name,
		 refusal->path.ptr ? " " : "", (int)refusal->path.len,
		 refusal->path.ptr ? (const char *)refusal->path.ptr : "",
		 refusal->path2.ptr ? " " : "", (int)refusal->path2.len,
		 refusal->path2.ptr ? (const char *)refusal->path2.ptr : "",
		 refusal->fh ? " fh" : "");
}

static void who_asks_is_told_of_each_refusal(void **state)
{
	char last[96] = "";
	struct sftp_msg open = {.kind = SFTP_OPEN,
				.num = CSFTP_OPEN_WRITE,
				.path = BYTES("path")};
	struct sftp_msg rename = {
		.kind = SFTP_RENAME, .path = BYTES("a"), .path2 = BYTES("b")};
	struct sftp_msg write = {.kind = SFTP_WRITE, .data = BYTES("x")};

	(void)state;
	begin((struct csftp_serve_config){
		.denied = 1ULL << csftp_serve_request("stat"),
		.read_only = true,
		.refused = told,
		.arg = &last,
	});
	for (int k = 0; k < REQUESTS; k++) {
		struct sftp_msg msg = request(k);
		const char *name = csftp_serve_request_name(k);
		bool refused;

		last[0] = '\0';
		(void)served_ask(&served, &msg);
		refused = served.answer.kind == SFTP_STATUS &&
			  served.answer.num == SSH_FX_PERMISSION_DENIED;
		assert_int_equal(last[0] != '\0', refused);
		if (refused)
			assert_int_equal(strncmp(last, name, strlen(name)), 0);
	}
	last[0] = '\0';
	(void)served_ask(&served, &open);
	assert_string_equal(last, "open path");
	(void)served_ask(&served, &rename);
	assert_string_equal(last, "rename a b");
	open.num = CSFTP_OPEN_READ;
	(void)served_ask(&served, &open);
	assert_int_equal(served.answer.kind, SFTP_HANDLE);
	write.handle = served.answer.handle;
	(void)served_ask(&served, &write);
	assert_string_equal(last, "write fh");
	served_stop(&served);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_have_the_names_of_openssh),
		cmocka_unit_test(what_is_denied_reaches_nothing),
		cmocka_unit_test(a_broken_request_that_is_denied_is_denied),
		cmocka_unit_test(read_only_denies_what_writes),
		cmocka_unit_test(read_only_opens_nothing_for_writing),
		cmocka_unit_test(who_asks_is_told_of_each_refusal),
		cmocka_unit_test(bits_of_no_request_mean_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
