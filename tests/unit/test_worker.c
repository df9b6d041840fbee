/* A worker's box of mail: what has to be read in the end is in it. */
#include "server/csftpd/worker.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

struct office {
	char dir[PROC_PATH_MAX];
	struct settings *settings;
	pthread_mutex_t parse_lock;
	struct worker worker;
	bool ended;
};

static void nothing(void *arg)
{
	(void)arg;
}

static void heard(void *arg, sources_ticket ticket)
{
	(void)arg;
	(void)ticket;
}

static void leave(void *arg, sources_ticket ticket, enum sources_end end)
{
	(void)arg;
	(void)ticket;
	(void)end;
}

static void drained(void *arg)
{
	((struct office *)arg)->ended = true;
}

static struct settings *read_settings(const struct office *office,
				      const char *level)
{
	char line[64], key[PROC_PATH_MAX], why[SETTINGS_WHY_MAX];
	const char *const given[] = {line, "SyslogFacility=LOCAL3"};
	const struct settings_source source = {.given = given,
					       .given_count = 2};
	struct settings *settings;

	proc_print(line, sizeof(line), "LogLevel=%s", level);
	proc_print(key, sizeof(key), "%.4000s/key", office->dir);
	settings = settings_read(&source, why);
	if (!settings ||
	    !settings_load_keys(settings, key, HOSTKEY_MAKE, NULL, NULL, why))
		fail_msg("%s", why);
	return settings;
}

/* One that has not begun to work: it is as good as busy. */
static int make(void **state)
{
	struct office *office = calloc(1, sizeof(*office));
	struct worker_config config = {
		.log = {.level = LEVEL_ERROR, .to_stderr = true},
		.places = 4,
		.confine = nothing,
		.place_free = nothing,
		.heard = heard,
		.leave = leave,
		.drained = drained,
		.arg = office,
	};

	assert_non_null(office);
	scratch_make(office->dir);
	pthread_mutex_init(&office->parse_lock, NULL);
	office->settings = read_settings(office, "ERROR");
	config.settings = office->settings;
	config.parse_lock = &office->parse_lock;
	assert_true(worker_open(&office->worker, &config));
	*state = office;
	return 0;
}

static int drop(void **state)
{
	struct office *office = *state;

	worker_join(&office->worker);
	assert_true(worker_close(&office->worker));
	settings_put(office->settings);
	pthread_mutex_destroy(&office->parse_lock);
	scratch_remove(office->dir);
	free(office);
	return 0;
}

static bool post(struct office *office, enum mail_kind kind, uint64_t id)
{
	const struct mail mail = {.kind = kind, .fd = -1, .id = id};

	return worker_mail(&office->worker, &mail);
}

static bool post_settings(struct office *office, struct settings *settings)
{
	const struct mail mail = {.kind = MAIL_SETTINGS,
				  .fd = -1,
				  .settings = settings_get(settings)};

	return worker_mail(&office->worker, &mail);
}

static void it_hears_that_it_is_to_end_however_busy_it_is(void **state)
{
	struct office *office = *state;

	for (unsigned n = 0; n < 10000; n++) {
		assert_true(post(office, MAIL_LEVEL, LEVEL_FATAL));
		assert_true(post(office, MAIL_DRAIN, 5000));
		assert_true(post(office, MAIL_KILL, n % 4 + 1));
	}
	assert_true(post(office, MAIL_STOP, 0));
	assert_true(worker_start(&office->worker));
	worker_join(&office->worker);
	assert_true(office->ended);
}

static void the_last_settings_are_those_it_has(void **state)
{
	struct office *office = *state;
	struct settings *old = read_settings(office, "QUIET");
	struct settings *new = read_settings(office, "FATAL");

	for (unsigned n = 0; n < 1000; n++)
		assert_true(post_settings(office, old));
	assert_true(post_settings(office, new));
	assert_true(post(office, MAIL_DRAIN, 0));
	/* Those that were never looked at are nobody's any more. */
	assert_int_equal(old->refs, 1);
	assert_true(worker_start(&office->worker));
	worker_join(&office->worker);
	assert_ptr_equal(office->worker.serving->settings, new);
	assert_int_equal(office->worker.log.config.level, LEVEL_FATAL);
	assert_int_equal(office->worker.log.config.facility, LOG_LOCAL3);
	settings_put(old);
	settings_put(new);
}

static void a_full_box_says_so(void **state)
{
	struct office *office = *state;
	uint64_t posted = 0;

	while (post(office, MAIL_DROP, ++posted))
		assert_true(posted < 100000);
	assert_false(post(office, MAIL_DROP, posted));
	assert_true(post(office, MAIL_STOP, 0));
	assert_true(worker_start(&office->worker));
	worker_join(&office->worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_hears_that_it_is_to_end_however_busy_it_is, make,
			drop),
		cmocka_unit_test_setup_teardown(
			the_last_settings_are_those_it_has, make, drop),
		cmocka_unit_test_setup_teardown(a_full_box_says_so, make, drop),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
