/* The inode table: numbers, counts, names and paths. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fusefs/inode.h"
#include "tests/lib/test.h"

static int setup(void **state)
{
	struct inodes *table = NULL;

	if (inodes_new(&table) != CSFTP_OK)
		return -1;
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	inodes_free(*state);
	return 0;
}

static struct inode *look(struct inodes *table, struct inode *parent,
			  const char *name, uint32_t type)
{
	struct inode *node =
		inodes_lookup(table, parent, name, strlen(name), type);

	assert_non_null(node);
	return node;
}

static void assert_path(struct inodes *table, const struct inode *node,
			const char *name, const char *want)
{
	char path[CSFTP_PATH_MAX + 1];

	assert_int_equal(inodes_path(table, "/srv", node, name, path), 0);
	assert_string_equal(path, want);
}

static void a_number_is_the_same_after_forget_and_in_another_table(void **state)
{
	struct inodes *table = *state;
	struct inodes *other = NULL;
	struct inode *root = inodes_root(table);
	struct inode *node = look(table, root, "name", S_IFREG);
	uint64_t id = node->id;

	assert_true(id > INODE_ROOT);
	assert_int_equal(inodes_number(table, root, "name", 4), id);
	inodes_forget(table, node, 1);
	assert_null(inodes_get(table, id));
	assert_int_equal(inodes_number(table, root, "name", 4), id);
	assert_int_equal(look(table, root, "name", S_IFREG)->id, id);
	assert_int_equal(inodes_new(&other), CSFTP_OK);
	assert_int_equal(look(other, inodes_root(other), "name", S_IFREG)->id,
			 id);
	inodes_free(other);
}

static void the_root_is_1_and_stays(void **state)
{
	struct inodes *table = *state;

	assert_int_equal(inodes_root(table)->id, INODE_ROOT);
	assert_ptr_equal(inodes_get(table, 1), inodes_root(table));
	inodes_forget(table, inodes_root(table), 100);
	inodes_detach(table, inodes_root(table));
	assert_ptr_equal(inodes_get(table, 1), inodes_root(table));
	assert_int_equal(inodes_root(table)->number, INODE_ROOT);
	assert_path(table, inodes_root(table), NULL, "/srv");
}

static void a_node_lives_as_long_as_anything_holds_it(void **state)
{
	struct inodes *table = *state;
	struct inode *dir = look(table, inodes_root(table), "dir", S_IFDIR);
	struct inode *file = look(table, dir, "file", S_IFREG);

	look(table, dir, "file", S_IFREG);
	assert_int_equal(inodes_count(table), 3);
	inodes_forget(table, dir, 1); /* its child holds it */
	assert_int_equal(inodes_count(table), 3);
	inodes_pin(file);
	inodes_forget(table, file, 1);
	inodes_forget(table, file, 1); /* the pin holds it */
	assert_int_equal(inodes_count(table), 3);
	assert_path(table, file, NULL, "/srv/dir/file");
	inodes_unpin(table, file); /* and all goes */
	assert_int_equal(inodes_count(table), 1);
}

static void forgetting_more_than_there_is_forgets_all(void **state)
{
	struct inodes *table = *state;
	struct inode *node = look(table, inodes_root(table), "a", S_IFREG);

	inodes_forget(table, node, UINT64_MAX);
	assert_int_equal(inodes_count(table), 1);
}

static void two_names_of_two_live_nodes_never_share_a_number(void **state)
{
	struct inodes *table = *state;
	struct inode *root = inodes_root(table);
	struct inode *old = look(table, root, "a", S_IFREG);
	struct inode *new;

	assert_int_equal(inodes_move(table, old, root, "b"), 0);
	/* "a" is natural for the old node's number, which is in use. */
	assert_true(inodes_number(table, root, "a", 1) != old->id);
	new = look(table, root, "a", S_IFREG);
	assert_true(new->id != old->id);
	assert_ptr_equal(inodes_get(table, new->id), new);
	assert_ptr_equal(inodes_get(table, old->id), old);
	inodes_forget(table, old, 1);
	assert_ptr_equal(inodes_get(table, new->id), new);
	assert_ptr_equal(inodes_child(table, root, "a", 1), new);
}

static void a_detached_node_and_all_below_it_have_no_path(void **state)
{
	struct inodes *table = *state;
	struct inode *dir = look(table, inodes_root(table), "dir", S_IFDIR);
	struct inode *file = look(table, dir, "file", S_IFREG);
	char path[CSFTP_PATH_MAX + 1];

	inodes_detach(table, dir);
	assert_int_equal(inodes_path(table, "/", dir, NULL, path), ESTALE);
	assert_int_equal(inodes_path(table, "/", file, NULL, path), ESTALE);
	assert_null(inodes_child(table, inodes_root(table), "dir", 3));
	inodes_forget(table, dir, 1);
	inodes_forget(table, file, 1);
	assert_int_equal(inodes_count(table), 1);
}

static void a_move_keeps_the_number_and_detaches_what_was_there(void **state)
{
	struct inodes *table = *state;
	struct inode *root = inodes_root(table);
	struct inode *dir = look(table, root, "dir", S_IFDIR);
	struct inode *from = look(table, root, "from", S_IFREG);
	struct inode *to = look(table, dir, "to", S_IFREG);
	uint64_t id = from->id;
	char path[CSFTP_PATH_MAX + 1];

	assert_int_equal(inodes_move(table, from, dir, "to"), 0);
	assert_int_equal(from->id, id);
	assert_path(table, from, NULL, "/srv/dir/to");
	assert_ptr_equal(inodes_child(table, dir, "to", 2), from);
	assert_null(inodes_child(table, root, "from", 4));
	assert_int_equal(inodes_path(table, "/", to, NULL, path), ESTALE);
	assert_int_equal(inodes_move(table, from, dir, "to"), 0);
}

static void a_directory_does_not_move_below_itself(void **state)
{
	struct inodes *table = *state;
	struct inode *a = look(table, inodes_root(table), "a", S_IFDIR);
	struct inode *b = look(table, a, "b", S_IFDIR);

	assert_int_equal(inodes_move(table, a, b, "c"), EINVAL);
	assert_int_equal(inodes_move(table, a, a, "c"), EINVAL);
	assert_path(table, b, NULL, "/srv/a/b");
}

static void another_type_is_another_node(void **state)
{
	struct inodes *table = *state;
	struct inode *root = inodes_root(table);
	struct inode *file = look(table, root, "x", S_IFREG);
	struct inode *dir = look(table, root, "x", S_IFDIR);

	assert_ptr_not_equal(file, dir);
	assert_true(file->id != dir->id);
	assert_null(file->name);
	assert_int_equal(file->count, 1);
}

static void paths_end_at_their_ceiling(void **state)
{
	struct inodes *table = *state;
	struct inode *node = inodes_root(table);
	char name[CSFTP_NAME_MAX + 1];
	char path[CSFTP_PATH_MAX + 1];

	memset(name, 'n', CSFTP_NAME_MAX);
	name[CSFTP_NAME_MAX] = '\0';
	for (int i = 0; i < 15; i++)
		node = look(table, node, name, S_IFDIR);
	/* 15 * 256 = 3840 bytes; 4095 - 3840 = 255, of which one is '/'. */
	name[254] = '\0';
	assert_int_equal(inodes_path(table, "/", node, name, path), 0);
	assert_int_equal(strlen(path), CSFTP_PATH_MAX);
	assert_int_equal(path[0], '/');
	assert_int_equal(path[1], 'n');
	name[254] = 'n';
	assert_int_equal(inodes_path(table, "/", node, name, path),
			 ENAMETOOLONG);
	name[254] = '\0';
	assert_int_equal(inodes_path(table, "/r", node, name, path),
			 ENAMETOOLONG);
}

static void the_root_of_the_server_makes_no_double_slash(void **state)
{
	struct inodes *table = *state;
	struct inode *node = look(table, inodes_root(table), "a", S_IFREG);
	char path[CSFTP_PATH_MAX + 1];

	assert_int_equal(inodes_path(table, "/", node, NULL, path), 0);
	assert_string_equal(path, "/a");
	assert_int_equal(
		inodes_path(table, "/", inodes_root(table), NULL, path), 0);
	assert_string_equal(path, "/");
}

/* Random work against plain counting: nothing is lost, nothing stays. */
static void a_hundred_thousand_steps_leave_the_root_alone(void **state)
{
	enum { SLOTS = 5000 };
	struct inodes *table = *state;
	struct inode *root = inodes_root(table);
	static uint32_t held[SLOTS];
	uint64_t seed = 1;
	char name[16];

	memset(held, 0, sizeof(held));
	for (int step = 0; step < 100000; step++) {
		size_t slot;
		int len;

		seed = seed * 6364136223846793005U + 1442695040888963407U;
		slot = (size_t)(seed >> 33) % SLOTS;
		len = snprintf(name, sizeof(name), "n%zu", slot);
		if (seed >> 63 || !held[slot]) {
			look(table, root, name, S_IFREG);
			held[slot]++;
			continue;
		}
		inodes_forget(table,
			      inodes_child(table, root, name, (size_t)len), 1);
		held[slot]--;
	}
	for (size_t slot = 0; slot < SLOTS; slot++) {
		int len = snprintf(name, sizeof(name), "n%zu", slot);
		struct inode *node =
			inodes_child(table, root, name, (size_t)len);

		if (!held[slot]) {
			assert_null(node);
			continue;
		}
		assert_int_equal(node->count, held[slot]);
		inodes_forget(table, node, held[slot]);
	}
	assert_int_equal(inodes_count(table), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_number_is_the_same_after_forget_and_in_another_table,
			setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_is_1_and_stays, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_node_lives_as_long_as_anything_holds_it, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			forgetting_more_than_there_is_forgets_all, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			two_names_of_two_live_nodes_never_share_a_number, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_detached_node_and_all_below_it_have_no_path, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_move_keeps_the_number_and_detaches_what_was_there,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_directory_does_not_move_below_itself, setup,
			teardown),
		cmocka_unit_test_setup_teardown(another_type_is_another_node,
						setup, teardown),
		cmocka_unit_test_setup_teardown(paths_end_at_their_ceiling,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_root_of_the_server_makes_no_double_slash, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_hundred_thousand_steps_leave_the_root_alone, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
