#include "tests/lib/survive_rig.h"

#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "tests/lib/test.h"

static uint64_t now(void *arg)
{
	return ((struct rig *)arg)->now_ms;
}

static bool gone(void *arg)
{
	return cut_gone(&((struct rig *)arg)->cut);
}

static void reconnect(struct rig *rig)
{
	survive_detach(rig->survive);
	cut_connect(&rig->cut);
	if (rig->cuts < sizeof(rig->next_at) / sizeof(rig->next_at[0]))
		rig->cut.at = rig->next_at[rig->cuts];
	rig->cuts++;
	survive_attach(rig->survive, &rig->cut.relay.fs);
}

bool rig_step(struct rig *rig)
{
	if (!rig->cut.dead)
		return cut_run(&rig->cut);
	if (rig->stays_down)
		return false;
	reconnect(rig);
	return true;
}

static bool rig_drive(void *arg)
{
	return rig_step(arg);
}

void rig_settle(struct rig *rig)
{
	while (rig_step(rig))
		continue;
}

static struct csftp_time wall_clock(void *arg)
{
	return (struct csftp_time){(int64_t)now(arg) / 1000, 0};
}

struct rig *rig_new(const struct survive_config *wish)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	const struct csftp_memfs_config memfs = {.clock = wall_clock,
						 .arg = rig};
	struct survive_config config =
		wish ? *wish : (struct survive_config){0};

	assert_non_null(rig);
	rig->now_ms = 1700000000000;
	assert_int_equal(csftp_memfs_new(&rig->memfs, &memfs), CSFTP_OK);
	cut_init(&rig->cut, rig->memfs);
	config.now_ms = now;
	config.gone = gone;
	config.arg = rig;
	assert_int_equal(survive_new(&rig->survive, &config), CSFTP_OK);
	survive_attach(rig->survive, &rig->cut.relay.fs);
	rig->caller = (struct fs_caller){
		.fs = survive_fs(rig->survive), .drive = rig_drive, .arg = rig};
	rig->other.fs = rig->memfs;
	return rig;
}

void rig_free(struct rig *rig)
{
	rig_settle(rig);
	survive_end(rig->survive);
	if (!rig->cut.dead)
		cut_now(&rig->cut);
	survive_free(rig->survive);
	cut_release(&rig->cut);
	fs_caller_release(&rig->caller);
	fs_caller_release(&rig->other);
	csftp_memfs_free(rig->memfs);
	free(rig);
}

void rig_cut(struct rig *rig)
{
	rig_settle(rig);
	cut_now(&rig->cut);
}

static void ask_write(struct rig *rig, struct fs_asked *asked, csftp_fh fh,
		      uint64_t off, const char *text)
{
	fs_ask(rig->caller.fs, asked,
	       &(struct csftp_req){.op = CSFTP_OP_WRITE,
				   .fh = fh,
				   .off = off,
				   .data = text,
				   .len = strlen(text)});
}

void rig_ask_write(struct rig *rig, struct fs_asked *asked, csftp_fh fh,
		   const char *text)
{
	ask_write(rig, asked, fh, 0, text);
}

void rig_burst(struct rig *rig, csftp_fh fh, const char *const text[BURST],
	       bool closes, int err[BURST + 1])
{
	struct fs_asked one[BURST + 1];
	uint64_t off = 0;

	for (size_t i = 0; i < BURST; i++) {
		ask_write(rig, &one[i], fh, off, text[i]);
		off += strlen(text[i]);
	}
	one[BURST].err = 0;
	if (closes)
		fs_ask(rig->caller.fs, &one[BURST],
		       &(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	for (size_t i = 0; i <= BURST; i++) {
		while (one[i].err < 0)
			assert_true(rig_step(rig));
		err[i] = one[i].err;
	}
}
