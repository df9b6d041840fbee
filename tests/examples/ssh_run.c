/*
 * Runs a command on an SSH server, with our standard input, output and error:
 *	ssh_run HOST PORT USER KEY HOST_KEY.pub COMMAND
 */
#include <stdio.h>
#include <unistd.h>

#include "csftp/ssh_io.h"

/* The exit status, or -1 while there is none. */
static int on_event(struct csftp_ssh *ssh, const struct csftp_ssh_event *event,
		    int status)
{
	if (event->kind == CSFTP_SSH_REQUEST &&
	    event->request == CSFTP_SSH_EXIT_STATUS)
		return (int)event->number;
	if (event->kind != CSFTP_SSH_DATA)
		return status;
	fwrite(event->data.ptr, 1, event->data.len,
	       event->stderr_data ? stderr : stdout);
	(void)!csftp_ssh_consumed(ssh, event->channel, event->data.len);
	return status;
}

/* Sends our input as far as it goes; false: an event wants to be seen. */
static bool feed(struct csftp_ssh_io *io, uint32_t channel)
{
	static char buf[32768];
	static size_t len, at;
	size_t sent = 0;

	for (;; at += sent) {
		if (at == len) {
			ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

			len = n > 0 ? (size_t)n : 0;
			at = 0;
		}
		if (len == 0)
			return csftp_ssh_send_eof(csftp_ssh_io_engine(io),
						  channel) == CSFTP_OK;
		if (csftp_ssh_io_send(io, channel, CSFTP_SSH_STDOUT, buf + at,
				      len - at, &sent) != CSFTP_OK)
			return false;
		if (sent < len - at) {
			at += sent;
			return false;
		}
	}
}

static int talk(struct csftp_ssh_io *io, uint32_t channel)
{
	struct csftp_ssh_event event;
	bool fed = false;
	int status = -1;

	for (;;) {
		fed = fed || feed(io, channel);
		if (csftp_ssh_io_next(io, &event) != CSFTP_OK ||
		    event.kind == CSFTP_SSH_CLOSED ||
		    event.kind == CSFTP_SSH_CHANNEL_CLOSED)
			return status;
		status = on_event(csftp_ssh_io_engine(io), &event, status);
	}
}

int main(int argc, char **argv)
{
	struct csftp_ssh_config config = {.role = CSFTP_SSH_CLIENT};
	struct csftp_ssh_key *key = NULL, *host = NULL;
	struct csftp_ssh_io *io = NULL;
	struct csftp_ssh_signer signer;
	struct csftp_stream tcp;
	uint32_t channel = 0;
	enum csftp_err err;
	int status = -1;

	if (argc != 7)
		return 255;
	err = csftp_ssh_key_load(&key, argv[4], NULL);
	if (err == CSFTP_OK)
		err = csftp_ssh_key_load_public(&host, argv[5]);
	if (err == CSFTP_OK)
		err = csftp_stream_connect(&tcp, argv[1], argv[2]);
	if (err == CSFTP_OK)
		err = csftp_ssh_io_new(&io, &config, tcp.rfd);
	if (err == CSFTP_OK) {
		signer = csftp_ssh_key_signer(key);
		err = csftp_ssh_io_login(io, argv[3], &signer,
					 csftp_ssh_key_blob(host));
	}
	if (err == CSFTP_OK)
		err = csftp_ssh_io_exec(io, argv[6], &channel);
	if (err == CSFTP_OK)
		status = talk(io, channel);
	else
		fprintf(stderr, "ssh_run: %s\n", csftp_strerror(err));
	csftp_ssh_io_free(io);
	csftp_ssh_key_free(host);
	csftp_ssh_key_free(key);
	return status < 0 ? 255 : status;
}
