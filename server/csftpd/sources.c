#include "server/csftpd/sources.h"

#include <stdlib.h>

#include "server/csftpd/penalties.h"

/* Bounds on what a configuration can ask for. */
enum { WAITING_MAX = 1 << 20, SOURCES_MAX = 1 << 24 };

/*
 * Who has arrived just now has had no time to be heard, and does not go for
 * being silent before who has had it.
 */
enum { FIRST_WORD_MS = 2000 };

/* Two lists of connections, each with the oldest in front. */
enum voice { SILENT, HEARD, VOICES };

enum family { V4, V6, FAMILIES };

/* A connection that is not logged in. */
struct waiting {
	uint32_t generation;
	uint32_t group; /* its source's; ADDRS_NONE: it has no address */
	uint32_t keeper;
	uint32_t prev;
	uint32_t next; /* among the free ones, too */
	bool used;
	enum voice voice;
	uint64_t since_ms;
	struct ssh_addr addr; /* all of it, for the list of exempt ones */
};

/* A source that has some. */
struct group {
	struct addrs_item item; /* first */
	uint32_t count;
};

struct sources {
	struct sources_config config;
	struct waiting *waiting;
	uint32_t free;
	uint32_t first[VOICES];
	uint32_t last[VOICES];
	struct addrs groups;
	struct penalties penalties[FAMILIES];
	struct sources_counts counts; /* of penalties nothing */
};

void sources_defaults(struct sources_config *config)
{
	*config = (struct sources_config){
		.waiting = 100,
		.v4_bits = 32,
		.v6_bits = 128,
		.penalties = true,
		.end_ms = {[SOURCES_CRASH] = 90000,
			   [SOURCES_AUTHFAIL] = 5000,
			   [SOURCES_NOAUTH] = 1000,
			   [SOURCES_GRACE] = 10000},
		.min_ms = 15000,
		.max_ms = 600000,
		.v4_sources = 65536,
		.v6_sources = 65536,
	};
}

static bool is_valid(const struct sources_config *config)
{
	struct ssh_addr any = {.bits = 32};

	if (config->waiting == 0 || config->waiting > WAITING_MAX ||
	    config->v4_bits > 32 || config->v6_bits > 128)
		return false;
	return !config->penalties ||
	       (config->min_ms <= config->max_ms && config->v4_sources > 0 &&
		config->v6_sources > 0 && config->v4_sources <= SOURCES_MAX &&
		config->v6_sources <= SOURCES_MAX &&
		ssh_match_addr(&any, (struct wire_bytes){.len = 0},
			       config->exempt) != SSH_MATCH_BROKEN);
}

static void set_free(struct sources *sources)
{
	for (uint32_t i = 0; i < sources->config.waiting; i++)
		sources->waiting[i].next = i + 1;
	sources->waiting[sources->config.waiting - 1].next = ADDRS_NONE;
	sources->free = 0;
	for (int voice = 0; voice < VOICES; voice++) {
		sources->first[voice] = ADDRS_NONE;
		sources->last[voice] = ADDRS_NONE;
	}
}

static enum csftp_err init_penalties(struct sources *sources)
{
	const struct sources_config *config = &sources->config;
	enum csftp_err err = CSFTP_OK;

	if (!config->penalties)
		return CSFTP_OK;
	for (int family = 0; family < FAMILIES && err == CSFTP_OK; family++) {
		struct penalties *penalties = &sources->penalties[family];

		penalties->min_ms = config->min_ms;
		penalties->max_ms = config->max_ms;
		penalties->overflow = family == V4 ? config->v4_overflow
						   : config->v6_overflow;
		err = penalties_init(penalties,
				     family == V4 ? config->v4_sources
						  : config->v6_sources,
				     config->seed);
	}
	return err;
}

enum csftp_err sources_new(struct sources **out,
			   const struct sources_config *config)
{
	struct sources *sources;
	enum csftp_err err;

	if (!is_valid(config))
		return CSFTP_ERR_ARG;
	sources = calloc(1, sizeof(*sources));
	if (!sources)
		return CSFTP_ERR_NOMEM;
	sources->config = *config;
	sources->waiting = calloc(config->waiting, sizeof(*sources->waiting));
	err = sources->waiting ? init_penalties(sources) : CSFTP_ERR_NOMEM;
	if (err == CSFTP_OK)
		err = addrs_init(&sources->groups, config->waiting,
				 sizeof(struct group), config->seed);
	if (err != CSFTP_OK) {
		sources_free(sources);
		return err;
	}
	set_free(sources);
	*out = sources;
	return CSFTP_OK;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	for (int family = 0; family < FAMILIES; family++)
		penalties_release(&sources->penalties[family]);
	addrs_release(&sources->groups);
	free(sources->waiting);
	free(sources);
}

static struct group *group_at(const struct sources *sources, uint32_t group)
{
	return addrs_at(&sources->groups, group);
}

/* The part of an address that its penalties and bounds are for. */
static struct ssh_addr source_of(const struct sources *sources,
				 const struct ssh_addr *addr)
{
	struct ssh_addr source = *addr;

	ssh_addr_mask(&source, addr->bits == 32 ? sources->config.v4_bits
						: sources->config.v6_bits);
	return source;
}

static enum family family_of(const struct ssh_addr *addr)
{
	return addr->bits == 32 ? V4 : V6;
}

/* False: nobody keeps penalties of it. */
static bool is_punished(const struct sources *sources,
			const struct ssh_addr *addr)
{
	return sources->config.penalties && addr->bits > 0;
}

static bool is_exempt(const struct sources *sources,
		      const struct ssh_addr *addr)
{
	return ssh_match_addr(addr, (struct wire_bytes){.len = 0},
			      sources->config.exempt) == SSH_MATCH_YES;
}

static enum sources_answer judge(struct sources *sources,
				 const struct ssh_addr *addr, uint64_t now_ms)
{
	struct penalties *penalties = &sources->penalties[family_of(addr)];
	struct ssh_addr source = source_of(sources, addr);

	if (!is_punished(sources, addr))
		return SOURCES_TAKE;
	penalties_tidy(penalties, now_ms);
	if (penalties_left(penalties, &source, now_ms) > 0)
		return is_exempt(sources, addr) ? SOURCES_TAKE
						: SOURCES_PENALTY;
	if (penalties_deny_all(penalties) && !is_exempt(sources, addr))
		return SOURCES_FULL;
	return SOURCES_TAKE;
}

static void append(struct sources *sources, uint32_t number, enum voice voice)
{
	struct waiting *one = &sources->waiting[number];

	one->voice = voice;
	one->prev = sources->last[voice];
	one->next = ADDRS_NONE;
	if (one->prev != ADDRS_NONE)
		sources->waiting[one->prev].next = number;
	else
		sources->first[voice] = number;
	sources->last[voice] = number;
	sources->counts.silent += voice == SILENT;
}

static void take_out(struct sources *sources, uint32_t number)
{
	struct waiting *one = &sources->waiting[number];

	if (one->prev != ADDRS_NONE)
		sources->waiting[one->prev].next = one->next;
	else
		sources->first[one->voice] = one->next;
	if (one->next != ADDRS_NONE)
		sources->waiting[one->next].prev = one->prev;
	else
		sources->last[one->voice] = one->prev;
	sources->counts.silent -= one->voice == SILENT;
}

/* How many its source has; what has no address is a source by itself. */
static uint32_t company(const struct sources *sources, uint32_t number)
{
	uint32_t group = sources->waiting[number].group;

	return group == ADDRS_NONE ? 1 : group_at(sources, group)->count;
}

/* The first of a list that is of that group. */
static uint32_t oldest(const struct sources *sources, enum voice voice,
		       uint32_t group)
{
	uint32_t number = sources->first[voice];

	while (number != ADDRS_NONE && sources->waiting[number].group != group)
		number = sources->waiting[number].next;
	return number;
}

/* The first of a list whose source has so many. */
static uint32_t oldest_among(const struct sources *sources, enum voice voice,
			     uint32_t many)
{
	uint32_t number = sources->first[voice];

	while (number != ADDRS_NONE && company(sources, number) < many)
		number = sources->waiting[number].next;
	return number;
}

static uint32_t most_of_one(const struct sources *sources)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < sources->config.waiting; i++)
		if (sources->waiting[i].used && company(sources, i) > most)
			most = company(sources, i);
	return most;
}

static sources_ticket ticket_of(const struct sources *sources, uint32_t number)
{
	return (uint64_t)sources->waiting[number].generation << 32 |
	       (number + 1);
}

/* ADDRS_NONE: what it stood for has gone. */
static uint32_t find(const struct sources *sources, sources_ticket ticket)
{
	uint32_t number = (uint32_t)ticket - 1;

	if (number >= sources->config.waiting ||
	    !sources->waiting[number].used ||
	    sources->waiting[number].generation != (uint32_t)(ticket >> 32))
		return ADDRS_NONE;
	return number;
}

static void give_back(struct sources *sources, uint32_t number)
{
	struct waiting *one = &sources->waiting[number];

	take_out(sources, number);
	if (one->group != ADDRS_NONE &&
	    --group_at(sources, one->group)->count == 0)
		addrs_give(&sources->groups, one->group);
	one->used = false;
	one->generation++;
	one->next = sources->free;
	sources->free = number;
	sources->counts.waiting--;
}

/* Who has to go where all places are taken. */
static uint32_t victim(const struct sources *sources, uint64_t now_ms)
{
	uint32_t number = sources->first[SILENT], most;

	if (number != ADDRS_NONE &&
	    now_ms - sources->waiting[number].since_ms >= FIRST_WORD_MS)
		return number;
	most = most_of_one(sources);
	number = oldest_among(sources, SILENT, most);
	if (number == ADDRS_NONE)
		number = oldest_among(sources, HEARD, most);
	return number;
}

static void drop(struct sources *sources, uint32_t number,
		 struct sources_arrival *arrival)
{
	arrival->drop = ticket_of(sources, number);
	arrival->drop_keeper = sources->waiting[number].keeper;
	give_back(sources, number);
	sources->counts.dropped++;
}

/* Makes room, where there are bounds; false: the new one has to go itself. */
static bool make_room(struct sources *sources, uint32_t group, uint64_t now_ms,
		      struct sources_arrival *arrival)
{
	uint32_t most = sources->config.waiting_source;
	uint32_t number;

	if (group != ADDRS_NONE && most > 0 &&
	    group_at(sources, group)->count >= most) {
		number = oldest(sources, SILENT, group);
		if (number == ADDRS_NONE)
			return false;
		drop(sources, number, arrival);
	} else if (sources->free == ADDRS_NONE) {
		drop(sources, victim(sources, now_ms), arrival);
	}
	return true;
}

static void take(struct sources *sources, const struct ssh_addr *addr,
		 uint32_t keeper, uint64_t now_ms,
		 struct sources_arrival *arrival)
{
	struct ssh_addr source = source_of(sources, addr);
	uint32_t number = sources->free, group = ADDRS_NONE;
	struct waiting *one = &sources->waiting[number];

	sources->free = one->next;
	if (addr->bits > 0) {
		group = addrs_find(&sources->groups, &source);
		if (group == ADDRS_NONE)
			group = addrs_take(&sources->groups, &source);
		group_at(sources, group)->count++;
	}
	one->used = true;
	one->group = group;
	one->keeper = keeper;
	one->addr = *addr;
	one->since_ms = now_ms;
	append(sources, number, SILENT);
	sources->counts.waiting++;
	arrival->ticket = ticket_of(sources, number);
}

void sources_arrive(struct sources *sources, const struct ssh_addr *addr,
		    uint32_t keeper, uint64_t now_ms,
		    struct sources_arrival *arrival)
{
	struct ssh_addr source = source_of(sources, addr);
	uint32_t group = addr->bits > 0 ? addrs_find(&sources->groups, &source)
					: ADDRS_NONE;

	*arrival = (struct sources_arrival){
		.answer = judge(sources, addr, now_ms)};
	if (arrival->answer == SOURCES_TAKE &&
	    !make_room(sources, group, now_ms, arrival))
		arrival->answer = SOURCES_FULL;
	if (arrival->answer == SOURCES_TAKE)
		take(sources, addr, keeper, now_ms, arrival);
	else
		sources->counts.refused++;
}

void sources_heard(struct sources *sources, sources_ticket ticket)
{
	uint32_t number = find(sources, ticket);

	if (number == ADDRS_NONE || sources->waiting[number].voice == HEARD)
		return;
	take_out(sources, number);
	append(sources, number, HEARD);
}

void sources_leave(struct sources *sources, sources_ticket ticket,
		   enum sources_end end, uint64_t now_ms)
{
	uint32_t number = find(sources, ticket);
	uint64_t add_ms = sources->config.end_ms[end];
	struct ssh_addr addr, source;

	if (number == ADDRS_NONE)
		return;
	addr = sources->waiting[number].addr;
	source = source_of(sources, &addr);
	give_back(sources, number);
	if (add_ms > 0 && is_punished(sources, &addr) &&
	    !is_exempt(sources, &addr))
		penalties_add(&sources->penalties[family_of(&addr)], &source,
			      now_ms, add_ms);
}

void sources_count(struct sources *sources, uint64_t now_ms,
		   struct sources_counts *counts)
{
	*counts = sources->counts;
	if (!sources->config.penalties)
		return;
	for (int family = 0; family < FAMILIES; family++)
		penalties_tidy(&sources->penalties[family], now_ms);
	counts->v4_sources = sources->penalties[V4].addrs.count;
	counts->v6_sources = sources->penalties[V6].addrs.count;
}

uint64_t sources_penalty_ms(const struct sources *sources,
			    const struct ssh_addr *addr, uint64_t now_ms)
{
	struct ssh_addr source = source_of(sources, addr);

	if (!is_punished(sources, addr) || is_exempt(sources, addr))
		return 0;
	return penalties_left(&sources->penalties[family_of(addr)], &source,
			      now_ms);
}

void sources_forgive(struct sources *sources)
{
	for (int family = 0; family < FAMILIES; family++)
		if (sources->config.penalties)
			penalties_clear(&sources->penalties[family]);
}
