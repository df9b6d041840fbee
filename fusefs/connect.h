/* How csftpfs reaches its server. */
#ifndef CSFTP_FUSEFS_CONNECT_H
#define CSFTP_FUSEFS_CONNECT_H

#include "csftp/err.h"
#include "csftp/stream.h"
#include "fusefs/options.h"
#include "fusefs/talk.h"

/*
 * The words of the ssh command: no shell, no terminal, no forwarding, nothing
 * run but SFTP.  What is fixed comes first, as ssh takes the first value of
 * each keyword; the host comes behind "--".  False: no memory.  To be released
 * in any case.
 */
bool connect_argv(const struct options *options, struct strings *argv);

/*
 * What makes connections, one after the other, of which each is a stream of
 * its own.  It keeps what a person was asked for: keys that were decrypted, a
 * password.
 */
struct connector;

/*
 * Decides on the transport, which may run "ssh -G".  The options and the talk
 * are used as long as the connector lives; whoever can no longer be asked sets
 * talk->ask to false.  Errors have been said.
 */
CSFTP_MUST_CHECK enum csftp_err connect_new(struct connector **out,
					    const struct options *options,
					    const struct talk *talk);

/*
 * One more to the same server: what the first has found out about transport and
 * configuration holds for it, so that nothing is run and nothing waited for,
 * and it has what the first was given: the password, and the keys as they were
 * read and decrypted.  Not while the first is connecting.  The first has to
 * live as long.
 */
CSFTP_MUST_CHECK enum csftp_err connect_another(struct connector **out,
						const struct connector *first);

/*
 * Makes a connected stream.  It blocks as long as connecting and logging in
 * take (with transport=ssh that is ssh's affair, and it returns at once), and
 * uses nothing but the connector: it may run in a thread of its own while the
 * connector is left alone; but not with transport=ssh, which changes standard
 * error for a moment.
 *
 * CSFTP_ERR_DENIED: somebody refused, which has been said, and trying again
 * would not help.  CSFTP_ERR_IO: errno.
 */
CSFTP_MUST_CHECK enum csftp_err connect_open(struct connector *connector,
					     struct csftp_stream *stream);

/* Bytes of a reason that it can have, with its NUL. */
#define CONNECT_WHY_MAX 384

/* Of what connect_open() has returned last, and its errno: why, for people. */
void connect_why(const struct connector *connector, enum csftp_err err,
		 int number, char why[CONNECT_WHY_MAX]);

/*
 * Where talk->ask is false and a program carries the session: a pipe, which is
 * the caller's from now on, with what the program that was started last says on
 * its standard error.  Not to wait for.  -1: there is none.
 */
int connect_take_said(struct connector *connector);

/* What LogLevel of ssh_config(5) has us tell, for talk->least. */
enum talk_weight connect_log_level(const struct connector *connector);

/* The program that carries the session, for messages; NULL: none does. */
const char *connect_program(const struct connector *connector);

/* What carries the session, for people: "ssh", "native", "tcp" ... */
const char *connect_carrier(const struct connector *connector);

/* NULL is fine. */
void connect_free(struct connector *connector);

#endif
