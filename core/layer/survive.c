#include "core/layer/survive.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/layer/survive_impl.h"

static uint64_t now_ms(const struct survive *survive)
{
	return survive->config.now_ms(survive->config.arg);
}

static struct survive *survive_of(const struct survive_job *job)
{
	return (struct survive *)job->job.relay;
}

bool survive_lost(const struct survive *survive,
		  const struct csftp_reply *reply)
{
	return reply->err && (survive->state == SURVIVE_DOWN ||
			      survive->config.gone(survive->config.arg));
}

/*
 * Those that wait
 */

/* Mostly it is the latest; those of a lost connection come in any order. */
static void enlist(struct survive_job *job)
{
	struct survive *survive = survive_of(job);
	struct survive_job *after = survive->last;

	/* Nobody has missed the first connection until now. */
	if (survive->epoch == 0 && survive->waiting_count == 0)
		survive->lost_ms = now_ms(survive);
	while (after && after->number > job->number)
		after = after->prev;
	job->prev = after;
	job->next = after ? after->next : survive->first;
	if (job->prev)
		job->prev->next = job;
	else
		survive->first = job;
	if (job->next)
		job->next->prev = job;
	else
		survive->last = job;
	job->waiting = true;
	survive->waiting_count++;
}

static void survive_unlist(struct survive_job *job)
{
	struct survive *survive = survive_of(job);

	if (job->prev)
		job->prev->next = job->next;
	else
		survive->first = job->next;
	if (job->next)
		job->next->prev = job->prev;
	else
		survive->last = job->prev;
	job->waiting = false;
	survive->waiting_count--;
}

void survive_park(struct survive_job *job, int err)
{
	struct survive *survive = survive_of(job);
	bool counted = job->counted;

	job->counted = false;
	if (survive->ended) {
		survive_complete_err(job, err);
	} else {
		job->doubtful = job->doubtful || err != ENOTCONN;
		enlist(job);
	}
	if (counted)
		survive_phase_put(survive);
}

static void fail_waiting(struct survive *survive)
{
	while (survive->first) {
		struct survive_job *job = survive->first;

		survive_unlist(job);
		survive_complete_err(job, EIO);
	}
}

/* Nothing can be lost with a handle that was only read. */
static bool closes_at_once(const struct survive_job *job)
{
	return job->job.asked->op == CSFTP_OP_CLOSE && !job->file->written &&
	       job->file->holds == 1;
}

static bool is_known(const struct survive *survive, const struct csftp_req *req)
{
	return req->op == CSFTP_OP_STATFS && survive->has_statfs;
}

static void submit(struct csftp_fs *fs, struct csftp_req *req)
{
	struct survive *survive = (struct survive *)fs;
	struct survive_job *job;
	int err;

	if (survive->state == SURVIVE_DOWN && req->op == CSFTP_OP_STATFS &&
	    survive->no_statfs) {
		csftp_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (survive->state == SURVIVE_DOWN && is_known(survive, req)) {
		csftp_reply(req,
			    &(struct csftp_reply){.statfs = &survive->statfs});
		return;
	}
	job = (struct survive_job *)relay_take(&survive->relay, req);
	if (!job)
		return;
	memset((char *)job + sizeof(job->job), 0,
	       sizeof(*job) - sizeof(job->job));
	job->number = ++survive->number;
	err = survive_begin(job);
	if (err)
		survive_complete_err(job, err);
	else if (survive->state == SURVIVE_UP)
		survive_say(job);
	else if (survive->state == SURVIVE_DOWN && closes_at_once(job))
		survive_complete_err(job, 0);
	else if (survive->failing)
		survive_complete_err(job, survive->ended ? ENOTCONN : EIO);
	else
		enlist(job);
}

static void cancel(struct csftp_fs *fs, struct csftp_req *req)
{
	struct survive *survive = (struct survive *)fs;
	struct relay_job *job = survive->relay.busy;

	while (job && job->asked != req)
		job = job->next;
	if (!job)
		return;
	if (((struct survive_job *)job)->waiting) {
		survive_unlist((struct survive_job *)job);
		survive_complete_err((struct survive_job *)job, EINTR);
	} else {
		csftp_cancel(survive->relay.under, &job->req);
	}
}

/*
 * Connections
 */

static void replay(struct survive *survive)
{
	survive->state = SURVIVE_REPLAYING;
	while (survive->first && survive->state == SURVIVE_REPLAYING &&
	       !survive->config.gone(survive->config.arg)) {
		struct survive_job *job = survive->first;

		survive_unlist(job);
		survive_say(job);
	}
	if (survive->state != SURVIVE_REPLAYING || survive->first)
		return;
	survive->state = SURVIVE_UP;
	survive->lost_once = false;
}

/* A phase that the connection did not outlive begins again with the next. */
void survive_phase_put(struct survive *survive)
{
	if (--survive->phase > 0 || survive->config.gone(survive->config.arg))
		return;
	if (survive->state == SURVIVE_NAMING) {
		survive->state = SURVIVE_OPENING;
		survive->phase = 1;
		survive_reopen_all(survive);
		survive_phase_put(survive);
	} else if (survive->state == SURVIVE_OPENING) {
		survive_forget_old(survive);
		replay(survive);
	}
}

static struct survive_job *doubtful_rename(const struct survive *survive)
{
	struct survive_job *job = survive->first;

	while (job && !(job->doubtful && job->job.asked->op == CSFTP_OP_RENAME))
		job = job->next;
	return job;
}

void survive_attach(struct survive *survive, struct csftp_fs *under)
{
	struct survive_job *job;

	assert(survive->state == SURVIVE_DOWN && survive->phase == 0);
	survive->relay.under = under;
	survive->epoch++;
	survive->state = SURVIVE_NAMING;
	survive->failing = survive->ended;
	survive->phase = 1;
	job = doubtful_rename(survive);
	while (job && !survive->config.gone(survive->config.arg)) {
		survive_unlist(job);
		job->counted = true;
		survive->phase++;
		survive_say(job);
		job = doubtful_rename(survive);
	}
	survive_phase_put(survive);
}

/* What had been asked before would be answered so by now. */
static void answer_what_can_be(struct survive *survive)
{
	struct survive_job *job = survive->first;

	while (job) {
		bool known = is_known(survive, job->job.asked);

		if (!known && !closes_at_once(job)) {
			job = job->next;
			continue;
		}
		survive_unlist(job);
		if (known)
			survive_complete(job,
					 &(struct csftp_reply){
						 .statfs = &survive->statfs,
					 });
		else
			survive_complete_err(job, 0);
		job = survive->first; /* who was answered may have asked */
	}
}

/*
 * What a server ends the session for, it does again.  That is the oldest of
 * those that were sent: what came before it has been answered.
 */
static void blame(struct survive *survive)
{
	struct survive_job *job = survive->first;

	while (job && job->sent != survive->epoch)
		job = job->next;
	if (!job || job->number != survive->stuck_number)
		survive->stuck = 0;
	if (!job)
		return;
	survive->stuck_number = job->number;
	if (++survive->stuck < SURVIVE_ENDS_MAX)
		return;
	survive->stuck = 0;
	survive_unlist(job);
	survive_complete_err(job, EIO);
}

void survive_detach(struct survive *survive)
{
	survive->state = SURVIVE_DOWN;
	survive->phase = 0;
	survive_forget_old(survive);
	blame(survive);
	survive->epoch++;
	survive->relay.under = &survive->nothing;
	if (!survive->lost_once)
		survive->lost_ms = now_ms(survive);
	survive->lost_once = true;
	answer_what_can_be(survive);
	if (survive->config.fail)
		survive_refuse(survive);
}

void survive_refuse(struct survive *survive)
{
	survive->failing = true;
	fail_waiting(survive);
}

void survive_end(struct survive *survive)
{
	survive->ended = true;
	survive_refuse(survive);
}

bool survive_is_up(const struct survive *survive)
{
	return survive->state == SURVIVE_UP;
}

uint32_t survive_waiting(const struct survive *survive)
{
	return survive->waiting_count;
}

uint32_t survive_slow(const struct survive *survive)
{
	return survive->slow;
}

uint32_t survive_stuck(const struct survive *survive)
{
	return survive->stuck;
}

uint32_t survive_stale(const struct survive *survive)
{
	return survive->stale;
}

/*
 * Time
 */

static void sooner(uint64_t *next, uint64_t at)
{
	if (at && (!*next || at < *next))
		*next = at;
}

/* One that is late, or NULL; an answer can change everything. */
static struct survive_job *find_late(const struct survive *survive,
				     uint64_t now, uint64_t *next)
{
	struct survive_job *job = survive->first;

	for (; job; job = job->next) {
		uint64_t at = job->job.asked->deadline_ms;

		if (at && at <= now)
			return job;
		sooner(next, at);
	}
	return NULL;
}

static uint64_t tick_waiting(struct survive *survive, uint64_t now)
{
	uint64_t next = 0;
	struct survive_job *job = find_late(survive, now, &next);
	uint64_t end = survive->lost_ms + survive->config.timeout_ms;

	while (job) {
		survive_unlist(job);
		survive_complete_err(job, ETIMEDOUT);
		next = 0;
		job = find_late(survive, now, &next);
	}
	if (survive->state != SURVIVE_DOWN || survive->failing ||
	    survive->config.timeout_ms == 0)
		return next;
	if (end <= now)
		survive_refuse(survive);
	else
		sooner(&next, end);
	return next;
}

/* What is open for a while is looked at, so as to be known again. */
static uint64_t tick_looks(struct survive *survive, uint64_t now)
{
	struct survive_file *file = survive->files;
	uint64_t next = 0;

	if (survive->state != SURVIVE_UP)
		return 0;
	if (survive->next_look_ms == 0 || survive->next_look_ms > now)
		return survive->next_look_ms;
	while (file) {
		struct survive_file *following = file->next;
		struct survive_node *node = file->node;

		if (file->dead == 0 && !file->closed && !file->is_dir &&
		    node->changing == 0 && node->look_at_ms &&
		    node->look_at_ms <= now) {
			node->look_at_ms = 0;
			survive_file_hold(file);
			survive_look(file);
			following = file->next;
			survive_file_put(file);
		}
		file = following;
	}
	for (const struct survive_node *node = survive->nodes; node;
	     node = node->next)
		if (node->look_at_ms > now)
			sooner(&next, node->look_at_ms);
	survive->next_look_ms = next;
	return next;
}

/* It may have been lost but now. */
void survive_paused(struct survive *survive, uint64_t ms)
{
	uint64_t past = now_ms(survive) - survive->lost_ms;

	survive->lost_ms += ms < past ? ms : past;
}

uint64_t survive_tick(struct survive *survive)
{
	uint64_t now = now_ms(survive);
	uint64_t next = tick_waiting(survive, now);

	sooner(&next, tick_looks(survive, now));
	return next;
}

enum csftp_err survive_new(struct survive **out,
			   const struct survive_config *config)
{
	struct survive *survive = calloc(1, sizeof(*survive));

	if (!survive)
		return CSFTP_ERR_NOMEM;
	survive->config = *config;
	survive->nothing = (struct csftp_fs){.ops = &survive->no_ops,
					     .max_read = config->max_read,
					     .max_write = config->max_write,
					     .traits = config->traits};
	relay_init(&survive->relay, &survive->nothing,
		   sizeof(struct survive_job), submit);
	survive->relay.ops.cancel = cancel;
	survive->map.entry_size = sizeof(struct survive_handle);
	survive->lost_ms = now_ms(survive);
	survive->lost_once = true;
	survive->failing = config->fail;
	*out = survive;
	return CSFTP_OK;
}

static void drop(struct fhmap_entry *entry)
{
	(void)entry; /* files are freed by themselves */
}

void survive_free(struct survive *survive)
{
	if (!survive)
		return;
	while (survive->files) {
		struct survive_file *file = survive->files;

		file->holds = 1;
		survive_file_put(file);
	}
	survive_forget_old(survive);
	fhmap_release(&survive->map, drop);
	relay_release(&survive->relay);
	free(survive);
}

struct csftp_fs *survive_fs(struct survive *survive)
{
	return &survive->relay.fs;
}
