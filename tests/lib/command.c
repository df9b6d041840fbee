#include "tests/lib/command.h"

#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "tests/lib/test.h"

void command_world_init(struct command_world *world)
{
	*world = (struct command_world){.ended = false};
	assert_int_equal(csftp_memfs_new(&world->memfs, NULL), CSFTP_OK);
	tap_init(&world->tap, world->memfs);
	later_init(&world->later, &world->tap.fs);
	world->caller.fs = world->memfs;
	world->out = calloc(2, COMMAND_TEXT_MAX + 1);
	assert_non_null(world->out);
	world->err = world->out + COMMAND_TEXT_MAX + 1;
}

void command_world_release(struct command_world *world)
{
	assert_null(world->exec);
	assert_int_equal(world->tap.handles, 0);
	fs_caller_release(&world->caller);
	csftp_memfs_free(world->memfs);
	free(world->out);
}

int command_setup(void **state)
{
	struct command_world *world = malloc(sizeof(*world));

	if (!world)
		return -1;
	command_world_init(world);
	*state = world;
	return 0;
}

int command_teardown(void **state)
{
	command_world_release(*state);
	free(*state);
	return 0;
}

uint64_t command_bit(const char *request)
{
	return (uint64_t)1 << csftp_serve_request(request);
}

void command_put(struct command_world *world, const char *path,
		 const char *text)
{
	assert_int_equal(fs_put(&world->caller, path, text, strlen(text)), 0);
}

void command_begin(struct command_world *world, const char *command)
{
	struct exec_config config = world->config;
	void *memory = malloc(exec_size());

	assert_non_null(memory);
	assert_null(world->exec);
	/* What was in the memory before must not matter. */
	memset(memory, 0xa5, exec_size());
	config.fs = world->answers_later ? &world->later.fs : &world->tap.fs;
	world->exec = exec_init(memory, &config, command, strlen(command));
	world->out_len = 0;
	world->err_len = 0;
	world->ended = false;
}

static bool give(struct command_world *world, const uint8_t **in, size_t *len)
{
	size_t room, n = *len;
	uint8_t *to = exec_in(world->exec, &room);

	if (world->piece_in > 0 && n > world->piece_in)
		n = world->piece_in;
	if (n > room)
		n = room;
	if (n == 0)
		return false;
	memcpy(to, *in, n);
	exec_in_ack(world->exec, n);
	*in += n;
	*len -= n;
	return true;
}

static bool take(struct command_world *world, enum exec_stream which)
{
	char *to = which == EXEC_STDOUT ? world->out : world->err;
	size_t *used = which == EXEC_STDOUT ? &world->out_len : &world->err_len;
	size_t len;
	const uint8_t *from = exec_out(world->exec, which, &len);

	if (world->piece_out > 0 && len > world->piece_out)
		len = world->piece_out;
	if (len == 0 || world->takes_nothing)
		return false;
	assert_true(len <= COMMAND_TEXT_MAX - *used);
	memcpy(to + *used, from, len);
	*used += len;
	to[*used] = '\0';
	exec_out_ack(world->exec, which, len);
	return true;
}

static void finish(struct command_world *world)
{
	free(world->exec);
	world->exec = NULL;
	world->out[world->out_len] = '\0';
	world->err[world->err_len] = '\0';
}

bool command_step(struct command_world *world, const uint8_t **in, size_t *len)
{
	bool moved = give(world, in, len);

	moved = exec_turn(world->exec) || moved;
	moved = take(world, EXEC_STDOUT) || moved;
	moved = take(world, EXEC_STDERR) || moved;
	moved = later_run(&world->later) || moved;
	if (!exec_ended(world->exec, &world->status))
		return moved;
	world->ended = true;
	finish(world);
	return false;
}

void command_drop(struct command_world *world)
{
	if (!world->exec)
		return;
	exec_stop(world->exec);
	while (!exec_ended(world->exec, &world->status)) {
		bool again = exec_turn(world->exec);

		again = later_run(&world->later) || again;
		assert_true(again || exec_ended(world->exec, &world->status));
	}
	finish(world);
}

void command_run(struct command_world *world, const char *command,
		 const void *in, size_t len)
{
	const uint8_t *from = in;
	bool told = world->keep_open;
	unsigned idle = 0;

	command_begin(world, command);
	/* What one step has taken can be room for the next. */
	while (world->exec && idle < 2) {
		idle = command_step(world, &from, &len) ? 0 : idle + 1;
		if (!world->exec || told || len > 0)
			continue;
		exec_in_end(world->exec);
		told = true;
		idle = 0;
	}
	command_drop(world);
}

void command_says(struct command_world *world, const char *command,
		  uint32_t status, const char *out, const char *err)
{
	command_run(world, command, "", 0);
	assert_true(world->ended);
	assert_string_equal(world->err, err);
	assert_string_equal(world->out, out);
	assert_int_equal(world->status, status);
}
