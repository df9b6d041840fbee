#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fs_suite_checks.h"

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

/* A small generator with a fixed seed: every run does the same. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525U + 1013904223U;
	return *seed >> 8;
}

static void what_is_written_is_read(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh = open_file(suite, "f", RW);

	assert_int_equal(fs_write(c, fh, 0, "hello world", 11), 0);
	for (uint64_t off = 0; off < 11; off++) {
		assert_int_equal(fs_read_all(c, fh, off, 100), 0);
		assert_int_equal(c->data_len, 11 - off);
		assert_memory_equal(c->data, &"hello world"[off], 11 - off);
	}
	assert_int_equal(fs_write(c, fh, 6, "there", 5), 0);
	fh_has_text(suite, fh, "hello there");
	assert_int_equal(fs_fsync(c, fh), 0);
	close_fh(suite, fh);
	has_text(suite, "f", "hello there");
}

static void a_read_behind_the_end_is_eof(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh = open_file(suite, "f", RW);

	assert_int_equal(fs_read(c, fh, 0, 10), 0);
	assert_true(c->eof);
	assert_int_equal(fs_write(c, fh, 0, "12345", 5), 0);
	for (uint64_t off = 5; off < 8; off++) {
		assert_int_equal(fs_read(c, fh, off, 10), 0);
		assert_true(c->eof);
		assert_int_equal(c->data_len, 0);
	}
	assert_int_equal(fs_read(c, fh, (uint64_t)INT64_MAX, 10), 0);
	assert_true(c->eof);
	close_fh(suite, fh);
}

static void zero_bytes_change_nothing(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh = open_file(suite, "f", RW);

	assert_int_equal(fs_write(c, fh, 0, "12345", 5), 0);
	assert_int_equal(fs_write(c, fh, 100, NULL, 0), 0);
	assert_int_equal(fs_read(c, fh, 2, 0), 0);
	assert_int_equal(c->data_len, 0);
	fh_has_text(suite, fh, "12345");
	close_fh(suite, fh);
}

static void append_ignores_the_offset(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh;

	make_file(suite, "f", "one");
	fh = open_file(suite, "f", CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND);
	assert_int_equal(fs_write(c, fh, 0, "two", 3), 0);
	assert_int_equal(fs_write(c, fh, 1, "three", 5), 0);
	close_fh(suite, fh);
	has_text(suite, "f", "onetwothree");
}

static void excl_makes_only_what_is_new(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	uint32_t flags = RW | CSFTP_OPEN_EXCL;

	close_fh(suite, open_file(suite, "f", flags));
	expect(suite, fs_open(c, at(suite, "f"), flags), EEXIST);
	assert_int_equal(fs_symlink(c, at(suite, "l"), "nowhere"), 0);
	expect(suite, fs_open(c, at(suite, "l"), flags), EEXIST);
	expect(suite, fs_getattr(c, at(suite, "nowhere")), ENOENT);
}

static void creat_goes_through_a_link_to_nothing(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	assert_int_equal(fs_symlink(c, at(suite, "l"), "d/../d/new"), 0);
	make_file(suite, "l", "text");
	has_text(suite, "d/new", "text");
	assert_int_equal(fs_lgetattr(c, at(suite, "l")), 0);
	assert_int_equal(c->attr.mode & CSFTP_S_IFMT, CSFTP_S_IFLNK);
}

static void trunc_empties_and_creat_does_not(void **state)
{
	struct fs_suite *suite = *state;

	make_file(suite, "f", "12345");
	close_fh(suite, open_file(suite, "f", RW));
	has_text(suite, "f", "12345");
	close_fh(suite,
		 open_file(suite, "f", CSFTP_OPEN_WRITE | CSFTP_OPEN_TRUNC));
	has_text(suite, "f", "");
}

static void what_cannot_be_opened_says_why(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;

	assert_int_equal(fs_mkdir(c, at(suite, "d")), 0);
	expect(suite, fs_open(c, at(suite, "d"), CSFTP_OPEN_WRITE), EISDIR);
	expect(suite, fs_open(c, at(suite, "d"), RW), EISDIR);
	expect(suite, fs_open(c, at(suite, "none"), CSFTP_OPEN_WRITE), ENOENT);
	expect(suite, fs_open(c, at(suite, "none/f"), RW), ENOENT);
	expect(suite, fs_open(c, at(suite, "new/"), RW), EISDIR);
	expect(suite, fs_getattr(c, at(suite, "new")), ENOENT);
	expect(suite, fs_unlink(c, at(suite, "d")), EISDIR);
}

static void an_open_file_outlives_its_names(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh = open_file(suite, "a", RW);

	assert_int_equal(fs_write(c, fh, 0, "one", 3), 0);
	assert_int_equal(fs_rename(c, at(suite, "a"), at(suite, "b")), 0);
	assert_int_equal(fs_write(c, fh, 3, "two", 3), 0);
	has_text(suite, "b", "onetwo");
	assert_int_equal(fs_unlink(c, at(suite, "b")), 0);
	make_file(suite, "b", "other");
	assert_int_equal(fs_write(c, fh, 6, "three", 5), 0);
	fh_has_text(suite, fh, "onetwothree");
	if (suite->has & FS_NLINK) {
		assert_int_equal(fs_fgetattr(c, fh), 0);
		assert_int_equal(c->attr.nlink, 0);
	}
	close_fh(suite, fh);
	has_text(suite, "b", "other");
}

static void an_open_file_outlives_what_is_renamed_over_it(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh;

	need(suite, FS_REPLACE);
	make_file(suite, "a", "old");
	make_file(suite, "b", "new");
	fh = open_file(suite, "a", CSFTP_OPEN_READ);
	assert_int_equal(fs_replace(c, at(suite, "b"), at(suite, "a")), 0);
	fh_has_text(suite, fh, "old");
	has_text(suite, "a", "new");
	close_fh(suite, fh);
}

static void a_handle_allows_what_it_was_opened_for(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh;

	make_file(suite, "f", "12345");
	fh = open_file(suite, "f", CSFTP_OPEN_WRITE);
	expect(suite, fs_read(c, fh, 0, 5), EBADF);
	close_fh(suite, fh);
	fh = open_file(suite, "f", CSFTP_OPEN_READ);
	expect(suite, fs_write(c, fh, 0, "x", 1), EBADF);
	close_fh(suite, fh);
	has_text(suite, "f", "12345");
	need(suite, FS_FH_MODES);
	expect(suite, fs_open(c, at(suite, "f"), 0), EINVAL);
	expect(suite,
	       fs_open(c, at(suite, "f"), CSFTP_OPEN_READ | CSFTP_OPEN_TRUNC),
	       EINVAL);
}

/* All that takes a handle, with one that is no good. */
static void bad_handle(struct fs_suite *suite, csftp_fh fh)
{
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	const struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0600};

	assert_int_equal(fs_read(c, fh, 0, 1), EBADF);
	assert_int_equal(fs_write(c, fh, 0, "x", 1), EBADF);
	assert_int_equal(fs_fgetattr(c, fh), EBADF);
	assert_int_equal(fs_fsetattr(c, fh, &attr), EBADF);
	assert_int_equal(fs_fsync(c, fh), EBADF);
	assert_int_equal(fs_readdir(c, fh, &names, 1), EBADF);
	assert_int_equal(fs_call(c, &(struct csftp_req){.op = CSFTP_OP_STATFS,
							.fh = fh}),
			 suite->has & FS_STATFS ? EBADF : c->err);
	assert_int_equal(fs_close(c, fh), EBADF);
	fs_names_release(&names);
}

static void stale_and_invented_handles_are_ebadf(void **state)
{
	struct fs_suite *suite = *state;
	csftp_fh fh = open_file(suite, "f", RW);
	csftp_fh again;

	close_fh(suite, fh);
	bad_handle(suite, fh);
	again = open_file(suite, "f", RW);
	bad_handle(suite, fh);
	for (unsigned bit = 0; bit < 64; bit++)
		bad_handle(suite, again ^ (csftp_fh)1 << bit);
	bad_handle(suite, ~(csftp_fh)0);
	close_fh(suite, again);
	fh = open_dir(suite, "");
	close_fh(suite, fh);
	bad_handle(suite, fh);
}

static void files_and_directories_are_not_mixed_up(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct fs_names names = {0};
	csftp_fh file = open_file(suite, "f", RW);
	csftp_fh dir = open_dir(suite, "");

	assert_int_equal(fs_readdir(c, file, &names, 1), EBADF);
	assert_int_equal(fs_read(c, dir, 0, 1), EBADF);
	assert_int_equal(fs_write(c, dir, 0, "x", 1), EBADF);
	assert_int_equal(names.count, 0);
	close_fh(suite, file);
	close_fh(suite, dir);
}

static void many_files_are_open_at_once(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh[100];

	for (size_t i = 0; i < ARRAY_LEN(fh); i++) {
		char name[2] = {(char)('a' + i % 26), '\0'};

		fh[i] = open_file(suite, name, RW);
		for (size_t j = 0; j < i; j++)
			assert_true(fh[j] != fh[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(fh); i++)
		assert_int_equal(fs_write(c, fh[i], i / 26, &"0123"[i / 26], 1),
				 0);
	for (size_t i = 0; i < ARRAY_LEN(fh); i++)
		close_fh(suite, fh[i]);
	has_text(suite, "a", "0123");
	has_text(suite, "z", "012");
}

static void offsets_go_above_four_gib(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const uint64_t far = 5ULL << 30;
	csftp_fh fh;

	need(suite, FS_BIG_FILES);
	fh = open_file(suite, "f", RW);
	assert_int_equal(fs_write(c, fh, far, "end", 3), 0);
	assert_int_equal(fs_write(c, fh, 0, "begin", 5), 0);
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_true(c->attr.size == far + 3);
	assert_int_equal(fs_read_all(c, fh, far - 2, 10), 0);
	assert_int_equal(c->data_len, 5);
	assert_memory_equal(c->data, "\0\0end", 5);
	assert_int_equal(fs_read_all(c, fh, 1U << 20, 4), 0);
	assert_memory_equal(c->data, "\0\0\0\0", 4);
	assert_int_equal(fs_read_all(c, fh, 0, 6), 0);
	assert_memory_equal(c->data, "begin", 6);
	close_fh(suite, fh);
}

static void offsets_beyond_all_files_are_behind_the_end(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh = open_file(suite, "f", RW);
	uint64_t end = (uint64_t)INT64_MAX;

	assert_int_equal(fs_read(c, fh, end + 1, 1), 0);
	assert_true(c->eof && c->data_len == 0);
	assert_int_equal(fs_read(c, fh, UINT64_MAX, 1), 0);
	assert_true(c->eof && c->data_len == 0);
	expect(suite, fs_write(c, fh, end + 1, "x", 1), EINVAL);
	expect(suite, fs_write(c, fh, UINT64_MAX, "x", 1), EINVAL);
	expect(suite, fs_write(c, fh, end, "xy", 2), EFBIG);
	fh_has_text(suite, fh, "");
	close_fh(suite, fh);
}

static void a_large_file_survives_any_pieces(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const size_t len = 3 * 1024 * 1024 + 17;
	const size_t piece = 77777;
	uint8_t *data = malloc(len);
	csftp_fh fh = open_file(suite, "f", RW);
	uint32_t seed = 1;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)next_random(&seed);
	for (size_t off = 0; off < len; off += piece)
		assert_int_equal(
			fs_write(c, fh, off, data + off,
				 len - off < piece ? len - off : piece),
			0);
	assert_int_equal(fs_read_all(c, fh, 0, len + 1), 0);
	assert_int_equal(c->data_len, len);
	assert_memory_equal(c->data, data, len);
	close_fh(suite, fh);
	free(data);
}

static void cut_bytes_come_back_as_zeros(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh = open_file(suite, "f", RW);
	struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE, .size = 2};

	assert_int_equal(fs_write(c, fh, 0, "12345", 5), 0);
	assert_int_equal(fs_fsetattr(c, fh, &attr), 0);
	fh_has_text(suite, fh, "12");
	attr.size = 5;
	assert_int_equal(fs_fsetattr(c, fh, &attr), 0);
	assert_int_equal(fs_write(c, fh, 6, "7", 1), 0);
	assert_int_equal(fs_read_all(c, fh, 0, 10), 0);
	assert_int_equal(c->data_len, 7);
	assert_memory_equal(c->data,
			    "12\0\0\0\0"
			    "7",
			    7);
	close_fh(suite, fh);
}

/* Where the model's file is, across a boundary of 1 MiB. */
#define MODEL_START ((1U << 20) - 40000)
#define MODEL_MAX   80000U

struct model {
	uint8_t bytes[MODEL_MAX];
	size_t len;
};

static void model_write(struct model *model, size_t off, uint8_t byte,
			size_t len)
{
	memset(model->bytes + off, byte, len);
	if (off + len > model->len)
		model->len = off + len;
}

static void model_resize(struct model *model, size_t len)
{
	if (len < model->len)
		memset(model->bytes + len, 0, model->len - len);
	model->len = len;
}

static void random_changes_agree_with_a_model(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct model *model = calloc(1, sizeof(*model));
	csftp_fh fh = open_file(suite, "f", RW);
	uint8_t piece[5000];
	uint32_t seed = 7;

	assert_non_null(model);
	assert_int_equal(fs_write(c, fh, MODEL_START - 1, "x", 1), 0);
	for (int i = 0; i < 500; i++) {
		size_t off = next_random(&seed) % (MODEL_MAX - sizeof(piece));
		size_t len = 1 + next_random(&seed) % sizeof(piece);
		uint8_t byte = (uint8_t)next_random(&seed);

		if (byte < 25) {
			struct csftp_attr attr = {.mask = CSFTP_ATTR_SIZE,
						  .size = MODEL_START + off};

			model_resize(model, off);
			assert_int_equal(fs_fsetattr(c, fh, &attr), 0);
		} else {
			memset(piece, byte, len);
			model_write(model, off, byte, len);
			assert_int_equal(
				fs_write(c, fh, MODEL_START + off, piece, len),
				0);
		}
		if (i % 10 > 0)
			continue;
		assert_int_equal(fs_read_all(c, fh, MODEL_START, MODEL_MAX), 0);
		assert_int_equal(c->data_len, model->len);
		if (model->len > 0)
			assert_memory_equal(c->data, model->bytes, model->len);
	}
	close_fh(suite, fh);
	free(model);
}

static void a_range_is_copied_between_files(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct csftp_req range = {.off = 2, .len = 3, .off2 = 1};

	need(suite, FS_COPY_RANGE);
	make_file(suite, "a", "0123456789");
	make_file(suite, "b", "abcdefg");
	range.fh = open_file(suite, "a", CSFTP_OPEN_READ);
	range.fh2 = open_file(suite, "b", RW);
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 3);
	fh_has_text(suite, range.fh2, "a234efg");
	/* 0: up to the end. */
	range = (struct csftp_req){
		.fh = range.fh, .fh2 = range.fh2, .off = 8, .off2 = 6};
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 2);
	fh_has_text(suite, range.fh2, "a234ef89");
	/* What is behind the end is not there to be copied. */
	range.len = 100;
	range.off = 9;
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 1);
	range.off = 10;
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 0);
	fh_has_text(suite, range.fh2, "a234ef99");
	close_fh(suite, range.fh);
	close_fh(suite, range.fh2);
}

static void a_range_is_copied_within_a_file(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh fh;
	struct csftp_req range = {.len = 5, .off2 = 4};

	need(suite, FS_COPY_RANGE);
	make_file(suite, "f", "0123456789");
	fh = open_file(suite, "f", RW);
	range.fh = fh;
	range.fh2 = fh;
	expect(suite, fs_copy_range(c, &range), EINVAL);
	range.off = 4;
	range.off2 = 0;
	expect(suite, fs_copy_range(c, &range), EINVAL);
	range.off2 = 4;
	expect(suite, fs_copy_range(c, &range), EINVAL);
	fh_has_text(suite, fh, "0123456789");
	range.off = 5;
	range.off2 = 0;
	assert_int_equal(fs_copy_range(c, &range), 0);
	fh_has_text(suite, fh, "5678956789");
	range.len = 0;
	range.off = 0;
	range.off2 = 10;
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_int_equal(c->count, 10);
	fh_has_text(suite, fh, "56789567895678956789");
	close_fh(suite, fh);
}

static void a_copy_needs_the_right_handles(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	csftp_fh rd;
	csftp_fh wr;

	need(suite, FS_COPY_RANGE);
	make_file(suite, "a", "0123456789");
	make_file(suite, "b", "");
	rd = open_file(suite, "a", CSFTP_OPEN_READ);
	wr = open_file(suite, "b", CSFTP_OPEN_WRITE);
	if (suite->has & FS_COPY_EMPTY)
		expect(suite,
		       fs_copy_range(c,
				     &(struct csftp_req){.fh = wr, .fh2 = wr}),
		       EBADF);
	expect(suite,
	       fs_copy_range(
		       c, &(struct csftp_req){.fh = rd, .fh2 = rd, .off2 = 10}),
	       EBADF);
	expect(suite,
	       fs_copy_range(c, &(struct csftp_req){.fh = rd, .fh2 = ~0ULL}),
	       EBADF);
	if (suite->has & FS_COPY_EMPTY)
		expect(suite,
		       fs_copy_range(c, &(struct csftp_req){.fh = rd,
							    .fh2 = wr,
							    .off = ~0ULL}),
		       EINVAL);
	close_fh(suite, rd);
	close_fh(suite, wr);
	has_text(suite, "b", "");
}

static void a_copy_to_what_appends_is_added(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	struct csftp_req range = {.off = 2, .len = 3};

	need(suite, FS_COPY_RANGE);
	make_file(suite, "a", "0123456789");
	make_file(suite, "b", "to");
	range.fh = open_file(suite, "a", CSFTP_OPEN_READ);
	range.fh2 = open_file(suite, "b", CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND);
	assert_int_equal(fs_copy_range(c, &range), 0);
	range.off2 = 1;
	range.len = 0;
	assert_int_equal(fs_copy_range(c, &range), 0);
	close_fh(suite, range.fh);
	close_fh(suite, range.fh2);
	has_text(suite, "b", "to23423456789");
}

static void holes_are_copied_as_zeros(void **state)
{
	struct fs_suite *suite = *state;
	struct fs_caller *c = &suite->caller;
	const uint64_t end = 3U << 20;
	struct csftp_req range = {.off = 1};
	uint8_t *zeros = calloc(1, end);

	assert_non_null(zeros);
	if (!(suite->has & FS_COPY_RANGE))
		free(zeros);
	need(suite, FS_COPY_RANGE);
	range.fh = open_file(suite, "a", RW);
	range.fh2 = open_file(suite, "b", RW);
	assert_int_equal(fs_write(c, range.fh, end, "end", 3), 0);
	memset(zeros, 'x', end);
	assert_int_equal(fs_write(c, range.fh2, 0, zeros, end), 0);
	memset(zeros, 0, end);
	assert_int_equal(fs_copy_range(c, &range), 0);
	assert_true(c->count == end + 2);
	assert_int_equal(fs_read_all(c, range.fh2, 0, end + 10), 0);
	assert_int_equal(c->data_len, end + 2);
	assert_memory_equal(c->data, zeros, end - 1);
	assert_memory_equal(c->data + end - 1, "end", 3);
	close_fh(suite, range.fh);
	close_fh(suite, range.fh2);
	free(zeros);
}

const struct CMUnitTest fs_suite_data[] = {
	FS_CHECK(what_is_written_is_read),
	FS_CHECK(a_read_behind_the_end_is_eof),
	FS_CHECK(zero_bytes_change_nothing),
	FS_CHECK(append_ignores_the_offset),
	FS_CHECK(excl_makes_only_what_is_new),
	FS_CHECK(creat_goes_through_a_link_to_nothing),
	FS_CHECK(trunc_empties_and_creat_does_not),
	FS_CHECK(what_cannot_be_opened_says_why),
	FS_CHECK(an_open_file_outlives_its_names),
	FS_CHECK(an_open_file_outlives_what_is_renamed_over_it),
	FS_CHECK(a_handle_allows_what_it_was_opened_for),
	FS_CHECK(stale_and_invented_handles_are_ebadf),
	FS_CHECK(files_and_directories_are_not_mixed_up),
	FS_CHECK(many_files_are_open_at_once),
	FS_CHECK(offsets_go_above_four_gib),
	FS_CHECK(offsets_beyond_all_files_are_behind_the_end),
	FS_CHECK(a_large_file_survives_any_pieces),
	FS_CHECK(cut_bytes_come_back_as_zeros),
	FS_CHECK(random_changes_agree_with_a_model),
	FS_CHECK(a_range_is_copied_between_files),
	FS_CHECK(a_range_is_copied_within_a_file),
	FS_CHECK(a_copy_needs_the_right_handles),
	FS_CHECK(a_copy_to_what_appends_is_added),
	FS_CHECK(holes_are_copied_as_zeros),
};
const size_t fs_suite_data_count = ARRAY_LEN(fs_suite_data);
