/* Who a number or a name stands for: local files first, then name services. */
#ifndef CSFTP_SERVER_ACCOUNT_H
#define CSFTP_SERVER_ACCOUNT_H

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * As getpwuid(3) and its like, but a program that is linked statically can use
 * them, which has no name services of its own: /etc/passwd and /etc/group are
 * read, and who is not in there is asked for by getent(1), which goes the ways
 * of nsswitch.conf(5).  That is also faster for local users than to set the
 * services up.  Not for a sandbox.  NULL: nobody knows it.  An entry is good
 * until the next call.
 */
const struct passwd *account_user(uid_t uid);
const struct passwd *account_user_named(const char *name);
const struct group *account_group(gid_t gid);

/*
 * The next entry of such a file, NULL at the end: those that are rules for
 * merging other sources ("+", "-", see passwd(5)) are left out.
 */
const struct passwd *account_next_user(FILE *file);
const struct group *account_next_group(FILE *file);

#endif
