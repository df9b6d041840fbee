#include "fusefs/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "fusefs/run.h"

#define LINE_MAX_ANSWER 1024
#define SENTENCE_MAX	2048

__attribute__((format(printf, 3, 0))) static void
put(void (*to)(void *arg, const char *text), void *arg, const char *format,
    va_list args)
{
	char text[SENTENCE_MAX];

	if (!to)
		return;
	(void)vsnprintf(text, sizeof(text), format, args);
	to(arg, text);
}

void talk_say(const struct talk *talk, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(talk->say, talk->arg, format, args);
	va_end(args);
}

void talk_detail(const struct talk *talk, const char *format, ...)
{
	va_list args;

	if (!talk->verbose)
		return;
	va_start(args, format);
	put(talk->say, talk->arg, format, args);
	va_end(args);
}

void talk_tell(const struct talk *talk, enum talk_weight weight,
	       const char *format, ...)
{
	va_list args;

	if (weight < talk->least)
		return;
	va_start(args, format);
	put(talk->tell, talk->arg, format, args);
	va_end(args);
}

void talk_clean(char *out, size_t size, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] =
			from[i] >= ' ' && from[i] != 0x7f ? (char)from[i] : '?';
	out[n] = '\0';
}

void talk_forget(char *answer)
{
	if (answer)
		explicit_bzero(answer, strlen(answer));
	free(answer);
}

/*
 * The terminal
 */

struct terminal {
	int fd;
	int signals; /* what would end us, while echo is off */
	sigset_t mask;
	struct termios modes;
};

static bool terminal_open(struct terminal *terminal, enum talk_echo echo)
{
	struct termios modes;
	sigset_t set;

	terminal->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->fd < 0)
		return false;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, &terminal->mask);
	terminal->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (terminal->signals < 0 ||
	    tcgetattr(terminal->fd, &terminal->modes) != 0) {
		if (terminal->signals >= 0)
			(void)close(terminal->signals);
		(void)sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
		(void)close(terminal->fd);
		return false;
	}
	modes = terminal->modes;
	if (echo == TALK_HIDDEN)
		modes.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	(void)tcsetattr(terminal->fd, TCSAFLUSH, &modes);
	return true;
}

/* A signal that came meanwhile finds the terminal in order. */
static void terminal_close(struct terminal *terminal, enum talk_echo echo)
{
	(void)tcsetattr(terminal->fd, TCSAFLUSH, &terminal->modes);
	if (echo == TALK_HIDDEN && write(terminal->fd, "\n", 1) < 0)
		errno = 0;
	(void)close(terminal->fd);
	(void)close(terminal->signals);
	(void)sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
}

/* One line; false: there is none. */
static bool terminal_read(const struct terminal *terminal, char *line,
			  size_t size)
{
	struct pollfd fds[2] = {{.fd = terminal->fd, .events = POLLIN},
				{.fd = terminal->signals, .events = POLLIN}};
	size_t len = 0;

	for (;;) {
		ssize_t n;
		char c;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[1].revents)
			return false;
		if (!fds[0].revents)
			continue;
		n = read(terminal->fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		if (c == '\n' || c == '\r')
			break;
		if (len < size - 1)
			line[len++] = c;
	}
	line[len] = '\0';
	return true;
}

static char *ask_terminal(const char *prompt, enum talk_echo echo, bool *there)
{
	struct terminal terminal;
	char *line = calloc(1, LINE_MAX_ANSWER);
	bool good;

	*there = line && terminal_open(&terminal, echo);
	if (!*there) {
		free(line);
		return NULL;
	}
	good = write(terminal.fd, prompt, strlen(prompt)) >= 0 &&
	       terminal_read(&terminal, line, LINE_MAX_ANSWER);
	terminal_close(&terminal, echo);
	if (good)
		return line;
	explicit_bzero(line, LINE_MAX_ANSWER);
	free(line);
	return NULL;
}

/*
 * The program
 */

static char *ask_program(const char *program, const char *prompt)
{
	char *argv[] = {strdup(program), strdup(prompt), NULL};
	char *text = NULL, *answer = NULL;
	int status = 1;

	if (argv[0] && argv[1] && run_program(argv, &text, &status) &&
	    status == 0)
		answer = strndup(text, strcspn(text, "\r\n"));
	talk_forget(text);
	free(argv[0]);
	free(argv[1]);
	return answer;
}

char *talk_ask(const struct talk *talk, const char *prompt, enum talk_echo echo)
{
	const char *program = getenv("SSH_ASKPASS");
	const char *require = getenv("SSH_ASKPASS_REQUIRE");
	bool display = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
	bool force = require && !strcmp(require, "force");
	bool prefer = require && !strcmp(require, "prefer");
	bool there;
	char *answer;

	if (!talk->ask)
		return NULL;
	if (program && !*program)
		program = NULL;
	if (require && !strcmp(require, "never"))
		program = NULL;
	if (program && (force || (prefer && display)))
		return ask_program(program, prompt);
	answer = ask_terminal(prompt, echo, &there);
	if (!there && program && display)
		return ask_program(program, prompt);
	return answer;
}
