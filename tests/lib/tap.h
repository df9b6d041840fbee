/* A layer that counts, holds back, cuts short and fails what a test wants. */
#ifndef CSFTP_TESTS_TAP_H
#define CSFTP_TESTS_TAP_H

#include "csftp/fs.h"

/*
 * It stands over a file system that answers inside csftp_submit().  All zero
 * but `below`, set by tap_init(), it changes nothing else.
 *
 * By the end of their path: a GETATTR of "never" and an OPEN or OPENDIR of
 * "never-open" are held until tap_release().  A held request is not cancelled,
 * only counted.  Once a file is made, an OPEN for writing is refused where its
 * owner may not write.  With hold_halves a SETATTR of one of two owners, or
 * times, is held, too.
 */
struct tap {
	struct csftp_fs fs;
	struct csftp_fs *below;
	struct csftp_req *held; /* through next */
	uint32_t held_count;
	uint32_t held_most;
	uint32_t release_at; /* so many held READs are let go together */
	uint32_t cancelled;
	uint32_t count[CSFTP_OP_COUNT];
	uint32_t owned;	    /* requests to make something that named an owner */
	uint32_t owner_uid; /* of the last of them */
	uint32_t owner_gid;
	int handles;	      /* opened and not closed */
	uint32_t open_fails;  /* so many OPENs that make nothing, with EIO */
	uint32_t write_fails; /* so many WRITEs */
	int close_err;
	int write_err;
	int setattr_err;
	uint32_t setattrs; /* so many are done before it is answered */
	int fsync_err;
	uint64_t read_part; /* what a READ answers at most */
	uint64_t was_size;  /* one READ is of when the file ended there */
	bool hold_reads;
	bool hold_rename;
	bool hold_halves;
	bool no_sizes; /* SETATTR leaves them as they are, and says nothing */
	bool no_end;   /* of a directory, and no name either */
	bool bad_names;
	bool no_attr;
	bool no_statfs;
};

void tap_init(struct tap *tap, struct csftp_fs *below);

/* Passes on all that is held, in order. */
void tap_release(struct tap *tap);

#endif
