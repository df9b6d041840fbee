/* A channel with one of the commands of server/exec/. */
#include <string.h>

#include "server/csftpd/channel_impl.h"
#include "server/exec/exec.h"

/* What waited for an answer goes on when the connection has its turn. */
static void wake(void *arg)
{
	worker_again(((struct channel *)arg)->conn);
}

bool channel_exec_start(struct channel *channel, struct csftp_ssh_bytes line)
{
	struct worker *worker = channel->conn->worker;
	const struct server_options *options = channel->session.options;
	const struct exec_config config = {
		.fs = channel->session.top,
		.denied = options->denied,
		.read_only = options->read_only,
		.refused = session_refused,
		.refused_arg = &channel->session,
		.wake = wake,
		.arg = channel,
	};
	void *memory = pool_get(&worker->commands);

	if (!memory)
		return false;
	channel->exec = exec_init(memory, &config, line.ptr, line.len);
	channel->state = CHANNEL_EXEC;
	return true;
}

bool channel_exec_stop(struct channel *channel)
{
	uint32_t status;

	if (!channel->exec)
		return true;
	exec_stop(channel->exec);
	while (exec_turn(channel->exec))
		;
	return exec_ended(channel->exec, &status);
}

/* Its files are closed before the layers go that they are open on. */
void channel_exec_free(struct channel *channel)
{
	if (!channel->exec)
		return;
	(void)channel_exec_stop(channel);
	pool_put(&channel->conn->worker->commands, channel->exec);
	channel->exec = NULL;
}

size_t channel_exec_feed(struct channel *channel, const uint8_t *from,
			 size_t len)
{
	size_t fed = 0;

	while (fed < len) {
		size_t room;
		uint8_t *in = exec_in(channel->exec, &room);

		if (room > len - fed)
			room = len - fed;
		if (room == 0)
			break;
		memcpy(in, from + fed, room);
		fed += room;
		exec_in_ack(channel->exec, room);
		channel->work = exec_turn(channel->exec);
	}
	return fed;
}

static bool send_stream(struct channel *channel, enum exec_stream which)
{
	struct csftp_ssh *ssh = channel->conn->ssh;
	enum csftp_ssh_data to =
		which == EXEC_STDOUT ? CSFTP_SSH_STDOUT : CSFTP_SSH_STDERR;
	const uint8_t *out;
	bool any = false;
	size_t len;

	while ((out = exec_out(channel->exec, which, &len)) && len > 0) {
		size_t room;
		uint8_t *at = csftp_ssh_room(ssh, channel->number, to, &room);

		if (room > len)
			room = len;
		if (room == 0)
			break;
		memcpy(at, out, room);
		if (csftp_ssh_send(ssh, channel->number, room) != CSFTP_OK)
			break;
		exec_out_ack(channel->exec, which, room);
		channel->work = exec_turn(channel->exec);
		any = true;
	}
	return any;
}

bool channel_exec_move(struct channel *channel)
{
	bool any;

	if (channel->eof && !channel->first && !channel->fed) {
		channel->fed = true;
		exec_in_end(channel->exec);
	}
	channel->work = exec_turn(channel->exec);
	any = send_stream(channel, EXEC_STDERR);
	any = send_stream(channel, EXEC_STDOUT) || any;
	if (!exec_ended(channel->exec, &channel->status))
		return any;
	channel->work = false;
	channel->state = CHANNEL_STATUS;
	return true;
}
