/*
 * cage SECONDS PROGRAM [ARGUMENT...]: runs a test program and answers for what
 * it leaves behind.
 *
 * The program gets a process group of its own.  After SECONDS the whole group
 * is killed.  Whatever the program started and did not stop, a daemon
 * included, becomes a child of this process; what does not end by itself within
 * a few seconds is named on standard output and killed.
 *
 * Exits with the program's status, 128 plus the signal that ended it,
 * TIMED_OUT, or LEFT_BEHIND where all was well but for the processes left.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMED_OUT = 124, LEFT_BEHIND = 125, CANNOT_RUN = 126 };

/* How long what the program has told to stop may take to do so. */
#define GRACE_MS 10000

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The signals that wait_for_signal() takes; they are blocked. */
static sigset_t awaited(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

/* Which one came, or 0 at the time given. */
static int wait_for_signal(int64_t until_ms)
{
	int64_t left_ms = until_ms - now_ms();
	sigset_t set = awaited();
	struct timespec left;
	int sig;

	if (left_ms <= 0)
		return 0;
	left.tv_sec = (time_t)(left_ms / 1000);
	left.tv_nsec = (long)(left_ms % 1000) * 1000000;
	sig = sigtimedwait(&set, NULL, &left);
	return sig > 0 ? sig : 0;
}

/* The program's status; -1: the time is over, or we were told to stop. */
static int wait_for_program(pid_t program, int64_t until_ms)
{
	int status, sig;
	pid_t pid;

	while (now_ms() < until_ms) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid == program)
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : 128 + WTERMSIG(status);
		sig = pid == 0 ? wait_for_signal(until_ms) : 0;
		if (sig == SIGINT || sig == SIGTERM)
			break;
	}
	return -1;
}

/* Reaps what ends; true once there is no child any more. */
static bool alone(int64_t until_ms)
{
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (pid == 0 && now_ms() >= until_ms)
			return false;
		if (pid == 0)
			wait_for_signal(until_ms);
	}
}

/* From /proc/PID/stat: "PID (NAME) STATE PARENT ...". */
static pid_t parent_of(const char *pid, char name[64])
{
	char path[300], line[512];
	char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	end = strrchr(line, ')');
	if (!end || strlen(end) < 5)
		return -1;
	end[1] = '\0';
	snprintf(name, 64, "%.63s", line);
	return (pid_t)strtol(end + 4, NULL, 10);
}

/* Names our remaining children on the first round and kills them. */
static void kill_children(bool say)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char name[64];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    parent_of(entry->d_name, name) != getpid())
			continue;
		if (say)
			printf("cage: left running: %s\n", name);
		kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
	}
	if (dir)
		closedir(dir);
}

static pid_t start(char *const argv[], const sigset_t *mask)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, mask, NULL);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(CANNOT_RUN);
	}
	setpgid(pid, pid);
	return pid;
}

int main(int argc, char *argv[])
{
	sigset_t block = awaited(), before;
	int64_t seconds;
	int status;
	pid_t pid;

	if (argc < 3)
		return CANNOT_RUN;
	seconds = strtol(argv[1], NULL, 10);
	sigprocmask(SIG_BLOCK, &block, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = start(argv + 2, &before);
	if (pid < 0)
		return CANNOT_RUN;
	status = wait_for_program(pid, now_ms() + seconds * 1000);
	if (status < 0) {
		printf("cage: stopped, %lld s allowed\n", (long long)seconds);
		kill(-pid, SIGKILL);
		status = TIMED_OUT;
	}
	if (alone(now_ms() + GRACE_MS))
		return status;
	kill_children(true);
	while (!alone(now_ms() + 1000))
		kill_children(false);
	return status ? status : LEFT_BEHIND;
}
