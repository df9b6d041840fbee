#include "server/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/filter.h"
#include "server/landlock.h"

void sandbox_harden(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* No descriptor has the number that stands for none. */
static int enter_seccomp(int log_fd)
{
	struct sock_filter code[FILTER_MAX];
	struct sock_fprog program = {.len = filter_len, .filter = code};

	memcpy(code, filter_code, filter_len * sizeof(code[0]));
	code[filter_pid_at].k = (uint32_t)getpid();
	code[filter_log_at].k = log_fd < 0 ? UINT32_MAX : (uint32_t)log_fd;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) != 0)
		return errno;
	return 0;
}

void sandbox_missing(struct sandbox_state *state, const char *what, int err)
{
	size_t used = strlen(state->why);

	(void)snprintf(state->why + used, sizeof(state->why) - used, "%s%s: %s",
		       used > 0 ? "; " : "", what, strerror(err));
}

bool sandbox_files(const struct sandbox_config *config,
		   struct sandbox_state *state)
{
	int err = landlock_enter(config->root ? config->root : "/",
				 !config->root, config->read_only,
				 config->readable, &state->landlock);

	if (err != 0)
		sandbox_missing(state, "Landlock", err);
	return err == 0;
}

bool sandbox_enter(const struct sandbox_config *config,
		   struct sandbox_state *state)
{
	int err;

	*state = (struct sandbox_state){0};
	sandbox_harden();
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		sandbox_missing(state, "no_new_privs", EPERM);
		return false;
	}
	/* First, as the other one forbids its calls. */
	(void)sandbox_files(config, state);
	err = enter_seccomp(config->log_fd);
	if (err != 0)
		sandbox_missing(state, "seccomp", err);
	state->seccomp = err == 0;
	return !state->why[0];
}
