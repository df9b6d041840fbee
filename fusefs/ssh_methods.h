/* The ways to log in, in the order in which ssh would try them. */
#ifndef CSFTP_FUSEFS_SSH_METHODS_H
#define CSFTP_FUSEFS_SSH_METHODS_H

#include <stdbool.h>

#include "fusefs/ssh_config.h"

/* RFC 4252, 7 and 8; RFC 4256 */
enum ssh_method {
	SSH_METHOD_PUBLICKEY,
	SSH_METHOD_KEYBOARD,
	SSH_METHOD_PASSWORD,
	SSH_METHOD_COUNT
};

#define SSH_METHODS_ALL ((1U << SSH_METHOD_COUNT) - 1)

/* As it stands in messages and in PreferredAuthentications. */
const char *ssh_method_name(enum ssh_method method);

/* Whether it is in a list with commas; NULL has all. */
bool ssh_method_is_in(const char *list, enum ssh_method method);

/*
 * The first by preference that the configuration wants, that is in the server's
 * list with commas, and that is left: a bit of *left, which is taken away.
 * False: there is none.
 */
bool ssh_method_next(const struct ssh_config *config, const char *offered,
		     unsigned *left, enum ssh_method *method);

#endif
