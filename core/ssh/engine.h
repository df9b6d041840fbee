/* The inside of an SSH connection. */
#ifndef CSFTP_CORE_SSH_ENGINE_H
#define CSFTP_CORE_SSH_ENGINE_H

#include "core/ssh/alg.h"
#include "core/ssh/channel.h"
#include "core/ssh/crypto.h"
#include "core/ssh/key.h"
#include "core/ssh/msg.h"
#include "core/wire.h"
#include "csftp/ssh.h"

/*
 * How it fits together:
 *
 *   engine.c    events, the order of work, borrowed buffers
 *   in.c        bytes to packets      out.c   messages to bytes
 *   legal.c     which message is legal when, and who handles it
 *   trace.c     messages as lines of text
 *   transport.c identification, disconnection, services, extensions
 *   kex.c       negotiation           kex_ecdh.c  the exchange itself
 *   auth_server.c, auth_client.c, channel.c, conn.c
 *
 * A handler gets the fields of its message on a cursor.  It may fill in
 * ssh->event: then the message stays where it is until the owner asks for the
 * next event.  Each handler reads its message to the end with ssh_whole().
 */

/* A control message that is sent without asking for room is not longer. */
#define SSH_MESSAGE_MAX 3072U

/* What a packet takes beside its payload: lengths, padding, tag. */
#define SSH_OVERHEAD 128U

/* RFC 4253, 4.2: with its line end. */
#define SSH_VERSION_MAX 255

/* A borrowed buffer, env->config.buf_size bytes; base NULL: none. */
struct ssh_buf {
	uint8_t *base;
	size_t head;
	size_t tail;
};

struct csftp_ssh_env {
	struct csftp_ssh_config config;
	struct ssh_alg_list list[CSFTP_SSH_ALG_COUNT];
	struct ssh_lib *lib;
};

/* Ordered; set by ssh_set_phase() only.  SSH_KEX to SSH_RENEWKEYS are what
 * ssh_in_phase() makes of a key exchange and are never stored. */
enum ssh_phase {
	SSH_HELLO,   /* the peer's identification is due */
	SSH_START,   /* and its first KEXINIT */
	SSH_KEX,     /* the first exchange: 30 or 31 is due */
	SSH_NEWKEYS, /* and the peer's NEWKEYS */
	SSH_REKEX,   /* the same later */
	SSH_RENEWKEYS,
	SSH_SERVICE, /* keys are in use; authentication is asked for */
	SSH_AUTH,
	SSH_RUN, /* the connection protocol */
	SSH_PHASE_COUNT
};

/* One direction of packets. */
struct ssh_half {
	struct ssh_crypt crypt;
	const struct ssh_alg *cipher; /* NULL: not yet */
	const struct ssh_alg *mac;    /* NULL: none, or the cipher has one */
	uint32_t seq;
	uint32_t packets; /* with these keys */
	uint64_t bytes;
};

/* A key exchange; it lives in a borrowed buffer. */
struct ssh_kex {
	bool first; /* of the connection */
	bool sent;  /* our KEXINIT */
	bool got;   /* the peer's */
	bool skip;  /* RFC 4253, 7.1: the next packet was a wrong guess */
	bool newkeys_sent;
	bool newkeys_got;
	uint64_t since_ms;
	const struct ssh_alg *kex;
	const struct ssh_alg *hostkey;
	const struct ssh_alg *cipher[2]; /* from client, from server */
	const struct ssh_alg *mac[2];
	struct ssh_pair pair; /* the client's */
	uint8_t hash[SSH_HASH_MAX];
	uint8_t shared[SSH_SHARED_MAX + 8]; /* as the hashes take it */
	size_t shared_len;
	size_t ours; /* bytes of our KEXINIT, and of the peer's behind it */
	size_t theirs;
	uint8_t bytes[];
};

struct ssh_auth {
	uint32_t method; /* client: the one under way; 0: none */
	bool query;	 /* of publickey */
	uint32_t failures;
	uint32_t shown; /* server: methods that were right, but not enough */
	uint32_t requests;
	uint32_t prompts; /* that wait for answers, and one; 0: none do */
	bool user_known;
	uint8_t user[32];   /* hash of user and service (RFC 4252, 5) */
	uint32_t peer_sigs; /* server-sig-algs, by place in our table */
};

struct csftp_ssh {
	struct csftp_ssh_env *env;
	void *user;
	enum ssh_phase phase;
	enum csftp_err err;
	const char *err_text; /* static */
	uint32_t err_reason;
	bool closed_told;
	bool hello_sent;
	bool starved; /* the pool had no buffer */
	bool strict;  /* OpenSSH PROTOCOL, 1.10 */
	bool peer_ext_info;
	uint8_t question; /* the message that asked; 0: none */
	uint32_t question_channel;

	/* The caller's, during csftp_ssh_event(). */
	struct csftp_ssh_event *event;
	bool has_event;

	struct ssh_buf in;
	size_t in_whole; /* of the packet at in.head; 0: not known yet */
	struct wire_bytes payload; /* of the packet, once opened */
	size_t placed;		   /* of its data, that is not in the payload */
	bool dispatched;
	uint32_t lines; /* before the identification */

	struct ssh_buf out;
	struct ssh_buf later; /* messages, each behind its length */
	bool writing_later;   /* between ssh_begin() and ssh_end() */
	uint32_t data_header; /* between csftp_ssh_room() and send */
	uint32_t data_channel;
	size_t data_room;

	struct ssh_kex *kex; /* NULL: none under way */
	struct ssh_half from_peer;
	struct ssh_half to_peer;
	const struct ssh_alg *kex_alg; /* of the last exchange */
	const struct ssh_alg *hostkey_alg;
	uint64_t keys_ms; /* when the keys came into use */
	uint8_t session[SSH_HASH_MAX];
	size_t session_len;
	uint8_t hostkey[32]; /* hash of the server's key */
	uint8_t version[SSH_VERSION_MAX + 1];
	size_t version_len;

	struct ssh_auth auth;
	struct ssh_conn conn;
	struct ssh_channel channel[];
};

/* engine.c */
void ssh_set_phase(struct csftp_ssh *ssh, enum ssh_phase phase);
enum ssh_phase ssh_in_phase(const struct csftp_ssh *ssh);

/*
 * The first error ends the connection and tells the peer why.  text is static.
 * Always false, for handlers to return.
 */
bool ssh_fail(struct csftp_ssh *ssh, enum csftp_err err, uint32_t reason,
	      const char *text);

/* The message has been read whole; otherwise it ends the connection. */
CSFTP_MUST_CHECK bool ssh_whole(struct csftp_ssh *ssh,
				const struct wire_rd *rd);

/* The event to fill in. */
struct csftp_ssh_event *ssh_event(struct csftp_ssh *ssh,
				  enum csftp_ssh_event_kind kind);
void ssh_ask(struct csftp_ssh *ssh, uint8_t msg);

bool ssh_buf_get(struct csftp_ssh *ssh, struct ssh_buf *buf);
void ssh_buf_put(struct csftp_ssh *ssh, struct ssh_buf *buf);
bool ssh_random(struct csftp_ssh *ssh, void *to, size_t len);
bool ssh_is_server(const struct csftp_ssh *ssh);

/* in.c: opens the next whole packet; false: there is none. */
CSFTP_MUST_CHECK bool ssh_next_packet(struct csftp_ssh *ssh);
void ssh_finish_packet(struct csftp_ssh *ssh);
void ssh_wipe_packet(struct csftp_ssh *ssh);

/*
 * out.c.  A message is written between begin and end.  It goes out at once,
 * or, during a key exchange and while there is no room, waits in its order.
 * Kex messages go out at once always.  What does not fit: CSFTP_ERR_NO_ROOM.
 */
struct wire_wr ssh_begin(struct csftp_ssh *ssh, uint8_t msg);
CSFTP_MUST_CHECK enum csftp_err ssh_end(struct csftp_ssh *ssh,
					struct wire_wr *wr);

/* The same for replies, for which there has to be room. */
void ssh_reply(struct csftp_ssh *ssh, struct wire_wr *wr);

/* The output has room for `len` bytes behind its tail, if that can be. */
bool ssh_out_room(struct csftp_ssh *ssh, size_t len);
void ssh_out_raw(struct csftp_ssh *ssh, const void *bytes, size_t len);
enum csftp_err ssh_out_seal(struct csftp_ssh *ssh, size_t payload_len);
/* The same, but of the payload only the head stands there. */
enum csftp_err ssh_out_seal_from(struct csftp_ssh *ssh, size_t head,
				 const struct csftp_slice *slice,
				 size_t payload_len);
void ssh_flush_later(struct csftp_ssh *ssh);
void ssh_drop_later(struct csftp_ssh *ssh);

/* Between our KEXINIT and our NEWKEYS: kex messages only (RFC 4253, 7.1). */
bool ssh_out_in_kex(const struct csftp_ssh *ssh);

/* legal.c: checks the opened message and has it handled. */
void ssh_dispatch(struct csftp_ssh *ssh);

/* trace.c */
enum ssh_to { SSH_FROM_PEER, SSH_TO_PEER };
void ssh_trace(struct csftp_ssh *ssh, enum ssh_to to, const uint8_t *payload,
	       size_t len);
void ssh_trace_text(struct csftp_ssh *ssh, const char *text);

/* transport.c */
void ssh_hello(struct csftp_ssh *ssh);
/* Reads the peer's identification; false: not all of it is there. */
bool ssh_read_hello(struct csftp_ssh *ssh);
void ssh_send_disconnect(struct csftp_ssh *ssh, uint32_t reason,
			 const char *text);
void ssh_send_ext_info(struct csftp_ssh *ssh);
void ssh_request_service(struct csftp_ssh *ssh);
void ssh_unimplemented(struct csftp_ssh *ssh);
struct wire_bytes ssh_own_version(void);

/* kex.c: a kex buffer has to be there, see ssh_kex_ready(). */
bool ssh_kex_ready(struct csftp_ssh *ssh);
void ssh_kex_start(struct csftp_ssh *ssh);
bool ssh_kex_due(const struct csftp_ssh *ssh);
/* When an exchange that is under way has to be over; UINT64_MAX: no matter. */
uint64_t ssh_kex_deadline(const struct csftp_ssh *ssh);
void ssh_kex_release(struct csftp_ssh *ssh);

/* kex_ecdh.c */
void ssh_kex_ask(struct csftp_ssh *ssh);
void ssh_kex_hostkey_answer(struct csftp_ssh *ssh,
			    enum csftp_ssh_answer answer);

/* auth_*.c */
void ssh_auth_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer);

/* channel.c, conn.c */
/* So much data would come to the owner as an event. */
bool ssh_would_take(struct csftp_ssh *ssh, uint32_t number, size_t len);
void ssh_open_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer);
void ssh_request_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer);
void ssh_send_adjusts(struct csftp_ssh *ssh);

/* The handlers, each in the file of its protocol; see legal.c. */
typedef void ssh_handler(struct csftp_ssh *ssh, struct wire_rd *rd);
ssh_handler ssh_on_disconnect, ssh_on_ignore, ssh_on_debug,
	ssh_on_unimplemented, ssh_on_service_request, ssh_on_service_accept,
	ssh_on_ext_info;
ssh_handler ssh_on_kexinit, ssh_on_newkeys, ssh_on_ecdh_init, ssh_on_ecdh_reply;
ssh_handler ssh_on_auth_request, ssh_on_auth_failure, ssh_on_auth_success,
	ssh_on_auth_banner, ssh_on_auth_60;
ssh_handler ssh_on_global_request, ssh_on_global_reply;
ssh_handler ssh_on_open, ssh_on_open_confirmation, ssh_on_open_failure,
	ssh_on_window_adjust, ssh_on_data, ssh_on_extended_data, ssh_on_eof,
	ssh_on_close, ssh_on_request, ssh_on_channel_success,
	ssh_on_channel_failure;

struct ssh_rule {
	const char *name;
	const char *fields; /* for the trace; see trace.c */
	uint32_t phases;
	uint8_t by;
	bool strict; /* legal in the first exchange of strict mode, too */
	ssh_handler *handle;
};

/* By message number; name NULL: none that we know. */
extern const struct ssh_rule ssh_rules[256];

#endif
