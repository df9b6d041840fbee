/*
 * Which message is legal, from whom and when, and who handles it.  What is not
 * in the table is denied.
 */
#include "core/ssh/engine.h"

#define IN(phase) (1U << (phase))

enum { CLIENT = 1, SERVER = 2, BOTH = 3 };

#define KEX	    (IN(SSH_KEX) | IN(SSH_REKEX))
#define NEWKEYS	    (IN(SSH_NEWKEYS) | IN(SSH_RENEWKEYS))
#define SETTLED	    (IN(SSH_SERVICE) | IN(SSH_AUTH) | IN(SSH_RUN))
#define ANY	    (IN(SSH_START) | KEX | NEWKEYS | SETTLED)
#define SERVICE	    IN(SSH_SERVICE)
#define AUTH	    IN(SSH_AUTH)
#define AFTER_LOGIN IN(SSH_RUN)
#define CONNECTION  (AFTER_LOGIN | IN(SSH_REKEX) | IN(SSH_RENEWKEYS))

/*
 * RFC 4253, 7.1: between KEXINIT and NEWKEYS only the messages of transport
 * and kex, but for the services'.  asyncssh goes on with the connection's all
 * the same, with the keys it has, and as sshd takes that so do we, once a user
 * is logged in.  A first exchange in strict mode has no others than its own
 * (OpenSSH PROTOCOL, 1.10).  RFC 8308, 2.4: EXT_INFO follows NEWKEYS, or comes
 * from the server before USERAUTH_SUCCESS.
 */
/* clang-format off */
const struct ssh_rule ssh_rules[256] = {
	[SSH_DISCONNECT] = {"DISCONNECT", "u:reason s:text s-",
		ANY, BOTH, true, ssh_on_disconnect},
	[SSH_IGNORE] = {"IGNORE", "l:bytes",
		ANY, BOTH, false, ssh_on_ignore},
	[SSH_UNIMPLEMENTED] = {"UNIMPLEMENTED", "u:packet",
		ANY, BOTH, false, ssh_on_unimplemented},
	[SSH_DEBUG] = {"DEBUG", "b:show s:text s-",
		ANY, BOTH, false, ssh_on_debug},
	[SSH_SERVICE_REQUEST] = {"SERVICE_REQUEST", "s:service",
		SERVICE, CLIENT, false, ssh_on_service_request},
	[SSH_SERVICE_ACCEPT] = {"SERVICE_ACCEPT", "s:service",
		SERVICE, SERVER, false, ssh_on_service_accept},
	[SSH_EXT_INFO] = {"EXT_INFO", "u:count s:first s:value",
		SERVICE | AUTH, BOTH, false, ssh_on_ext_info},
	[SSH_KEXINIT] = {"KEXINIT",
		"16 s:kex s:hostkey s:to-server s:to-client",
		IN(SSH_START) | SETTLED, BOTH, true, ssh_on_kexinit},
	[SSH_NEWKEYS_MSG] = {"NEWKEYS", "",
		NEWKEYS, BOTH, true, ssh_on_newkeys},
	[SSH_ECDH_INIT] = {"KEX_ECDH_INIT", "l:point",
		KEX, CLIENT, true, ssh_on_ecdh_init},
	[SSH_ECDH_REPLY] = {"KEX_ECDH_REPLY", "l:key l:point l:signature",
		KEX, SERVER, true, ssh_on_ecdh_reply},
	/* RFC 4252, 5.3: after success, further requests are ignored. */
	[SSH_USERAUTH_REQUEST] = {"USERAUTH_REQUEST",
		"s:user s:service s:method",
		AUTH | AFTER_LOGIN, CLIENT, false, ssh_on_auth_request},
	[SSH_USERAUTH_FAILURE] = {"USERAUTH_FAILURE", "s:methods b:partial",
		AUTH, SERVER, false, ssh_on_auth_failure},
	[SSH_USERAUTH_SUCCESS] = {"USERAUTH_SUCCESS", "",
		AUTH, SERVER, false, ssh_on_auth_success},
	[SSH_USERAUTH_BANNER] = {"USERAUTH_BANNER", "s:text s-",
		AUTH, SERVER, false, ssh_on_auth_banner},
	[SSH_USERAUTH_60] = {"USERAUTH_60", "",
		AUTH, SERVER, false, ssh_on_auth_60},
	/* Only after a question that our server does not ask. */
	[SSH_USERAUTH_INFO_RESPONSE] = {"USERAUTH_INFO_RESPONSE", "u:answers",
		0, CLIENT, false, NULL},
	[SSH_GLOBAL_REQUEST] = {"GLOBAL_REQUEST", "s:request b:reply",
		CONNECTION, BOTH, false, ssh_on_global_request},
	[SSH_REQUEST_SUCCESS] = {"REQUEST_SUCCESS", "",
		CONNECTION, BOTH, false, ssh_on_global_reply},
	[SSH_REQUEST_FAILURE] = {"REQUEST_FAILURE", "",
		CONNECTION, BOTH, false, ssh_on_global_reply},
	[SSH_CHANNEL_OPEN] = {"CHANNEL_OPEN",
		"s:type u:sender u:window u:packet",
		CONNECTION, BOTH, false, ssh_on_open},
	[SSH_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_OPEN_CONFIRMATION",
		"u:channel u:sender u:window u:packet",
		CONNECTION, BOTH, false, ssh_on_open_confirmation},
	[SSH_CHANNEL_OPEN_FAILURE] = {"CHANNEL_OPEN_FAILURE",
		"u:channel u:reason s:text s-",
		CONNECTION, BOTH, false, ssh_on_open_failure},
	[SSH_CHANNEL_WINDOW_ADJUST] = {"CHANNEL_WINDOW_ADJUST",
		"u:channel u:bytes",
		CONNECTION, BOTH, false, ssh_on_window_adjust},
	[SSH_CHANNEL_DATA] = {"CHANNEL_DATA", "u:channel l:bytes",
		CONNECTION, BOTH, false, ssh_on_data},
	[SSH_CHANNEL_EXTENDED_DATA] = {"CHANNEL_EXTENDED_DATA",
		"u:channel u:type l:bytes",
		CONNECTION, BOTH, false, ssh_on_extended_data},
	[SSH_CHANNEL_EOF] = {"CHANNEL_EOF", "u:channel",
		CONNECTION, BOTH, false, ssh_on_eof},
	[SSH_CHANNEL_CLOSE] = {"CHANNEL_CLOSE", "u:channel",
		CONNECTION, BOTH, false, ssh_on_close},
	[SSH_CHANNEL_REQUEST] = {"CHANNEL_REQUEST",
		"u:channel s:request b:reply",
		CONNECTION, BOTH, false, ssh_on_request},
	[SSH_CHANNEL_SUCCESS] = {"CHANNEL_SUCCESS", "u:channel",
		CONNECTION, BOTH, false, ssh_on_channel_success},
	[SSH_CHANNEL_FAILURE] = {"CHANNEL_FAILURE", "u:channel",
		CONNECTION, BOTH, false, ssh_on_channel_failure},
};
/* clang-format on */

static bool is_first_exchange(enum ssh_phase phase)
{
	return phase == SSH_KEX || phase == SSH_NEWKEYS;
}

/* RFC 4253, 7: a wrong guess is dropped whatever it is. */
static bool is_wrong_guess(struct csftp_ssh *ssh, enum ssh_phase phase)
{
	bool skip = ssh->kex && ssh->kex->skip &&
		    (phase == SSH_KEX || phase == SSH_REKEX);

	if (skip)
		ssh->kex->skip = false;
	return skip;
}

/* During an exchange of keys the phase alone does not tell. */
static bool needs_login(const struct ssh_rule *rule)
{
	return (rule->phases & SETTLED) == AFTER_LOGIN;
}

static bool is_legal(const struct csftp_ssh *ssh, const struct ssh_rule *rule,
		     enum ssh_phase phase)
{
	uint8_t peer = ssh_is_server(ssh) ? CLIENT : SERVER;

	if (needs_login(rule) && ssh->phase != SSH_RUN)
		return false;
	if (ssh->strict && is_first_exchange(phase) && !rule->strict)
		return false;
	return rule->handle && (rule->by & peer) && (rule->phases & IN(phase));
}

void ssh_dispatch(struct csftp_ssh *ssh)
{
	struct wire_rd rd = {.next = ssh->payload.ptr,
			     .left = ssh->payload.len};
	enum ssh_phase phase = ssh_in_phase(ssh);
	const struct ssh_rule *rule;

	ssh_trace(ssh, SSH_FROM_PEER, ssh->payload.ptr, ssh->payload.len);
	if (is_wrong_guess(ssh, phase))
		return;
	rule = &ssh_rules[wire_rd_u8(&rd)];
	if (!rule->name && !(ssh->strict && is_first_exchange(phase))) {
		ssh_unimplemented(ssh);
		return;
	}
	if (!is_legal(ssh, rule, phase)) {
		(void)ssh_fail(ssh, CSFTP_ERR_STATE, CSFTP_SSH_PROTOCOL_ERROR,
			       "message not legal now");
		return;
	}
	rule->handle(ssh, &rd);
}
