/* Users and groups that are known beforehand. */
#include "server/names.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "csftp/memfs.h"
#include "server/account.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/later.h"
#include "tests/lib/test.h"

/*
 * The name service is played: we are "me", user 1000, and so many others are in
 * the file.  Our groups only a question by number finds.
 */
static struct {
	unsigned listed;
	unsigned next;
	unsigned groups;
	unsigned asked; /* after the layer was made */
} played;

uid_t geteuid(void)
{
	return 1000;
}

gid_t getegid(void)
{
	return 1000;
}

static bool give(struct account *out, unsigned id, const char *name)
{
	size_t len = strlen(name) + 1;

	memcpy(out->line, name, len);
	snprintf(out->line + len, 64, "/home/%.20s", name);
	out->id = id;
	out->name = out->line;
	out->home = out->line + len;
	return true;
}

bool account_next_user(struct account *out, FILE *file)
{
	char name[16];

	assert_non_null(file);
	if (played.next == played.listed)
		return false;
	snprintf(name, sizeof(name), "u%u", played.next);
	return give(out, 2000 + played.next++, name);
}

/* It has been told who we are. */
bool account_user(struct account *out, uid_t uid)
{
	(void)out;
	(void)uid;
	played.asked++;
	return false;
}

bool account_user_named(struct account *out, const char *name)
{
	(void)out;
	(void)name;
	played.asked++;
	return false;
}

bool account_group(struct account *out, gid_t gid)
{
	played.asked++;
	if (gid == 4000)
		return give(out, 4000, "also-mine");
	return gid == 1000 && give(out, 1000, "mine");
}

int getgroups(int size, gid_t list[])
{
	if (size > 0)
		list[0] = 4000;
	return 1;
}

bool account_next_group(struct account *out, FILE *file)
{
	assert_non_null(file);
	return played.groups++ == 0 && give(out, 50, "staff");
}

struct world {
	struct csftp_fs *mem;
	struct later later;
	struct fs_caller c;
};

static void begin(struct world *world, unsigned listed, const char *jail)
{
	const struct names_config config = {
		.user = "me", .home = "/home/me", .jail = jail};

	*world = (struct world){.c.drive = later_run};
	world->c.arg = &world->later;
	played.listed = listed;
	played.next = 0;
	played.groups = 0;
	assert_int_equal(csftp_memfs_new(&world->mem, NULL), CSFTP_OK);
	later_init(&world->later, world->mem);
	assert_int_equal(names_new(&world->c.fs, &world->later.fs, &config),
			 CSFTP_OK);
	/* Files are read once they are asked for. */
	assert_int_equal(played.next + played.groups, 0);
	played.asked = 0;
}

static void end(struct world *world)
{
	assert_int_equal(played.asked, 0);
	fs_caller_release(&world->c);
	names_free(world->c.fs);
	csftp_memfs_free(world->mem);
}

static int homedir(struct world *world, const char *name)
{
	return fs_call(&world->c, &(struct csftp_req){.op = CSFTP_OP_HOMEDIR,
						      .path = name});
}

static int idname(struct world *world, uint32_t kind, uint64_t id)
{
	return fs_call(&world->c, &(struct csftp_req){.op = CSFTP_OP_IDNAME,
						      .flags = kind,
						      .off = id});
}

static void numbers_have_the_names_that_were_known(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 3, NULL);
	assert_string_equal(names_idname(world.c.fs, CSFTP_ID_USER, 1000),
			    "me");
	assert_string_equal(names_idname(world.c.fs, CSFTP_ID_USER, 2002),
			    "u2");
	assert_null(names_idname(world.c.fs, CSFTP_ID_USER, 2003));
	assert_string_equal(names_idname(world.c.fs, CSFTP_ID_GROUP, 50),
			    "staff");
	assert_string_equal(names_idname(world.c.fs, CSFTP_ID_GROUP, 1000),
			    "mine");
	assert_string_equal(names_idname(world.c.fs, CSFTP_ID_GROUP, 4000),
			    "also-mine");
	assert_null(names_idname(world.c.fs, 0, 1000));
	assert_int_equal(idname(&world, CSFTP_ID_USER, 2001), 0);
	assert_string_equal(world.c.text, "u1");
	assert_int_equal(idname(&world, CSFTP_ID_USER, 77), ENOENT);
	assert_int_equal(idname(&world, CSFTP_ID_USER, 1000 + (1ULL << 32)),
			 ENOENT);
	assert_int_equal(idname(&world, 0, 1000), EINVAL);
	end(&world);
}

static void homes_are_told_and_expanded(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 3, NULL);
	assert_int_equal(fs_mkdir(&world.c, "/home"), 0);
	assert_int_equal(fs_mkdir(&world.c, "/home/me"), 0);
	assert_int_equal(fs_mkdir(&world.c, "/home/u1"), 0);
	assert_int_equal(homedir(&world, ""), 0);
	assert_string_equal(world.c.text, "/home/me");
	assert_int_equal(homedir(&world, "u2"), 0);
	assert_string_equal(world.c.text, "/home/u2");
	assert_int_equal(homedir(&world, "u"), ENOENT);
	assert_int_equal(fs_expand(&world.c, "~"), 0);
	assert_string_equal(world.c.text, "/home/me");
	assert_int_equal(fs_expand(&world.c, "~/x"), 0);
	assert_string_equal(world.c.text, "/home/me/x");
	assert_int_equal(fs_expand(&world.c, "~u1/."), 0);
	assert_string_equal(world.c.text, "/home/u1");
	assert_int_equal(fs_expand(&world.c, "~nobody/x"), ENOENT);
	assert_int_equal(fs_expand(&world.c, "/a"), 0);
	assert_string_equal(world.c.text, "/a");
	assert_int_equal(fs_realpath(&world.c, "~"), 0);
	assert_string_equal(world.c.text, "/~");
	end(&world);
}

static void a_jail_has_its_own_view_of_homes(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 3, "/home/me");
	assert_int_equal(homedir(&world, ""), 0);
	assert_string_equal(world.c.text, "/");
	assert_int_equal(homedir(&world, "u1"), 0);
	assert_string_equal(world.c.text, "/");
	end(&world);
	begin(&world, 3, "/home");
	assert_int_equal(homedir(&world, "u1"), 0);
	assert_string_equal(world.c.text, "/u1");
	end(&world);
	/* Not a part of a name. */
	begin(&world, 3, "/home/m");
	assert_int_equal(homedir(&world, ""), 0);
	assert_string_equal(world.c.text, "/");
	end(&world);
	begin(&world, 3, "/");
	assert_int_equal(homedir(&world, ""), 0);
	assert_string_equal(world.c.text, "/home/me");
	end(&world);
}

static void a_path_that_grows_too_long_is_refused(void **state)
{
	struct world world;
	char path[CSFTP_PATH_MAX + 1];

	(void)state;
	begin(&world, 1, NULL);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	path[0] = '~';
	path[1] = '/';
	assert_int_equal(fs_expand(&world.c, path), ENAMETOOLONG);
	end(&world);
}

static void there_is_a_limit_to_what_is_known(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 100000, NULL);
	assert_non_null(names_idname(world.c.fs, CSFTP_ID_USER, 1000));
	assert_non_null(
		names_idname(world.c.fs, CSFTP_ID_USER, 2000 + NAMES_MAX - 2));
	assert_null(
		names_idname(world.c.fs, CSFTP_ID_USER, 2000 + NAMES_MAX - 1));
	end(&world);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(numbers_have_the_names_that_were_known),
		cmocka_unit_test(homes_are_told_and_expanded),
		cmocka_unit_test(a_jail_has_its_own_view_of_homes),
		cmocka_unit_test(a_path_that_grows_too_long_is_refused),
		cmocka_unit_test(there_is_a_limit_to_what_is_known),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
