/* Who may connect, who has to go for it, and who has to wait. */
#include "server/csftpd/sources.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/ssh/names.h"
#include "server/csftpd/addrs.h"
#include "tests/lib/test.h"

struct world {
	struct sources_config config;
	struct sources *sources;
	struct sources_arrival arrival;
	uint32_t keeper;
	uint64_t now_ms;
};

static int begin(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return -1;
	sources_defaults(&world->config);
	world->config.waiting = 4;
	world->config.seed = 12345;
	world->now_ms = 1000000;
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	sources_free(world->sources);
	free(world);
	return 0;
}

static void start(struct world *world)
{
	assert_int_equal(sources_new(&world->sources, &world->config),
			 CSFTP_OK);
}

static struct ssh_addr addr_of(const char *text)
{
	struct ssh_addr addr = {.bits = 0};

	if (*text)
		assert_true(ssh_addr_read(&addr, ssh_text(text)));
	return addr;
}

static enum sources_answer arrive(struct world *world, const char *text)
{
	struct ssh_addr addr = addr_of(text);

	sources_arrive(world->sources, &addr, world->keeper, world->now_ms,
		       &world->arrival);
	return world->arrival.answer;
}

static sources_ticket take(struct world *world, const char *text)
{
	assert_int_equal(arrive(world, text), SOURCES_TAKE);
	assert_true(world->arrival.ticket != 0);
	return world->arrival.ticket;
}

static void leave(struct world *world, sources_ticket ticket,
		  enum sources_end how)
{
	sources_leave(world->sources, ticket, how, world->now_ms);
}

/* Comes, and ends like that. */
static void visit(struct world *world, const char *text, enum sources_end how)
{
	leave(world, take(world, text), how);
}

static uint64_t left(struct world *world, const char *text)
{
	struct ssh_addr addr = addr_of(text);

	return sources_penalty_ms(world->sources, &addr, world->now_ms);
}

static struct sources_counts counts(struct world *world)
{
	struct sources_counts out;

	sources_count(world->sources, world->now_ms, &out);
	return out;
}

static void the_longest_silent_peer_has_to_go(void **state)
{
	struct world *world = *state;
	sources_ticket t[4];

	start(world);
	for (int i = 0; i < 4; i++)
		t[i] = take(world, "192.0.2.1");
	assert_true(world->arrival.drop == 0);
	sources_heard(world->sources, t[0]);
	(void)take(world, "192.0.2.2");
	assert_true(world->arrival.drop == t[1]);
	(void)take(world, "192.0.2.3");
	assert_true(world->arrival.drop == t[2]);
	assert_int_equal(counts(world).waiting, 4);
	assert_int_equal(counts(world).silent, 3);
	assert_int_equal(counts(world).dropped, 2);
}

static void who_has_the_one_that_has_to_go_is_told(void **state)
{
	struct world *world = *state;

	start(world);
	for (world->keeper = 10; world->keeper < 14; world->keeper++)
		(void)take(world, "192.0.2.1");
	(void)take(world, "192.0.2.2");
	assert_int_equal(world->arrival.drop_keeper, 10);
	world->keeper = 20;
	(void)take(world, "192.0.2.3");
	assert_int_equal(world->arrival.drop_keeper, 11);
}

/* Nobody can be so fast that a user has no time to say hello. */
static void a_fast_source_displaces_only_itself(void **state)
{
	struct world *world = *state;
	sources_ticket t[4], before;

	start(world);
	t[0] = take(world, "192.0.2.9");
	for (int i = 1; i < 4; i++)
		t[i] = take(world, "192.0.2.1");
	for (int i = 1; i < 4; i++)
		sources_heard(world->sources, t[i]);
	/* The user alone is silent, and stays; and so when all are. */
	(void)take(world, "192.0.2.1");
	assert_true(world->arrival.drop == t[1]);
	before = world->arrival.ticket;
	for (int i = 0; i < 1000; i++) {
		(void)take(world, "192.0.2.1");
		assert_true(world->arrival.drop == before);
		before = world->arrival.ticket;
	}
	sources_heard(world->sources, t[0]);
	(void)take(world, "192.0.2.1");
	assert_true(world->arrival.drop == before);
	assert_int_equal(counts(world).waiting, 4);
}

static void who_stays_silent_goes_before_all_others(void **state)
{
	struct world *world = *state;
	sources_ticket t[4];

	start(world);
	t[0] = take(world, "192.0.2.9");
	world->now_ms += 1999;
	for (int i = 1; i < 4; i++)
		t[i] = take(world, "192.0.2.1");
	sources_heard(world->sources, t[2]);
	(void)take(world, "192.0.2.1");
	assert_true(world->arrival.drop == t[1]);
	world->now_ms += 1;
	(void)take(world, "192.0.2.1");
	assert_true(world->arrival.drop == t[0]);
}

static void of_talking_peers_one_of_the_busiest_source_has_to_go(void **state)
{
	struct world *world = *state;
	sources_ticket t[4];

	start(world);
	t[0] = take(world, "192.0.2.1");
	t[1] = take(world, "192.0.2.2");
	t[2] = take(world, "192.0.2.2");
	t[3] = take(world, "192.0.2.3");
	/* Not who came first, but who spoke first. */
	sources_heard(world->sources, t[2]);
	for (int i = 0; i < 4; i++)
		sources_heard(world->sources, t[i]);
	(void)take(world, "192.0.2.4");
	assert_true(world->arrival.drop == t[2]);
	sources_heard(world->sources, world->arrival.ticket);
	(void)take(world, "192.0.2.5");
	assert_true(world->arrival.drop == t[0]);
}

static void a_source_can_have_a_bound_of_its_own(void **state)
{
	struct world *world = *state;
	sources_ticket t[4];

	world->config.waiting_source = 2;
	start(world);
	t[0] = take(world, "192.0.2.1");
	t[1] = take(world, "192.0.2.1");
	t[2] = take(world, "192.0.2.2");
	t[3] = take(world, "192.0.2.1");
	assert_true(world->arrival.drop == t[0]);
	sources_heard(world->sources, t[1]);
	sources_heard(world->sources, t[3]);
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_FULL);
	assert_true(world->arrival.ticket == 0 && world->arrival.drop == 0);
	leave(world, t[1], SOURCES_DONE);
	(void)take(world, "192.0.2.1");
	assert_true(world->arrival.drop == 0);
	assert_int_equal(counts(world).refused, 1);
	assert_int_equal(counts(world).waiting, 3);
	(void)t[2];
}

static void a_bound_of_one_replaces_what_is_silent(void **state)
{
	struct world *world = *state;
	sources_ticket t;

	world->config.waiting_source = 1;
	start(world);
	t = take(world, "192.0.2.1");
	(void)take(world, "192.0.2.1");
	assert_true(world->arrival.drop == t);
	assert_int_equal(counts(world).waiting, 1);
}

static void what_is_gone_is_recognised(void **state)
{
	struct world *world = *state;
	sources_ticket first, second;

	start(world);
	first = take(world, "192.0.2.1");
	leave(world, first, SOURCES_DONE);
	second = take(world, "192.0.2.1");
	leave(world, first, SOURCES_CRASH);
	sources_heard(world->sources, first);
	assert_int_equal(counts(world).waiting, 1);
	assert_int_equal(counts(world).silent, 1);
	assert_true(left(world, "192.0.2.1") == 0);
	leave(world, second, SOURCES_DONE);
	leave(world, second, SOURCES_CRASH);
	leave(world, 0, SOURCES_CRASH);
	leave(world, UINT64_MAX, SOURCES_CRASH);
	leave(world, 5, SOURCES_CRASH);
	assert_int_equal(counts(world).waiting, 0);
	assert_true(left(world, "192.0.2.1") == 0);
}

static void who_has_no_address_is_only_counted(void **state)
{
	struct world *world = *state;
	sources_ticket first;

	world->config.waiting_source = 1;
	start(world);
	first = take(world, "");
	for (int i = 0; i < 4; i++)
		(void)take(world, "");
	assert_true(world->arrival.drop == first);
	leave(world, world->arrival.ticket, SOURCES_CRASH);
	assert_int_equal(arrive(world, ""), SOURCES_TAKE);
	assert_int_equal(counts(world).waiting, 4);
}

static void penalties_add_up_and_count_from_the_least_on(void **state)
{
	struct world *world = *state;

	start(world);
	visit(world, "192.0.2.1", SOURCES_AUTHFAIL);
	visit(world, "192.0.2.1", SOURCES_AUTHFAIL);
	assert_true(left(world, "192.0.2.1") == 0);
	visit(world, "192.0.2.1", SOURCES_AUTHFAIL);
	assert_true(left(world, "192.0.2.1") == 15000);
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_PENALTY);
	assert_int_equal(arrive(world, "192.0.2.2"), SOURCES_TAKE);
	/* Once it is in force it is so up to its end. */
	world->now_ms += 14999;
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_PENALTY);
	world->now_ms += 1;
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_TAKE);
	assert_int_equal(counts(world).refused, 2);
	assert_int_equal(counts(world).v4_sources, 0);
}

static void time_heals_a_penalty_that_is_not_in_force(void **state)
{
	struct world *world = *state;

	start(world);
	for (int i = 0; i < 20; i++) {
		visit(world, "192.0.2.1", SOURCES_AUTHFAIL);
		world->now_ms += 5000;
	}
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_TAKE);
}

static void each_end_has_its_own_penalty_and_there_is_a_most(void **state)
{
	static const struct {
		enum sources_end end;
		uint64_t ms;
	} ends[] = {{SOURCES_CRASH, 90000},
		    {SOURCES_AUTHFAIL, 5000},
		    {SOURCES_NOAUTH, 1000},
		    {SOURCES_GRACE, 10000},
		    {SOURCES_DONE, 0}};
	struct world *world = *state;
	char text[32];

	world->config.min_ms = 0;
	start(world);
	for (int i = 0; i < 5; i++) {
		(void)snprintf(text, sizeof(text), "192.0.2.%d", i);
		visit(world, text, ends[i].end);
		assert_true(left(world, text) == ends[i].ms);
	}
	for (int i = 0; i < 5; i++) {
		sources_ticket held[2];

		/* Those that were let in before it was in force. */
		(void)snprintf(text, sizeof(text), "10.0.0.%d", i);
		held[0] = take(world, text);
		held[1] = take(world, text);
		leave(world, held[0], SOURCES_CRASH);
		leave(world, held[1], SOURCES_CRASH);
		assert_true(left(world, text) == 180000);
	}
}

static void no_penalty_is_longer_than_the_most(void **state)
{
	struct world *world = *state;
	sources_ticket t[4];

	world->config.max_ms = 200000;
	start(world);
	for (int i = 0; i < 4; i++)
		t[i] = take(world, "192.0.2.1");
	for (int i = 0; i < 4; i++)
		leave(world, t[i], SOURCES_CRASH);
	assert_true(left(world, "192.0.2.1") == 200000);
	world->config.end_ms[SOURCES_CRASH] = UINT64_MAX;
	sources_free(world->sources);
	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	assert_true(left(world, "192.0.2.1") == 200000);
}

static void a_source_can_be_a_block_of_addresses(void **state)
{
	struct world *world = *state;

	world->config.v4_bits = 24;
	world->config.v6_bits = 56;
	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	visit(world, "2001:db8:0:ff::1", SOURCES_CRASH);
	assert_int_equal(arrive(world, "192.0.2.200"), SOURCES_PENALTY);
	assert_int_equal(arrive(world, "192.0.3.1"), SOURCES_TAKE);
	assert_int_equal(arrive(world, "2001:db8::2"), SOURCES_PENALTY);
	assert_int_equal(arrive(world, "2001:db8:0:100::1"), SOURCES_TAKE);
	assert_int_equal(counts(world).v4_sources, 1);
	assert_int_equal(counts(world).v6_sources, 1);
}

static void families_are_told_apart(void **state)
{
	struct world *world = *state;

	start(world);
	/* The same bytes. */
	visit(world, "1.2.3.4", SOURCES_CRASH);
	assert_int_equal(arrive(world, "102:304::"), SOURCES_TAKE);
	assert_int_equal(arrive(world, "::ffff:1.2.3.4"), SOURCES_PENALTY);
}

static void exempt_sources_have_no_penalties(void **state)
{
	struct world *world = *state;

	world->config.exempt = ssh_text("10.0.0.0/8,!10.9.0.0/16,::1");
	world->config.v4_sources = 1;
	world->config.v4_overflow = SOURCES_DENY_ALL;
	start(world);
	visit(world, "10.1.0.1", SOURCES_CRASH);
	visit(world, "::1", SOURCES_CRASH);
	assert_true(left(world, "10.1.0.1") == 0);
	assert_int_equal(arrive(world, "10.1.0.1"), SOURCES_TAKE);
	assert_int_equal(arrive(world, "::1"), SOURCES_TAKE);
	visit(world, "10.9.0.1", SOURCES_CRASH);
	assert_int_equal(arrive(world, "10.9.0.1"), SOURCES_PENALTY);
	/* And where nobody else gets in, they do. */
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_FULL);
	assert_int_equal(arrive(world, "10.1.0.1"), SOURCES_TAKE);
}

static void exempt_sources_get_in_though_their_block_has_a_penalty(void **state)
{
	struct world *world = *state;

	world->config.v4_bits = 24;
	world->config.exempt = ssh_text("192.0.2.7");
	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	assert_int_equal(arrive(world, "192.0.2.8"), SOURCES_PENALTY);
	assert_int_equal(arrive(world, "192.0.2.7"), SOURCES_TAKE);
}

static void a_full_table_forgets_what_ends_first(void **state)
{
	struct world *world = *state;

	world->config.v4_sources = 3;
	world->config.min_ms = 0;
	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	visit(world, "192.0.2.2", SOURCES_GRACE);
	visit(world, "192.0.2.3", SOURCES_AUTHFAIL);
	visit(world, "192.0.2.4", SOURCES_CRASH);
	assert_int_equal(counts(world).v4_sources, 3);
	assert_true(left(world, "192.0.2.3") == 0);
	assert_true(left(world, "192.0.2.2") == 10000);
	visit(world, "192.0.2.5", SOURCES_NOAUTH);
	assert_true(left(world, "192.0.2.2") == 0);
	assert_true(left(world, "192.0.2.5") == 1000);
	assert_true(left(world, "192.0.2.1") == 90000);
	assert_true(left(world, "192.0.2.4") == 90000);
}

static void a_full_table_can_mean_that_nobody_gets_in(void **state)
{
	struct world *world = *state;

	world->config.v4_sources = 2;
	world->config.v4_overflow = SOURCES_DENY_ALL;
	world->config.min_ms = 0;
	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	visit(world, "192.0.2.2", SOURCES_GRACE);
	assert_int_equal(arrive(world, "192.0.2.3"), SOURCES_FULL);
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_PENALTY);
	assert_int_equal(arrive(world, "2001:db8::1"), SOURCES_TAKE);
	world->now_ms += 10000;
	assert_int_equal(arrive(world, "192.0.2.3"), SOURCES_TAKE);
	assert_true(left(world, "192.0.2.1") == 80000);
}

static void penalties_can_be_off_or_forgiven(void **state)
{
	struct world *world = *state;

	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	visit(world, "2001:db8::1", SOURCES_CRASH);
	sources_forgive(world->sources);
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_TAKE);
	assert_int_equal(arrive(world, "2001:db8::1"), SOURCES_TAKE);
	assert_int_equal(counts(world).v4_sources, 0);
	sources_free(world->sources);
	world->config.penalties = false;
	start(world);
	visit(world, "192.0.2.1", SOURCES_CRASH);
	assert_int_equal(arrive(world, "192.0.2.1"), SOURCES_TAKE);
	assert_int_equal(counts(world).v4_sources, 0);
	sources_forgive(world->sources);
}

static void what_cannot_be_is_refused(void **state)
{
	struct world *world = *state;
	struct sources_config good = world->config;
	struct sources *sources = NULL;

	world->config.waiting = 0;
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_ERR_ARG);
	world->config = good;
	world->config.v4_bits = 33;
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_ERR_ARG);
	world->config = good;
	world->config.v6_bits = 129;
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_ERR_ARG);
	world->config = good;
	world->config.min_ms = good.max_ms + 1;
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_ERR_ARG);
	world->config = good;
	world->config.v6_sources = 0;
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_ERR_ARG);
	world->config = good;
	world->config.exempt = ssh_text("10.0.0.1/8");
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_ERR_ARG);
	world->config.penalties = false;
	assert_int_equal(sources_new(&sources, &world->config), CSFTP_OK);
	sources_free(sources);
	sources_free(NULL);
}

/* A model with one line for each source, and no bounds. */
struct model {
	uint64_t ends_ms[64];
	bool in_force[64];
};

static void model_add(struct model *model, const struct world *world, int who,
		      uint64_t add_ms)
{
	uint64_t now_ms = world->now_ms;

	if (model->ends_ms[who] <= now_ms) {
		model->ends_ms[who] = now_ms;
		model->in_force[who] = false;
	}
	model->ends_ms[who] += add_ms;
	if (model->ends_ms[who] > now_ms + world->config.max_ms)
		model->ends_ms[who] = now_ms + world->config.max_ms;
	if (model->ends_ms[who] - now_ms >= world->config.min_ms)
		model->in_force[who] = true;
}

static void many_sources_are_as_a_simple_model_has_them(void **state)
{
	struct world *world = *state;
	struct model model = {.ends_ms = {0}};
	uint64_t chance = 88172645463325252U;
	char text[32];

	world->config.v4_sources = 64;
	start(world);
	for (int step = 0; step < 20000; step++) {
		int who, how;

		chance ^= chance << 13;
		chance ^= chance >> 7;
		chance ^= chance << 17;
		who = (int)(chance % 64);
		how = (int)(chance >> 8) & 7;
		world->now_ms += chance >> 16 & 0x7ff;
		(void)snprintf(text, sizeof(text), "10.0.%d.%d", who / 8, who);
		if (model.in_force[who] && model.ends_ms[who] > world->now_ms) {
			assert_int_equal(arrive(world, text), SOURCES_PENALTY);
			assert_true(left(world, text) ==
				    model.ends_ms[who] - world->now_ms);
			continue;
		}
		if (how >= SOURCES_ENDS)
			how = SOURCES_GRACE;
		visit(world, text, (enum sources_end)how);
		if (how != SOURCES_DONE)
			model_add(&model, world, who,
				  world->config.end_ms[how]);
	}
}

static void many_connections_keep_both_lists_whole(void **state)
{
	struct world *world = *state;
	sources_ticket held[8] = {0};
	uint64_t chance = 88172645463325252U;
	char text[32];

	world->config.waiting = 6;
	world->config.waiting_source = 3;
	world->config.penalties = false;
	start(world);
	for (int step = 0; step < 20000; step++) {
		sources_ticket *one;
		uint32_t live = 0, before = counts(world).waiting;

		chance ^= chance << 13;
		chance ^= chance >> 7;
		chance ^= chance << 17;
		one = &held[chance % 8];
		if (chance >> 8 & 1 && *one) {
			sources_heard(world->sources, *one);
			continue;
		}
		leave(world, *one, SOURCES_DONE);
		live = counts(world).waiting;
		assert_true(live == before || live == before - 1);
		*one = 0;
		(void)snprintf(text, sizeof(text), "10.0.0.%d",
			       (int)(chance >> 16 & 3));
		if (arrive(world, text) != SOURCES_TAKE)
			continue;
		*one = world->arrival.ticket;
		assert_int_equal(counts(world).waiting,
				 live + (world->arrival.drop == 0));
		assert_in_range(counts(world).waiting, 1, 6);
	}
}

/* With a seed that nobody knows, addresses in a row are spread well enough. */
static void addresses_in_a_row_do_not_collide(void **state)
{
	struct addrs addrs;
	unsigned longest = 0;

	(void)state;
	assert_int_equal(addrs_init(&addrs, 65536, sizeof(struct addrs_item),
				    0x0123456789abcdefU),
			 CSFTP_OK);
	for (uint32_t i = 0; i < 65536; i++) {
		struct ssh_addr addr = {.bits = 128};

		addr.bytes[6] = (uint8_t)(i >> 8);
		addr.bytes[7] = (uint8_t)i;
		assert_int_not_equal(addrs_take(&addrs, &addr), ADDRS_NONE);
	}
	for (uint32_t b = 0; b <= addrs.mask; b++) {
		unsigned len = 0;

		for (uint32_t link = addrs.bucket[b]; link > 0; len++) {
			struct addrs_item *item = addrs_at(&addrs, link - 1);

			link = item->link;
		}
		longest = len > longest ? len : longest;
	}
	assert_in_range(longest, 1, 16);
	addrs_release(&addrs);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest claims[] = {
		CLAIM(the_longest_silent_peer_has_to_go),
		CLAIM(who_has_the_one_that_has_to_go_is_told),
		CLAIM(a_fast_source_displaces_only_itself),
		CLAIM(who_stays_silent_goes_before_all_others),
		CLAIM(of_talking_peers_one_of_the_busiest_source_has_to_go),
		CLAIM(a_source_can_have_a_bound_of_its_own),
		CLAIM(a_bound_of_one_replaces_what_is_silent),
		CLAIM(what_is_gone_is_recognised),
		CLAIM(who_has_no_address_is_only_counted),
		CLAIM(penalties_add_up_and_count_from_the_least_on),
		CLAIM(time_heals_a_penalty_that_is_not_in_force),
		CLAIM(each_end_has_its_own_penalty_and_there_is_a_most),
		CLAIM(no_penalty_is_longer_than_the_most),
		CLAIM(a_source_can_be_a_block_of_addresses),
		CLAIM(families_are_told_apart),
		CLAIM(exempt_sources_have_no_penalties),
		CLAIM(exempt_sources_get_in_though_their_block_has_a_penalty),
		CLAIM(a_full_table_forgets_what_ends_first),
		CLAIM(a_full_table_can_mean_that_nobody_gets_in),
		CLAIM(penalties_can_be_off_or_forgiven),
		CLAIM(what_cannot_be_is_refused),
		CLAIM(many_sources_are_as_a_simple_model_has_them),
		CLAIM(many_connections_keep_both_lists_whole),
		CLAIM(addresses_in_a_row_do_not_collide),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
