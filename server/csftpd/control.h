/* The control socket: what "csftpd ctl" asks and is told. */
#ifndef CSFTP_SERVER_CSFTPD_CONTROL_H
#define CSFTP_SERVER_CSFTPD_CONTROL_H

#include <stdbool.h>
#include <uv.h>

#include "server/csftpd/report.h"

/*
 * A stream socket in the file system, mode 0600, for processes of our own user
 * and of root's.  One request is a line: a command, perhaps an argument, and
 * perhaps "--json".  The answer is "0" or "1", a newline, and a text; then the
 * connection ends.  A few can ask at a time, others wait.
 *
 * All of it is on the thread of the loop.
 */
#define CONTROL_CLIENTS	   8U
#define CONTROL_LINE_MAX   256U
#define CONTROL_ANSWER	   (64U * 1024U)
#define CONTROL_ANSWER_MAX (16U * 1024U * 1024U)

struct control_config {
	const char *path;
	/*
	 * Puts the answer into the report, or returns a sentence that says why
	 * there is none.  argument is "" where there was none.  Where that is
	 * more than CONTROL_ANSWER it is asked again, with more room.
	 */
	const char *(*command)(void *arg, const char *name,
			       const char *argument, struct report *report);
	void *arg;
};

struct control_client {
	struct control *control;
	uv_pipe_t pipe;
	uv_write_t write;
	bool used;
	char line[CONTROL_LINE_MAX];
	size_t len;
	char *answer;
};

struct control {
	struct control_config config;
	int fd; /* that listens */
	/*
	 * A descriptor of no use but that there is one: where clients have used
	 * up all of them, who asks here is the one who can help.  -1: in use.
	 */
	int spare;
	uv_poll_t poll;
	uv_timer_t pause;
	bool open;
	bool full; /* somebody waits to be accepted, perhaps */
	struct control_client client[CONTROL_CLIENTS];
	char path[108];
};

/*
 * A socket that nobody listens on any more is replaced.  0 or an errno:
 * EADDRINUSE where another daemon has it.
 */
int control_open(struct control *control, uv_loop_t *loop,
		 const struct control_config *config);

/* The loop has to run once more.  One that is not open may be zero. */
void control_close(struct control *control);

/* "csftpd ctl": the whole program, with the words behind "ctl". */
int control_main(int argc, char **argv);

#endif
