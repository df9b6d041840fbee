/* Channel requests (RFC 4254, 5.4 and 6). */

#include "core/ssh/channels.h"
#include "core/ssh/engine.h"
#include "core/ssh/names.h"

typedef void read_fn(struct wire_rd *rd, struct csftp_ssh_event *event);

static void read_nothing(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	(void)rd;
	(void)event;
}

static void read_data(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	event->data = ssh_shown(wire_rd_string(rd, rd->left));
}

static void read_pair(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	event->data = ssh_shown(wire_rd_string(rd, rd->left));
	event->more = ssh_shown(wire_rd_string(rd, rd->left));
}

static void read_size(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	event->columns = wire_rd_u32(rd);
	event->rows = wire_rd_u32(rd);
	(void)wire_rd_u32(rd);
	(void)wire_rd_u32(rd);
}

static void read_pty(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	read_data(rd, event);
	read_size(rd, event);
	event->more = ssh_shown(wire_rd_string(rd, rd->left));
}

static void read_number(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	event->number = wire_rd_u32(rd);
}

static void read_exit_signal(struct wire_rd *rd, struct csftp_ssh_event *event)
{
	event->data = ssh_shown(wire_rd_string(rd, rd->left));
	(void)ssh_rd_bool(rd);
	event->more = ssh_shown(wire_rd_string(rd, rd->left));
	(void)wire_rd_string(rd, rd->left);
}

/* What is not in here is refused, or where no reply is wanted, dropped. */
static const struct {
	const char *name;
	enum csftp_ssh_role to;
	enum csftp_ssh_request kind;
	read_fn *read;
} requests[] = {
	{"exec", CSFTP_SSH_SERVER, CSFTP_SSH_EXEC, read_data},
	{"subsystem", CSFTP_SSH_SERVER, CSFTP_SSH_SUBSYSTEM, read_data},
	{"shell", CSFTP_SSH_SERVER, CSFTP_SSH_SHELL, read_nothing},
	{"env", CSFTP_SSH_SERVER, CSFTP_SSH_ENV, read_pair},
	{"pty-req", CSFTP_SSH_SERVER, CSFTP_SSH_PTY, read_pty},
	{"window-change", CSFTP_SSH_SERVER, CSFTP_SSH_WINDOW, read_size},
	{"signal", CSFTP_SSH_SERVER, CSFTP_SSH_SIGNAL, read_data},
	{"exit-status", CSFTP_SSH_CLIENT, CSFTP_SSH_EXIT_STATUS, read_number},
	{"exit-signal", CSFTP_SSH_CLIENT, CSFTP_SSH_EXIT_SIGNAL,
	 read_exit_signal},
};

enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

static size_t request_named(const struct csftp_ssh *ssh, struct wire_bytes name)
{
	size_t i = 0;

	while (i < REQUESTS && !(requests[i].to == ssh->env->config.role &&
				 ssh_is(name, requests[i].name)))
		i++;
	return i;
}

static void reply(struct csftp_ssh *ssh, const struct ssh_channel *channel,
		  bool good)
{
	struct wire_wr wr = ssh_begin(ssh, good ? SSH_CHANNEL_SUCCESS
						: SSH_CHANNEL_FAILURE);

	wire_wr_u32(&wr, channel->peer);
	ssh_reply(ssh, &wr);
}

void ssh_on_request(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	uint32_t number = wire_rd_u32(rd);
	struct wire_bytes name = wire_rd_string(rd, rd->left);
	bool wants_reply = ssh_rd_bool(rd);
	size_t which = request_named(ssh, name);
	struct csftp_ssh_event event = {.kind = CSFTP_SSH_REQUEST,
					.channel = number};
	struct ssh_channel *channel;

	if (which < REQUESTS)
		requests[which].read(rd, &event);
	else
		(void)wire_rd_rest(rd);
	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPEN_NOW);
	/* We have closed it, and nothing goes out behind that. */
	if (!channel || channel->ours == SSH_SAYS_CLOSE)
		return;
	if (which == REQUESTS) {
		if (wants_reply)
			reply(ssh, channel, false);
		return;
	}
	event.request = requests[which].kind;
	*ssh_event(ssh, CSFTP_SSH_REQUEST) = event;
	ssh->question_channel = number;
	if (wants_reply)
		ssh_ask(ssh, SSH_CHANNEL_REQUEST);
}

/* The owner may have closed the channel instead. */
void ssh_request_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer)
{
	struct ssh_channel *channel = NULL;

	if (ssh_channel_of_owner(ssh, ssh->question_channel, &channel) ==
	    CSFTP_OK)
		reply(ssh, channel, answer == CSFTP_SSH_YES);
}

static void on_reply(struct csftp_ssh *ssh, struct wire_rd *rd, bool good)
{
	uint32_t number = wire_rd_u32(rd);
	struct csftp_ssh_event *event;
	struct ssh_channel *channel;

	if (!ssh_whole(ssh, rd))
		return;
	channel = ssh_channel_named(ssh, number, SSH_OPEN_NOW);
	if (!channel)
		return;
	if (channel->due == 0) {
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "a reply to no request");
		return;
	}
	channel->due--;
	if (channel->ours == SSH_SAYS_CLOSE)
		return;
	event = ssh_event(ssh, CSFTP_SSH_REPLY);
	event->channel = number;
	event->ok = good;
}

void ssh_on_channel_success(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	on_reply(ssh, rd, true);
}

void ssh_on_channel_failure(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	on_reply(ssh, rd, false);
}

enum reply_wish { NO_REPLY, WANT_REPLY };

/* Begins a request of ours; finish() sends it. */
static enum csftp_err begin(struct csftp_ssh *ssh, uint32_t number,
			    enum csftp_ssh_role who, const char *name,
			    enum reply_wish wish, struct wire_wr *wr)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_channel_of_owner(ssh, number, &channel);

	if (err != CSFTP_OK)
		return err;
	if (ssh->env->config.role != who)
		return CSFTP_ERR_STATE;
	if (wish == WANT_REPLY && channel->due == SSH_REQUESTS_MAX)
		return CSFTP_ERR_NO_ROOM;
	*wr = ssh_begin(ssh, SSH_CHANNEL_REQUEST);
	wire_wr_u32(wr, channel->peer);
	ssh_wr_text(wr, name);
	ssh_wr_bool(wr, wish == WANT_REPLY);
	return CSFTP_OK;
}

static enum csftp_err finish(struct csftp_ssh *ssh, uint32_t number,
			     enum reply_wish wish, struct wire_wr *wr)
{
	struct ssh_channel *channel;
	enum csftp_err err = ssh_end(ssh, wr);

	if (err == CSFTP_OK)
		err = ssh_channel_of_owner(ssh, number, &channel);
	if (err == CSFTP_OK && wish == WANT_REPLY)
		channel->due++;
	return err;
}

/* Those of one text, or none, or two. */
static enum csftp_err ask(struct csftp_ssh *ssh, uint32_t number,
			  const char *name, const char *one, const char *two)
{
	struct wire_wr wr;
	enum csftp_err err =
		begin(ssh, number, CSFTP_SSH_CLIENT, name, WANT_REPLY, &wr);

	if (err != CSFTP_OK)
		return err;
	if (one)
		ssh_wr_text(&wr, one);
	if (two)
		ssh_wr_text(&wr, two);
	return finish(ssh, number, WANT_REPLY, &wr);
}

enum csftp_err csftp_ssh_exec(struct csftp_ssh *ssh, uint32_t channel,
			      const char *command)
{
	return command ? ask(ssh, channel, "exec", command, NULL)
		       : CSFTP_ERR_ARG;
}

enum csftp_err csftp_ssh_subsystem(struct csftp_ssh *ssh, uint32_t channel,
				   const char *name)
{
	return name ? ask(ssh, channel, "subsystem", name, NULL)
		    : CSFTP_ERR_ARG;
}

enum csftp_err csftp_ssh_shell(struct csftp_ssh *ssh, uint32_t channel)
{
	return ask(ssh, channel, "shell", NULL, NULL);
}

enum csftp_err csftp_ssh_setenv(struct csftp_ssh *ssh, uint32_t channel,
				const char *name, const char *value)
{
	return name && value ? ask(ssh, channel, "env", name, value)
			     : CSFTP_ERR_ARG;
}

enum csftp_err csftp_ssh_signal(struct csftp_ssh *ssh, uint32_t channel,
				const char *name)
{
	struct wire_wr wr;
	enum csftp_err err;

	if (!name)
		return CSFTP_ERR_ARG;
	err = begin(ssh, channel, CSFTP_SSH_CLIENT, "signal", NO_REPLY, &wr);
	if (err != CSFTP_OK)
		return err;
	ssh_wr_text(&wr, name);
	return finish(ssh, channel, NO_REPLY, &wr);
}

enum csftp_err csftp_ssh_exit_status(struct csftp_ssh *ssh, uint32_t channel,
				     uint32_t status)
{
	struct wire_wr wr;
	enum csftp_err err = begin(ssh, channel, CSFTP_SSH_SERVER,
				   "exit-status", NO_REPLY, &wr);

	if (err != CSFTP_OK)
		return err;
	wire_wr_u32(&wr, status);
	return finish(ssh, channel, NO_REPLY, &wr);
}

enum csftp_err csftp_ssh_exit_signal(struct csftp_ssh *ssh, uint32_t channel,
				     const char *name, const char *text)
{
	struct wire_wr wr;
	enum csftp_err err;

	if (!name || !text)
		return CSFTP_ERR_ARG;
	err = begin(ssh, channel, CSFTP_SSH_SERVER, "exit-signal", NO_REPLY,
		    &wr);
	if (err != CSFTP_OK)
		return err;
	ssh_wr_text(&wr, name);
	ssh_wr_bool(&wr, false);
	ssh_wr_text(&wr, text);
	ssh_wr_text(&wr, "");
	return finish(ssh, channel, NO_REPLY, &wr);
}
