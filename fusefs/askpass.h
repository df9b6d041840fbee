/* A password that was given beforehand, for ssh to ask for. */
#ifndef CSFTP_FUSEFS_ASKPASS_H
#define CSFTP_FUSEFS_ASKPASS_H

#include <stdbool.h>

/*
 * ssh runs the program of SSH_ASKPASS where it needs a password, and closes
 * all descriptors before.  So that program is ours again, and the password
 * waits in memory that has no name and is reached by a descriptor of the
 * process that started ssh, in /proc: nobody but the same user and root can
 * open that.  It is on no command line, in no environment and in no file.
 */

/* Up to the newline; longer is refused. */
#define ASKPASS_MAX 1023

/*
 * Reads one line of standard input and keeps it; the descriptor, or -1 and
 * errno.  What follows the line stays unread.
 */
int askpass_take(void);

/*
 * Tells the programs that this process starts from now on whom to ask.  False:
 * errno.
 */
bool askpass_offer(int fd);

/* Whether this process was started to be asked. */
bool askpass_is_asked(void);

/*
 * What it does then: says the password if the question is for one, and not for
 * a decision or for the passphrase of a key.  The exit status.
 */
int askpass_answer(const char *question);

#endif
