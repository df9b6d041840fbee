#include "server/csftpd/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Files, memory, time, and the end. */
static const char allowed[] =
	"read write readv writev pread64 pwrite64 preadv pwritev preadv2 "
	"pwritev2 splice tee vmsplice sendfile copy_file_range pipe pipe2 "
	"poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait "
	"epoll_pwait eventfd2 timerfd_create timerfd_settime open openat "
	"openat2 close close_range dup dup2 dup3 lseek stat lstat fstat "
	"newfstatat statx statfs fstatfs access faccessat faccessat2 "
	"readlink readlinkat getdents64 getcwd mkdir mkdirat rmdir unlink "
	"unlinkat link linkat symlink symlinkat rename renameat renameat2 "
	"chmod fchmod fchmodat fchmodat2 chown lchown fchown fchownat "
	"utimensat ftruncate fallocate fsync fdatasync sync_file_range "
	"fadvise64 readahead umask getxattr lgetxattr fgetxattr munmap "
	"mremap madvise brk futex getrandom clock_gettime clock_nanosleep "
	"nanosleep gettimeofday time getrusage getpid gettid getuid geteuid "
	"getgid "
	"getegid getgroups rt_sigaction rt_sigprocmask rt_sigreturn "
	"sigaltstack restart_syscall sched_yield sendto sendmsg recvfrom "
	"recvmsg shutdown getsockopt getsockname exit exit_group";

/* Serving files takes none of these: whoever calls one is somebody else. */
static const char deadly[] =
	"execve execveat fork vfork clone socket socketpair bind listen "
	"accept ptrace process_vm_readv process_vm_writev "
	"pidfd_open pidfd_getfd mount umount2 pivot_root chroot move_mount "
	"open_tree fsopen fsmount setns unshare init_module finit_module "
	"delete_module kexec_load kexec_file_load bpf perf_event_open "
	"keyctl add_key request_key io_uring_setup userfaultfd setuid "
	"setgid setreuid setregid setresuid setresgid setgroups capset "
	"personality reboot swapon swapoff iopl ioperm mknod mknodat "
	"open_by_handle_at acct quotactl settimeofday clock_settime "
	"sethostname";

/* What the checker of CALLS_CHECKED takes. */
static const char checkers[] = "clone ptrace wait4 prctl kill getppid "
			       "process_vm_readv sched_getaffinity getdents";

static bool is_checkers(const char *name)
{
	size_t len = strlen(name);
	const char *at = CALLS_CHECKED ? checkers : "";

	while (*at) {
		size_t n = strcspn(at, " ");

		if (n == len && memcmp(at, name, n) == 0)
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
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
		if (number != __NR_SCMP_ERROR &&
		    (action == SCMP_ACT_ALLOW || !is_checkers(name)))
			err = seccomp_rule_add_array(filter, action, number, 0,
						     NULL);
		names += len + (names[len] == ' ');
	}
	return err;
}

static int allow(scmp_filter_ctx filter, int call, struct scmp_arg_cmp arg)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &arg);
}

/* libuv has sockets not block by ioctl(2). */
static int add_accepting(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_delay[] = {
		SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)IPPROTO_TCP, 0),
		SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)TCP_NODELAY, 0),
	};
	int err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(accept4), 0, NULL);

	if (err == 0)
		err = allow(filter, SCMP_SYS(ioctl),
			    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)FIONBIO, 0));
	if (err == 0)
		err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					     SCMP_SYS(setsockopt), 2, no_delay);
	return err;
}

/*
 * Those commands that are in use.  Others have the kernel send signals,
 * of any number and to any process of the user.  A command has 32 bits.
 */
static int add_fcntl(scmp_filter_ctx filter)
{
	static const int commands[] = {
		F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,	F_SETFD,
		F_GETFL, F_SETFL,	  F_SETPIPE_SZ, F_GETPIPE_SZ,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (err == 0)
			err = allow(filter, SCMP_SYS(fcntl),
				    SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
					    (scmp_datum_t)commands[i]));
	return err;
}

/* Those that are harmless with some arguments only. */
static int add_conditional(scmp_filter_ctx filter,
			   const struct calls_config *config)
{
	const struct scmp_arg_cmp no_code =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int err = allow(filter, SCMP_SYS(mmap), no_code);

	if (err == 0)
		err = allow(filter, SCMP_SYS(mprotect), no_code);
	if (err == 0)
		err = allow(filter, SCMP_SYS(tgkill),
			    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	if (err == 0)
		err = allow(filter, SCMP_SYS(ioctl),
			    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)FIONREAD, 0));
	for (size_t i = 0; err == 0 && i < config->log_count; i++)
		if (config->log_fds[i] >= 0)
			err = allow(filter, SCMP_SYS(connect),
				    SCMP_A0(SCMP_CMP_EQ,
					    (scmp_datum_t)config->log_fds[i],
					    0));
	if (err == 0)
		err = add_accepting(filter);
	if (err == 0)
		err = add_fcntl(filter);
	return err;
}

struct calls_filter {
	unsigned short count;
	struct sock_filter code[];
};

/* libseccomp's way out is a descriptor. */
static int take_over(struct calls_filter **out, int fd)
{
	struct calls_filter *made;
	off_t size = lseek(fd, 0, SEEK_END);
	size_t count = size > 0 ? (size_t)size / sizeof(made->code[0]) : 0;

	if (count == 0 || count > BPF_MAXINSNS)
		return EINVAL;
	made = malloc(sizeof(*made) + (size_t)size);
	if (!made)
		return ENOMEM;
	made->count = (unsigned short)count;
	if (pread(fd, made->code, (size_t)size, 0) != size) {
		free(made);
		return EIO;
	}
	*out = made;
	return 0;
}

static int export(struct calls_filter **out, scmp_filter_ctx filter)
{
	int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = -seccomp_export_bpf(filter, fd);
	if (err == 0)
		err = take_over(out, fd);
	close(fd);
	return err;
}

void calls_free(struct calls_filter *filter)
{
	free(filter);
}

int calls_enter(const struct calls_filter *filter)
{
	struct sock_fprog program = {
		.len = filter->count,
		.filter = (struct sock_filter *)(uintptr_t)filter->code,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) != 0)
		return errno;
	return 0;
}

int calls_make(struct calls_filter **out, const struct calls_config *config)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err;

	*out = NULL;
	if (!filter)
		return ENOMEM;
	err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
			       SCMP_ACT_KILL_PROCESS);
	/* Many rules: a tree of them, not a list. */
	if (err == 0)
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err == 0)
		err = add_all(filter, SCMP_ACT_ALLOW, allowed);
	if (err == 0 && CALLS_CHECKED)
		err = add_all(filter, SCMP_ACT_ALLOW, checkers);
	if (err == 0)
		err = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly);
	if (err == 0)
		err = add_conditional(filter, config);
	err = err == 0 ? export(out, filter) : -err;
	seccomp_release(filter);
	return err;
}
