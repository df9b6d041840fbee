/* Engines joined by memory, and a cut at every byte of a session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/survive.h"
#include "csftp/memfs.h"
#include "csftp/remote.h"
#include "csftp/serve.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/test.h"

#define SAID_MAX 4096

#define MAKES	(CSFTP_OPEN_READ | CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT)
#define APPENDS (CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND | CSFTP_OPEN_CREAT)

/* What is done with bytes that are under way when the connection ends. */
enum rest { REST_IS_LOST, REST_ARRIVES };

struct session {
	struct csftp_serve *serve;
	struct csftp_remote *remote;
	bool ready;
};

struct world {
	struct csftp_fs *memfs;
	struct session session;
	struct survive *survive;
	struct fs_caller caller;
	uint64_t left; /* bytes to the end of this connection */
	enum rest rest;
	unsigned cuts;
	char said[SAID_MAX];
	size_t said_len;
};

static void set_ready(void *arg)
{
	((struct session *)arg)->ready = true;
}

static void start(struct world *world)
{
	struct session *session = &world->session;
	const struct csftp_serve_config serve = {.fs = world->memfs};
	const struct csftp_remote_config remote = {
		.slots = 16, .handles = 16, .ready = set_ready, .arg = session};

	session->ready = false;
	assert_int_equal(csftp_serve_new(&session->serve, &serve), CSFTP_OK);
	assert_int_equal(csftp_remote_new(&session->remote, &remote), CSFTP_OK);
}

static bool is_gone(void *arg)
{
	const struct world *world = arg;

	return csftp_link_error(csftp_remote_link(world->session.remote)) !=
	       CSFTP_OK;
}

static uint64_t no_time(void *arg)
{
	(void)arg;
	return 1;
}

/* Up to max bytes from one engine to the other; how many. */
static size_t move(struct csftp_link *from, struct csftp_link *to, uint64_t max)
{
	struct csftp_slice slice;
	uint8_t *in;
	size_t room;
	size_t len;

	if (csftp_link_out(from, &slice, 1) == 0)
		return 0;
	in = csftp_link_in(to, &room);
	len = slice.len < room ? slice.len : room;
	len = len < max ? len : (size_t)max;
	if (len == 0)
		return 0;
	memcpy(in, slice.ptr, len);
	if (csftp_link_out_ack(from, len) == CSFTP_ERR_ARG ||
	    csftp_link_in_ack(to, len) == CSFTP_ERR_ARG)
		fail_msg("an engine took less than it offered");
	return len;
}

/* The connection ends, and there is another one. */
static void cut(struct world *world)
{
	struct session *session = &world->session;
	struct csftp_link *server = csftp_serve_link(session->serve);
	struct csftp_link *client = csftp_remote_link(session->remote);
	bool was_ready = session->ready;

	while (world->rest == REST_ARRIVES && move(client, server, UINT64_MAX))
		continue;
	csftp_link_close(client, CSFTP_ERR_EOF);
	if (was_ready)
		survive_detach(world->survive);
	csftp_link_close(server, CSFTP_ERR_EOF);
	assert_int_equal(csftp_serve_pending(session->serve), 0);
	csftp_serve_free(session->serve);
	csftp_remote_free(session->remote);
	world->cuts++;
	world->left = UINT64_MAX;
	start(world);
}

static bool drive(void *arg)
{
	struct world *world = arg;
	struct session *session = &world->session;
	struct csftp_link *server = csftp_serve_link(session->serve);
	struct csftp_link *client = csftp_remote_link(session->remote);
	bool was_ready = session->ready;
	size_t up = move(client, server, world->left);
	size_t down;

	world->left -= up;
	down = move(server, client, world->left);
	world->left -= down;
	if (session->ready && !was_ready)
		survive_attach(world->survive,
			       csftp_remote_fs(session->remote));
	if (world->left > 0)
		return up > 0 || down > 0;
	cut(world);
	return true;
}

static struct world *world_new(uint64_t at, enum rest rest)
{
	struct world *world = calloc(1, sizeof(*world));
	const struct survive_config config = {.now_ms = no_time,
					      .gone = is_gone,
					      .max_write = 1 << 16,
					      .arg = world};

	assert_non_null(world);
	world->left = at;
	world->rest = rest;
	assert_int_equal(csftp_memfs_new(&world->memfs, NULL), CSFTP_OK);
	assert_int_equal(survive_new(&world->survive, &config), CSFTP_OK);
	start(world);
	world->caller = (struct fs_caller){
		.fs = survive_fs(world->survive), .drive = drive, .arg = world};
	return world;
}

static void world_free(struct world *world)
{
	while (drive(world))
		continue;
	survive_end(world->survive);
	csftp_link_close(csftp_remote_link(world->session.remote),
			 CSFTP_ERR_EOF);
	csftp_link_close(csftp_serve_link(world->session.serve), CSFTP_ERR_EOF);
	csftp_serve_free(world->session.serve);
	survive_free(world->survive);
	csftp_remote_free(world->session.remote);
	fs_caller_release(&world->caller);
	csftp_memfs_free(world->memfs);
	free(world);
}

static void did(struct world *world, const char *what, int err)
{
	int len = snprintf(world->said + world->said_len,
			   SAID_MAX - world->said_len, "%s: %s\n", what,
			   strerror(err));

	assert_in_range(len, 0, SAID_MAX - world->said_len - 1);
	world->said_len += (size_t)len;
}

struct write {
	struct csftp_req req; /* first */
	int err;
};

static void written(struct csftp_req *req, const struct csftp_reply *reply)
{
	((struct write *)req)->err = reply->err;
}

#define BURST 4

static void burst(struct world *world, csftp_fh fh, const char *text)
{
	struct write one[BURST];
	size_t len = strlen(text);

	for (size_t i = 0; i < BURST; i++) {
		one[i] = (struct write){.req = {.op = CSFTP_OP_WRITE,
						.done = written,
						.fh = fh,
						.off = i * len,
						.len = len,
						.data = text},
					.err = -1};
		csftp_submit(world->caller.fs, &one[i].req);
	}
	for (size_t i = 0; i < BURST; i++) {
		while (one[i].err < 0)
			assert_true(drive(world));
		did(world, "write", one[i].err);
	}
}

static void read_all(struct world *world, const char *path)
{
	struct fs_caller *c = &world->caller;
	char text[256];
	csftp_fh fh;

	did(world, "open", fs_open(c, path, CSFTP_OPEN_READ));
	fh = c->fh;
	did(world, "read", fs_read_all(c, fh, 0, sizeof(text) - 1));
	memcpy(text, c->data, c->data_len);
	text[c->data_len] = '\0';
	did(world, text, fs_close(c, fh));
}

static void script(struct world *world)
{
	struct fs_caller *c = &world->caller;
	struct fs_names names = {0};
	csftp_fh fh;

	did(world, "mkdir", fs_mkdir(c, "/d"));
	did(world, "open", fs_open(c, "/d/f", MAKES | CSFTP_OPEN_EXCL));
	fh = c->fh;
	burst(world, fh, "words ");
	did(world, "rename", fs_rename(c, "/d/f", "/d/g"));
	burst(world, fh, "other ");
	did(world, "close", fs_close(c, fh));
	did(world, "open", fs_open(c, "/d/log", APPENDS));
	fh = c->fh;
	burst(world, fh, "same\n");
	did(world, "close", fs_close(c, fh));
	read_all(world, "/d/g");
	read_all(world, "/d/log");
	did(world, "symlink", fs_symlink(c, "/d/s", "to"));
	did(world, "list", fs_list(c, "/d", &names));
	assert_int_equal(names.count, 3);
	fs_names_release(&names);
	did(world, "unlink", fs_unlink(c, "/d/s"));
	did(world, "replace", fs_replace(c, "/d/g", "/d/log"));
	did(world, "unlink", fs_unlink(c, "/d/log"));
	did(world, "rmdir", fs_rmdir(c, "/d"));
	assert_int_equal(survive_stale(world->survive), 0);
}

static void cut_at_every_byte(enum rest rest)
{
	struct world *plain = world_new(UINT64_MAX, rest);
	uint64_t at = 0;
	bool was_cut;

	script(plain);
	assert_int_equal(plain->cuts, 0);
	do {
		struct world *world = world_new(++at, rest);

		script(world);
		if (strcmp(world->said, plain->said) != 0)
			fail_msg("cut at byte %u:\n%s\nnot\n%s", (unsigned)at,
				 world->said, plain->said);
		was_cut = world->cuts > 0;
		world_free(world);
	} while (was_cut);
	assert_true(at > 1000);
	world_free(plain);
}

static void a_cut_at_any_byte_is_not_seen(void **state)
{
	(void)state;
	cut_at_every_byte(REST_IS_LOST);
}

/* The server has had it all, and its answers are lost. */
static void answers_that_are_lost_are_not_missed(void **state)
{
	(void)state;
	cut_at_every_byte(REST_ARRIVES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_at_any_byte_is_not_seen),
		cmocka_unit_test(answers_that_are_lost_are_not_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
