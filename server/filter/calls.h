/* Which system calls the sandbox allows, by their names. */
#ifndef CSFTP_SERVER_FILTER_CALLS_H
#define CSFTP_SERVER_FILTER_CALLS_H

/*
 * In the order of their numbers on x86-64.  Calls with the same answer that
 * stand beside each other cost one instruction of the filter, and the kernel
 * works on each for more than a microsecond when a session starts; so a
 * harmless call between two that are needed is allowed as well, and one that
 * has no place here dies with its neighbours.
 */

/* Files, memory, time, and the end. */
#define CALLS_ALLOWED                                                          \
	"read write open close stat fstat lstat poll lseek munmap brk "        \
	"rt_sigaction rt_sigprocmask rt_sigreturn pread64 pwrite64 readv "     \
	"writev access pipe select sched_yield mremap msync mincore madvise "  \
	"getpid sendfile sendto recvfrom sendmsg recvmsg shutdown exit "       \
	"flock fsync fdatasync ftruncate getdents getcwd chdir fchdir "        \
	"rename mkdir rmdir creat link unlink symlink readlink chmod "         \
	"fchmod chown fchown lchown umask gettimeofday getrlimit getrusage "   \
	"sysinfo times geteuid getegid sigaltstack utime statfs fstatfs "      \
	"gettid readahead time "                                               \
	"futex getdents64 set_tid_address restart_syscall clock_gettime "      \
	"clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl openat " \
	"mkdirat fchownat futimesat newfstatat unlinkat renameat linkat "      \
	"symlinkat readlinkat fchmodat faccessat pselect6 ppoll splice tee "   \
	"sync_file_range vmsplice utimensat epoll_pwait signalfd "             \
	"timerfd_create eventfd fallocate timerfd_settime timerfd_gettime "    \
	"signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv "    \
	"pwritev renameat2 getrandom "                                         \
	"copy_file_range preadv2 pwritev2 statx close_range openat2 "          \
	"faccessat2 fchmodat2"

/*
 * Serving files takes none of these, and no library tries one to see whether it
 * works: whoever calls it is somebody else.  Programs, processes, signals to
 * others, sockets, System V's memory and messages, rights, tracing, mounts,
 * limits, keys, modules, and the kernel's newer inventions.  Landlock heeds
 * truncate from its third version on only, so that it would reach out of a
 * jail; ftruncate takes a file that was opened.
 */
#define CALLS_DEADLY                                                           \
	"socket accept bind listen getsockname getpeername socketpair "        \
	"setsockopt getsockopt clone fork vfork execve wait4 kill uname "      \
	"semget semop semctl shmdt msgget msgsnd msgrcv msgctl truncate "      \
	"ptrace getuid "                                                       \
	"syslog getgid setuid setgid setpgid getppid getpgrp setsid setreuid " \
	"setregid getgroups setgroups setresuid getresuid setresgid "          \
	"getresgid getpgid setfsuid setfsgid getsid capget capset "            \
	"rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend "         \
	"mknod uselib personality ustat sysfs getpriority "                    \
	"setpriority sched_setparam sched_getparam sched_setscheduler "        \
	"sched_getscheduler sched_get_priority_max sched_get_priority_min "    \
	"sched_rr_get_interval mlock munlock mlockall munlockall vhangup "     \
	"modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex setrlimit "   \
	"chroot sync acct settimeofday mount umount2 swapon swapoff reboot "   \
	"sethostname setdomainname iopl ioperm create_module init_module "     \
	"delete_module get_kernel_syms query_module quotactl nfsservctl "      \
	"getpmsg putpmsg afs_syscall tuxcall security kexec_load waitid "      \
	"add_key request_key keyctl mknodat unshare set_robust_list "          \
	"get_robust_list accept4 rt_tgsigqueueinfo perf_event_open recvmmsg "  \
	"fanotify_init fanotify_mark prlimit64 name_to_handle_at "             \
	"open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu "        \
	"process_vm_readv process_vm_writev kcmp finit_module sched_setattr "  \
	"sched_getattr seccomp memfd_create kexec_file_load bpf execveat "     \
	"userfaultfd membarrier mlock2 pidfd_send_signal io_uring_setup "      \
	"io_uring_enter "                                                      \
	"io_uring_register open_tree move_mount fsopen fsconfig fsmount "      \
	"fspick pidfd_open clone3 pidfd_getfd"

/*
 * Harmless with some arguments only: mmap and mprotect without PROT_EXEC,
 * tgkill of ourselves, connect of the log, and fcntl unless it has the kernel
 * send a signal, of any number and to any process of the user.
 */

#endif
