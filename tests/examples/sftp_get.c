/*
 * Downloads one file by SFTP to standard output:
 *	sftp_get HOST PORT USER KEY HOST_KEY.pub PATH
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/remote.h"
#include "csftp/ssh_io.h"

enum { CHUNK = 128 * 1024 };

/* One request, and what it brought. */
struct call {
	struct csftp_req req; /* first */
	bool answered;
	bool eof;
	int err;
	csftp_fh fh;
	size_t len;
};

static void on_done(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct call *call = (struct call *)req;

	call->answered = true;
	call->err = reply->err;
	call->eof = reply->eof;
	call->len = reply->data.len;
	if (reply->err == 0 && req->op == CSFTP_OP_OPEN)
		call->fh = reply->fh;
	if (reply->err == 0 && reply->data.len > 0)
		fwrite(reply->data.ptr, 1, reply->data.len, stdout);
}

/* Asks, and moves bytes until the answer is there. */
static int ask(struct csftp_remote *remote, struct csftp_stream *stream,
	       struct call *call, enum csftp_op op)
{
	struct csftp_link *link = csftp_remote_link(remote);
	enum csftp_err err = CSFTP_OK;

	call->req.op = op;
	call->req.done = on_done;
	call->answered = false;
	csftp_submit(csftp_remote_fs(remote), &call->req);
	while (!call->answered && err == CSFTP_OK)
		err = csftp_stream_step(stream, link, -1);
	if (!call->answered)
		csftp_link_close(link, err); /* which answers all */
	return call->err;
}

static int get(struct csftp_stream *stream, const char *path)
{
	struct csftp_remote_config config = {.slots = 4, .handles = 1};
	struct csftp_remote *remote;
	struct call call = {.fh = 0};
	uint64_t off = 0;
	int err;

	if (csftp_remote_new(&remote, &config) != CSFTP_OK)
		return -1;
	call.req = (struct csftp_req){.path = path, .flags = CSFTP_OPEN_READ};
	err = ask(remote, stream, &call, CSFTP_OP_OPEN);
	while (err == 0 && !call.eof) {
		call.req = (struct csftp_req){
			.fh = call.fh, .off = off, .len = CHUNK};
		err = ask(remote, stream, &call, CSFTP_OP_READ);
		off += call.len;
	}
	if (err == 0) {
		call.req = (struct csftp_req){.fh = call.fh};
		err = ask(remote, stream, &call, CSFTP_OP_CLOSE);
	}
	csftp_remote_free(remote);
	return err;
}

int main(int argc, char **argv)
{
	struct csftp_ssh_config config = {.role = CSFTP_SSH_CLIENT};
	struct csftp_ssh_key *key = NULL, *host = NULL;
	struct csftp_ssh_io *io = NULL;
	struct csftp_ssh_signer signer;
	struct csftp_stream stream;
	uint32_t channel = 0;
	enum csftp_err err;
	int why = -1;

	if (argc != 7)
		return EXIT_FAILURE;
	err = csftp_ssh_key_load(&key, argv[4], NULL);
	if (err == CSFTP_OK)
		err = csftp_ssh_key_load_public(&host, argv[5]);
	if (err == CSFTP_OK)
		err = csftp_stream_connect(&stream, argv[1], argv[2]);
	if (err == CSFTP_OK)
		err = csftp_ssh_io_new(&io, &config, stream.rfd);
	if (err == CSFTP_OK) {
		signer = csftp_ssh_key_signer(key);
		err = csftp_ssh_io_login(io, argv[3], &signer,
					 csftp_ssh_key_blob(host));
	}
	if (err == CSFTP_OK)
		err = csftp_ssh_io_subsystem(io, "sftp", &channel);
	if (err == CSFTP_OK) {
		csftp_ssh_io_stream(io, channel, &stream);
		io = NULL;
		why = get(&stream, argv[6]);
		(void)csftp_stream_close(&stream, 1000);
	}
	if (err != CSFTP_OK || why != 0)
		fprintf(stderr, "sftp_get: %s\n",
			why > 0 ? strerror(why) : csftp_strerror(err));
	csftp_ssh_io_free(io);
	csftp_ssh_key_free(host);
	csftp_ssh_key_free(key);
	return why == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
