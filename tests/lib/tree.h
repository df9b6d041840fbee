/* Whether two directory trees are the same. */
#ifndef CSFTP_TESTS_TREE_H
#define CSFTP_TESTS_TREE_H

#include <stddef.h>

#define TREE_WHY_MAX 8500

/* What is compared besides names, types, contents and link texts. */
#define TREE_MODE  0x1U /* the permission bits; not of links */
#define TREE_MTIME 0x2U /* whole seconds; not of links */
#define TREE_FILES 0x4U /* of files alone, not of directories */

/*
 * 0: the same.  1: why says where the first difference is.  The roots' own
 * modes and times are compared too.
 */
int tree_compare(const char *left, const char *right, unsigned what,
		 char why[TREE_WHY_MAX]);

/* Fails the running test at the first difference. */
void assert_same_tree(const char *left, const char *right, unsigned what);

/* Names below a directory, at all depths; directories included. */
size_t tree_count(const char *path);

#endif
