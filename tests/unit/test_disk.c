/* Requests that wait for a disk, and what goes on meanwhile. */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/desk.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/test.h"

static struct csftp_req req_read(csftp_fh fh)
{
	return (struct csftp_req){.op = CSFTP_OP_READ, .fh = fh, .len = 16};
}

static struct csftp_req req_stat(const char *path)
{
	return (struct csftp_req){.op = CSFTP_OP_GETATTR, .path = path};
}

static struct csftp_req req_fh(enum csftp_op op, csftp_fh fh)
{
	return (struct csftp_req){.op = op, .fh = fh};
}

static void what_takes_no_waiting_takes_no_thread(void **state)
{
	struct place *place = by_hand(JOBS);
	struct fs_names names = {0};
	struct fs_caller *c = &place->c;
	csftp_fh fh;

	(void)state;
	c->drive = NULL;
	fh = make(place, "f", "some text");
	assert_int_equal(fs_read(c, fh, 0, 64), 0);
	assert_int_equal(c->data_len, 9);
	assert_int_equal(fs_close(c, fh), 0);
	assert_int_equal(fs_mkdir(c, "d"), 0);
	assert_int_equal(fs_rename(c, "f", "d/g"), 0);
	assert_int_equal(fs_list(c, "d", &names), 0);
	assert_int_equal(names.count, 1);
	assert_int_equal(fs_getattr(c, "d/g"), 0);
	assert_int_equal(fs_unlink(c, "d/g"), 0);
	assert_int_equal(place->desk.jobs.acquired, 0);
	assert_true(place->disk[0].fs.traits & CSFTP_FS_PROMPT);
	fs_names_release(&names);
	place_free(place);
}

static void what_is_known_to_wait_goes_to_a_thread(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "some text");
	csftp_fh other = make(place, "g", "");
	struct csftp_req copy = req_fh(CSFTP_OP_COPY_RANGE, fh);
	struct call *call;

	(void)state;
	copy.fh2 = other;
	call = ask(place,
		   &(struct csftp_req){.op = CSFTP_OP_STATFS, .path = "f"});
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->answered, 1);
	call = ask(place, &(struct csftp_req){.op = CSFTP_OP_FSYNC, .fh = fh});
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->err, 0);
	call = ask(place, &copy);
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->err, 0);
	assert_int_equal(place->answers, 3);
	assert_int_equal(place->told, 3);
	assert_int_equal(fs_read(&place->c, other, 0, 16), 0);
	assert_memory_equal(place->c.data, "some text", 9);
	place_free(place);
}

static void a_read_goes_there_if_the_page_cache_has_not_all_of_it(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "some text");
	char into[16] = "untouched";
	struct csftp_req req = req_read(fh);
	struct call *call;

	(void)state;
	req.into = into;
	call = ask(place, &req);
	assert_int_equal(call->len, 9);
	assert_memory_equal(into, "some text", 9);
	memcpy(into, "untouched", 10);
	played.cold = true;
	call = ask(place, &req);
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->len, 9);
	assert_memory_equal(call->data, "some text", 9);
	/* Which may be another's by then. */
	assert_string_equal(into, "untouched");
	place_free(place);
}

/* Though all of it is in the page cache when its turn comes. */
static void a_read_that_had_to_wait_leaves_its_room_alone(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "some text");
	char into[16] = "untouched";
	struct csftp_req first = req_read(fh), second = req_read(fh);
	struct call *call;

	(void)state;
	played.cold = true;
	(void)ask(place, &first);
	second.into = into;
	second.off = 5;
	call = ask(place, &second);
	assert_int_equal(call->answered, 0);
	played.cold = false;
	assert_true(run_task(place));
	assert_int_equal(call->answered, 2);
	assert_int_equal(call->len, 4);
	assert_memory_equal(call->data, "text", 4);
	assert_string_equal(into, "untouched");
	place_free(place);
}

static void a_write_goes_there_if_not_all_of_it_is_taken(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "............");
	struct csftp_req req = req_fh(CSFTP_OP_WRITE, fh);
	struct call *call;

	(void)state;
	req.data = "some text";
	req.len = 9;
	played.cold = true;
	call = ask(place, &req);
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->err, 0);
	played.cold = false;
	assert_int_equal(fs_read(&place->c, fh, 0, 16), 0);
	assert_int_equal(place->c.data_len, 12);
	assert_memory_equal(place->c.data, "some text...", 12);
	place_free(place);
}

static void what_the_file_system_cannot_say_is_asked_once(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "some text");
	unsigned before = played.in_place;

	(void)state;
	played.old = true;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fs_read(&place->c, fh, 0, 16), 0);
		assert_int_equal(place->c.data_len, 9);
		assert_int_equal(fs_write(&place->c, fh, 0, "some", 4), 0);
	}
	assert_int_equal(played.in_place, before + 2);
	assert_int_equal(place->desk.jobs.acquired, 0);
	place_free(place);
}

static void requests_about_one_handle_keep_their_order(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "old!");
	struct csftp_req read = req_read(fh);
	struct csftp_req write = req_fh(CSFTP_OP_WRITE, fh);
	struct call *call[4];

	(void)state;
	write.data = "new!";
	write.len = 4;
	played.cold = true;
	call[0] = ask(place, &read);
	played.cold = false;
	call[1] = ask(place, &write);
	call[2] = ask(place, &read);
	call[3] =
		ask(place, &(struct csftp_req){.op = CSFTP_OP_CLOSE, .fh = fh});
	assert_int_equal(place->answers, 0);
	assert_int_equal(place->task_count, 1);
	while (run_task(place))
		;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(call[i]->answered, i + 1);
		assert_int_equal(call[i]->err, 0);
	}
	assert_memory_equal(call[0]->data, "old!", 4);
	assert_memory_equal(call[2]->data, "new!", 4);
	place_free(place);
}

static void what_only_looks_goes_on_meanwhile(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh slow = make(place, "f", "slow");
	csftp_fh quick = make(place, "g", "quick");
	struct csftp_req reading = req_read(slow);
	struct csftp_req looking = req_stat("f");

	(void)state;
	played.cold = true;
	assert_int_equal(ask(place, &reading)->answered, 0);
	played.cold = false;
	reading.fh = quick;
	assert_int_equal(ask(place, &reading)->answered, 1);
	assert_int_equal(ask(place, &looking)->answered, 2);
	place_free(place);
}

static void what_changes_something_waits_and_is_waited_for(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh slow = make(place, "f", "slow");
	struct csftp_req reading = req_read(slow);
	const struct csftp_req renaming = {
		.op = CSFTP_OP_RENAME, .path = "g", .path2 = "h"};
	struct csftp_req looking = req_stat("h");
	struct call *call[3];

	(void)state;
	(void)make(place, "g", "");
	played.cold = true;
	call[0] = ask(place, &reading);
	call[1] = ask(place, &renaming);
	call[2] = ask(place, &looking);
	assert_int_equal(place->answers, 0);
	assert_true(run_task(place));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(call[i]->answered, i + 1);
		assert_int_equal(call[i]->err, 0);
	}
	place_free(place);
}

/* fsync(2) changes nothing that anybody sees. */
static void a_file_that_is_synced_holds_up_only_itself(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh synced = make(place, "f", "synced");
	csftp_fh other = make(place, "g", "other");
	struct csftp_req syncing = req_fh(CSFTP_OP_FSYNC, synced);
	struct csftp_req writing = req_fh(CSFTP_OP_WRITE, other);
	struct call *call;

	(void)state;
	writing.data = "new";
	writing.len = 3;
	assert_int_equal(ask(place, &syncing)->answered, 0);
	assert_int_equal(ask(place, &writing)->answered, 1);
	assert_int_equal(fs_mkdir(&place->c, "d"), 0);
	writing.fh = synced;
	call = ask(place, &writing);
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->answered, 3);
	place_free(place);
}

static void another_session_is_answered_meanwhile(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "text");
	struct csftp_req reading = req_read(fh);
	const struct csftp_req removing = {.op = CSFTP_OP_UNLINK, .path = "f"};

	(void)state;
	played.cold = true;
	assert_int_equal(ask(place, &reading)->answered, 0);
	assert_int_equal(ask(place, &removing)->answered, 0);
	assert_int_equal(ask_of(place, &place->disk[1], &removing)->answered,
			 1);
	place_free(place);
}

/* Of four, two are left for the others. */
static void a_session_takes_at_most_half_of_the_threads(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh[4];
	struct csftp_req reading;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char name[] = {(char)('a' + i), '\0'};

		fh[i] = make(place, name, name);
	}
	played.cold = true;
	for (size_t i = 0; i < 4; i++) {
		reading = req_read(fh[i]);
		(void)ask(place, &reading);
	}
	assert_int_equal(place->task_count, 2);
	for (size_t i = 0; i < 3; i++) {
		reading = req_read(fh[i]);
		(void)ask_of(place, &place->disk[1], &reading);
	}
	assert_int_equal(place->task_count, JOBS);
	assert_int_equal(pool_used(&place->desk.jobs), JOBS);
	while (run_task(place))
		;
	assert_int_equal(place->answers, 7);
	place_free(place);
}

/* With one job, who waits for it longest is the next to have it. */
static void sessions_take_turns(void **state)
{
	struct place *place = by_hand(1);
	struct csftp_req syncing;
	struct call *mine[3], *other;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char name[] = {(char)('a' + i), '\0'};

		syncing = req_fh(CSFTP_OP_FSYNC, make(place, name, name));
		mine[i] = ask(place, &syncing);
	}
	other = ask_of(place, &place->disk[1], &syncing);
	while (run_task(place))
		;
	assert_int_equal(mine[0]->answered, 1);
	assert_in_range(other->answered, 2, 3);
	assert_int_equal(place->answers, 4);
	place_free(place);
}

/* It waited for a job, and takes none in the end: its owner hears of that. */
static void what_cannot_be_handed_over_is_told(void **state)
{
	struct place *place = by_hand(1);
	struct csftp_req syncing;
	struct call *mine, *other;

	(void)state;
	syncing = req_fh(CSFTP_OP_FSYNC, make(place, "f", "text"));
	mine = ask(place, &syncing);
	syncing.fh = 77;
	other = ask_of(place, &place->disk[1], &syncing);
	assert_int_equal(other->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(mine->err, 0);
	assert_int_equal(other->answered, 2);
	assert_int_equal(other->err, EBADF);
	assert_int_equal(place->told, 2);
	assert_true(disk_is_idle(&place->disk[1]));
	place_free(place);
}

/* The home is known here, and what is behind it looked for there. */
static void a_path_behind_a_home_is_looked_for_by_a_thread(void **state)
{
	struct place *place = by_hand(JOBS);
	struct csftp_req expand = {
		.op = CSFTP_OP_REALPATH, .flags = CSFTP_EXPAND, .path = "~/.."};
	const struct passwd *pw = getpwuid(geteuid());
	bool there = pw && access(pw->pw_dir, X_OK) == 0;
	struct call *call;

	(void)state;
	/* As long as others are slow. */
	place->disk[0].slow[DISK_NAMES] = 8;
	call = ask(place, &expand);
	assert_int_equal(call->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(call->answered, 1);
	assert_true(!there || call->err == 0);
	expand.path = "~no-such-user/..";
	call = ask(place, &expand);
	assert_int_equal(call->answered, 2);
	assert_int_equal(call->err, ENOENT);
	place->disk[0].slow[DISK_NAMES] = 0;
	call = ask(place, &expand);
	assert_int_equal(call->answered, 3);
	assert_int_equal(call->err, ENOENT);
	assert_int_equal(place->desk.jobs.acquired, 2);
	place_free(place);
}

static void after_slow_requests_others_go_to_threads_for_a_while(void **state)
{
	struct place *place = by_hand(JOBS);
	unsigned in_threads = 0;

	(void)state;
	played.step_us = 1000;
	played.sleeps = false;
	for (int i = 0; i < 40; i++)
		assert_int_equal(fs_getattr(&place->c, ""), 0);
	assert_int_equal(place->desk.slow, 0);
	played.step_us = 1;
	for (int i = 0; i < 40; i++)
		assert_int_equal(fs_getattr(&place->c, ""), 0);
	played.sleeps = true;
	played.step_us = 1000;
	assert_int_equal(fs_getattr(&place->c, ""), 0);
	assert_int_equal(place->desk.slow, 0);
	assert_int_equal(fs_mkdir(&place->c, "d"), 0);
	assert_int_equal(place->desk.jobs.acquired, 0);
	assert_int_equal(place->desk.slow, 1);
	/* As long as they are slow there ... */
	for (int i = 0; i < 40; i++)
		assert_int_equal(fs_getattr(&place->c, "d"), 0);
	assert_int_equal(place->desk.jobs.acquired, 40);
	/* ... and not for ever. */
	played.step_us = 1;
	for (int i = 0; i < 40; i++) {
		uint64_t before = place->desk.jobs.acquired;

		assert_int_equal(fs_getattr(&place->c, "d"), 0);
		in_threads += place->desk.jobs.acquired > before;
	}
	assert_int_equal(in_threads, 16);
	/* What is in files, and another session, have nothing to do with it. */
	played.step_us = 1000;
	assert_int_equal(fs_mkdir(&place->c, "e"), 0);
	assert_int_equal(fs_mkdir(&place->c, "f"), 0);
	played.step_us = 1;
	in_threads = (unsigned)place->desk.jobs.acquired;
	assert_int_equal(
		ask_of(place, &place->disk[1],
		       &(struct csftp_req){.op = CSFTP_OP_GETATTR, .path = "d"})
			->answered,
		1);
	assert_int_equal(place->desk.jobs.acquired, in_threads);
	place_free(place);
}

/* Whatever who asks takes at a time, each name comes once. */
static void a_listing_from_a_thread_is_whole(void **state)
{
	static const size_t takes[] = {1, 7, 1000};
	struct place *place = by_hand(JOBS);
	struct fs_caller *c = &place->c;

	(void)state;
	for (int i = 0; i < 700; i++) {
		char name[80];

		proc_print(name, sizeof(name), "%060d", i);
		assert_int_equal(fs_mkdir(c, name), 0);
	}
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		struct fs_names names = {0};

		played.step_us = 1000;
		assert_int_equal(fs_opendir(c, ""), 0);
		assert_int_equal(fs_readdir_all(c, c->fh, &names, takes[i]), 0);
		for (int k = 0; k < 700; k++) {
			char name[80];
			size_t at;

			proc_print(name, sizeof(name), "%060d", k);
			assert_int_equal(fs_names_find(&names, name, &at), 1);
			assert_true(S_ISDIR(names.attr[at].mode));
		}
		assert_int_equal(names.count, 702);
		fs_names_release(&names);
	}
	/* The handles are left open, one with names that nobody took. */
	assert_int_equal(fs_opendir(c, ""), 0);
	assert_int_equal(fs_readdir(c, c->fh, &(struct fs_names){0}, 0), 0);
	assert_true(place->desk.jobs.acquired > 3);
	place_free(place);
}

/* Directories that nobody reads to the end do not add up without one. */
static void names_that_are_kept_have_a_ceiling(void **state)
{
	struct place *place = by_hand(JOBS);
	struct fs_caller *c = &place->c;
	csftp_fh first, second;

	(void)state;
	place->disk[0].config.names_max = 1000;
	for (int i = 0; i < 5; i++) {
		char name[80];

		proc_print(name, sizeof(name), "%060d", i);
		assert_int_equal(fs_mkdir(c, name), 0);
	}
	for (int i = 0; i < 3; i++) {
		place->disk[0].slow[DISK_NAMES] = 100;
		assert_int_equal(fs_opendir(c, ""), 0);
		first = c->fh;
		assert_int_equal(fs_readdir(c, first, &(struct fs_names){0}, 0),
				 0);
		assert_true(place->disk[0].names_len > 400);
		assert_int_equal(fs_opendir(c, ""), 0);
		second = c->fh;
		assert_int_equal(
			fs_readdir(c, second, &(struct fs_names){0}, 0),
			ENOMEM);
		assert_int_equal(fs_close(c, second), 0);
		assert_int_equal(fs_close(c, first), 0);
		assert_int_equal(place->disk[0].names_len, 0);
	}
	place_free(place);
}

static void what_waits_for_others_can_be_cancelled(void **state)
{
	struct place *place = by_hand(JOBS);
	csftp_fh fh = make(place, "f", "text");
	struct csftp_req reading = req_read(fh);
	struct call *first, *second;

	(void)state;
	played.cold = true;
	first = ask(place, &reading);
	second = ask(place, &reading);
	csftp_cancel(&place->disk[0].fs, &second->req);
	assert_int_equal(second->err, EINTR);
	csftp_cancel(&place->disk[0].fs, &first->req);
	assert_int_equal(first->answered, 0);
	assert_true(run_task(place));
	assert_int_equal(first->len, 4);
	place_free(place);
}

/* Between the hand-over and the answer others may open what there is left. */
static void a_file_that_finds_no_handle_is_closed_again(void **state)
{
	struct place *place = by_hand(JOBS);
	const struct csftp_req opening = {
		.op = CSFTP_OP_OPEN, .flags = CSFTP_OPEN_READ, .path = "f"};
	struct call *call;

	(void)state;
	for (int i = 0; i < 15; i++)
		(void)make(place, "f", "");
	played.step_us = 1000;
	assert_int_equal(fs_getattr(&place->c, "f"), 0);
	assert_int_equal(fs_getattr(&place->c, "f"), 0);
	call = ask(place, &opening);
	assert_int_equal(call->answered, 0);
	assert_int_equal(ask_of(place, &place->disk[1], &opening)->err, 0);
	assert_true(run_task(place));
	assert_int_equal(call->err, EMFILE);
	/* The table is full. */
	call = ask(place, &opening);
	assert_int_equal(call->err, EMFILE);
	place_free(place);
}

static void a_handle_that_is_none_is_ebadf(void **state)
{
	struct place *place = by_hand(JOBS);
	struct csftp_req syncing = req_fh(CSFTP_OP_FSYNC, 77);

	(void)state;
	assert_int_equal(ask(place, &syncing)->err, EBADF);
	syncing.fh = make(place, "f", "");
	assert_int_equal(fs_close(&place->c, syncing.fh), 0);
	assert_int_equal(ask(place, &syncing)->err, EBADF);
	place_free(place);
}

/* How many of these took a thread. */
static uint64_t all_of_it(struct place *place)
{
	uint64_t before = place->desk.jobs.acquired;
	struct fs_caller *c = &place->c;
	struct csftp_attr attr = {.mask = CSFTP_ATTR_MODE, .mode = 0700};
	struct fs_names names = {0};
	csftp_fh fh;

	assert_int_equal(fs_mkdir(c, "d"), 0);
	assert_int_equal(fs_open(c, "d/f", RW), 0);
	fh = c->fh;
	assert_int_equal(fs_write(c, fh, 0, "text", 4), 0);
	played.old = true;
	assert_int_equal(fs_read(c, fh, 0, 16), 0);
	assert_int_equal(c->data_len, 4);
	assert_int_equal(fs_write(c, fh, 0, "text", 4), 0);
	played.old = false;
	assert_int_equal(fs_fgetattr(c, fh), 0);
	assert_int_equal(fs_close(c, fh), 0);
	assert_int_equal(fs_getattr(c, "d/f"), 0);
	assert_int_equal(fs_getattr(c, "d/none"), ENOENT);
	assert_int_equal(fs_setattr(c, "d", &attr), 0);
	assert_int_equal(fs_symlink(c, "d/l", "f"), 0);
	assert_int_equal(fs_lgetattr(c, "d/l"), 0);
	assert_int_equal(fs_readlink(c, "d/l"), 0);
	assert_int_equal(fs_realpath(c, "d/l"), 0);
	assert_int_equal(fs_link(c, "d/f", "d/g"), 0);
	assert_int_equal(fs_rename(c, "d/g", "d/h"), 0);
	assert_int_equal(fs_list(c, "d/", &names), 0);
	assert_int_equal(names.count, 3);
	assert_int_equal(fs_remove_tree(c, "d"), 0);
	fs_names_release(&names);
	return place->desk.jobs.acquired - before;
}

static void on_another_machine_everything_waits(void **state)
{
	struct place *place = by_hand(JOBS);
	struct stat st;

	(void)state;
	assert_int_equal(stat(place->dir, &st), 0);
	assert_int_equal(all_of_it(place), 0);
	/* What is near is known to be only once it has been looked at. */
	played.far = st.st_dev + 1;
	assert_in_range(all_of_it(place), 0, 8);
	played.far = st.st_dev;
	assert_in_range(all_of_it(place), 22, 40);
	place_free(place);
}

/* All threads, and the owner, are at it at once. */
static void threads_and_their_owner_do_not_meet(void **state)
{
	struct place *place = by_threads(false);
	csftp_fh fh[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char name[] = {(char)('a' + i), '\0'};

		fh[i] = make(place, name, name);
	}
	played.cold = true;
	for (int round = 0; round < 100; round++) {
		struct csftp_req req = req_read(fh[0]);

		memset(place->call, 0, sizeof(place->call));
		place->answers = 0;
		(void)ask(place, &req);
		req.fh = fh[1];
		(void)ask_of(place, &place->disk[1], &req);
		req = req_fh(CSFTP_OP_FSYNC, fh[2]);
		(void)ask(place, &req);
		req = (struct csftp_req){.op = CSFTP_OP_OPEN,
					 .flags = CSFTP_OPEN_READ,
					 .path = "a"};
		(void)ask_of(place, &place->disk[1], &req);
		while (place->answers < 4)
			assert_true(wait_for_one(place));
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(place->call[i].err, 0);
		assert_int_equal(fs_close(&place->c, place->call[3].fh), 0);
	}
	end_threads(place);
}

static int run_suite(const char *name, bool jail, uint64_t step_us, bool cold)
{
	struct place *place = by_threads(jail);
	struct fs_suite suite = {
		.caller = {.fs = &place->disk[0].fs,
			   .drive = wait_for_one,
			   .arg = place},
		.name = name,
		.base = jail ? "" : place->dir,
		.has = FS_ALL,
	};
	mode_t old = umask(0);
	int failed;

	if (geteuid() != 0)
		suite.has &= ~FS_CHOWN;
	played.step_us = step_us;
	played.cold = cold;
	failed = fs_suite_run(&suite);
	umask(old);
	fs_caller_release(&suite.caller);
	end_threads(place);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_takes_no_waiting_takes_no_thread),
		cmocka_unit_test(what_is_known_to_wait_goes_to_a_thread),
		cmocka_unit_test(
			a_read_goes_there_if_the_page_cache_has_not_all_of_it),
		cmocka_unit_test(a_read_that_had_to_wait_leaves_its_room_alone),
		cmocka_unit_test(a_write_goes_there_if_not_all_of_it_is_taken),
		cmocka_unit_test(what_the_file_system_cannot_say_is_asked_once),
		cmocka_unit_test(requests_about_one_handle_keep_their_order),
		cmocka_unit_test(what_only_looks_goes_on_meanwhile),
		cmocka_unit_test(
			what_changes_something_waits_and_is_waited_for),
		cmocka_unit_test(a_file_that_is_synced_holds_up_only_itself),
		cmocka_unit_test(another_session_is_answered_meanwhile),
		cmocka_unit_test(a_session_takes_at_most_half_of_the_threads),
		cmocka_unit_test(sessions_take_turns),
		cmocka_unit_test(what_cannot_be_handed_over_is_told),
		cmocka_unit_test(
			a_path_behind_a_home_is_looked_for_by_a_thread),
		cmocka_unit_test(
			after_slow_requests_others_go_to_threads_for_a_while),
		cmocka_unit_test(a_listing_from_a_thread_is_whole),
		cmocka_unit_test(names_that_are_kept_have_a_ceiling),
		cmocka_unit_test(what_waits_for_others_can_be_cancelled),
		cmocka_unit_test(a_file_that_finds_no_handle_is_closed_again),
		cmocka_unit_test(a_handle_that_is_none_is_ebadf),
		cmocka_unit_test(on_another_machine_everything_waits),
		cmocka_unit_test(threads_and_their_owner_do_not_meet),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	failed += run_suite("disks that wait for nobody", false, 1, false);
	failed += run_suite("all of it in threads", false, 1000, true);
	failed += run_suite("the same in a jail", true, 1000, true);
	return failed;
}
