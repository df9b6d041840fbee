#include "tests/lib/far.h"

#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "tests/lib/test.h"

static void count(struct csftp_fs *fs, struct csftp_req *req)
{
	struct far *far = (struct far *)fs;

	far->asked[req->op]++;
	far->all++;
	relay_pass(fs, req);
}

static bool round_trip(void *arg)
{
	struct far *far = arg;
	size_t waiting = far->later.waiting;

	far->trips++;
	far->now_ms += far->trip_ms;
	for (size_t i = 0; i < waiting; i++)
		(void)later_run(&far->later);
	return waiting > 0;
}

/* As SFTP version 3 has it: whole seconds, on a clock that is not ours. */
static struct csftp_time far_clock(void *arg)
{
	const struct far *far = arg;

	return (struct csftp_time){.sec = (int64_t)(far->now_ms / 1000) +
					  77777};
}

void far_init(struct far *far)
{
	const struct csftp_memfs_config config = {.clock = far_clock,
						  .arg = far};

	*far = (struct far){.now_ms = 1000000};
	assert_int_equal(csftp_memfs_new(&far->memfs, &config), CSFTP_OK);
	later_init(&far->later, far->memfs);
	relay_init(&far->relay, &far->later.fs, 0, count);
	far->caller.drive = round_trip;
	far->caller.arg = far;
	far->other.fs = far->memfs;
}

void far_release(struct far *far)
{
	if (far->cache)
		assert_int_equal(cache_pending(far->cache), 0);
	cache_free(far->cache);
	fs_caller_release(&far->caller);
	fs_caller_release(&far->other);
	relay_release(&far->relay);
	csftp_memfs_free(far->memfs);
}

uint64_t far_now(void *arg)
{
	return ((struct far *)arg)->now_ms;
}

/* The machine's own is behind the server's. */
static int64_t far_wall(void *arg)
{
	return far_clock(arg).sec - FAR_BEHIND;
}

void far_settle(struct far *far)
{
	while (later_run(&far->later))
		continue;
}

void far_cache(struct far *far, const struct cache_config *wish)
{
	struct cache_config config = *wish;

	config.under = &far->relay.fs;
	config.now_ms = far_now;
	config.wall_sec = far_wall;
	config.arg = far;
	assert_int_equal(cache_new(&far->cache, &config), CSFTP_OK);
	far->caller.fs = cache_fs(far->cache);
}

struct far *far_new(const struct cache_config *wish)
{
	struct far *far = malloc(sizeof(*far));

	assert_non_null(far);
	far_init(far);
	far_cache(far, wish);
	return far;
}

void far_free(struct far *far)
{
	far_settle(far);
	far_release(far);
	free(far);
}

int far_set_up(void **state)
{
	*state = far_new(&(struct cache_config){0});
	return 0;
}

int far_tear_down(void **state)
{
	far_free(*state);
	return 0;
}

void far_begin(struct far *far)
{
	far_settle(far);
	memset(far->asked, 0, sizeof(far->asked));
	far->all = 0;
	far->trips = 0;
}

void far_put(struct fs_caller *caller, const char *path, const char *text)
{
	assert_int_equal(fs_put(caller, path, text, strlen(text)), 0);
}

size_t far_list(struct fs_caller *caller, const char *path)
{
	struct fs_names names = {0};
	size_t found;

	assert_int_equal(fs_list(caller, path, &names), 0);
	found = names.count;
	fs_names_release(&names);
	return found;
}
