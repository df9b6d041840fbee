/* What any csftp_fs must do: checks to run over each of them. */
#ifndef CSFTP_TESTS_FS_SUITE_H
#define CSFTP_TESTS_FS_SUITE_H

#include "tests/lib/fs_call.h"

/*
 * What a file system can by its nature; checks of what it cannot are left out
 * or say less.  A flag is for what is impossible (SFTP version 3 has no nlink),
 * not for what is not done.
 */
#define FS_EXACT_ERRNO	0x001U /* else an error is only that, not which */
#define FS_NSEC		0x002U /* times have nanoseconds */
#define FS_NLINK	0x004U /* attributes say how many names there are */
#define FS_HARD_LINKS	0x008U
#define FS_COPY_RANGE	0x010U
#define FS_REPLACE	0x020U /* RENAME can go over what is there */
#define FS_NOFOLLOW_SET 0x040U /* SETATTR of a symbolic link itself */
#define FS_STATFS	0x080U
#define FS_CHOWN	0x100U	/* we may give files away */
#define FS_BIG_FILES	0x200U	/* holes above 4 GiB cost nothing */
#define FS_EXPAND	0x400U	/* "~" at the start of a path */
#define FS_FH_MODES	0x800U	/* it knows what a handle was opened for */
#define FS_COPY_EMPTY	0x1000U /* copying nothing fails where copying would */
#define FS_ALL		0x1fffU

struct fs_suite {
	struct fs_caller caller;
	const char *name; /* shown before each group of checks */
	const char *base; /* absolute; an existing, empty, writable directory */
	uint32_t has;	  /* FS_* */
	/* The suite's own. */
	char dir[CSFTP_PATH_MAX + 1]; /* below base; one check's alone */
	char path[4][CSFTP_PATH_MAX + 1];
	unsigned next_path;
};

/* Runs all checks; returns how many failed.  base is empty again then. */
int fs_suite_run(struct fs_suite *suite);

/*
 * The same over what the caller calls, with a base that `other` makes: one
 * behind a layer's back, or the caller itself.
 */
int fs_suite_run_over(const struct fs_caller *caller, struct fs_caller *other,
		      const char *name, uint32_t has);

#endif
