#include "fusefs/status.h"

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
	status->connected_us = status->began_us;
}

void status_connected(struct status *status)
{
	status->up = true;
	status->connections++;
	status->connected_us = now_us();
}

void status_lost(struct status *status)
{
	status->up = false;
	status->connected_us = now_us();
}

static uint64_t *bytes_of(struct status *status, unsigned message)
{
	return message == SFTP_WRITE ? &status->write_bytes
				     : &status->read_bytes;
}

void status_sent(struct status *status, uint32_t slot, unsigned message,
		 uint64_t bytes)
{
	if (slot >= STATUS_SLOTS)
		return;
	status->slots[slot] = (struct status_slot){
		.began_us = now_us(), .bytes = bytes, .used = true};
	status->in_flight++;
	*bytes_of(status, message) += bytes;
}

void status_ended(struct status *status, uint32_t slot, unsigned message,
		  bool failed)
{
	struct status_slot *at = &status->slots[slot % STATUS_SLOTS];

	if (slot >= STATUS_SLOTS || message >= SFTP_KINDS || !at->used)
		return;
	at->used = false;
	status->in_flight--;
	*bytes_of(status, message) -= at->bytes;
	meter_note(&status->messages[message], now_us() - at->began_us, failed);
}

/*
 * Telling
 */

static void tell_mount(const struct status *status, struct report *report)
{
	report_section(report, "mount");
	report_text(report, "source", status->options->target);
	report_text(report, "point", status->options->mountpoint);
	report_text(report, "version", CSFTP_VERSION);
	report_number(report, "process", (uint64_t)getpid());
	report_us(report, "age", now_us() - status->began_us);
	report_text(report, "trace", status->tracing ? "on" : "off");
	report_section_end(report);
}

static const char *transport_of(const struct options *options)
{
	if (options->passive)
		return "standard input and output";
	if (options->directport)
		return "tcp";
	return options->ssh_command.count > 0 ? options->ssh_command.item[0]
					      : "ssh";
}

/* The names of the bits of csftp_remote_extensions(), in one line. */
static void tell_extensions(const struct status *status, struct report *report)
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
	report_text(report, "extensions", text);
}

/* What the server said of itself, as long as there is one. */
static void tell_server(const struct status *status, struct report *report)
{
	const struct csftp_fs *fs;

	if (!status->remote)
		return;
	fs = csftp_remote_fs(status->remote);
	report_number(report, "largest_read", fs->max_read);
	report_number(report, "largest_write", fs->max_write);
	tell_extensions(status, report);
}

static void tell_connection(const struct status *status, struct report *report)
{
	const struct options *options = status->options;

	report_section(report, "connection");
	report_text(report, "state", status->up ? "up" : "lost");
	report_us(report, "since", now_us() - status->connected_us);
	report_number(report, "reconnects",
		      status->connections > 0 ? status->connections - 1 : 0);
	report_text(report, "transport", transport_of(options));
	report_text(report, "peer",
		    options->directport ? options->host : options->login);
	if (options->directport || options->port)
		report_text(report, "port",
			    options->directport ? options->directport
						: options->port);
	tell_server(status, report);
	report_section_end(report);
}

static void tell_under_way(const struct status *status, struct report *report)
{
	struct writebehind_counts behind = {0};

	if (status->layers)
		behind = layers_counts(status->layers).writebehind;
	report_section(report, "under_way");
	report_number(report, "messages", status->in_flight);
	report_number(report, "bytes_of_reads", status->read_bytes);
	report_number(report, "bytes_of_writes", status->write_bytes);
	report_number(report, "writes_behind", behind.steps);
	report_number(report, "dirty_bytes", behind.bytes);
	report_number(report, "callers", fusefs_callers(status->f));
	report_section_end(report);
}

static void tell_meter(struct report *report, const char *name,
		       const struct meter *meter)
{
	if (meter->count == 0)
		return;
	report_row(report, "name", name);
	report_number(report, "count", meter->count);
	report_number(report, "errors", meter->errors);
	report_us(report, "mean", meter->total_us / meter->count);
	report_us(report, "median", meter_percentile(meter, 50));
	report_us(report, "p99", meter_percentile(meter, 99));
	report_us(report, "longest", meter->most_us);
	report_row_end(report);
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

static void tell_trips(const struct status *status, struct report *report)
{
	struct meter trips = {0};
	char name[32];

	add_up(status, &trips);
	report_table(report, "round_trips");
	for (unsigned i = 0; i < METER_CLASSES; i++) {
		uint64_t begin = meter_class_begin(i);

		if (trips.in_class[i] == 0)
			continue;
		(void)snprintf(name, sizeof(name), "from %llu.%03llu ms",
			       (unsigned long long)(begin / 1000),
			       (unsigned long long)(begin % 1000));
		report_row(report, "class", name);
		if (report->form == REPORT_JSON)
			report_us(report, "from", begin);
		report_number(report, "count", trips.in_class[i]);
		report_row_end(report);
	}
	report_table_end(report);
}

static void tell_meters(const struct status *status, struct report *report)
{
	const struct meter *ops = layers_counts(status->layers).ops;

	report_table(report, "operations");
	for (unsigned i = 0; i < CSFTP_OP_COUNT; i++)
		tell_meter(report, csftp_op_name((enum csftp_op)i), &ops[i]);
	report_table_end(report);
	report_table(report, "messages");
	for (unsigned i = 0; i < SFTP_KINDS; i++)
		tell_meter(report, csftp_remote_message(i),
			   &status->messages[i]);
	report_table_end(report);
}

static void tell_layers(const struct status *status, struct report *report)
{
	const struct layers_counts counts = layers_counts(status->layers);

	report_section(report, "cache");
	report_number(report, "hits", counts.cache.answered);
	report_number(report, "misses", counts.cache.asked);
	report_number(report, "listed_ahead", counts.cache.ahead);
	report_number(report, "of_these_used", counts.cache.ahead_used);
	report_number(report, "bytes", counts.cache_bytes);
	report_section_end(report);
	report_section(report, "read_ahead");
	report_number(report, "reads", counts.readahead.asked);
	report_number(report, "bytes_used", counts.readahead.used);
	report_number(report, "bytes_unused", counts.readahead.unused);
	report_number(report, "bytes_held", counts.readahead.bytes);
	report_number(report, "largest_window", counts.readahead.window);
	report_section_end(report);
	report_section(report, "prefetch");
	report_number(report, "files", counts.prefetch.fetched);
	report_number(report, "of_these_used", counts.prefetch.used);
	report_number(report, "bytes_used", counts.prefetch.bytes_used);
	report_number(report, "bytes_unused", counts.prefetch.bytes_unused);
	report_number(report, "bytes_held", counts.prefetch.bytes);
	report_section_end(report);
}

static void tell_caller(void *arg, const struct fusefs_caller *caller)
{
	struct report *report = arg;

	report_row(report, "operation", caller->op);
	report_number(report, "process", (uint64_t)caller->pid);
	report_us(report, "age", caller->age_ms * 1000);
	report_text(report, "path", caller->path);
	report_row_end(report);
}

void status_tell(const struct status *status, struct report *report)
{
	report_begin(report);
	tell_mount(status, report);
	tell_connection(status, report);
	tell_under_way(status, report);
	tell_layers(status, report);
	tell_trips(status, report);
	tell_meters(status, report);
	report_table(report, "waiting");
	fusefs_each_caller(status->f, tell_caller, report);
	report_table_end(report);
	report_end(report);
}
