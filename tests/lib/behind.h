/* Writes that are answered before they are done, over a far memfs. */
#ifndef CSFTP_TESTS_BEHIND_H
#define CSFTP_TESTS_BEHIND_H

#include "core/layer/writebehind.h"
#include "tests/lib/far.h"

#define BEHIND_PIECE 1000U /* what the far end takes in one WRITE */
#define BEHIND_NEW   (CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT | CSFTP_OPEN_EXCL)
#define BEHIND_BOTH  (CSFTP_OPEN_READ | CSFTP_OPEN_WRITE)

/* What was asked below, in order, by letters. */
#define STORY_MAX 400U

struct behind {
	struct relay
		tap; /* first: over far; tells, and fails what is to fail */
	struct far far;
	struct fs_caller *c; /* far's, through the layer */
	struct writebehind *wb;
	struct writebehind_config config;
	char story[STORY_MAX + 1];
	unsigned fail_write; /* this one, counted from 1, ... */
	int write_err;	     /* ... so */
	int close_err;
	int setattr_err;
	int open_err;
	csftp_fh next_fh; /* that the next OPEN or OPENDIR gives; 0: its own */
	struct {
		csftp_fh shown;
		csftp_fh is;
	} odd[4]; /* those that were given so */
	unsigned odd_count;
	bool all_there;	  /* of no name it is known that it is absent */
	uint64_t longest; /* WRITE */
	unsigned pieces;  /* of WRITEs in pieces */
	unsigned lost;
	int lost_err;
	uint64_t trip_us; /* to the server; 0: it is not known */
	bool asked;	  /* somebody asks these days */
	uint8_t bytes[256 * BEHIND_PIECE];
};

/* A request that nobody has to wait for. */
struct behind_ask {
	struct csftp_req req;
	unsigned answers;
	int err;
	struct csftp_attr attr;
	csftp_fh fh;
};

/* For cmocka.  The layer is made by behind_ready(), from world->config. */
int behind_set_up(void **state);
int behind_tear_down(void **state);
struct behind *behind_ready(void **state);

/* From here on trips and the story count. */
void behind_begin(struct behind *world);

/*
 * The same, of a durability of async, where a file was made, and looked at, in
 * "/d": so others there are made early.  Nobody is known to be there.
 */
struct behind *behind_ready_early(void **state);

csftp_fh behind_open(struct behind *world, const char *path, uint32_t flags);

/* One WRITE of the bytes that belong at off. */
int behind_put(struct behind *world, csftp_fh fh, uint64_t off, size_t len);

int behind_flush(struct behind *world, csftp_fh fh);

/* What the far end has by now, whoever else waits: len of those bytes. */
void behind_assert(struct behind *world, const char *path, size_t len);

void behind_submit(struct behind *world, struct behind_ask *ask,
		   struct csftp_req req);

#define BEHIND_TEST(name)                                                      \
	cmocka_unit_test_setup_teardown(name, behind_set_up, behind_tear_down)

#endif
