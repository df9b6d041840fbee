/* Each request on each way out of a jail; what the ways are is in here. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/attack.h"
#include "tests/lib/proc.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* What an attacker asks for.  %s is the canary's directory, absolute. */
static const char *const ways[] = {
	"../out/secret",
	"/../out/secret",
	"/../../../../../../../../..%s/secret",
	"%s/secret",
	"d/../../out/secret",
	"d/../../out",
	"./d/.././../out/dir",
	"//..//out//secret",
	"..",
	"../..",
	"/..",
	"../out",
	"../out/",
	"../out/.",
	"../out/new",
	"../new",
	"abs-file",
	"abs-file/",
	"/abs-dir",
	"abs-dir/",
	"abs-dir/.",
	"abs-dir/secret",
	"abs-dir/new",
	"abs-dir/dir",
	"abs-dir/../out/secret",
	"abs-inner/canary-name",
	"abs-dangling",
	"dangling",
	"rel-file",
	"rel-dir/secret",
	"rel-dir/new",
	"rel-dir/",
	"d/deep",
	"d/deep-dir/secret",
	"d/deep-dir/../out/secret",
	"up/out/secret",
	"up/out/new",
	"up/up/up%s/secret",
	"d/up/out/secret",
	"slash%s/secret",
	"slash/../out/secret",
	"chain",
	"chain-end",
	"d/chain",
	"chain/",
	"proc-root%s/secret",
};

/* Whether it reached the canary. */
static bool attempt(struct attack *attack, const struct attack_request *request,
		    const char *path)
{
	attack_send(attack, request, path);
	return attack->seen || !attack_canary_lives(attack);
}

/* A new jail and a session in it; after a breach, a new canary too. */
static void renew(struct attack *attack, const struct posixfs_config *config,
		  bool breach)
{
	if (attack->serve)
		attack_end(attack);
	if (breach) {
		attack_remove_tree(attack->base);
		attack_must(mkdir(attack->base, 0755));
		attack_make_canary(attack);
	} else {
		attack_remove_tree(attack->jail);
	}
	attack_make_jail(attack);
	attack_start(attack, config);
}

/* All requests on all ways; how many reached the canary. */
static unsigned attempt_all(struct attack *attack,
			    const struct posixfs_config *config, bool stop)
{
	unsigned breaches = 0;
	bool breach = false;

	renew(attack, config, false);
	for (size_t i = 0; i < ARRAY_LEN(ways) * attack_requests_count; i++) {
		const char *way = ways[i / attack_requests_count];
		const struct attack_request *request =
			&attack_requests[i % attack_requests_count];
		const char *rest = strchr(way, '%');
		char path[256];

		attack_path(path, "%.*s%s%s", (int)strcspn(way, "%"), way,
			    rest ? attack->out : "", rest ? rest + 2 : "");
		if (attack->changed)
			renew(attack, config, breach);
		breach = attempt(attack, request, path);
		breaches += breach;
		if (breach && stop)
			fail_msg("request %zu (%s) of %s",
				 i % attack_requests_count,
				 sftp_kind_name(request->kind), path);
		attack->changed = attack->changed || breach;
	}
	attack_end(attack);
	return breaches;
}

static void no_request_leaves_the_jail(void **state)
{
	struct attack *attack = *state;
	const struct posixfs_config config = {.root = attack->jail};

	assert_int_equal(attempt_all(attack, &config, true), 0);
}

static void no_request_leaves_a_jail_with_views(void **state)
{
	static const struct posixfs_view views[] = {{"/", POSIXFS_RW},
						    {"/d/g", POSIXFS_NONE}};
	struct attack *attack = *state;
	const struct posixfs_config config = {
		.root = attack->jail, .views = views, .view_count = 2};

	assert_int_equal(attempt_all(attack, &config, true), 0);
}

static void no_request_leaves_a_jail_from_a_start_below(void **state)
{
	struct attack *attack = *state;
	const struct posixfs_config config = {.root = attack->jail,
					      .start = "d"};

	assert_int_equal(attempt_all(attack, &config, true), 0);
}

/* That these attacks are any good: without a jail they arrive. */
static void the_same_requests_arrive_without_a_jail(void **state)
{
	struct attack *attack = *state;
	const struct posixfs_config config = {.start = attack->jail};

	assert_in_range(attempt_all(attack, &config, false), 300, 2000);
}

static void an_open_directory_that_is_moved_out_shows_itself(void **state)
{
	struct attack *attack = *state;
	struct posixfs_config config = {.root = attack->jail};
	struct wire_bytes fh;
	uint8_t name[64];
	char from[256], to[256];

	attack_make_jail(attack);
	attack_start(attack, &config);
	assert_int_equal(
		attack_ask(attack,
			   &(struct sftp_msg){.kind = SFTP_OPENDIR,
					      .path = attack_bytes("d")}),
		SFTP_HANDLE);
	fh = (struct wire_bytes){name, attack->msg.handle.len};
	memcpy(name, attack->msg.handle.ptr, fh.len);
	attack_path(from, "%s/d", attack->jail);
	attack_path(to, "%s/d", attack->base);
	attack_must(rename(from, to));
	assert_int_equal(
		attack_ask(attack, &(struct sftp_msg){.kind = SFTP_READDIR,
						      .handle = fh}),
		SFTP_NAME);
	assert_non_null(memmem(attack->answer, attack->answer_len, "deep", 4));
	/* By its path it is not there any more. */
	attack_ask(attack, &(struct sftp_msg){.kind = SFTP_STAT,
					      .path = attack_bytes("d/g")});
	assert_false(attack_succeeded(attack));
	attack_must(rename(to, from));
	attack_end(attack);
	assert_false(attack->seen);
	assert_true(attack_canary_lives(attack));
}

/* The same directory, by its own names and from inside. */
static void inside_the_jail_links_lead_to_its_own_root(void **state)
{
	static const char *const paths[] = {"slash/f", "up/up/f", "/../f",
					    "d/up/f",  "d/../f",  "abs"};
	struct attack *attack = *state;
	struct posixfs_config config = {.root = attack->jail};

	attack_make_jail(attack);
	attack_make_link(attack->jail, "abs", "/d/../f");
	attack_start(attack, &config);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_int_equal(
			attack_ask(attack,
				   &(struct sftp_msg){
					   .kind = SFTP_STAT,
					   .path = attack_bytes(paths[i])}),
			SFTP_ATTRS);
		assert_int_equal(attack->msg.attr.size, 6);
	}
	/* The text of a link is told as it was given. */
	attack_ask(attack,
		   &(struct sftp_msg){.kind = SFTP_READLINK,
				      .path = attack_bytes("rel-file")});
	assert_non_null(memmem(attack->answer, attack->answer_len,
			       "../out/secret", 13));
	attack_end(attack);
}

/* Below are mounts, in a name space of this process's own. */

static void need_mounts(void)
{
	if (getuid() != 0 || access("/proc/self/fd", X_OK) != 0)
		skip_because("no right to mount");
}

static void magic_links_lead_nowhere(void **state)
{
	static const char *const links[] = {
		"self/root%s/secret", "self/cwd/out/secret",
		"self/cwd/out/new",   "self/root%s/new",
		"thread-self/root%s", "self/fd/%d/secret",
		"self/fd/%d",	      "self/fd/%d/new",
	};
	struct attack *attack = *state;
	struct posixfs_config config = {.root = attack->jail};
	char proc[256];
	int out;

	need_mounts();
	attack_make_jail(attack);
	attack_make_dir(attack->jail, "proc");
	attack_path(proc, "%s/proc", attack->jail);
	attack_must(mount("/proc", proc, NULL, MS_BIND, NULL));
	attack_must(chdir(attack->base));
	out = open(attack->out, O_PATH | O_DIRECTORY | O_CLOEXEC);
	attack_must(out);
	attack_start(attack, &config);
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		const char *at = strchr(links[i], '%');
		char path[256], between[100] = "";

		if (at && at[1] == 's')
			snprintf(between, sizeof(between), "%s", attack->out);
		else if (at)
			snprintf(between, sizeof(between), "%d", out);
		attack_path(path, "proc/%.*s%s%s", (int)strcspn(links[i], "%"),
			    links[i], between, at ? at + 2 : "");
		for (size_t k = 0; k < attack_requests_count; k++) {
			attack_send(attack, &attack_requests[k], path);
			if (attack->seen || !attack_canary_lives(attack))
				fail_msg(
					"%s of %s",
					sftp_kind_name(attack_requests[k].kind),
					path);
		}
	}
	/* It was there all the time. */
	assert_int_equal(
		attack_ask(attack, &(struct sftp_msg){.kind = SFTP_STAT,
						      .path = attack_bytes(
							      "proc/self/")}),
		SFTP_ATTRS);
	attack_end(attack);
	close(out);
	attack_must(chdir("/"));
	attack_must(umount2(proc, MNT_DETACH));
}

/* The root of a mount has its mount point's parent above it. */
static void a_mount_does_not_lead_to_what_it_is_from(void **state)
{
	static const char *const paths[] = {
		"m/../secret", "m/../dir/canary-name", "m/../../out/secret",
		"m/../new",    "m/../../secret",
	};
	struct attack *attack = *state;
	struct posixfs_config config = {.root = attack->jail};
	char from[256], point[256];

	need_mounts();
	attack_make_dir(attack->out, "open");
	attack_make_file(attack->out, "open/file", "for all");
	attack_must(stat(attack->out, &attack->dir));
	attack_make_jail(attack);
	attack_make_dir(attack->jail, "m");
	attack_path(from, "%s/open", attack->out);
	attack_path(point, "%s/m", attack->jail);
	attack_must(mount(from, point, NULL, MS_BIND, NULL));
	attack_start(attack, &config);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		for (size_t k = 0; k < attack_requests_count; k++) {
			attack_send(attack, &attack_requests[k], paths[i]);
			if (attack->seen || !attack_canary_lives(attack))
				fail_msg(
					"%s of %s",
					sftp_kind_name(attack_requests[k].kind),
					paths[i]);
		}
	assert_int_equal(
		attack_ask(attack,
			   &(struct sftp_msg){.kind = SFTP_STAT,
					      .path = attack_bytes("m/file")}),
		SFTP_ATTRS);
	assert_int_equal(attack->msg.attr.size, 7);
	attack_end(attack);
	attack_must(umount(point));
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, attack_set_up, attack_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_request_leaves_the_jail),
		TEST(no_request_leaves_a_jail_with_views),
		TEST(no_request_leaves_a_jail_from_a_start_below),
		TEST(the_same_requests_arrive_without_a_jail),
		TEST(an_open_directory_that_is_moved_out_shows_itself),
		TEST(inside_the_jail_links_lead_to_its_own_root),
		TEST(magic_links_lead_nowhere),
		TEST(a_mount_does_not_lead_to_what_it_is_from),
	};

	return attack_run(tests, ARRAY_LEN(tests));
}
