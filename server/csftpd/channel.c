/* One channel: an SFTP session, or a line that says why not. */
#include <string.h>

#include "server/csftpd/channel_impl.h"
#include "server/posixfs.h"

enum { FAILED = 1, SLICES = 4 };

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Those that are gone and wait for a disk count as well. */
static bool is_full(const struct conn *conn)
{
	uint32_t count = 0;

	for (const struct channel *channel = conn->channels; channel;
	     channel = channel->next)
		count++;
	return count >= conn->serving->settings->sessions;
}

bool channel_open(struct conn *conn, uint32_t number)
{
	struct channel *channel =
		is_full(conn) ? NULL : pool_get(&conn->worker->channels);

	if (!channel)
		return false;
	*channel = (struct channel){
		.conn = conn, .number = number, .next = conn->channels};
	conn->channels = channel;
	worker_count(&conn->worker->sessions, 1);
	return true;
}

struct channel *channel_find(const struct conn *conn, uint32_t number)
{
	struct channel *channel = conn->channels;

	while (channel &&
	       (channel->number != number || channel->state == CHANNEL_GONE))
		channel = channel->next;
	return channel;
}

/* The first piece of what is kept is done with. */
static void put_spill(struct channel *channel)
{
	struct spill *spill = channel->first;

	channel->first = spill->next;
	if (!channel->first)
		channel->last = NULL;
	channel->conn->spills--;
	worker_buf_put(channel->conn->worker, spill);
}

static void drop_spill(struct channel *channel)
{
	while (channel->first)
		put_spill(channel);
}

static void end_session(struct channel *channel)
{
	channel_exec_free(channel);
	if (channel->session.opened)
		session_close(&channel->session);
	if (channel->disk.fs.ops)
		disk_close(&channel->disk);
	channel->disk.fs.ops = NULL;
	channel_private_free(channel);
}

static bool has_answers(const struct channel *channel)
{
	return session_is_done(&channel->session) &&
	       (!channel->disk.fs.ops || disk_is_idle(&channel->disk));
}

/* Nobody waits for it any more but what it has asked for itself. */
static void finish(struct channel *channel)
{
	struct conn *conn = channel->conn;
	struct channel **at = &conn->channels;

	if (!channel_private_stop(channel) || !channel_exec_stop(channel) ||
	    !has_answers(channel))
		return;
	while (*at != channel)
		at = &(*at)->next;
	*at = channel->next;
	end_session(channel);
	pool_put(&conn->worker->channels, channel);
	conn_settle(conn);
}

void channel_free(struct channel *channel)
{
	struct conn *conn = channel->conn;

	if (channel->state == CHANNEL_GONE)
		return;
	if (conn->held_by == channel)
		conn->held_by = NULL;
	drop_spill(channel);
	channel->state = CHANNEL_GONE;
	channel->work = channel->hungry = false;
	session_end(&channel->session);
	finish(channel);
}

/* disk_config.answered */
static void on_answered(void *arg)
{
	struct channel *channel = arg;

	if (channel->state == CHANNEL_GONE)
		finish(channel);
	else
		worker_again(channel->conn);
}

/* Where there are threads for it, what waits for a disk goes to them. */
static struct csftp_fs *open_disk(struct channel *channel,
				  const struct tree *tree)
{
	struct worker *worker = channel->conn->worker;
	const struct disk_config config = {
		.tree = tree->top,
		.files = tree->files,
		.desk = &worker->desk,
		.answered = on_answered,
		.arg = channel,
	};

	if (!worker->config.threads)
		return NULL;
	posixfs_set_mounts(tree->files, worker->mounts);
	disk_open(&channel->disk, &config);
	return &channel->disk.fs;
}

/* False: what there is of it is to be ended. */
static bool start_session(struct channel *channel)
{
	struct conn *conn = channel->conn;
	struct tree *tree = channel->private ? &channel->private->tree
					     : &conn->serving->tree;
	const struct session_config config = {
		.tree = tree,
		.files = open_disk(channel, tree),
		.user = conn->user,
		.address = conn->address,
		.audit_to = conn->worker->config.audit_to,
		.room = {channel->memory, worker_engine_get, worker_engine_put,
			 conn->worker},
	};

	return session_open(&channel->session, &config);
}

static enum channel_answer run_sftp(struct channel *channel)
{
	bool good = (!channel->private || channel->private->good) &&
		    start_session(channel);

	if (!good)
		end_session(channel);
	channel->state = good ? CHANNEL_SFTP : CHANNEL_OPEN;
	return good ? CHANNEL_YES : CHANNEL_NO;
}

void channel_opened(struct channel *channel)
{
	struct conn *conn = channel->conn;
	enum channel_answer answer;

	if (channel->state == CHANNEL_GONE) {
		finish(channel);
		return;
	}
	answer = run_sftp(channel);
	/* The question is this one, or the connection has come to its end. */
	if (channel->asked)
		(void)!csftp_ssh_answer(conn->ssh, answer == CHANNEL_YES
							   ? CSFTP_SSH_YES
							   : CSFTP_SSH_NO);
	worker_again(conn);
}

/* Who waits for the answer asks for nothing else meanwhile. */
static bool is_opening(const struct conn *conn)
{
	const struct channel *channel = conn->channels;

	while (channel && (!channel->private || !channel->private->under_way))
		channel = channel->next;
	return channel != NULL;
}

/*
 * Keys with options do nothing else (core/ssh/authkeys.h).  Of threads that it
 * could keep waiting each connection has one.
 */
static enum channel_answer start_sftp(struct channel *channel)
{
	if (channel->conn->arg_count == 0)
		return run_sftp(channel);
	if (is_opening(channel->conn) || !channel_private_make(channel)) {
		end_session(channel);
		return CHANNEL_NO;
	}
	if (channel_private_open(channel))
		return run_sftp(channel);
	channel->state = CHANNEL_OPENING;
	return CHANNEL_LATER;
}

static enum channel_answer start_exec(struct channel *channel,
				      struct csftp_ssh_bytes line)
{
	if (start_session(channel) && channel_exec_start(channel, line))
		return CHANNEL_YES;
	end_session(channel);
	return CHANNEL_NO;
}

/* The peer's program is told by a line, and ends with a status. */
static enum channel_answer say(struct channel *channel, const char *line,
			       uint32_t status)
{
	channel->state = CHANNEL_SAY;
	channel->line = line;
	channel->status = status;
	return CHANNEL_YES;
}

static bool is(struct csftp_ssh_bytes bytes, const char *text)
{
	return bytes.len == strlen(text) &&
	       memcmp(bytes.ptr, text, bytes.len) == 0;
}

enum channel_answer channel_request(struct channel *channel,
				    const struct csftp_ssh_event *event)
{
	if (channel->state != CHANNEL_OPEN)
		return CHANNEL_NO;
	channel->asked = event->question;
	switch ((int)event->request) {
	case CSFTP_SSH_SUBSYSTEM:
		return is(event->data, "sftp") ? start_sftp(channel)
					       : CHANNEL_NO;
	case CSFTP_SSH_EXEC:
		if (channel->conn->sftp_only)
			return start_sftp(channel);
		return start_exec(channel, event->data);
	case CSFTP_SSH_SHELL:
		if (channel->conn->sftp_only)
			return start_sftp(channel);
		return say(channel,
			   "This service allows sftp connections only.\n",
			   FAILED);
	default:
		return CHANNEL_NO;
	}
}

/* To what runs, as far as it has room; it answers on the way. */
static size_t feed(struct channel *channel, const uint8_t *from, size_t len)
{
	struct csftp_link *link = csftp_serve_link(channel->session.serve);
	size_t fed = 0;

	if (channel->state == CHANNEL_EXEC)
		return channel_exec_feed(channel, from, len);

	while (fed < len) {
		size_t room;
		uint8_t *in = csftp_link_in(link, &room);

		room = smaller(room, len - fed);
		if (room == 0)
			break;
		memcpy(in, from + fed, room);
		fed += room;
		if (csftp_link_in_ack(link, room) != CSFTP_OK)
			return len; /* nobody wants the rest */
	}
	return fed;
}

static void consumed(struct channel *channel, size_t len)
{
	/* On a channel that is closed there is nothing to grant. */
	if (len > 0)
		(void)!csftp_ssh_consumed(channel->conn->ssh, channel->number,
					  len);
}

/* What waits goes first.  Whether any of it went. */
static bool feed_spill(struct channel *channel)
{
	bool any = false;

	while (channel->first) {
		struct spill *spill = channel->first;
		size_t len = spill->tail - spill->head;
		size_t fed = feed(channel, spill->bytes + spill->head, len);

		consumed(channel, fed);
		any = any || fed > 0;
		spill->head += fed;
		if (fed < len)
			break;
		put_spill(channel);
	}
	return any;
}

/*
 * What stands behind it may be the peer's permission to send, which the session
 * waits for: so it is kept, up to the window, and the engine goes on.
 */
static size_t keep(struct channel *channel, const uint8_t *from, size_t len)
{
	struct conn *conn = channel->conn;
	size_t kept = 0;

	while (kept < len) {
		struct spill *last = channel->last;
		size_t n =
			last ? smaller(SPILL_ROOM - last->tail, len - kept) : 0;

		if (n > 0) {
			memcpy(last->bytes + last->tail, from + kept, n);
			last->tail += n;
			kept += n;
			continue;
		}
		last = worker_may_spill(conn) ? worker_buf_get(conn->worker)
					      : NULL;
		if (!last)
			break;
		conn->spills++;
		*last = (struct spill){.next = NULL};
		if (channel->last)
			channel->last->next = last;
		else
			channel->first = last;
		channel->last = last;
	}
	return kept;
}

static bool is_running(const struct channel *channel)
{
	return channel->state == CHANNEL_SFTP || channel->state == CHANNEL_EXEC;
}

uint8_t *channel_place(struct channel *channel, size_t left, size_t *room)
{
	if (channel->state != CHANNEL_SFTP || channel->first ||
	    channel_wait_us(channel) > 0)
		return NULL;
	return csftp_link_place(csftp_serve_link(channel->session.serve), left,
				room);
}

/* What is wrong with it is the session's end, which is seen when it moves. */
void channel_placed(struct channel *channel, size_t len)
{
	consumed(channel, len);
	(void)!csftp_link_in_ack(csftp_serve_link(channel->session.serve), len);
}

size_t channel_take(struct channel *channel, struct csftp_ssh_bytes data)
{
	size_t fed = 0;

	if (channel->state > CHANNEL_EXEC) {
		consumed(channel, data.len);
		return data.len;
	}
	if (is_running(channel) && !channel->first &&
	    channel_wait_us(channel) == 0) {
		fed = feed(channel, data.ptr, data.len);
		consumed(channel, fed);
	}
	return fed + keep(channel, data.ptr + fed, data.len - fed);
}

uint64_t channel_wait_us(const struct channel *channel)
{
	return is_running(channel) ? session_wait_us(&channel->session) : 0;
}

bool channel_has_output(const struct channel *channel)
{
	return channel->state == CHANNEL_SFTP &&
	       csftp_link_wants(csftp_serve_link(channel->session.serve)) &
		       CSFTP_WANT_OUT;
}

bool channel_is_quiet(const struct channel *channel)
{
	return channel->state != CHANNEL_EXEC &&
	       channel->state != CHANNEL_OPENING && !channel->work &&
	       !channel->first && channel_wait_us(channel) == 0 &&
	       has_answers(channel);
}

/* From the engine's output right into packets: sealing it is the copy. */
static bool send_output(struct channel *channel)
{
	struct csftp_link *link = csftp_serve_link(channel->session.serve);
	struct csftp_slice slice[SLICES];
	bool any = false;
	size_t n, sent;

	while ((n = csftp_link_out(link, slice, SLICES)) > 0) {
		if (csftp_ssh_send_from(channel->conn->ssh, channel->number,
					CSFTP_SSH_STDOUT, slice, n,
					&sent) != CSFTP_OK ||
		    sent == 0)
			break;
		(void)!csftp_link_out_ack(link, sent);
		channel->sent += sent;
		any = true;
	}
	return any;
}

static bool move_sftp(struct channel *channel)
{
	struct csftp_link *link = csftp_serve_link(channel->session.serve);
	bool any = false;
	unsigned wants;

	if (csftp_link_starved(link))
		(void)!csftp_link_in_ack(link, 0);
	any = feed_spill(channel);

	if (channel->eof && !channel->first && !channel->fed &&
	    !(csftp_link_wants(link) & CSFTP_WANT_WORK) &&
	    csftp_serve_pending(channel->session.serve) == 0) {
		channel->fed = true;
		csftp_link_close(link, CSFTP_ERR_EOF);
	}
	any = send_output(channel) || any;
	wants = csftp_link_wants(link);
	channel->work = wants & CSFTP_WANT_WORK;
	channel->hungry = csftp_link_starved(link);
	if (csftp_link_error(link) == CSFTP_OK || wants & CSFTP_WANT_OUT)
		return any;
	channel->status = csftp_link_error(link) == CSFTP_ERR_EOF ? 0 : FAILED;
	drop_spill(channel);
	channel->state = CHANNEL_STATUS;
	return true;
}

static bool move_exec(struct channel *channel)
{
	bool any = feed_spill(channel);

	any = channel_exec_move(channel) || any;
	if (channel->state != CHANNEL_EXEC)
		drop_spill(channel);
	return any;
}

bool channel_work(struct channel *channel)
{
	if (!channel->work || !is_running(channel))
		return false;
	/* A command goes on when it is moved. */
	if (channel->state == CHANNEL_SFTP)
		(void)!csftp_link_work(
			csftp_serve_link(channel->session.serve));
	return true;
}

static bool move_line(struct channel *channel)
{
	struct csftp_ssh *ssh = channel->conn->ssh;
	size_t room, len = strlen(channel->line);
	uint8_t *to =
		csftp_ssh_room(ssh, channel->number, CSFTP_SSH_STDERR, &room);

	len = smaller(room, len);
	if (len == 0)
		return false;
	memcpy(to, channel->line, len);
	if (csftp_ssh_send(ssh, channel->number, len) != CSFTP_OK)
		return false;
	channel->line += len;
	if (!*channel->line)
		channel->state = CHANNEL_STATUS;
	return true;
}

/* One step towards the end; what has no room now is tried again. */
static bool move_end(struct channel *channel)
{
	struct csftp_ssh *ssh = channel->conn->ssh;
	enum csftp_err err = CSFTP_OK;

	if (channel->state == CHANNEL_STATUS)
		err = csftp_ssh_exit_status(ssh, channel->number,
					    channel->status);
	else if (channel->state == CHANNEL_EOF)
		err = csftp_ssh_send_eof(ssh, channel->number);
	else if (channel->state == CHANNEL_CLOSE)
		err = csftp_ssh_channel_close(ssh, channel->number);
	else
		return false;
	if (err == CSFTP_ERR_NO_ROOM)
		return false;
	channel->state++;
	return true;
}

bool channel_move(struct channel *channel)
{
	bool any = false;

	if (is_running(channel) && channel_wait_us(channel) == 0)
		any = channel->state == CHANNEL_SFTP ? move_sftp(channel)
						     : move_exec(channel);
	if (channel->state == CHANNEL_SAY)
		any = move_line(channel) || any;
	while (channel->state >= CHANNEL_STATUS && move_end(channel))
		any = true;
	return any;
}
