#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fusefs/frontend.h"

/*
 * The kernel says only once per request that its caller has a signal, and any
 * signal will do: a timer that a program lets tick, or SIGKILL.  Which one it
 * is, and whether a worse one has come since, is in /proc.
 */

#define CHECK_MS    200U
#define STATUS_SIZE 4096U

/* What the kernel says about a thread. */
static bool read_status(pid_t pid, char text[STATUS_SIZE])
{
	char path[64];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, STATUS_SIZE - 1);
	(void)close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/* The number behind a label at the start of a line; 0 if it is not there. */
static uint64_t field(const char *text, const char *label, int base)
{
	const char *at = strstr(text, label);

	return at ? strtoull(at + strlen(label), NULL, base) : 0;
}

static uint64_t bit(int sig)
{
	return (uint64_t)1 << (sig - 1);
}

/* Signals whose default is not to end the process (signal(7)). */
static uint64_t harmless(void)
{
	return bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) |
	       bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
}

static bool wants_to_end(pid_t pid)
{
	uint64_t pending, caught, fatal;
	char text[STATUS_SIZE];

	/* A caller that cannot be seen is not kept waiting. */
	if (pid <= 0 || !read_status(pid, text))
		return true;
	pending = field(text, "\nSigPnd:", 16) | field(text, "\nShdPnd:", 16);
	caught = field(text, "\nSigCgt:", 16);
	if (pending & bit(SIGKILL))
		return true;
	pending &= ~field(text, "\nSigBlk:", 16);
	pending &= ~field(text, "\nSigIgn:", 16);
	fatal = ~caught & ~harmless();
	fatal |= bit(SIGINT) | bit(SIGTERM) | bit(SIGHUP) | bit(SIGQUIT);
	return pending & fatal;
}

bool fusefs_same_process(pid_t a, pid_t b)
{
	char text[STATUS_SIZE];
	uint64_t group;

	if (a == b)
		return true;
	if (a <= 0 || b <= 0 || !read_status(a, text))
		return false;
	group = field(text, "\nTgid:", 10);
	return group > 0 && read_status(b, text) &&
	       field(text, "\nTgid:", 10) == group;
}

/* The caller goes its way; the questions are out and will be answered. */
static void let_go(struct fuse_op *op)
{
	struct csftp_fs *fs = op->f->fs;
	uint32_t asked = op->asked;

	op_reply_err(op, EINTR);
	op->asks++; /* it stays until all have been cancelled */
	for (uint32_t i = 0; i < asked; i++) {
		if (op->ask[i].req.op != CSFTP_OP_COUNT)
			csftp_cancel(fs, &op->ask[i].req);
	}
	op_put(op);
}

static bool is_waiting(const struct fuse_op *op)
{
	return op->req && op->asks > 0;
}

static void on_interrupt(fuse_req_t req, void *data)
{
	struct fuse_op *op = data;

	(void)req;
	if (!op->interrupted) {
		op->interrupted = true;
		op->f->interrupted++;
	}
	if (!op->beginning && is_waiting(op) && wants_to_end(op->pid))
		let_go(op);
}

void op_watch(struct fuse_op *op)
{
	/* It calls at once if the request has been interrupted already. */
	op->beginning = true;
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	op->beginning = false;
}

/* Letting one go can end others, so that they are found first. */
static void check_all(struct fusefs *f, bool exhausted)
{
	struct fuse_op *op;

	for (op = f->used; op; op = op->next)
		op->doomed = (op->interrupted || exhausted) && is_waiting(op) &&
			     wants_to_end(op->pid);
	op = f->used;
	while (op) {
		if (op->doomed && is_waiting(op)) {
			let_go(op);
			op = f->used;
		} else {
			op = op->next;
		}
	}
}

static uint64_t check_callers(struct fusefs *f, uint64_t now_ms)
{
	/* With all objects in use, interruptions are not read any more. */
	bool exhausted = f->unused_count == 0;

	if (f->interrupted == 0 && !exhausted) {
		f->next_check_ms = 0;
		return 0;
	}
	if (f->next_check_ms == 0) {
		f->next_check_ms = now_ms + CHECK_MS;
	} else if (now_ms >= f->next_check_ms) {
		check_all(f, exhausted);
		f->next_check_ms = now_ms + CHECK_MS;
	}
	return f->next_check_ms;
}

uint64_t fusefs_tick(struct fusefs *f, uint64_t now_ms)
{
	uint64_t check = check_callers(f, now_ms);
	uint64_t trim = fusefs_trim(f, now_ms);

	return check == 0 || (trim > 0 && trim < check) ? trim : check;
}
