/* How those who make a connection talk to the person who wants it. */
#ifndef CSFTP_FUSEFS_TALK_H
#define CSFTP_FUSEFS_TALK_H

#include <stdbool.h>
#include <stddef.h>

/* How much of what is told matters: LogLevel of ssh_config(5) leaves it out. */
enum talk_weight { TALK_INFO, TALK_ERROR, TALK_FATAL, TALK_NOTHING };

/* It outlives whom it is given to. */
struct talk {
	/* A sentence of ours, without newline. */
	void (*say)(void *arg, const char *text);
	/* A line in ssh's words, as it is, without newline. */
	void (*tell)(void *arg, const char *line);
	void *arg;
	bool ask;		/* somebody can be asked */
	bool verbose;		/* and wants to know what is done, and why */
	enum talk_weight least; /* that is told */
};

__attribute__((format(printf, 2, 3))) void talk_say(const struct talk *talk,
						    const char *format, ...);

/* Only where it is wanted. */
__attribute__((format(printf, 2, 3))) void talk_detail(const struct talk *talk,
						       const char *format, ...);

__attribute__((format(printf, 3, 4))) void talk_tell(const struct talk *talk,
						     enum talk_weight weight,
						     const char *format, ...);

enum talk_echo { TALK_HIDDEN, TALK_SHOWN };

/*
 * Asks on the terminal, or by the program that SSH_ASKPASS names, as ssh(1)
 * does: SSH_ASKPASS_REQUIRE and DISPLAY decide.  The line without its end, to
 * be released by talk_forget(); NULL: nobody could be asked, or would answer.
 */
char *talk_ask(const struct talk *talk, const char *prompt,
	       enum talk_echo echo);

/* Overwrites it first.  NULL is fine. */
void talk_forget(char *answer);

/*
 * What came from a peer: control characters become '?', but for newlines if
 * they are wanted.  Cut to size, which is not 0.
 */
void talk_clean(char *out, size_t size, const void *bytes, size_t len);

#endif
