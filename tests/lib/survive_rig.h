/* The survive layer over memfs, by connections that a test cuts. */
#ifndef CSFTP_TESTS_SURVIVE_RIG_H
#define CSFTP_TESTS_SURVIVE_RIG_H

#include "core/layer/survive.h"
#include "tests/lib/cut.h"
#include "tests/lib/fs_call.h"

#define READS	CSFTP_OPEN_READ
#define WRITES	CSFTP_OPEN_WRITE
#define MAKES	(CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)
#define APPENDS (CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_CREAT)

#define RIG_SAID_MAX 16384

struct rig {
	struct csftp_fs *memfs;
	struct cut cut;
	struct survive *survive;
	struct fs_caller caller; /* of the layer */
	struct fs_caller other;	 /* of memfs, behind its back */
	uint64_t now_ms;
	/* Cuts of the connections to come, as in struct cut. */
	unsigned next_at[4];
	unsigned cuts;
	bool stays_down;
	char said[RIG_SAID_MAX];
	size_t said_len;
};

/* A wish of NULL: all is waited for without end. */
struct rig *rig_new(const struct survive_config *wish);
void rig_free(struct rig *rig);

/* One step, which may be a new connection; false: nothing is left to do. */
bool rig_step(struct rig *rig);

/* Until nothing is left to do. */
void rig_settle(struct rig *rig);

/* Cuts once all that was asked is done. */
void rig_cut(struct rig *rig);

#define BURST 6

/* WRITE at 0. */
void rig_ask_write(struct rig *rig, struct fs_asked *asked, csftp_fh fh,
		   const char *text);

/* Writes that are all out at a time, and perhaps CLOSE behind; their errors. */
void rig_burst(struct rig *rig, csftp_fh fh, const char *const text[BURST],
	       bool closes, int err[BURST + 1]);

#endif
