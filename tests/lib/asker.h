/* A program for SSH_ASKPASS that answers, and remembers what it was asked. */
#ifndef CSFTP_TESTS_ASKER_H
#define CSFTP_TESTS_ASKER_H

/*
 * Puts it into the directory and into the environment.  It answers each
 * question with the next line, and with the last one for ever.
 */
void asker_answers(const char *dir, const char *lines);

/* Fails the test unless that is in a question; then counts from the start. */
void asker_was_asked(const char *dir, const char *what);

/* Out of the environment; out of the directory. */
void asker_forget(void);
void asker_remove(const char *dir);

#endif
