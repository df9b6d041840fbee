/* What a service manager is told (sd_notify(3)). */
#ifndef CSFTP_SERVER_CSFTPD_NOTIFY_H
#define CSFTP_SERVER_CSFTPD_NOTIFY_H

/*
 * The socket that NOTIFY_SOCKET names; -1: nobody wants to know.  The variable
 * is taken out of the environment.
 */
int notify_open(void);

/* "READY=1" and the like; lines with newlines between. */
void notify_say(int fd, const char *state);

#endif
