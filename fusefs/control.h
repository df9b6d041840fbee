/* Questions to the process of a mount, past the kernel and the server. */
#ifndef CSFTP_FUSEFS_CONTROL_H
#define CSFTP_FUSEFS_CONTROL_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <uv.h>

/*
 * A Unix socket whose name, in the abstract namespace, is that of the mount's
 * device, so that nothing is left behind and no directory is needed.  Who asks
 * writes one line and reads the answer to its end.  Only the user whose
 * process it is, and root, get one: the kernel says who asks, and, to them,
 * who answers.
 *
 * It is not asked through the mount, which may have to wait for the server.
 */

#define CONTROL_ORDER_MAX 64

struct control;

struct control_config {
	uv_loop_t *loop;
	const char *mountpoint; /* absolute; is mounted */
	/* Writes the answer to an order, which has no newline. */
	void (*answer)(void *arg, const char *order, FILE *to);
	void *arg;
};

/* NULL: it could not be had; errno says why. */
struct control *control_open(const struct control_config *config);

/* The loop's next turns close its handles and free it.  NULL is fine. */
void control_close(struct control *control);

/* What the kernel calls a mount, and whose it is. */
struct control_device {
	unsigned major;
	unsigned minor;
	uid_t owner;
};

/*
 * The mount at exactly that absolute path, without touching it; false and errno
 * (ENODEV: there is none by FUSE).
 */
bool control_find(const char *path, struct control_device *device);

/*
 * Asks the process of the mount at that path and writes the answer to `to`.
 * Does not touch the mount itself.  0, or an errno: ENOTCONN: nobody answers
 * there, ENODEV: nothing of ours is mounted there, EPERM: it is another
 * user's, ETIMEDOUT: no answer came.
 */
int control_ask(const char *mountpoint, const char *order, FILE *to);

#endif
