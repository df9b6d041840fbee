/* Inside the suite: what its files of checks share. */
#ifndef CSFTP_TESTS_FS_SUITE_CHECKS_H
#define CSFTP_TESTS_FS_SUITE_CHECKS_H

#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Each check begins in an empty directory; nothing may stay open. */
int fs_suite_setup(void **state);
int fs_suite_teardown(void **state);
#define FS_CHECK(f)                                                            \
	{                                                                      \
#f, f, fs_suite_setup, fs_suite_teardown, NULL                 \
	}

extern const struct CMUnitTest fs_suite_attr[];
extern const size_t fs_suite_attr_count;
extern const struct CMUnitTest fs_suite_data[];
extern const size_t fs_suite_data_count;
extern const struct CMUnitTest fs_suite_dirs[];
extern const size_t fs_suite_dirs_count;
extern const struct CMUnitTest fs_suite_names[];
extern const size_t fs_suite_names_count;

/* name below the check's directory; good for three more calls. */
const char *at(struct fs_suite *suite, const char *name);
/* Skips the rest of the check unless the file system has all of what. */
void need(const struct fs_suite *suite, uint32_t what);

/* The call's errno is want; which one counts only with FS_EXACT_ERRNO. */
#define expect(suite, got, want)                                               \
	fs_suite_expect((suite), (got), (want), __FILE__, __LINE__)
void fs_suite_expect(const struct fs_suite *suite, int got, int want,
		     const char *file, int line);

/* Makes a file with that text; opens it, made if missing. */
void make_file(struct fs_suite *suite, const char *name, const char *text);
csftp_fh open_file(struct fs_suite *suite, const char *name, uint32_t flags);
csftp_fh open_dir(struct fs_suite *suite, const char *name);
void close_fh(struct fs_suite *suite, csftp_fh fh);
/* The whole file is that text. */
void has_text(struct fs_suite *suite, const char *name, const char *text);
void fh_has_text(struct fs_suite *suite, csftp_fh fh, const char *text);

#endif
