/* What is forbidden ends the process; what serving takes goes on. */
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/csftpd/calls.h"
#include "tests/lib/proc.h"
#include "tests/lib/test.h"

struct place {
	char dir[PROC_PATH_MAX]; /* with the directories in/a and in/b */
	char in[PROC_PATH_MAX + 16];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	scratch_make(place->dir);
	proc_print(place->in, sizeof(place->in), "%s/in", place->dir);
	must_sh("cd '%s' && mkdir -p in/a in/b && echo out >out && "
		"echo in >in/a/f && cp /bin/true in/true",
		place->dir);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	scratch_remove(place->dir);
	free(place);
	return 0;
}

/* What a child does once it is in the sandbox; true: as it should be. */
typedef bool inside(const struct place *place);

/* The wait status of a child that goes in and does it. */
static int enter_and(const struct sandbox_config *config,
		     const struct place *place, inside *what)
{
	struct sandbox_state state;
	const struct rlimit no_core = {0};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		return status;
	}
	setrlimit(RLIMIT_CORE, &no_core);
	if (chdir(place->in) != 0)
		_exit(3);
	if (!sandbox_enter(config, &state))
		_exit(state.seccomp ? 77 : 2);
	_exit(what(place) ? 0 : 1);
}

/* A kernel without Landlock is none of the code's faults. */
static void expect_exit(int status, int expect)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip_because(
			"the kernel has no Landlock, or its first version");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expect);
}

static bool call_socket(const struct place *place)
{
	(void)place;
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool call_execve(const struct place *place)
{
	char *argv[] = {(char[]){"true"}, NULL};

	(void)place;
	return execv("/bin/true", argv) == 0;
}

static bool call_fork(const struct place *place)
{
	(void)place;
	return fork() == 0;
}

static bool call_ptrace(const struct place *place)
{
	(void)place;
	return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}

static bool call_mount(const struct place *place)
{
	return mount("none", place->in, "tmpfs", 0, NULL) == 0;
}

static bool call_setuid(const struct place *place)
{
	(void)place;
	return syscall(SYS_setuid, 1) == 0;
}

static bool call_unshare(const struct place *place)
{
	(void)place;
	return syscall(SYS_unshare, 0) == 0;
}

static bool call_keyctl(const struct place *place)
{
	(void)place;
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -1, 0) >= 0;
}

static bool call_bpf(const struct place *place)
{
	(void)place;
	return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}

static bool call_io_uring(const struct place *place)
{
	(void)place;
	return syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}

static bool call_mknod(const struct place *place)
{
	(void)place;
	return mknod("fifo", S_IFIFO | 0600, 0) == 0;
}

/* Landlock before its third version lets it through, wherever the file is. */
static bool call_truncate(const struct place *place)
{
	(void)place;
	return truncate("../out", 0) == 0;
}

static bool call_seccomp(const struct place *place)
{
	unsigned action = 0;

	(void)place;
	return syscall(SYS_seccomp, 2U, 0U, &action) == 0;
}

static bool call_mlock2(const struct place *place)
{
	return syscall(SYS_mlock2, place, 1, 0) == 0;
}

static bool call_membarrier(const struct place *place)
{
	(void)place;
	return syscall(SYS_membarrier, 0, 0, 0) >= 0;
}

static void a_forbidden_call_ends_the_process(void **state)
{
	static const struct {
		const char *name;
		inside *call;
	} calls[] = {
		{"socket", call_socket},
		{"execve", call_execve},
		{"fork", call_fork},
		{"ptrace", call_ptrace},
		{"mount", call_mount},
		{"setuid", call_setuid},
		{"unshare", call_unshare},
		{"keyctl", call_keyctl},
		{"bpf", call_bpf},
		{"io_uring", call_io_uring},
		{"mknod", call_mknod},
		{"truncate", call_truncate},
		{"seccomp", call_seccomp},
		{"mlock2", call_mlock2},
		{"membarrier", call_membarrier},
	};
	const struct sandbox_config config = {.log_fd = -1};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status = enter_and(&config, *state, calls[i].call);

		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			expect_exit(status, 0);
		if (!WIFSIGNALED(status))
			print_message("%s: status %#x\n", calls[i].name,
				      (unsigned)status);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static bool no_code(const struct place *place)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)place;
	return memory != MAP_FAILED &&
	       mprotect(memory, 4096, PROT_READ | PROT_EXEC) != 0 &&
	       errno == ENOSYS &&
	       mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	       mprotect(memory, 4096, PROT_READ) == 0;
}

static void no_memory_becomes_code(void **state)
{
	expect_exit(enter_and(&(struct sandbox_config){.log_fd = -1}, *state,
			      no_code),
		    0);
}

static bool opens(const char *path, int flags, int expect)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	int err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (err != expect)
		fprintf(stderr, "%s: %s\n", path, strerror(err));
	return err == expect;
}

static bool only_inside(const struct place *place)
{
	(void)place;
	return opens("a/f", O_RDWR, 0) && opens("a/f", O_WRONLY | O_TRUNC, 0) &&
	       opens("new", O_WRONLY | O_CREAT, 0) &&
	       opens("../out", O_RDONLY, EACCES) &&
	       opens("../out", O_WRONLY, EACCES) &&
	       opens("/etc/passwd", O_RDONLY, EACCES) &&
	       opens("../made", O_WRONLY | O_CREAT, EACCES) &&
	       unlink("../out") != 0 && errno == EACCES &&
	       rename("new", "../new") != 0 && mkdir("c", 0700) == 0 &&
	       rename("a/f", "b/f") == 0 && link("b/f", "c/f") == 0 &&
	       symlink("x", "c/s") == 0 && unlink("c/f") == 0 &&
	       unlink("c/s") == 0 && rmdir("c") == 0;
}

static void nothing_outside_of_a_root_is_touched(void **state)
{
	struct place *place = *state;
	const struct sandbox_config config = {.root = place->in, .log_fd = -1};

	expect_exit(enter_and(&config, place, only_inside), 0);
}

static bool all_but_code(const struct place *place)
{
	(void)place;
	return opens("../out", O_RDWR, 0) &&
	       opens("../made", O_WRONLY | O_CREAT, 0) &&
	       rename("../made", "a/made") == 0 &&
	       opens("/dev/null", O_WRONLY, 0);
}

static void without_a_root_the_whole_tree_is_served(void **state)
{
	expect_exit(enter_and(&(struct sandbox_config){.log_fd = -1}, *state,
			      all_but_code),
		    0);
}

static bool only_reads(const struct place *place)
{
	(void)place;
	return opens("a/f", O_RDONLY, 0) && opens("../out", O_RDONLY, 0) &&
	       opens("a", O_RDONLY | O_DIRECTORY, 0) &&
	       opens("a/f", O_WRONLY, EACCES) &&
	       opens("new", O_WRONLY | O_CREAT, EACCES) &&
	       mkdir("c", 0700) != 0 && errno == EACCES;
}

static void read_only_opens_nothing_to_write(void **state)
{
	const struct sandbox_config config = {.read_only = true, .log_fd = -1};

	expect_exit(enter_and(&config, *state, only_reads), 0);
}

static bool connects_the_log_only(const struct place *place)
{
	const struct sockaddr_un to = {.sun_family = AF_UNIX,
				       .sun_path = "nothing-here"};

	(void)place;
	return connect(60, (const struct sockaddr *)&to, sizeof(to)) != 0 &&
	       errno == ENOENT &&
	       connect(61, (const struct sockaddr *)&to, sizeof(to)) != 0 &&
	       errno == ENOSYS;
}

static void only_the_log_is_connected_again(void **state)
{
	const struct sandbox_config config = {.log_fd = 60};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(dup2(fd, 60), 60);
	assert_int_equal(dup2(fd, 61), 61);
	expect_exit(enter_and(&config, *state, connects_the_log_only), 0);
	close(fd);
	close(60);
	close(61);
}

static bool refuses(int fd, unsigned long command, const void *arg)
{
	return syscall(SYS_fcntl, fd, command, arg) != 0 && errno == ENOSYS;
}

/* By a descriptor: the kernel sends the signal that F_SETSIG names. */
static bool no_signal(const struct place *place)
{
	const struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = 1};
	int pipes[2];

	(void)place;
	return pipe2(pipes, O_CLOEXEC) == 0 &&
	       fcntl(pipes[0], F_SETOWN, 1) != 0 && errno == ENOSYS &&
	       refuses(pipes[0], F_SETOWN_EX, &owner) &&
	       /* The kernel looks at half of it. */
	       refuses(pipes[0], 1UL << 32 | F_SETOWN_EX, &owner) &&
	       refuses(pipes[0], 1UL << 63 | F_SETOWN_EX, &owner) &&
	       fcntl(pipes[0], F_SETSIG, SIGKILL) != 0 && errno == ENOSYS &&
	       fcntl(pipes[0], F_NOTIFY, DN_ACCESS) != 0 && errno == ENOSYS &&
	       fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(pipes[0], F_GETFL) == O_NONBLOCK &&
	       fcntl(pipes[1], F_SETPIPE_SZ, 8192) >= 8192 &&
	       fcntl(pipes[1], F_DUPFD_CLOEXEC, 0) >= 0;
}

static void no_other_process_gets_a_signal(void **state)
{
	expect_exit(enter_and(&(struct sandbox_config){.log_fd = -1}, *state,
			      no_signal),
		    0);
}

/* Its filter is another one. */
static void nor_does_one_by_the_daemon(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct calls_filter *filter;

		sandbox_harden();
		if (calls_make(&filter,
			       &(struct calls_config){.log_count = 0}) != 0 ||
		    calls_enter(filter) != 0)
			_exit(2);
		_exit(no_signal(*state) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	expect_exit(status, 0);
}

static bool aborts(const struct place *place)
{
	(void)place;
	abort();
}

static void a_bug_still_ends_as_a_bug(void **state)
{
	int status = enter_and(&(struct sandbox_config){.log_fd = -1}, *state,
			       aborts);

	if (WIFEXITED(status))
		expect_exit(status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_root_that_is_gone_is_said(void **state)
{
	struct sandbox_state result = {.landlock = 7};
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		bool all = sandbox_enter(
			&(struct sandbox_config){.root = "/no/such/place",
						 .log_fd = -1},
			&result);

		_exit(!all && result.landlock == 0 && result.seccomp &&
				      strstr(result.why, "Landlock: ")
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	expect_exit(status, 0);
}

#define IN_PLACE(claim)                                                        \
	cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest claims[] = {
		IN_PLACE(a_forbidden_call_ends_the_process),
		IN_PLACE(no_memory_becomes_code),
		IN_PLACE(nothing_outside_of_a_root_is_touched),
		IN_PLACE(without_a_root_the_whole_tree_is_served),
		IN_PLACE(read_only_opens_nothing_to_write),
		IN_PLACE(only_the_log_is_connected_again),
		IN_PLACE(no_other_process_gets_a_signal),
		IN_PLACE(nor_does_one_by_the_daemon),
		IN_PLACE(a_bug_still_ends_as_a_bug),
		IN_PLACE(a_root_that_is_gone_is_said),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
