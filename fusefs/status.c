#include "fusefs/status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/version.h"

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void status_init(struct status *status, const struct options *options)
{
	*status = (struct status){.options = options, .began_us = now_us()};
	status->first.connected_us = status->began_us;
}

void status_release(struct status *status)
{
	for (size_t i = 0; i < STATUS_LINES - 1; i++) {
		free(status->more[i]);
		status->more[i] = NULL;
	}
}

/* NULL: there is no such line. */
static const struct status_line *line_of(const struct status *status,
					 uint32_t number)
{
	if (number == 0)
		return &status->first;
	return number < STATUS_LINES ? status->more[number - 1] : NULL;
}

/* The same to be changed; without memory for it it is not counted. */
static struct status_line *line_at(struct status *status, uint32_t number)
{
	if (number == 0)
		return &status->first;
	if (number >= STATUS_LINES)
		return NULL;
	if (!status->more[number - 1])
		status->more[number - 1] =
			calloc(1, sizeof(struct status_line));
	return status->more[number - 1];
}

void status_connected(void *arg, uint32_t number)
{
	struct status_line *line = line_at(arg, number);

	if (!line)
		return;
	line->up = true;
	line->connections++;
	line->connected_us = now_us();
}

void status_lost(void *arg, uint32_t number)
{
	struct status_line *line = line_at(arg, number);

	if (!line)
		return;
	line->up = false;
	line->connected_us = now_us();
}

static uint64_t *bytes_of(struct status_line *line, unsigned message)
{
	return message == SFTP_WRITE ? &line->write_bytes : &line->read_bytes;
}

void status_sent(void *arg, uint32_t number, uint32_t slot, unsigned message,
		 uint64_t bytes)
{
	struct status_line *line = line_at(arg, number);

	if (!line || slot >= STATUS_SLOTS)
		return;
	line->slots[slot] = (struct status_slot){
		.began_us = now_us(), .bytes = bytes, .used = true};
	line->sent++;
	line->in_flight++;
	*bytes_of(line, message) += bytes;
}

void status_ended(void *arg, uint32_t number, uint32_t slot, unsigned message,
		  bool failed)
{
	struct status *status = arg;
	struct status_line *line = line_at(status, number);
	struct status_slot *at;

	if (!line || slot >= STATUS_SLOTS || message >= SFTP_KINDS)
		return;
	at = &line->slots[slot];
	if (!at->used)
		return;
	at->used = false;
	line->in_flight--;
	*bytes_of(line, message) -= at->bytes;
	meter_note(&status->messages[message], now_us() - at->began_us, failed);
}

/*
 * Telling
 */

static void tell_mount(const struct status *status, struct facts *facts)
{
	facts_section(facts, "mount");
	facts_text(facts, "source", status->options->target);
	facts_text(facts, "point", status->options->mountpoint);
	facts_text(facts, "version", CSFTP_VERSION);
	facts_number(facts, "process", (uint64_t)getpid());
	facts_us(facts, "age", now_us() - status->began_us);
	facts_text(facts, "trace", status->tracing ? "on" : "off");
	facts_section_end(facts);
}

/* The names of the bits of csftp_remote_extensions(), in one line. */
static void tell_extensions(const struct status *status, struct facts *facts)
{
	uint32_t bits = csftp_remote_extensions(status->remote);
	char text[1024] = "";
	size_t len = 0;

	for (unsigned i = 0; i < SFTP_EXT_COUNT; i++) {
		const char *name = csftp_remote_message(SFTP_EXT_FIRST + i);

		if (!(bits & 1U << i) || len + strlen(name) + 2 > sizeof(text))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					len > 0 ? " " : "", name);
	}
	facts_text(facts, "extensions", text);
}

/* What the server said of itself, as long as there is one. */
static void tell_server(const struct status *status, struct facts *facts)
{
	const struct csftp_fs *fs;

	if (!status->remote)
		return;
	fs = csftp_remote_fs(status->remote);
	facts_number(facts, "largest_read", fs->max_read);
	facts_number(facts, "largest_write", fs->max_write);
	tell_extensions(status, facts);
}

static void tell_state(const struct status_line *line, struct facts *facts)
{
	facts_text(facts, "state", line->up ? "up" : "lost");
	facts_us(facts, "since", now_us() - line->connected_us);
	facts_number(facts, "reconnects",
		     line->connections > 0 ? line->connections - 1 : 0);
}

/* Why there is no connection, and when there may be one. */
static void tell_lack(const struct status *status, struct facts *facts)
{
	const char *why = status->line ? line_why(status->line) : NULL;
	uint64_t next = status->line ? line_next_try_ms(status->line) : 0;
	uint64_t now = now_us();

	if (why)
		facts_text(facts, "why", why);
	if (next > 0)
		facts_us(facts, "next_try",
			 next * 1000 > now ? next * 1000 - now : 0);
}

static void tell_connection(const struct status *status, struct facts *facts)
{
	const struct options *options = status->options;

	facts_section(facts, "connection");
	tell_state(&status->first, facts);
	if (!status->first.up)
		tell_lack(status, facts);
	facts_text(facts, "transport", status->transport);
	facts_text(facts, "peer",
		   options->directport ? options->host : options->login);
	if (options->directport || options->port)
		facts_text(facts, "port",
			   options->directport ? options->directport
					       : options->port);
	tell_server(status, facts);
	facts_section_end(facts);
}

/* Each of them, also where there is one. */
static void tell_lines(const struct status *status, struct facts *facts)
{
	char number[16];

	facts_table(facts, "connections");
	for (uint32_t i = 0; i < STATUS_LINES; i++) {
		const struct status_line *line = line_of(status, i);

		if (!line)
			continue;
		(void)snprintf(number, sizeof(number), "%u", i + 1);
		facts_row(facts, "number", number);
		tell_state(line, facts);
		facts_number(facts, "sent", line->sent);
		facts_number(facts, "messages", line->in_flight);
		facts_number(facts, "bytes_of_reads", line->read_bytes);
		facts_number(facts, "bytes_of_writes", line->write_bytes);
		facts_row_end(facts);
	}
	facts_table_end(facts);
}

static void tell_under_way(const struct status *status, struct facts *facts)
{
	struct writebehind_counts behind = {0};
	uint64_t messages = 0, reads = 0, writes = 0;

	for (uint32_t i = 0; i < STATUS_LINES; i++) {
		const struct status_line *line = line_of(status, i);

		messages += line ? line->in_flight : 0;
		reads += line ? line->read_bytes : 0;
		writes += line ? line->write_bytes : 0;
	}
	if (status->layers)
		behind = layers_counts(status->layers).writebehind;
	facts_section(facts, "under_way");
	facts_number(facts, "messages", messages);
	facts_number(facts, "bytes_of_reads", reads);
	facts_number(facts, "bytes_of_writes", writes);
	facts_number(facts, "writes_behind", behind.steps);
	facts_number(facts, "dirty_bytes", behind.bytes);
	facts_number(facts, "callers", fusefs_callers(status->f));
	facts_section_end(facts);
}

static void tell_meter(struct facts *facts, const char *name,
		       const struct meter *meter)
{
	if (meter->count == 0)
		return;
	facts_row(facts, "name", name);
	facts_number(facts, "count", meter->count);
	facts_number(facts, "errors", meter->errors);
	facts_us(facts, "mean", meter->total_us / meter->count);
	facts_us(facts, "median", meter_percentile(meter, 50));
	facts_us(facts, "p99", meter_percentile(meter, 99));
	facts_us(facts, "longest", meter->most_us);
	facts_row_end(facts);
}

/* What carries data takes longer for that, and is no measure of the way. */
static void add_up(const struct status *status, struct meter *trips)
{
	for (unsigned i = 0; i < SFTP_KINDS; i++) {
		if (i != SFTP_READ && i != SFTP_WRITE && i != SFTP_FSYNC &&
		    i != SFTP_COPY_DATA)
			meter_add(trips, &status->messages[i]);
	}
}

static void tell_trips(const struct status *status, struct facts *facts)
{
	struct meter trips = {0};
	char name[32];

	add_up(status, &trips);
	facts_table(facts, "round_trips");
	for (unsigned i = 0; i < METER_CLASSES; i++) {
		uint64_t begin = meter_class_begin(i);

		if (trips.in_class[i] == 0)
			continue;
		(void)snprintf(name, sizeof(name), "from %llu.%03llu ms",
			       (unsigned long long)(begin / 1000),
			       (unsigned long long)(begin % 1000));
		facts_row(facts, "class", name);
		if (facts->form == FACTS_JSON)
			facts_us(facts, "from", begin);
		facts_number(facts, "count", trips.in_class[i]);
		facts_row_end(facts);
	}
	facts_table_end(facts);
}

static void tell_meters(const struct status *status, struct facts *facts)
{
	const struct meter *ops = layers_counts(status->layers).ops;

	facts_table(facts, "operations");
	for (unsigned i = 0; i < CSFTP_OP_COUNT; i++)
		tell_meter(facts, csftp_op_name((enum csftp_op)i), &ops[i]);
	facts_table_end(facts);
	facts_table(facts, "messages");
	for (unsigned i = 0; i < SFTP_KINDS; i++)
		tell_meter(facts, csftp_remote_message(i),
			   &status->messages[i]);
	facts_table_end(facts);
}

static void tell_layers(const struct status *status, struct facts *facts)
{
	const struct layers_counts counts = layers_counts(status->layers);

	facts_section(facts, "cache");
	facts_number(facts, "hits", counts.cache.answered);
	facts_number(facts, "misses", counts.cache.asked);
	facts_number(facts, "listed_ahead", counts.cache.ahead);
	facts_number(facts, "of_these_used", counts.cache.ahead_used);
	facts_number(facts, "bytes", counts.cache_bytes);
	facts_section_end(facts);
	facts_section(facts, "read_ahead");
	facts_number(facts, "reads", counts.readahead.asked);
	facts_number(facts, "bytes_used", counts.readahead.used);
	facts_number(facts, "bytes_unused", counts.readahead.unused);
	facts_number(facts, "bytes_held", counts.readahead.bytes);
	facts_number(facts, "largest_window", counts.readahead.window);
	facts_section_end(facts);
	facts_section(facts, "kept");
	facts_number(facts, "files_opened", counts.keep.opened);
	facts_number(facts, "files_asked_about", counts.keep.asked);
	facts_number(facts, "asked_ahead", counts.keep.ahead);
	facts_number(facts, "bytes_held", counts.keep.bytes);
	facts_section_end(facts);
	facts_section(facts, "prefetch");
	facts_number(facts, "files", counts.prefetch.fetched);
	facts_number(facts, "of_these_used", counts.prefetch.used);
	facts_number(facts, "bytes_used", counts.prefetch.bytes_used);
	facts_number(facts, "bytes_unused", counts.prefetch.bytes_unused);
	facts_number(facts, "bytes_held", counts.prefetch.bytes);
	facts_section_end(facts);
}

static void tell_caller(void *arg, const struct fusefs_caller *caller)
{
	struct facts *facts = arg;

	facts_row(facts, "operation", caller->op);
	facts_number(facts, "process", (uint64_t)caller->pid);
	facts_us(facts, "age", caller->age_ms * 1000);
	facts_text(facts, "path", caller->path);
	facts_row_end(facts);
}

void status_tell(const struct status *status, struct facts *facts)
{
	facts_begin(facts);
	tell_mount(status, facts);
	tell_connection(status, facts);
	tell_lines(status, facts);
	tell_under_way(status, facts);
	tell_layers(status, facts);
	tell_trips(status, facts);
	tell_meters(status, facts);
	facts_table(facts, "waiting");
	fusefs_each_caller(status->f, tell_caller, facts);
	facts_table_end(facts);
	facts_end(facts);
}
