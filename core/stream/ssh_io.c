#include "csftp/ssh_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/stream/ssh.h"

/* More than any key file has. */
enum { KEY_TEXT_MAX = 64 * 1024 };

struct csftp_ssh_io {
	struct ssh_io *io;
};

enum csftp_err csftp_ssh_io_new(struct csftp_ssh_io **out,
				const struct csftp_ssh_config *config, int fd)
{
	struct csftp_ssh_io *io;
	enum csftp_err err;

	if (!out || !config || fd < 0)
		return CSFTP_ERR_ARG;
	io = calloc(1, sizeof(*io));
	if (!io)
		return CSFTP_ERR_NOMEM;
	err = ssh_io_new(
		&io->io,
		&(struct ssh_io_config){.ssh = *config, .rfd = fd, .wfd = fd});
	if (err == CSFTP_OK)
		*out = io;
	else
		free(io);
	return err;
}

void csftp_ssh_io_free(struct csftp_ssh_io *io)
{
	if (!io)
		return;
	ssh_io_free(io->io, 0);
	free(io);
}

struct csftp_ssh *csftp_ssh_io_engine(struct csftp_ssh_io *io)
{
	return ssh_io_engine(io->io);
}

enum csftp_err csftp_ssh_io_next(struct csftp_ssh_io *io,
				 struct csftp_ssh_event *event)
{
	return ssh_io_next(io->io, event, UINT64_MAX);
}

enum csftp_err csftp_ssh_io_send(struct csftp_ssh_io *io, uint32_t channel,
				 enum csftp_ssh_data which, const void *data,
				 size_t len, size_t *sent)
{
	return ssh_io_send(io->io, channel, which, data, len, sent);
}

enum csftp_err csftp_ssh_io_finish(struct csftp_ssh_io *io, uint32_t channel,
				   uint32_t status)
{
	struct csftp_ssh *ssh = csftp_ssh_io_engine(io);
	enum csftp_err err = csftp_ssh_exit_status(ssh, channel, status);

	if (err == CSFTP_OK)
		err = csftp_ssh_send_eof(ssh, channel);
	return err == CSFTP_OK ? csftp_ssh_channel_close(ssh, channel) : err;
}

void csftp_ssh_io_stream(struct csftp_ssh_io *io, uint32_t channel,
			 struct csftp_stream *stream)
{
	ssh_io_stream(io->io, channel, stream);
	free(io);
}

static bool same(struct csftp_ssh_bytes a, struct csftp_ssh_bytes b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

enum csftp_err csftp_ssh_io_login(struct csftp_ssh_io *io, const char *user,
				  const struct csftp_ssh_signer *signer,
				  struct csftp_ssh_bytes host_key)
{
	struct csftp_ssh *ssh = csftp_ssh_io_engine(io);
	struct csftp_ssh_event event;
	enum csftp_err err = CSFTP_OK;

	while (err == CSFTP_OK) {
		err = csftp_ssh_io_next(io, &event);
		if (err != CSFTP_OK || event.kind == CSFTP_SSH_AUTH_OK)
			return err;
		if (event.kind == CSFTP_SSH_CLOSED)
			return event.err;
		if (event.kind == CSFTP_SSH_AUTH_FAILED)
			return CSFTP_ERR_DENIED;
		if (event.kind == CSFTP_SSH_HOSTKEY)
			err = same(event.key, host_key)
				      ? csftp_ssh_answer(ssh, CSFTP_SSH_YES)
				      : CSFTP_ERR_FORGED;
		if (event.kind == CSFTP_SSH_READY)
			err = csftp_ssh_auth_key(ssh, user, signer);
	}
	return err;
}

/* The next event of a channel that is being opened; others are none yet. */
static enum csftp_err await(struct csftp_ssh_io *io,
			    enum csftp_ssh_event_kind kind)
{
	struct csftp_ssh_event event;
	enum csftp_err err;

	for (;;) {
		err = csftp_ssh_io_next(io, &event);
		if (err != CSFTP_OK)
			return err;
		if (event.kind == CSFTP_SSH_CLOSED)
			return event.err;
		if (event.kind == CSFTP_SSH_REFUSED ||
		    (event.kind == CSFTP_SSH_REPLY && !event.ok))
			return CSFTP_ERR_DENIED;
		if (event.kind == kind)
			return CSFTP_OK;
		/* Nobody can have asked for anything yet. */
		if (event.question)
			err = csftp_ssh_answer(csftp_ssh_io_engine(io),
					       CSFTP_SSH_NO);
		if (err != CSFTP_OK)
			return err;
	}
}

static enum csftp_err
start(struct csftp_ssh_io *io, const char *what, uint32_t *channel,
      enum csftp_err (*ask)(struct csftp_ssh *ssh, uint32_t channel,
			    const char *what))
{
	struct csftp_ssh *ssh = csftp_ssh_io_engine(io);
	uint32_t number;
	enum csftp_err err = csftp_ssh_open(ssh, &number);

	if (err == CSFTP_OK)
		err = await(io, CSFTP_SSH_OPENED);
	if (err == CSFTP_OK)
		err = ask(ssh, number, what);
	if (err == CSFTP_OK)
		err = await(io, CSFTP_SSH_REPLY);
	if (err == CSFTP_OK)
		*channel = number;
	return err;
}

enum csftp_err csftp_ssh_io_exec(struct csftp_ssh_io *io, const char *command,
				 uint32_t *channel)
{
	return start(io, command, channel, csftp_ssh_exec);
}

enum csftp_err csftp_ssh_io_subsystem(struct csftp_ssh_io *io, const char *name,
				      uint32_t *channel)
{
	return start(io, name, channel, csftp_ssh_subsystem);
}

static enum csftp_err read_text(const char *path, char *text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = 1;

	if (fd < 0)
		return CSFTP_ERR_IO;
	for (*len = 0; n > 0 && *len < KEY_TEXT_MAX;) {
		n = read(fd, text + *len, KEY_TEXT_MAX - *len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			*len += (size_t)n;
	}
	close(fd);
	return n < 0 ? CSFTP_ERR_IO : CSFTP_OK;
}

enum csftp_err csftp_ssh_key_load(struct csftp_ssh_key **out, const char *path,
				  const char *passphrase)
{
	char *text = malloc(KEY_TEXT_MAX);
	enum csftp_err err;
	size_t len;

	if (!text)
		return CSFTP_ERR_NOMEM;
	err = read_text(path, text, &len);
	if (err == CSFTP_OK)
		err = csftp_ssh_key_read(out, text, len, passphrase);
	explicit_bzero(text, KEY_TEXT_MAX);
	free(text);
	return err;
}

enum csftp_err csftp_ssh_key_load_public(struct csftp_ssh_key **out,
					 const char *path)
{
	char *text = malloc(KEY_TEXT_MAX);
	enum csftp_err err;
	const char *end;
	size_t len;

	if (!text)
		return CSFTP_ERR_NOMEM;
	err = read_text(path, text, &len);
	if (err == CSFTP_OK) {
		end = memchr(text, '\n', len);
		err = csftp_ssh_key_read_public(
			out, text, end ? (size_t)(end - text) : len);
	}
	free(text);
	return err;
}
