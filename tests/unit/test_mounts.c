/* File systems that others answer for. */
#include "server/mounts.h"

#include <string.h>

#include "tests/lib/test.h"

static bool is_far(const char *type)
{
	return mounts_is_far_type(type, strlen(type));
}

static bool is_reached(const char *root, const char *point)
{
	return mounts_is_reached(root, point, strlen(point));
}

static void what_others_answer_for_is_far(void **state)
{
	(void)state;
	assert_true(is_far("nfs"));
	assert_true(is_far("nfs4"));
	assert_true(is_far("cifs"));
	assert_true(is_far("fuse"));
	assert_true(is_far("fuse.sshfs"));
	assert_true(is_far("fuseblk"));
	assert_false(is_far("ext4"));
	assert_false(is_far("tmpfs"));
	/* These are the kernel's own, and mounted nearly everywhere. */
	assert_false(is_far("fusectl"));
	assert_false(is_far("nfsd"));
	assert_false(is_far("fuse."));
	assert_false(is_far(""));
}

static void only_what_the_root_has_or_is_in_counts(void **state)
{
	(void)state;
	assert_true(is_reached(NULL, "/mnt"));
	assert_true(is_reached("/", "/mnt"));
	assert_true(is_reached("/srv", "/srv"));
	assert_true(is_reached("/srv", "/srv/a"));
	assert_true(is_reached("/srv/a/b", "/srv/a"));
	assert_true(is_reached("/srv/a", "/"));
	assert_false(is_reached("/srv", "/mnt"));
	assert_false(is_reached("/srv", "/srv2"));
	assert_false(is_reached("/srv2", "/srv"));
	assert_false(is_reached("/srv/a", "/srv/b"));
	/* A blank in it, as the kernel writes one: who knows. */
	assert_true(is_reached("/srv", "/a\\040b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_answer_for_is_far),
		cmocka_unit_test(only_what_the_root_has_or_is_in_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
