/*
 * An SSH server with two commands, echo and sha256sum of what it is sent; one
 * connection after the other, on a loopback port:
 *	cc ssh_server.c $(pkg-config --cflags --libs csftp) -lcrypto
 *	ssh_server PORT HOST_KEY USER_KEY.pub
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "csftp/ssh_io.h"

struct server {
	struct csftp_ssh_io *io;
	struct csftp_ssh_bytes user_key;
	EVP_MD_CTX *hash;
	bool hashing;
};

/* What the command prints, and its end. */
static enum csftp_err finish(struct server *server, uint32_t channel,
			     const char *text, size_t len, uint32_t status)
{
	size_t sent;
	enum csftp_err err = csftp_ssh_io_send(
		server->io, channel, CSFTP_SSH_STDOUT, text, len, &sent);

	if (err != CSFTP_OK)
		return err;
	return csftp_ssh_io_finish(server->io, channel, status);
}

static enum csftp_err print_hash(struct server *server, uint32_t channel)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char line[2 * EVP_MAX_MD_SIZE + 8];
	unsigned len = 0;

	server->hashing = false;
	EVP_DigestFinal_ex(server->hash, hash, &len);
	for (unsigned i = 0; i < len; i++)
		snprintf(line + 2 * i, 3, "%02x", hash[i]);
	snprintf(line + 2 * len, 8, "  -\n");
	return finish(server, channel, line, strlen(line), 0);
}

static enum csftp_err on_request(struct server *server,
				 const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = csftp_ssh_io_engine(server->io);
	bool exec = event->request == CSFTP_SSH_EXEC;
	enum csftp_err err = CSFTP_OK;
	char line[1024];
	int len = 0;

	if (event->question)
		err = csftp_ssh_answer(ssh,
				       exec ? CSFTP_SSH_YES : CSFTP_SSH_NO);
	if (!exec || err != CSFTP_OK)
		return err;
	/* The bytes are good until the next event. */
	snprintf(line, sizeof(line) - 1, "%.*s", (int)event->data.len,
		 (const char *)event->data.ptr);
	if (strcmp(line, "sha256sum") == 0) {
		server->hashing = true;
		EVP_DigestInit_ex(server->hash, EVP_sha256(), NULL);
		return CSFTP_OK;
	}
	if (strncmp(line, "echo ", 5) != 0)
		return finish(server, event->channel, "no such command\n", 16,
			      127);
	len = (int)strlen(line);
	line[len++] = '\n';
	return finish(server, event->channel, line + 5, (size_t)len - 5, 0);
}

static enum csftp_err on_event(struct server *server,
			       const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = csftp_ssh_io_engine(server->io);
	bool known;

	switch ((int)event->kind) {
	case CSFTP_SSH_AUTH:
		known = event->key.len == server->user_key.len &&
			memcmp(event->key.ptr, server->user_key.ptr,
			       event->key.len) == 0;
		return csftp_ssh_answer(ssh,
					known ? CSFTP_SSH_YES : CSFTP_SSH_NO);
	case CSFTP_SSH_CHANNEL_OPEN:
		return csftp_ssh_answer(ssh, CSFTP_SSH_YES);
	case CSFTP_SSH_REQUEST:
		return on_request(server, event);
	case CSFTP_SSH_DATA:
		if (server->hashing)
			EVP_DigestUpdate(server->hash, event->data.ptr,
					 event->data.len);
		return csftp_ssh_consumed(ssh, event->channel, event->data.len);
	case CSFTP_SSH_EOF:
		return server->hashing ? print_hash(server, event->channel)
				       : CSFTP_OK;
	default:
		return CSFTP_OK;
	}
}

static void serve(struct server *server, const struct csftp_ssh_config *config,
		  int fd)
{
	struct csftp_ssh_event event;

	if (csftp_ssh_io_new(&server->io, config, fd) != CSFTP_OK)
		return;
	while (csftp_ssh_io_next(server->io, &event) == CSFTP_OK &&
	       event.kind != CSFTP_SSH_CLOSED)
		if (on_event(server, &event) != CSFTP_OK)
			break;
	csftp_ssh_io_free(server->io);
}

int main(int argc, char **argv)
{
	struct csftp_ssh_key *host = NULL, *user = NULL;
	struct csftp_ssh_config config = {.role = CSFTP_SSH_SERVER,
					  .channels = 1};
	struct sockaddr_in addr = {.sin_family = AF_INET};
	struct server server = {.hash = EVP_MD_CTX_new()};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	const struct csftp_ssh_key *keys[1];

	if (argc != 4 || csftp_ssh_key_load(&host, argv[2], NULL) != CSFTP_OK ||
	    csftp_ssh_key_load_public(&user, argv[3]) != CSFTP_OK)
		return EXIT_FAILURE;
	addr.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	keys[0] = host;
	config.keys = keys;
	config.key_count = 1;
	server.user_key = csftp_ssh_key_blob(user);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(listener, 8) != 0)
		return EXIT_FAILURE;
	for (;;)
		serve(&server, &config, accept(listener, NULL, NULL));
}
