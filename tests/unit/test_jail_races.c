/* A jail while another thread changes what the paths go through. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/attack.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Names that change while they are used.  A thread of another's does what it
 * can, as fast as it can, until it is told to stop.
 */
struct swapper {
	const struct attack *attack;
	void (*swap)(const struct swapper *swapper);
	char one[256];
	char two[256];
	atomic_bool stop;
	atomic_uint rounds;
	pthread_t thread;
};

static void *swapper_run(void *arg)
{
	struct swapper *swapper = arg;

	while (!atomic_load(&swapper->stop)) {
		swapper->swap(swapper);
		atomic_fetch_add(&swapper->rounds, 1);
	}
	return NULL;
}

/* Each is the other: what was a directory is a link, and back. */
static void exchange(const struct swapper *swapper)
{
	(void)renameat2(AT_FDCWD, swapper->one, AT_FDCWD, swapper->two,
			RENAME_EXCHANGE);
}

/* There, and back. */
static void move_away(const struct swapper *swapper)
{
	(void)rename(swapper->one, swapper->two);
	(void)rename(swapper->two, swapper->one);
}

#define ATTEMPTS 3000U
#define ROUNDS	 1000U

/*
 * Sends requests until there were enough of them and enough swaps; puts back
 * what they take away.
 */
static void race(struct attack *attack, struct swapper *swapper,
		 const char *const *paths, size_t count)
{
	unsigned done = 0;

	swapper->attack = attack;
	assert_int_equal(
		pthread_create(&swapper->thread, NULL, swapper_run, swapper),
		0);
	while (done < ATTEMPTS || atomic_load(&swapper->rounds) < ROUNDS) {
		const struct attack_request *request =
			&attack_requests[done % attack_requests_count];
		const char *path = paths[done / attack_requests_count % count];

		attack_send(attack, request, path);
		attack_ask(attack,
			   &(struct sftp_msg){.kind = SFTP_RENAME,
					      .path = attack_bytes("stolen"),
					      .path2 = attack_bytes("f")});
		attack_ask(attack,
			   &(struct sftp_msg){.kind = SFTP_REMOVE,
					      .path = attack_bytes("stolen")});
		attack_ask(attack,
			   &(struct sftp_msg){.kind = SFTP_MKDIR,
					      .path = attack_bytes("empty")});
		done++;
	}
	atomic_store(&swapper->stop, true);
	assert_int_equal(pthread_join(swapper->thread, NULL), 0);
}

static void race_in_jail(struct attack *attack, struct swapper *swapper,
			 const struct posixfs_config *config,
			 const char *const *paths, size_t count)
{
	attack_start(attack, config);
	race(attack, swapper, paths, count);
	attack_end(attack);
	assert_false(attack->seen);
}

/* In the middle of a path, and at its end. */
static void a_name_that_becomes_a_link_does_not_lead_out(void **state)
{
	/* Not "d/x" itself: who removes it has no race any more. */
	static const char *const paths[] = {"d/x/secret", "d/x/new",
					    "d/x/../x/secret", "d/x/dir/"};
	static const struct posixfs_view views[] = {{"/d/g", POSIXFS_RO}};
	struct attack *attack = *state;

	for (size_t i = 0; i < 2; i++) {
		struct posixfs_config config = {
			.root = attack->jail, .views = views, .view_count = i};
		struct swapper swapper = {.swap = exchange};

		attack_make_jail(attack);
		attack_make_dir(attack->jail, "d/x");
		attack_make_link(attack->jail, "y",
				 i ? "../../out" : attack->out);
		attack_path(swapper.one, "%s/d/x", attack->jail);
		attack_path(swapper.two, "%s/y", attack->jail);
		race_in_jail(attack, &swapper, &config, paths,
			     ARRAY_LEN(paths));
		assert_true(attack_canary_lives(attack));
		attack_remove_tree(attack->jail);
	}
}

static void a_file_that_becomes_a_link_does_not_lead_out(void **state)
{
	static const char *const paths[] = {"x", "/d/../x", "d/up/x"};
	struct attack *attack = *state;
	struct posixfs_config config = {.root = attack->jail};
	struct swapper swapper = {.swap = exchange};

	attack_make_jail(attack);
	attack_make_file(attack->jail, "x", "inside");
	attack_path(swapper.one, "%s/x", attack->jail);
	attack_path(swapper.two, "%s/rel-file", attack->jail);
	race_in_jail(attack, &swapper, &config, paths, ARRAY_LEN(paths));
	assert_true(attack_canary_lives(attack));
}

/* Down and up again, so often that what is above moves meanwhile. */
static void long_way(char path[4000], const char *end)
{
	size_t len = 0;

	memcpy(path, "d/m/", 4);
	for (len = 4; len < 3000; len += 5)
		memcpy(path + len, "n/../", 5);
	snprintf(path + len, 4000 - len, "%s", end);
}

/* "..", whose meaning changes while the kernel is below it. */
static void race_moving(struct attack *attack, const char *to)
{
	char way[4][4000];
	const char *const paths[] = {way[0], way[1], way[2], way[3]};
	struct posixfs_config config = {.root = attack->jail};
	struct swapper swapper = {.swap = move_away};

	long_way(way[0], "../out/secret");
	long_way(way[1], "../../out/secret");
	long_way(way[2], "../../out/dir");
	long_way(way[3], "../out/new");
	attack_make_jail(attack);
	attack_make_dir(attack->jail, "d/m");
	attack_make_dir(attack->jail, "d/m/n");
	attack_path(swapper.one, "%s/d/m", attack->jail);
	attack_path(swapper.two, "%s", to);
	race_in_jail(attack, &swapper, &config, paths, ARRAY_LEN(paths));
	assert_true(attack_canary_lives(attack));
}

static void a_parent_that_moves_does_not_lead_out(void **state)
{
	struct attack *attack = *state;
	char to[256];

	attack_path(to, "%s/m", attack->jail);
	race_moving(attack, to);
}

/* Even out of the jail: then its ".." is outside. */
static void a_parent_that_is_moved_out_does_not_lead_there(void **state)
{
	struct attack *attack = *state;
	char to[256];

	attack_path(to, "%s/m", attack->base);
	race_moving(attack, to);
}

/* What the views keep: a directory with a canary of its own in it. */
struct kept {
	struct stat dir;
	struct stat file;
};

static void kept_stat(struct kept *kept, const struct attack *attack,
		      const char *name)
{
	char path[256];

	attack_path(path, "%s/%s", attack->jail, name);
	attack_must(lstat(path, &kept->dir));
	attack_path(path, "%s/%s/secret", attack->jail, name);
	attack_must(lstat(path, &kept->file));
}

static bool same_times(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_nlink == b->st_nlink &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void race_with_view(struct attack *attack, enum posixfs_access access,
			   const char *text)
{
	/* With something that is not there, so that it can be made. */
	static const char *const paths[] = {"d/x/secret", "d/x/new",
					    "d/x/../x/secret", "d/x/dir/"};
	const struct posixfs_view view = {"/kept", access};
	const struct posixfs_config config = {
		.root = attack->jail, .views = &view, .view_count = 1};
	struct swapper swapper = {.swap = exchange};
	struct kept before, after;

	attack_make_jail(attack);
	attack_make_dir(attack->jail, "kept");
	attack_make_file(attack->jail, "kept/secret", text);
	attack_make_dir(attack->jail, "d/x");
	attack_make_link(attack->jail, "y", "/kept");
	attack_path(swapper.one, "%s/d/x", attack->jail);
	attack_path(swapper.two, "%s/y", attack->jail);
	kept_stat(&before, attack, "kept");
	race_in_jail(attack, &swapper, &config, paths, ARRAY_LEN(paths));
	kept_stat(&after, attack, "kept");
	assert_true(same_times(&before.dir, &after.dir));
	assert_true(same_times(&before.file, &after.file));
}

static void what_is_read_only_stays_so_in_a_race(void **state)
{
	race_with_view(*state, POSIXFS_RO, "to be read");
}

static void what_is_hidden_stays_so_in_a_race(void **state)
{
	race_with_view(*state, POSIXFS_NONE, ATTACK_CONTENT);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, attack_set_up, attack_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_that_becomes_a_link_does_not_lead_out),
		TEST(a_file_that_becomes_a_link_does_not_lead_out),
		TEST(a_parent_that_moves_does_not_lead_out),
		TEST(a_parent_that_is_moved_out_does_not_lead_there),
		TEST(what_is_read_only_stays_so_in_a_race),
		TEST(what_is_hidden_stays_so_in_a_race),
	};

	return attack_run(tests, ARRAY_LEN(tests));
}
