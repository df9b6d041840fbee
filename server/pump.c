#include "server/pump.h"

#include <errno.h>

#include "csftp/stream.h"

/*
 * Who takes no more answers has gone as much as who sends no more requests:
 * some clients do not wait for the last ones.
 */
static bool has_gone(enum csftp_err err)
{
	return err == CSFTP_ERR_IO && (errno == EPIPE || errno == ECONNRESET);
}

static enum csftp_err pump(struct csftp_serve *serve,
			   struct csftp_stream *stream,
			   void (*before)(void *arg), void *arg)
{
	struct csftp_link *link = csftp_serve_link(serve);
	enum csftp_err err = CSFTP_OK;

	while (err == CSFTP_OK) {
		if (before)
			before(arg);
		err = csftp_stream_step(stream, link, -1);
	}
	if (has_gone(err))
		err = CSFTP_ERR_EOF;
	csftp_link_close(link, err);
	while (err != CSFTP_ERR_IO && csftp_link_wants(link) & CSFTP_WANT_OUT)
		if (csftp_stream_step(stream, link, -1) == CSFTP_ERR_IO)
			break;
	return err;
}

enum csftp_err pump_session(struct csftp_serve *serve, int rfd, int wfd,
			    void (*before)(void *arg), void *arg)
{
	struct csftp_stream stream;
	enum csftp_err err = csftp_stream_share(&stream, rfd, wfd);
	int saved;

	if (err != CSFTP_OK)
		return err;
	csftp_serve_pipe(serve, &stream.pipe);
	err = pump(serve, &stream, before, arg);
	saved = errno;
	csftp_serve_pipe(serve, NULL);
	(void)csftp_stream_close(&stream, 0);
	errno = saved;
	return err;
}
