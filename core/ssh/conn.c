/* Global requests (RFC 4254, 4). */
#include "core/ssh/engine.h"
#include "core/ssh/names.h"

enum { PINGS_MAX = 16 };

/*
 * None that is known wants more than to be noted; the failure that answers
 * keepalive@openssh.com is the sign of life it asks for.
 */
void ssh_on_global_request(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	struct wire_bytes name = wire_rd_string(rd, rd->left);
	bool wants_reply = ssh_rd_bool(rd);
	struct wire_wr wr;

	(void)wire_rd_rest(rd);
	if (!ssh_whole(ssh, rd))
		return;
	/* OpenSSH PROTOCOL, 2.2. */
	if (ssh_is(name, "no-more-sessions@openssh.com"))
		ssh->conn.no_more_sessions = true;
	if (!wants_reply)
		return;
	wr = ssh_begin(ssh, SSH_REQUEST_FAILURE);
	ssh_reply(ssh, &wr);
}

void ssh_on_global_reply(struct csftp_ssh *ssh, struct wire_rd *rd)
{
	(void)wire_rd_rest(rd);
	if (!ssh_whole(ssh, rd))
		return;
	if (ssh->conn.pings == 0) {
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "an answer to no global request");
		return;
	}
	ssh->conn.pings--;
	(void)ssh_event(ssh, CSFTP_SSH_PONG);
}

enum csftp_err csftp_ssh_ping(struct csftp_ssh *ssh)
{
	enum csftp_err err;
	struct wire_wr wr;

	if (ssh->err != CSFTP_OK)
		return ssh->err;
	if (ssh->phase != SSH_RUN)
		return CSFTP_ERR_STATE;
	if (ssh->conn.pings == PINGS_MAX)
		return CSFTP_ERR_NO_ROOM;
	wr = ssh_begin(ssh, SSH_GLOBAL_REQUEST);
	ssh_wr_text(&wr, "keepalive@openssh.com");
	ssh_wr_bool(&wr, true);
	err = ssh_end(ssh, &wr);
	if (err == CSFTP_OK)
		ssh->conn.pings++;
	return err;
}
