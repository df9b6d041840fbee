/* Built-in commands over a tree in memory, with streams in pieces. */
#ifndef CSFTP_TESTS_COMMAND_H
#define CSFTP_TESTS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/exec/exec.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/later.h"
#include "tests/lib/tap.h"

/* A text that is longer than that ends the test. */
#define COMMAND_TEXT_MAX (1024U * 1024U)

/* memfs, a layer that counts and plays tricks, and one that answers later. */
struct command_world {
	struct csftp_fs *memfs;
	struct tap tap;
	struct later later;
	struct fs_caller caller; /* of memfs, behind the command's back */
	struct exec_config config;

	size_t piece_in;  /* bytes that are given at once; 0: what fits */
	size_t piece_out; /* and taken; 0: all */
	bool answers_later;
	bool keep_open;	    /* the end of standard input is not told */
	bool takes_nothing; /* nobody reads the output */

	/* What the last command has said, with a NUL behind it. */
	char *out;
	size_t out_len;
	char *err;
	size_t err_len;
	bool ended;
	uint32_t status;
	struct exec *exec; /* that has not ended */
};

void command_world_init(struct command_world *world);

/* Checks that every handle was closed. */
void command_world_release(struct command_world *world);

/* Both as a test's setup and teardown; *state is the world. */
int command_setup(void **state);
int command_teardown(void **state);

/* For exec_config.denied. */
uint64_t command_bit(const char *request);

/* A file in it with that text. */
void command_put(struct command_world *world, const char *path,
		 const char *text);

/* Begins a command; command_step() or command_drop() go on with it. */
void command_begin(struct command_world *world, const char *command);

/*
 * One turn: as much of the input as there is room for, which moves in and len
 * on, and all output.  Whether anything moved.
 */
bool command_step(struct command_world *world, const uint8_t **in, size_t *len);

/* The peer goes away. */
void command_drop(struct command_world *world);

/* All of it, to the end or until nothing moves; then it goes away. */
void command_run(struct command_world *world, const char *command,
		 const void *in, size_t len);

/* A command without input that ends with that status and output. */
void command_says(struct command_world *world, const char *command,
		  uint32_t status, const char *out, const char *err);

#endif
