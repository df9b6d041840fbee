/* The stack of layers over a client engine whose server lies. */
#include <string.h>

#include "core/wire.h"
#include "csftp/remote.h"
#include "fusefs/layers.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/liar.h"
#include "tests/lib/test.h"

/* Rounds after which a listing without end is left. */
#define BATCHES 40

#define PACKET_MAX (300U * 1024U)

struct world {
	struct liar *liar;
	struct csftp_remote *remote;
	struct layers *layers;
	struct fs_caller c;
	bool over; /* the server has hung up, or the client has */
	bool ready;
	unsigned logs;
	size_t out_len;
	uint8_t out[PACKET_MAX];
};

static void set_ready(void *arg)
{
	((struct world *)arg)->ready = true;
}

/* Whatever the server says, a terminal is not told it as it is. */
static void log_line(void *arg, const char *text)
{
	((struct world *)arg)->logs++;
	for (; *text; text++)
		assert_in_range((unsigned char)*text, 0x20, 0x7e);
}

static void lose(struct world *world)
{
	world->over = true;
	csftp_link_close(csftp_remote_link(world->remote), CSFTP_ERR_EOF);
}

/* What the liar says, as the client has room for it. */
static void hear(struct world *world, const uint8_t *bytes, size_t len)
{
	struct csftp_link *link = csftp_remote_link(world->remote);

	while (len > 0) {
		size_t room;
		uint8_t *in = csftp_link_in(link, &room);

		if (room == 0)
			break;
		room = room < len ? room : len;
		memcpy(in, bytes, room);
		bytes += room;
		len -= room;
		if (csftp_link_in_ack(link, room) != CSFTP_OK) {
			lose(world);
			return;
		}
	}
}

/* Moves what is to be moved; false: there was nothing. */
static bool drive(void *arg)
{
	struct world *world = arg;
	struct csftp_link *link = csftp_remote_link(world->remote);
	struct csftp_slice slice;
	const uint8_t *answer;
	size_t len, room;

	if (world->over || csftp_link_out(link, &slice, 1) == 0)
		return false;
	room = sizeof(world->out) - world->out_len;
	room = slice.len < room ? slice.len : room;
	memcpy(world->out + world->out_len, slice.ptr, room);
	world->out_len += room;
	(void)!csftp_link_out_ack(link, room);
	while (!world->over && world->out_len >= 4) {
		size_t whole = wire_get_u32(world->out) + 4;
		bool goes_on;

		if (world->out_len < whole)
			break;
		goes_on = liar_answer(world->liar, world->out, whole, &answer,
				      &len);
		world->out_len -= whole;
		memmove(world->out, world->out + whole, world->out_len);
		hear(world, answer, len);
		if (!goes_on && !world->over)
			lose(world);
	}
	return true;
}

/* A request without an answer waits for ever: the test lets it go. */
static bool drive_or_lose(void *arg)
{
	struct world *world = arg;

	if (drive(world))
		return true;
	if (world->over)
		return false;
	lose(world);
	return true;
}

/* False: with this server there is no session. */
static bool begin(struct world *world, const struct lie *lie)
{
	struct csftp_remote_config remote = {
		.ready = set_ready, .log = log_line, .arg = world};
	struct layers_config config = {.root = "/",
				       .attr_timeout = 20,
				       .link_timeout = 20,
				       .dir_timeout = 20};

	*world = (struct world){.liar = liar_new(lie)};
	assert_int_equal(csftp_remote_new(&world->remote, &remote), CSFTP_OK);
	while (!world->ready && drive(world))
		;
	if (!world->ready)
		return false;
	config.under = csftp_remote_fs(world->remote);
	assert_int_equal(layers_new(&world->layers, &config), CSFTP_OK);
	world->c = (struct fs_caller){.fs = layers_fs(world->layers),
				      .drive = drive_or_lose,
				      .arg = world};
	return true;
}

static void end(struct world *world)
{
	if (world->layers)
		layers_quiet(world->layers);
	while (drive(world))
		;
	csftp_link_close(csftp_remote_link(world->remote), CSFTP_ERR_EOF);
	if (world->layers)
		assert_int_equal(layers_pending(world->layers), 0);
	assert_int_equal(csftp_remote_pending(world->remote), 0);
	fs_caller_release(&world->c);
	layers_free(world->layers);
	csftp_remote_free(world->remote);
	liar_free(world->liar);
}

static void assert_names_are_names(const struct fs_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		assert_true(names->name[i][0] != '\0');
		assert_null(strchr(names->name[i], '/'));
	}
}

static void list(struct world *world, const char *path)
{
	struct fs_names names = {0};
	csftp_fh fh;

	if (fs_opendir(&world->c, path) != 0)
		return;
	fh = world->c.fh;
	for (unsigned i = 0; i < BATCHES; i++) {
		if (fs_readdir(&world->c, fh, &names, 100) != 0 || world->c.eof)
			break;
	}
	assert_names_are_names(&names);
	fs_names_release(&names);
	(void)fs_close(&world->c, fh);
}

/* Every byte that is read is the file's, and none comes behind its end. */
static void read_file(struct world *world, const char *path, size_t size,
		      uint8_t (*byte)(uint64_t off))
{
	uint64_t off = 0;
	csftp_fh fh;

	if (fs_open(&world->c, path, CSFTP_OPEN_READ) != 0)
		return;
	fh = world->c.fh;
	while (fs_read(&world->c, fh, off, 40000) == 0 && world->c.data_len) {
		assert_true(off + world->c.data_len <= size);
		for (size_t i = 0; i < world->c.data_len; i++)
			assert_int_equal(world->c.data[i], byte(off + i));
		off += world->c.data_len;
		if (world->c.eof)
			break;
	}
	(void)fs_close(&world->c, fh);
}

static uint8_t text_byte(uint64_t off)
{
	return (uint8_t) "text\n"[off % 5];
}

/* All that can be asked, in an order that makes the layers work ahead. */
static void use(struct world *world)
{
	struct fs_caller *c = &world->c;

	(void)fs_lgetattr(c, "/file");
	list(world, "/");
	list(world, "/d");
	(void)fs_getattr(c, "/file");
	(void)fs_lgetattr(c, "/d/evil");
	(void)fs_readlink(c, "/link");
	read_file(world, "/file", 5, text_byte);
	read_file(world, "/large", LIAR_LARGE, liar_byte);
	read_file(world, "/link", 5, text_byte);
	(void)fs_statfs(c, "/");
	(void)fs_mkdir(c, "/new");
	(void)fs_put(c, "/new/file", "x", 1);
	(void)fs_replace(c, "/new/file", "/new/other");
	(void)fs_unlink(c, "/new/other");
	(void)fs_rmdir(c, "/new");
	(void)fs_symlink(c, "/soft", "file");
	(void)fs_link(c, "/file", "/hard");
	list(world, "/");
	read_file(world, "/file", 5, text_byte);
}

static void no_lie_is_believed_or_ends_the_process(void **state)
{
	static struct world world;

	(void)state;
	for (size_t i = 0; i < lies_count; i++) {
		print_message("# %s\n", lies[i].name);
		if (begin(&world, &lies[i]))
			use(&world);
		/* Or there is nothing that this shows; no layer asks these. */
		if (liar_told(world.liar) == 0 && lies[i].on != SFTP_REALPATH &&
		    lies[i].on != SFTP_STAT && lies[i].on != SFTP_FSTAT)
			fail_msg("nobody asked for it: %s", lies[i].name);
		end(&world);
	}
}

/* The same of a server that begins to lie when much is known already. */
static void nor_is_one_that_comes_late(void **state)
{
	static struct world world;

	(void)state;
	for (size_t i = 0; i < lies_count; i++) {
		static const struct lie honest = {.on = SFTP_UNKNOWN};

		if (lies[i].on == SFTP_INIT || lies[i].on == SFTP_LIMITS)
			continue;
		assert_true(begin(&world, &honest));
		use(&world);
		assert_false(world.over);
		assert_int_equal(world.logs, 0);
		liar_change(world.liar, &lies[i]);
		use(&world);
		end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_lie_is_believed_or_ends_the_process),
		cmocka_unit_test(nor_is_one_that_comes_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
