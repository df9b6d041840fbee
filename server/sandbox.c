#include "server/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/landlock.h"

/* Files, memory, time, and the end. */
static const char allowed[] =
	"read write readv writev pread64 pwrite64 preadv pwritev preadv2 "
	"pwritev2 splice tee vmsplice sendfile copy_file_range pipe pipe2 "
	"poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait "
	"epoll_pwait eventfd2 timerfd_create timerfd_settime open openat "
	"openat2 close close_range dup dup2 dup3 fcntl lseek stat lstat "
	"fstat newfstatat statx statfs fstatfs access faccessat faccessat2 "
	"readlink readlinkat getdents64 getcwd mkdir mkdirat rmdir unlink "
	"unlinkat link linkat symlink symlinkat rename renameat renameat2 "
	"chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat "
	"utimensat ftruncate fallocate fsync fdatasync sync_file_range "
	"fadvise64 readahead umask getxattr lgetxattr fgetxattr munmap "
	"mremap madvise brk futex getrandom clock_gettime clock_nanosleep "
	"nanosleep gettimeofday time getpid gettid getuid geteuid getgid "
	"getegid getgroups rt_sigaction rt_sigprocmask rt_sigreturn "
	"sigaltstack restart_syscall sched_yield sendto sendmsg recvfrom "
	"recvmsg shutdown getsockopt getsockname exit exit_group";

/* Serving files takes none of these: whoever calls one is somebody else. */
static const char deadly[] =
	"execve execveat fork vfork clone socket socketpair bind listen "
	"accept accept4 ptrace process_vm_readv process_vm_writev "
	"pidfd_open pidfd_getfd mount umount2 pivot_root chroot move_mount "
	"open_tree fsopen fsmount setns unshare init_module finit_module "
	"delete_module kexec_load kexec_file_load bpf perf_event_open "
	"keyctl add_key request_key io_uring_setup userfaultfd setuid "
	"setgid setreuid setregid setresuid setresgid setgroups capset "
	"personality reboot swapon swapoff iopl ioperm mknod mknodat "
	"open_by_handle_at acct quotactl settimeofday clock_settime "
	"sethostname";

void sandbox_harden(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A call that this library does not know cannot be said anything of. */
static int add_all(scmp_filter_ctx filter, uint32_t action, const char *names)
{
	int err = 0;

	while (*names && err == 0) {
		size_t len = strcspn(names, " ");
		char name[32];
		int number;

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, names);
		number = seccomp_syscall_resolve_name(name);
		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add_array(filter, action, number, 0,
						     NULL);
		names += len + (names[len] == ' ');
	}
	return err;
}

/* Those that are harmless with some arguments only. */
static int add_conditional(scmp_filter_ctx filter, int log_fd)
{
	const struct scmp_arg_cmp no_code =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp of_us =
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	const struct scmp_arg_cmp of_log =
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)log_fd, 0);
	const struct scmp_arg_cmp how_much =
		SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)FIONREAD, 0);
	int err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
					 1, &no_code);

	if (err == 0)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					     SCMP_SYS(mprotect), 1, &no_code);
	if (err == 0)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					     SCMP_SYS(tgkill), 1, &of_us);
	if (err == 0)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					     SCMP_SYS(ioctl), 1, &how_much);
	if (err == 0 && log_fd >= 0)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					     SCMP_SYS(connect), 1, &of_log);
	return err;
}

static int enter_seccomp(int log_fd)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err;

	if (!filter)
		return ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
			       SCMP_ACT_KILL_PROCESS);
	/* Many rules: a tree of them, not a list. */
	if (err == 0)
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err == 0)
		err = add_all(filter, SCMP_ACT_ALLOW, allowed);
	if (err == 0)
		err = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly);
	if (err == 0)
		err = add_conditional(filter, log_fd);
	if (err == 0)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return -err;
}

static void missing(struct sandbox_state *state, const char *what, int err)
{
	size_t used = strlen(state->why);

	(void)snprintf(state->why + used, sizeof(state->why) - used, "%s%s: %s",
		       used > 0 ? "; " : "", what, strerror(err));
}

bool sandbox_enter(const struct sandbox_config *config,
		   struct sandbox_state *state)
{
	int err;

	*state = (struct sandbox_state){0};
	sandbox_harden();
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		missing(state, "no_new_privs", EPERM);
		return false;
	}
	/* First, as the other one forbids its calls. */
	err = landlock_enter(config->root ? config->root : "/", !config->root,
			     config->read_only, &state->landlock);
	if (err != 0)
		missing(state, "Landlock", err);
	err = enter_seccomp(config->log_fd);
	if (err != 0)
		missing(state, "seccomp", err);
	state->seccomp = err == 0;
	return !state->why[0];
}
