/* A directory tree to be copied: ordinary in part, and in part not at all. */
#ifndef CSFTP_TESTS_SAMPLE_H
#define CSFTP_TESTS_SAMPLE_H

/* What not every client can; all else is always there. */
#define SAMPLE_LINKS	 0x01U /* symbolic links to files */
#define SAMPLE_DIR_LINKS 0x02U /* symbolic links to directories */
#define SAMPLE_DANGLING	 0x04U /* a symbolic link to nowhere */
#define SAMPLE_BYTES	 0x08U /* names that are not UTF-8 */
#define SAMPLE_CONTROL	 0x10U /* names with tabs and newlines */
#define SAMPLE_LATE	 0x20U /* a time of more than 31 bits */
#define SAMPLE_ALL	 0x3fU
/* Without links, which many clients follow or leave out. */
#define SAMPLE_PLAIN (SAMPLE_BYTES | SAMPLE_CONTROL | SAMPLE_LATE)

/*
 * Makes the directory and all in it: over 400 files, one of them of more than
 * 4 MiB, sizes around those of packets, names with blanks and with characters
 * that shells and patterns know, empty files and directories, different modes
 * and times.  The same each time, so that a second sample is what a copy of
 * the first has to be; but made without links, its directories are as old as
 * those with.
 */
void sample_make(const char *path, unsigned with);

#endif
