/* One request to two servers in two equal trees, and what they make of it. */
#ifndef CSFTP_TESTS_TWINS_H
#define CSFTP_TESTS_TWINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/sftp/msg.h"
#include "tests/lib/proc.h"

#define TWINS_ANSWER_MAX (300U * 1024U)
#define TWINS_HANDLES	 4U

/*
 * What differs and is meant to.  The patterns are those of fnmatch(3), on the
 * request and on both answers, each as one line of text.
 */
enum twins_trees { TWINS_TREES_SAME, TWINS_TREES_DIFFER };

struct twins_difference {
	const char *request;
	const char *theirs;
	const char *ours;
	enum twins_trees trees; /* afterwards, so nothing more is asked */
	const char *why;
};

enum twins_who { TWINS_SELF, TWINS_NOBODY };

struct twin {
	pid_t pid; /* 0: has ended */
	int in;	   /* of the server */
	int out;
	char root[PROC_PATH_MAX]; /* its tree, and its working directory */
	uint8_t handle[TWINS_HANDLES][SFTP_HANDLE_MAX];
	size_t handle_len[TWINS_HANDLES]; /* 0: none */
	char *said;			  /* the answer as text */
	uint8_t buf[TWINS_ANSWER_MAX];
	struct sftp_msg answer; /* points into buf */
};

struct twins {
	struct twin theirs; /* OpenSSH's sftp-server */
	struct twin ours;
	char dir[PROC_PATH_MAX];
	char server[PROC_PATH_MAX];
	const struct twins_difference *differences;
	bool *used; /* by difference: it has been seen */
	size_t difference_count;
	bool touched; /* there was a request to change them */
	bool stale;   /* the trees are not as they are built */
	bool apart;   /* and no longer the same */
	enum twins_who who;
	int64_t began;
	unsigned asked;
	unsigned wrong; /* answers and trees that differ and should not */
};

void twins_init(struct twins *twins, const struct twins_difference *differences,
		size_t count);

/* Fails the running test where a difference is listed that was not seen. */
void twins_all_seen(const struct twins *twins);
void twins_release(struct twins *twins);

/*
 * New trees where the last have changed, and new servers in them where one has
 * ended.  TWINS_NOBODY: with the rights of user 65534, if we are root.
 */
void twins_start(struct twins *twins, enum twins_who who);

/* Closes the handles that were kept, and compares the trees. */
void twins_stop(struct twins *twins);

/* Stands for the handle that the i-th answer to an OPEN brought. */
struct wire_bytes twins_handle(unsigned i);

/*
 * Asks both.  A handle that comes is kept under the number msg->id modulo
 * TWINS_HANDLES.  Does nothing once a server has ended.
 */
void twins_ask(struct twins *twins, const struct sftp_msg *msg);

/* The same with bytes behind, or without the last; see struct sftp_msg. */
void twins_ask_cut(struct twins *twins, const struct sftp_msg *msg, int more);

/* A packet of any bytes; the server may ignore it and answer what follows. */
void twins_ask_raw(struct twins *twins, const char *name, const void *bytes,
		   size_t len);

/* OPENDIR, all that READDIR brings, in order, and CLOSE. */
void twins_list(struct twins *twins, const char *path);

#endif
