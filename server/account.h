/* Who a number or a name stands for: local files first, then name services. */
#ifndef CSFTP_SERVER_ACCOUNT_H
#define CSFTP_SERVER_ACCOUNT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Bytes of a line that are looked at: behind them a group has members only. */
#define ACCOUNT_LINE_MAX 4096U

/*
 * A user or a group, in the caller's memory: threads look for different ones at
 * the same time.  The texts are inside; home is "" for a group.
 */
struct account {
	unsigned id;
	const char *name;
	const char *home;
	char line[ACCOUNT_LINE_MAX];
};

/*
 * As getpwuid_r(3) and its like, but a program that is linked statically can
 * use them, which has no name services of its own: /etc/passwd and /etc/group
 * are read, and who is not in there is asked for by getent(1), which goes the
 * ways of nsswitch.conf(5).  That is also faster for local users than to set
 * the services up.  Not for a sandbox.  False: nobody knows it.  Any thread.
 */
bool account_user(struct account *out, uid_t uid);
bool account_user_named(struct account *out, const char *name);
bool account_group(struct account *out, gid_t gid);

/*
 * The next entry of such a file, false at the end: those that are rules for
 * merging other sources ("+", "-", see passwd(5)) are left out, and lines that
 * are no entries.
 */
bool account_next_user(struct account *out, FILE *file);
bool account_next_group(struct account *out, FILE *file);

#endif
