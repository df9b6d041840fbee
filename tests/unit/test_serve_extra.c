/* The extensions of filexfer-extensions-00, over a file system in memory. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/errmap.h"
#include "csftp/memfs.h"
#include "tests/lib/served.h"
#include "tests/lib/test.h"

/* A layer that counts what is opened and closed below it. */
struct counted {
	struct csftp_fs fs;
	struct csftp_fs *under;
	unsigned opens;
	unsigned closes;
	unsigned reads;
};

static void pass(struct csftp_fs *fs, struct csftp_req *req)
{
	struct counted *counted = (struct counted *)fs;

	counted->opens += req->op == CSFTP_OP_OPEN;
	counted->closes += req->op == CSFTP_OP_CLOSE;
	counted->reads += req->op == CSFTP_OP_READ;
	csftp_submit(counted->under, req);
}

static const struct csftp_fs_ops counted_ops = {.rest = pass};

/* One session: over memfs itself, or over a layer that answers later. */
struct place {
	struct csftp_fs *memfs;
	struct counted counted;
	struct later later;
	struct served served;
};

static void place_start(struct place *place, enum later_when later)
{
	struct csftp_serve_config config = {.handles = 3};

	assert_int_equal(csftp_memfs_new(&place->memfs, NULL), CSFTP_OK);
	place->counted.fs.ops = &counted_ops;
	place->counted.under = place->memfs;
	place->counted.fs.traits = later == LATER_NEVER ? CSFTP_FS_INLINE : 0;
	config.fs = &place->counted.fs;
	if (later != LATER_NEVER) {
		later_init_when(&place->later, &place->counted.fs, later);
		place->served.later = &place->later;
		config.fs = &place->later.fs;
	}
	served_start(&place->served, &config);
}

static void place_stop(struct place *place)
{
	served_stop(&place->served);
	csftp_memfs_free(place->memfs);
}

static struct wire_bytes text(const char *s)
{
	return (struct wire_bytes){(const uint8_t *)s, strlen(s)};
}

#define RW (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)

static struct wire_bytes open_file(struct place *place, const char *path,
				   uint32_t flags, uint8_t keep[8])
{
	const struct sftp_msg *got = served_ask(
		&place->served, &(struct sftp_msg){.kind = SFTP_OPEN,
						   .num = flags,
						   .path = text(path)});

	assert_int_equal(got->kind, SFTP_HANDLE);
	assert_int_equal(got->handle.len, 8);
	memcpy(keep, got->handle.ptr, 8);
	return (struct wire_bytes){keep, 8};
}

static uint32_t close_file(struct place *place, struct wire_bytes handle)
{
	return served_status(
		&place->served,
		&(struct sftp_msg){.kind = SFTP_CLOSE, .handle = handle});
}

static void make_file(struct place *place, const char *path, const void *data,
		      size_t len)
{
	uint8_t keep[8];
	struct wire_bytes handle =
		open_file(place, path, RW | CSFTP_OPEN_TRUNC, keep);

	for (size_t off = 0; off < len; off += 8192) {
		size_t part = len - off < 8192 ? len - off : 8192;

		assert_int_equal(
			served_status(
				&place->served,
				&(struct sftp_msg){
					.kind = SFTP_WRITE,
					.handle = handle,
					.off = off,
					.data = {(const uint8_t *)data + off,
						 part}}),
			SSH_FX_OK);
	}
	assert_int_equal(close_file(place, handle), SSH_FX_OK);
}

static struct sftp_msg check_name(const char *path, const char *algorithms,
				  uint64_t off, uint64_t len, uint32_t block)
{
	return (struct sftp_msg){.kind = SFTP_CHECK_FILE_NAME,
				 .id = 77,
				 .path = text(path),
				 .data = text(algorithms),
				 .off = off,
				 .len = len,
				 .num = block};
}

/* The answer's algorithm, and the hashes behind it. */
static struct wire_bytes hashes(const struct sftp_msg *answer,
				const char *algorithm)
{
	struct wire_rd rd = {.next = answer->data.ptr,
			     .left = answer->data.len};
	struct wire_bytes name;

	assert_int_equal(answer->kind, SFTP_EXTENDED_REPLY);
	name = wire_rd_string(&rd, 64);
	assert_int_equal(rd.err, CSFTP_OK);
	assert_int_equal(name.len, strlen(algorithm));
	assert_memory_equal(name.ptr, algorithm, name.len);
	return wire_rd_rest(&rd);
}

/* The same by libcrypto's own hand. */
static size_t expect_hash(uint8_t *out, const char *algorithm, const void *data,
			  size_t len)
{
	size_t size = 0;

	assert_int_equal(
		EVP_Q_digest(NULL, algorithm, NULL, data, len, out, &size), 1);
	return size;
}

static uint8_t *noise(size_t len)
{
	uint8_t *data = malloc(len);
	uint32_t x = 1;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	return data;
}

static struct place *new_place(enum later_when later)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	place_start(place, later);
	return place;
}

static void free_place(struct place *place)
{
	place_stop(place);
	free(place);
}

static void each_algorithm_hashes_a_whole_file(void **state)
{
	static const char *const names[] = {"md5",    "sha1",	"sha224",
					    "sha256", "sha384", "sha512"};
	const size_t len = 300001;
	uint8_t *data = noise(len);

	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct place *place = new_place(later);

		make_file(place, "f", data, len);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			struct sftp_msg msg =
				check_name("f", names[i], 0, 0, 0);
			uint8_t want[64];
			size_t size = expect_hash(want, names[i], data, len);
			struct wire_bytes got = hashes(
				served_ask(&place->served, &msg), names[i]);

			assert_int_equal(got.len, size);
			assert_memory_equal(got.ptr, want, size);
		}
		assert_int_equal(place->counted.opens, place->counted.closes);
		free_place(place);
	}
	free(data);
}

/* The value that every list of test vectors has. */
static void crc32_is_that_of_zip(void **state)
{
	struct place *place = new_place(LATER_NEVER);
	struct sftp_msg msg = check_name("f", "crc32", 0, 0, 0);
	struct wire_bytes got;

	(void)state;
	make_file(place, "f", "123456789", 9);
	got = hashes(served_ask(&place->served, &msg), "crc32");
	assert_int_equal(got.len, 4);
	assert_memory_equal(got.ptr, "\xcb\xf4\x39\x26", 4);
	free_place(place);
}

static void the_first_known_algorithm_of_the_list_is_taken(void **state)
{
	static const struct {
		const char *list;
		const char *taken; /* NULL: none */
	} lists[] = {
		{"md5,sha1", "md5"},
		{"sha1,md5", "sha1"},
		{"tiger,sha512", "sha512"},
		{",,sha1", "sha1"},
		{"sha1,", "sha1"},
		{"tiger,whirlpool", NULL},
		{"", NULL},
		{",", NULL},
		{"SHA1", NULL},
		{"sha1 ,md", NULL},
	};
	struct place *place = new_place(LATER_NEVER);

	(void)state;
	make_file(place, "f", "x", 1);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct sftp_msg msg = check_name("f", lists[i].list, 0, 0, 0);

		if (lists[i].taken)
			(void)hashes(served_ask(&place->served, &msg),
				     lists[i].taken);
		else
			assert_int_equal(served_status(&place->served, &msg),
					 SSH_FX_FAILURE);
	}
	assert_int_equal(place->counted.opens, place->counted.closes);
	free_place(place);
}

/* One hash for each block of the range, the last may be shorter. */
static void check_blocks(struct place *place, const uint8_t *data, size_t size,
			 uint64_t off, uint64_t len, uint32_t block)
{
	struct sftp_msg msg = check_name("f", "sha256", off, len, block);
	struct wire_bytes got =
		hashes(served_ask(&place->served, &msg), "sha256");
	size_t at = off < size ? (size_t)off : size;
	size_t end = len > 0 && len < size - at ? at + (size_t)len : size;

	while (at < end || (block == 0 && got.len > 0)) {
		size_t part = block > 0 && block < end - at ? block : end - at;
		uint8_t want[64];

		assert_int_equal(expect_hash(want, "sha256", data + at, part),
				 32);
		assert_true(got.len >= 32);
		assert_memory_equal(got.ptr, want, 32);
		got.ptr += 32;
		got.len -= 32;
		at += part;
	}
	assert_int_equal(got.len, 0);
}

static void ranges_and_blocks_are_those_asked_for(void **state)
{
	static const uint64_t offs[] = {0,	1,	256,	   299999,
					300000, 300001, 1ULL << 40};
	static const uint64_t lens[] = {0,	1,	255,	256,	   257,
					262144, 299999, 300000, UINT64_MAX};
	static const uint32_t blocks[] = {0,	  256,	  1000,	     65536,
					  262144, 299999, UINT32_MAX};
	const size_t size = 300000;
	uint8_t *data = noise(size);

	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct place *place = new_place(later);

		make_file(place, "f", data, size);
		for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
			for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]);
			     k++)
				for (size_t b = 0;
				     b < sizeof(blocks) / sizeof(blocks[0]);
				     b++)
					check_blocks(place, data, size, offs[i],
						     lens[k], blocks[b]);
		free_place(place);
	}
	free(data);
}

static void an_answer_that_would_be_too_long_is_refused(void **state)
{
	const size_t size = 2000000; /* 7813 blocks of 256 */
	uint8_t *data = noise(size);

	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct place *place = new_place(later);
		struct sftp_msg msg = check_name("f", "sha512", 0, 0, 256);

		make_file(place, "f", data, size);
		assert_int_equal(served_status(&place->served, &msg),
				 SSH_FX_FAILURE);
		assert_int_equal(place->counted.opens, place->counted.closes);
		free_place(place);
	}
	free(data);
}

static void what_cannot_be_hashed_is_refused(void **state)
{
	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct place *place = new_place(later);
		struct sftp_msg missing = check_name("no", "md5", 0, 0, 0);
		struct sftp_msg dir = check_name("dir", "md5", 0, 0, 0);
		struct sftp_msg small = check_name("f", "md5", 0, 0, 255);

		make_file(place, "f", "x", 1);
		assert_int_equal(
			served_status(&place->served,
				      &(struct sftp_msg){.kind = SFTP_MKDIR,
							 .path = text("dir")}),
			SSH_FX_OK);
		assert_int_equal(served_status(&place->served, &missing),
				 SSH_FX_NO_SUCH_FILE);
		assert_int_equal(served_status(&place->served, &dir),
				 SSH_FX_FAILURE);
		assert_int_equal(served_status(&place->served, &small),
				 SSH_FX_BAD_MESSAGE);
		/* Nothing of it is kept: all handles can be had. */
		for (int i = 0; i < 3; i++) {
			uint8_t keep[8];

			(void)open_file(place, "f", CSFTP_OPEN_READ, keep);
		}
		free_place(place);
	}
}

static void a_handle_is_hashed_where_it_can_be_read(void **state)
{
	struct place *place = new_place(LATER_NEVER);
	uint8_t keep[8], keep2[8];
	uint8_t want[64];
	struct sftp_msg msg = {.kind = SFTP_CHECK_FILE_HANDLE,
			       .data = BYTES("sha1"),
			       .off = 2,
			       .len = 3};
	const struct sftp_msg *answer;
	struct wire_bytes got;

	(void)state;
	make_file(place, "f", "0123456789", 10);
	msg.handle = open_file(place, "f", CSFTP_OPEN_READ, keep);
	got = hashes(served_ask(&place->served, &msg), "sha1");
	assert_int_equal(expect_hash(want, "sha1", "234", 3), 20);
	assert_memory_equal(got.ptr, want, 20);
	/* The answer begins with the name by which some ask for it. */
	msg.kind = SFTP_CHECK_FILE;
	answer = served_ask(&place->served, &msg);
	got = hashes(answer, "check-file");
	assert_int_equal(got.len, 4 + 4 + 20);
	assert_memory_equal(got.ptr, "\0\0\0\4sha1", 8);
	assert_memory_equal(got.ptr + 8, want, 20);
	msg.kind = SFTP_CHECK_FILE_HANDLE;
	assert_int_equal(close_file(place, msg.handle), SSH_FX_OK);
	assert_int_equal(served_status(&place->served, &msg), SSH_FX_FAILURE);
	msg.handle = open_file(place, "f", CSFTP_OPEN_WRITE, keep2);
	assert_int_equal(served_status(&place->served, &msg),
			 SSH_FX_NO_SUCH_FILE); /* EBADF */
	free_place(place);
}

/* filexfer-02, 6: what is asked of one file is done in the order asked. */
static void others_are_served_while_a_file_is_hashed(void **state)
{
	const size_t size = 1500000;
	uint8_t *data = noise(size);
	struct place *place = new_place(LATER_NEVER);
	struct served *served = &place->served;
	uint8_t keep[8], want[64];
	struct sftp_msg msg = {.kind = SFTP_CHECK_FILE_HANDLE,
			       .id = 1,
			       .data = BYTES("sha256")};

	(void)state;
	make_file(place, "f", data, size);
	make_file(place, "g", "g", 1);
	msg.handle =
		open_file(place, "f", CSFTP_OPEN_READ | CSFTP_OPEN_WRITE, keep);
	served_send(served, &msg);
	served_send(served, &(struct sftp_msg){.kind = SFTP_STAT,
					       .id = 2,
					       .path = text("g")});
	assert_true(served_next(served));
	assert_int_equal(served->answer.id, 2);
	assert_true(csftp_link_wants(served->link) & CSFTP_WANT_WORK);
	/* This one waits for the hash, and what follows waits behind it. */
	served_send(served, &(struct sftp_msg){.kind = SFTP_WRITE,
					       .id = 3,
					       .handle = msg.handle,
					       .data = BYTES("changed")});
	assert_false(served_next(served));
	while (!served_next(served))
		assert_true(served_work(served));
	assert_int_equal(served->answer.id, 1);
	assert_int_equal(expect_hash(want, "sha256", data, size), 32);
	assert_memory_equal(hashes(&served->answer, "sha256").ptr, want, 32);
	assert_true(served_next(served));
	assert_int_equal(served->answer.id, 3);
	assert_int_equal(served->answer.num, SSH_FX_OK);
	free_place(place);
	free(data);
}

static void a_session_can_end_in_the_middle_of_a_hash(void **state)
{
	const size_t size = 1500000;
	uint8_t *data = noise(size);

	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		for (int steps = 0; steps < 9; steps++) {
			struct place *place = new_place(later);
			struct sftp_msg msg = check_name("f", "md5", 0, 0, 0);

			make_file(place, "f", data, size);
			served_send(&place->served, &msg);
			for (int i = 0; i < steps; i++)
				(void)served_work(&place->served);
			served_stop(&place->served);
			assert_int_equal(place->counted.opens,
					 place->counted.closes);
			csftp_memfs_free(place->memfs);
			free(place);
		}
	}
	free(data);
}

static void a_step_of_a_hash_is_one_read(void **state)
{
	const size_t size = 1500000;
	uint8_t *data = noise(size);
	struct place *place = new_place(LATER_NEVER);
	struct sftp_msg msg = check_name("f", "md5", 0, 0, 0);

	(void)state;
	make_file(place, "f", data, size);
	served_send(&place->served, &msg);
	assert_int_equal(place->counted.reads, 0);
	for (unsigned i = 1; i < 5; i++) {
		assert_true(served_work(&place->served));
		assert_int_equal(place->counted.reads, i);
		assert_int_equal(csftp_serve_pending(place->served.serve), 1);
	}
	free_place(place);
	free(data);
}

static uint32_t copy(struct place *place, const char *from, const char *to,
		     bool overwrite)
{
	return served_status(&place->served,
			     &(struct sftp_msg){.kind = SFTP_COPY_FILE,
						.path = text(from),
						.path2 = text(to),
						.num = overwrite});
}

static void assert_content(struct place *place, const char *path,
			   const char *want)
{
	uint8_t keep[8];
	struct wire_bytes handle =
		open_file(place, path, CSFTP_OPEN_READ, keep);
	const struct sftp_msg *got =
		served_ask(&place->served, &(struct sftp_msg){.kind = SFTP_READ,
							      .handle = handle,
							      .len = 1000});

	assert_int_equal(got->kind, SFTP_DATA);
	assert_int_equal(got->data.len, strlen(want));
	assert_memory_equal(got->data.ptr, want, strlen(want));
	assert_int_equal(close_file(place, handle), SSH_FX_OK);
}

static void files_are_copied_whole(void **state)
{
	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct place *place = new_place(later);
		const struct sftp_msg *got;

		make_file(place, "f", "source", 6);
		assert_int_equal(
			served_status(&place->served,
				      &(struct sftp_msg){
					      .kind = SFTP_SETSTAT,
					      .path = text("f"),
					      .attr = {.mask = CSFTP_ATTR_MODE,
						       .mode = 0750}}),
			SSH_FX_OK);
		make_file(place, "old", "a longer text", 13);
		assert_int_equal(copy(place, "f", "new", false), SSH_FX_OK);
		assert_content(place, "new", "source");
		assert_int_equal(copy(place, "f", "old", false),
				 SSH_FX_FAILURE);
		assert_content(place, "old", "a longer text");
		assert_int_equal(copy(place, "f", "old", true), SSH_FX_OK);
		assert_content(place, "old", "source");
		/* One opening was refused. */
		assert_int_equal(place->counted.opens - 1,
				 place->counted.closes);
		got = served_ask(&place->served,
				 &(struct sftp_msg){.kind = SFTP_STAT,
						    .path = text("new")});
		assert_int_equal(got->attr.mode & 0777, 0750);
		free_place(place);
	}
}

/* A file and its other name are one: a copy must not empty it. */
static void a_file_survives_being_copied_to_itself(void **state)
{
	struct place *place = new_place(LATER_NEVER);

	(void)state;
	make_file(place, "f", "source", 6);
	assert_int_equal(
		served_status(&place->served,
			      &(struct sftp_msg){.kind = SFTP_HARDLINK,
						 .path = text("f"),
						 .path2 = text("hard")}),
		SSH_FX_OK);
	assert_int_not_equal(copy(place, "f", "f", true), SSH_FX_OK);
	assert_int_not_equal(copy(place, "f", "hard", true), SSH_FX_OK);
	assert_content(place, "f", "source");
	free_place(place);
}

static void what_cannot_be_copied_leaves_nothing(void **state)
{
	(void)state;
	for (int when = LATER_NEVER; when <= LATER_SOMETIMES; when++) {
		enum later_when later = (enum later_when)when;

		struct place *place = new_place(later);
		uint8_t keep[8];

		make_file(place, "f", "source", 6);
		assert_int_equal(
			served_status(&place->served,
				      &(struct sftp_msg){.kind = SFTP_MKDIR,
							 .path = text("dir")}),
			SSH_FX_OK);
		assert_int_equal(copy(place, "no", "new", false),
				 SSH_FX_NO_SUCH_FILE);
		assert_int_equal(copy(place, "dir", "new", false),
				 SSH_FX_FAILURE);
		assert_int_equal(copy(place, "f", "dir", true), SSH_FX_FAILURE);
		assert_int_equal(copy(place, "f", "no/new", true),
				 SSH_FX_NO_SUCH_FILE);
		assert_int_equal(
			served_status(&place->served,
				      &(struct sftp_msg){.kind = SFTP_STAT,
							 .path = text("new")}),
			SSH_FX_NO_SUCH_FILE);
		/* It takes two handles, and one is left. */
		(void)open_file(place, "f", CSFTP_OPEN_READ, keep);
		(void)open_file(place, "f", CSFTP_OPEN_READ, keep);
		assert_int_equal(copy(place, "f", "new", false),
				 SSH_FX_FAILURE);
		(void)open_file(place, "f", CSFTP_OPEN_READ, keep);
		free_place(place);
	}
}

static void a_session_can_end_in_the_middle_of_a_copy(void **state)
{
	(void)state;
	for (int steps = 0; steps < 8; steps++) {
		struct place *place = new_place(LATER_ALWAYS);
		struct sftp_msg msg = {.kind = SFTP_COPY_FILE,
				       .path = text("f"),
				       .path2 = text("new"),
				       .num = 1};

		make_file(place, "f", "source", 6);
		served_send(&place->served, &msg);
		for (int i = 0; i < steps; i++)
			(void)served_work(&place->served);
		served_stop(&place->served);
		assert_int_equal(place->counted.opens, place->counted.closes);
		csftp_memfs_free(place->memfs);
		free(place);
	}
}

static void space_is_what_statvfs_says_in_bytes(void **state)
{
	struct place *place = new_place(LATER_NEVER);
	const struct sftp_msg *got;
	struct csftp_statfs statfs;
	struct wire_rd rd;

	(void)state;
	got = served_ask(
		&place->served,
		&(struct sftp_msg){.kind = SFTP_STATVFS, .path = text("/")});
	rd = (struct wire_rd){.next = got->data.ptr, .left = got->data.len};
	sftp_statfs_get(&rd, &statfs);
	assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
	got = served_ask(&place->served,
			 &(struct sftp_msg){.kind = SFTP_SPACE_AVAILABLE,
					    .path = text("/")});
	assert_int_equal(got->kind, SFTP_EXTENDED_REPLY);
	rd = (struct wire_rd){.next = got->data.ptr, .left = got->data.len};
	assert_int_equal(wire_rd_u64(&rd), statfs.blocks * statfs.frsize);
	assert_int_equal(wire_rd_u64(&rd), statfs.bfree * statfs.frsize);
	assert_int_equal(wire_rd_u64(&rd),
			 (statfs.blocks - statfs.bfree + statfs.bavail) *
				 statfs.frsize);
	assert_int_equal(wire_rd_u64(&rd), statfs.bavail * statfs.frsize);
	assert_int_equal(wire_rd_u32(&rd), statfs.frsize);
	assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
	assert_int_equal(
		served_status(&place->served,
			      &(struct sftp_msg){.kind = SFTP_SPACE_AVAILABLE,
						 .path = text("/no")}),
		SSH_FX_NO_SUCH_FILE);
	free_place(place);
}

static void vendors_introduce_themselves(void **state)
{
	struct place *place = new_place(LATER_NEVER);
	struct wire_rd rd;
	struct wire_bytes vendor = {NULL, 0};

	(void)state;
	assert_int_equal(
		served_status(&place->served,
			      &(struct sftp_msg){.kind = SFTP_VENDOR_ID,
						 .data = BYTES("whoever")}),
		SSH_FX_OK);
	rd = (struct wire_rd){.next = place->served.greeting.data.ptr,
			      .left = place->served.greeting.data.len};
	while (rd.left > 0) {
		struct wire_bytes name = wire_rd_string(&rd, SIZE_MAX);
		struct wire_bytes data = wire_rd_string(&rd, SIZE_MAX);

		if (name.len == 9 && memcmp(name.ptr, "vendor-id", 9) == 0)
			vendor = data;
	}
	assert_int_equal(rd.err, CSFTP_OK);
	rd = (struct wire_rd){.next = vendor.ptr, .left = vendor.len};
	for (int i = 0; i < 3; i++)
		assert_true(wire_rd_string(&rd, SIZE_MAX).len > 0);
	(void)wire_rd_u64(&rd);
	assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
	assert_true(served_announces(&place->served, "check-file"));
	free_place(place);
}

static void limits_are_those_of_the_file_system(void **state)
{
	static const struct {
		uint32_t max_read, max_write;
		uint64_t read, write;
	} cases[] = {
		{0, 0, CSFTP_SERVE_DATA_MAX, CSFTP_SERVE_DATA_MAX},
		{1000, 32768, 1000, 32768},
		{UINT32_MAX, CSFTP_SERVE_DATA_MAX, CSFTP_SERVE_DATA_MAX,
		 CSFTP_SERVE_DATA_MAX},
	};
	struct place *place = new_place(LATER_NEVER);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sftp_limits limits;
		const struct sftp_msg *got;
		struct wire_rd rd;

		place->counted.fs.max_read = cases[i].max_read;
		place->counted.fs.max_write = cases[i].max_write;
		got = served_ask(&place->served,
				 &(struct sftp_msg){.kind = SFTP_LIMITS});
		rd = (struct wire_rd){.next = got->data.ptr,
				      .left = got->data.len};
		sftp_limits_get(&rd, &limits);
		assert_int_equal(wire_rd_end(&rd), CSFTP_OK);
		assert_int_equal(limits.packet, CSFTP_SERVE_PACKET_MAX);
		assert_int_equal(limits.read, cases[i].read);
		assert_int_equal(limits.write, cases[i].write);
		assert_int_equal(limits.handles, 3);
	}
	free_place(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_algorithm_hashes_a_whole_file),
		cmocka_unit_test(crc32_is_that_of_zip),
		cmocka_unit_test(
			the_first_known_algorithm_of_the_list_is_taken),
		cmocka_unit_test(ranges_and_blocks_are_those_asked_for),
		cmocka_unit_test(an_answer_that_would_be_too_long_is_refused),
		cmocka_unit_test(what_cannot_be_hashed_is_refused),
		cmocka_unit_test(a_handle_is_hashed_where_it_can_be_read),
		cmocka_unit_test(others_are_served_while_a_file_is_hashed),
		cmocka_unit_test(a_session_can_end_in_the_middle_of_a_hash),
		cmocka_unit_test(a_step_of_a_hash_is_one_read),
		cmocka_unit_test(files_are_copied_whole),
		cmocka_unit_test(a_file_survives_being_copied_to_itself),
		cmocka_unit_test(what_cannot_be_copied_leaves_nothing),
		cmocka_unit_test(a_session_can_end_in_the_middle_of_a_copy),
		cmocka_unit_test(space_is_what_statvfs_says_in_bytes),
		cmocka_unit_test(vendors_introduce_themselves),
		cmocka_unit_test(limits_are_those_of_the_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
