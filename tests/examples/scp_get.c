/*
 * Downloads one file by the old protocol of scp to standard output:
 *	scp_get HOST PORT USER KEY HOST_KEY.pub PATH
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/ssh_io.h"

/* A line "C0644 SIZE NAME", SIZE bytes, and a byte 0; we answer each by one. */
struct copy {
	struct csftp_ssh_io *io;
	uint32_t channel;
	char line[512];
	size_t line_len;
	unsigned long long left;
	enum { LINE, DATA, BEHIND, DONE, BROKEN } state;
};

static void say_ready(struct copy *copy)
{
	size_t sent;

	if (csftp_ssh_io_send(copy->io, copy->channel, CSFTP_SSH_STDOUT, "", 1,
			      &sent) != CSFTP_OK ||
	    sent != 1)
		copy->state = BROKEN;
}

static void take_line(struct copy *copy, char byte)
{
	if (byte != '\n' && copy->line_len < sizeof(copy->line) - 1) {
		copy->line[copy->line_len++] = byte;
		return;
	}
	copy->line[copy->line_len] = '\0';
	if (byte == '\n' &&
	    sscanf(copy->line, "C%*4o %llu ", &copy->left) == 1) {
		copy->state = copy->left > 0 ? DATA : BEHIND;
		say_ready(copy);
		return;
	}
	/* An error is a byte 1 or 2 and a sentence. */
	fprintf(stderr, "scp_get: %s\n",
		copy->line + strspn(copy->line, "\1\2"));
	copy->state = BROKEN;
}

static void take(struct copy *copy, const uint8_t *bytes, size_t len)
{
	while (len > 0 && copy->state != BROKEN) {
		size_t n = 1;

		if (copy->state == LINE) {
			take_line(copy, (char)*bytes);
		} else if (copy->state == DATA) {
			n = len < copy->left ? len : (size_t)copy->left;
			fwrite(bytes, 1, n, stdout);
			copy->left -= n;
			if (copy->left == 0)
				copy->state = BEHIND;
		} else {
			copy->state = *bytes == 0 && copy->state == BEHIND
					      ? DONE
					      : BROKEN;
			say_ready(copy);
		}
		bytes += n;
		len -= n;
	}
}

static int get(struct csftp_ssh_io *io, const char *path)
{
	struct copy copy = {.io = io};
	struct csftp_ssh_event event;
	char command[4200];

	/* A path with a quote would need more of them. */
	snprintf(command, sizeof(command), "scp -f '%s'", path);
	if (strchr(path, '\'') ||
	    csftp_ssh_io_exec(io, command, &copy.channel) != CSFTP_OK)
		return EXIT_FAILURE;
	say_ready(&copy);
	while (csftp_ssh_io_next(io, &event) == CSFTP_OK &&
	       event.kind != CSFTP_SSH_CLOSED &&
	       event.kind != CSFTP_SSH_CHANNEL_CLOSED) {
		if (event.kind != CSFTP_SSH_DATA)
			continue;
		if (!event.stderr_data)
			take(&copy, event.data.ptr, event.data.len);
		if (csftp_ssh_consumed(csftp_ssh_io_engine(io), copy.channel,
				       event.data.len) != CSFTP_OK)
			break;
	}
	return copy.state == DONE && fflush(stdout) == 0 ? EXIT_SUCCESS
							 : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct csftp_ssh_config config = {.role = CSFTP_SSH_CLIENT};
	struct csftp_ssh_key *key = NULL, *host = NULL;
	struct csftp_ssh_io *io = NULL;
	struct csftp_ssh_signer signer;
	struct csftp_stream tcp;
	int status = EXIT_FAILURE;
	enum csftp_err err;

	if (argc != 7)
		return EXIT_FAILURE;
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
		status = get(io, argv[6]);
	else
		fprintf(stderr, "scp_get: %s\n", csftp_strerror(err));
	csftp_ssh_io_free(io);
	csftp_ssh_key_free(host);
	csftp_ssh_key_free(key);
	return status;
}
