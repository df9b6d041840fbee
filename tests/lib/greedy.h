/* An SSH client that sends all it may and that nobody takes. */
#ifndef CSFTP_TESTS_GREEDY_H
#define CSFTP_TESTS_GREEDY_H

#include <sys/types.h>

#include "tests/lib/sshd.h"

/*
 * A process with one connection and so many channels, on which it asks for
 * nothing and sends what a window of 2 MiB lets it.  Or with several, each with
 * ten SFTP sessions that are asked much and whose answers it does not take.  Or
 * with one, with a session that opens "/" so many times.
 */
struct greedy {
	pid_t pid;
	int progress; /* a byte for each piece that was sent */
};

void greedy_start(struct greedy *greedy, const struct sshd *sshd,
		  unsigned channels);
void greedy_start_asking(struct greedy *greedy, const struct sshd *sshd,
			 unsigned connections);

void greedy_start_opening(struct greedy *greedy, const struct sshd *sshd,
			  unsigned times);

/* Until it gets no further. */
void greedy_await(const struct greedy *greedy);

/* It is gone, without a word. */
void greedy_end(struct greedy *greedy);

#endif
