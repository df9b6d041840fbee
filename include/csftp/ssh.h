/* The SSH engine: transport, authentication and connection, both roles. */
#ifndef CSFTP_SSH_H
#define CSFTP_SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csftp/err.h"
#include "csftp/link.h"

/*
 * SSH 2 (RFC 4251 to 4254) with elliptic curves (RFC 5656, 8731), Ed25519
 * (RFC 8709), SHA-2 signatures of RSA keys (RFC 8332), extension negotiation
 * (RFC 8308), strict key exchange (OpenSSH PROTOCOL, 1.10), and users' keys in
 * hardware (OpenSSH PROTOCOL.u2f; Ed25519 only).
 *
 * The engine takes bytes and gives bytes and events.  It owns no descriptor,
 * no thread, no clock and no log.  The owner of the socket does
 *
 *   while (csftp_ssh_event(ssh, &event))
 *           answer or use the event;
 *   when csftp_ssh_wants() says so and the socket is ready:
 *           csftp_ssh_in(), read(2), csftp_ssh_in_ack()
 *           csftp_ssh_out(), write(2), csftp_ssh_out_ack()
 *
 * again and again; any split of either stream is as good as any other.  All
 * work is done in csftp_ssh_event(): the acks only count bytes.
 *
 * Events.  What an event points at is good until the next call of
 * csftp_ssh_event() for the same connection; while the owner does not make
 * that call, nothing more of the peer is handled, which is how to say "wait".
 * But it holds up all of the peer's, the window adjustments too that let us
 * send: an owner whose input waits for its own output must keep what comes,
 * up to the window, or use a small window.
 *
 * An event with `question` set wants csftp_ssh_answer(), at once or later;
 * nothing goes on before, and what is not answered is not granted.
 *
 * Memory.  A connection lives in memory of its owner, csftp_ssh_size() bytes.
 * Buffers for packets are borrowed from the owner's pool while there are bytes
 * in them, up to four a connection: input, output, a key exchange, and replies
 * that have to wait.  An idle connection has none.  Where the pool has none to
 * give, the connection waits: see csftp_ssh_wants().  After
 * csftp_ssh_env_new() nothing is allocated but by libcrypto, for keys in use.
 *
 * Errors.  The first ends the connection: CSFTP_SSH_CLOSED is its last event.
 * Output, a DISCONNECT perhaps, is still to be sent.
 *
 * One thread for an environment and all of its connections.
 */
struct csftp_ssh;
struct csftp_ssh_env;
struct csftp_ssh_key;

enum csftp_ssh_role { CSFTP_SSH_CLIENT, CSFTP_SSH_SERVER };

/* What a pool's buffers may measure, in bytes. */
#define CSFTP_SSH_BUF_MIN (4U * 1024U)
#define CSFTP_SSH_BUF_MAX (256U * 1024U)

/* Bounds on what the engine keeps or passes on. */
#define CSFTP_SSH_USER_MAX     255U  /* bytes of a user's name */
#define CSFTP_SSH_CHANNELS_MAX 1024U /* of one connection */
#define CSFTP_SSH_SIGN_MAX     1100U /* bytes of a signature, RSA 8192 */

/* Authentication methods, as bits. */
#define CSFTP_SSH_AUTH_NONE	 0x1U
#define CSFTP_SSH_AUTH_PASSWORD	 0x2U
#define CSFTP_SSH_AUTH_PUBLICKEY 0x4U
#define CSFTP_SSH_AUTH_KEYBOARD	 0x8U /* keyboard-interactive, client only */

/*
 * What connections share.  Zero or NULL means the default given; callbacks
 * have none.  The environment copies it; what it points at has to live as
 * long as the environment.
 */
struct csftp_ssh_config {
	enum csftp_ssh_role role;

	/*
	 * The pool: buffers of buf_size bytes, 64 KiB by default, aligned as
	 * malloc's are.  The size bounds the packets that are accepted and the
	 * channel packets that are announced.  Buffers come back as they are,
	 * with what peers sent in them; secrets of a key exchange and
	 * passwords are wiped.
	 *
	 * A connection keeps its buffers while it waits for its peer, and one
	 * that logs in has two or three.  A pool that has not as many for all
	 * that are busy at once can run dry until peers go on or are dropped:
	 * the owner bounds how many log in at a time, and for how long.
	 */
	size_t buf_size;
	void *(*buf_get)(void *arg); /* NULL: none now */
	void (*buf_put)(void *arg, void *buf);

	/* Unpredictable bytes; false ends the connection. */
	bool (*random)(void *arg, void *to, size_t len);
	/* A clock that only goes forward. */
	uint64_t (*now_ms)(void *arg);
	/*
	 * Optional: where data of a channel is to go; otherwise it stays where
	 * it was received.  It is called inside csftp_ssh_event() for a packet
	 * that is there, again and again: for each of its bytes in their order
	 * until the `left` ones have a place.  *room becomes how many go to
	 * what it returns; NULL or 0: the rest stays.  The event DATA follows
	 * and says how many were `placed`.
	 *
	 * Nothing is verified before the event: what the calls before have
	 * brought may help to find the place of the next bytes and is good for
	 * nothing else, and if no such event comes the connection has ended and
	 * the bytes are anybody's.  No call for the connection from in here.
	 */
	uint8_t *(*place)(void *arg, struct csftp_ssh *ssh, uint32_t channel,
			  size_t left, size_t *room);
	/* Each message as one line, without secrets; may be NULL. */
	void (*trace)(void *arg, const struct csftp_ssh *ssh, const char *line);
	void *arg;

	/*
	 * Names of algorithms with commas, in the order of preference; see
	 * csftp_ssh_algorithms() for what there is.  A server offers the host
	 * key algorithms for which it has keys.
	 */
	const char *kex;
	const char *hostkey;
	const char *cipher;
	const char *mac;
	const struct csftp_ssh_key *const *keys; /* a server's host keys */
	size_t key_count;

	uint32_t channels; /* open at once: 10 */
	/*
	 * What a channel's peer may send before csftp_ssh_consumed() grants
	 * more: 2 MiB at first, and up to 16 MiB where it is used up quickly.
	 */
	uint32_t window;
	uint32_t window_max;
	uint64_t rekey_bytes;  /* either way, before new keys: 1 GiB */
	uint64_t rekey_ms;     /* age of the keys in use: one hour */
	uint32_t auth_tries;   /* failures before a server gives up: 6 */
	uint32_t auth_methods; /* that a server names; PUBLICKEY */
};

/* CSFTP_ERR_ARG: unknown algorithm, callback missing, size out of bounds. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_env_new(struct csftp_ssh_env **out,
		  const struct csftp_ssh_config *config);

/* After all of its connections.  NULL is fine. */
CSFTP_API void csftp_ssh_env_free(struct csftp_ssh_env *env);

enum csftp_ssh_alg_kind {
	CSFTP_SSH_ALG_KEX,
	CSFTP_SSH_ALG_HOSTKEY,
	CSFTP_SSH_ALG_CIPHER,
	CSFTP_SSH_ALG_MAC,
	CSFTP_SSH_ALG_COUNT
};

/* The n-th algorithm of a kind, in the order of preference; NULL: no more. */
CSFTP_API const char *csftp_ssh_algorithms(enum csftp_ssh_alg_kind kind,
					   size_t n);

/* Another trace from now on, also for connections that are there; or NULL. */
CSFTP_API void
csftp_ssh_env_set_trace(struct csftp_ssh_env *env,
			void (*trace)(void *arg, const struct csftp_ssh *ssh,
				      const char *line));

/* Bytes that a connection needs. */
CSFTP_API size_t csftp_ssh_size(const struct csftp_ssh_env *env);

/* Makes a connection of memory aligned as malloc's is; memory stays put. */
CSFTP_API struct csftp_ssh *csftp_ssh_init(struct csftp_ssh_env *env,
					   void *memory);

/* Puts back buffers and wipes keys; the memory is the owner's again. */
CSFTP_API void csftp_ssh_release(struct csftp_ssh *ssh);

/* Something of the owner's to find again; NULL at first. */
CSFTP_API void csftp_ssh_set_user(struct csftp_ssh *ssh, void *user);
CSFTP_API void *csftp_ssh_user(const struct csftp_ssh *ssh);

/*
 * CSFTP_WANT_IN and CSFTP_WANT_OUT.  No WANT_IN: an event or a question is
 * open, output has to go first, or the connection has ended.  Both also
 * vanish while the pool has no buffer: csftp_ssh_starved() tells; call
 * csftp_ssh_event() again once it has.
 */
CSFTP_API unsigned csftp_ssh_wants(const struct csftp_ssh *ssh);
CSFTP_API bool csftp_ssh_starved(const struct csftp_ssh *ssh);

/*
 * Where the next input goes, and how much fits there (0: none now).  It
 * borrows a buffer: call it when there is something to read.  A call of
 * csftp_ssh_in_ack(), of 0 too, ends the loan; in between no other call.
 */
CSFTP_API uint8_t *csftp_ssh_in(struct csftp_ssh *ssh, size_t *room);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_in_ack(struct csftp_ssh *ssh, size_t len);

/* The output, good until the next call; len 0: none. */
CSFTP_API const uint8_t *csftp_ssh_out(const struct csftp_ssh *ssh,
				       size_t *len);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_out_ack(struct csftp_ssh *ssh, size_t len);

/*
 * When csftp_ssh_event() is to be called even if nothing happens, in the time
 * of now_ms; UINT64_MAX: not.  That is for keys that get too old, and for a
 * change of keys that the peer does not go on with, which ends the connection
 * after two minutes.  How long a login may take is the owner's to bound.
 */
CSFTP_API uint64_t csftp_ssh_deadline(const struct csftp_ssh *ssh);

/* The stream is gone; why is CSFTP_ERR_EOF where the peer closed it. */
CSFTP_API void csftp_ssh_close(struct csftp_ssh *ssh, enum csftp_err why);

/* Why a connection ends (RFC 4253, 11.1). */
enum csftp_ssh_reason {
	CSFTP_SSH_NOT_ALLOWED = 1, /* HOST_NOT_ALLOWED_TO_CONNECT */
	CSFTP_SSH_PROTOCOL_ERROR = 2,
	CSFTP_SSH_KEX_FAILED = 3,
	CSFTP_SSH_MAC_ERROR = 5,
	CSFTP_SSH_SERVICE_NOT_AVAILABLE = 7,
	CSFTP_SSH_VERSION_NOT_SUPPORTED = 8,
	CSFTP_SSH_HOSTKEY_NOT_VERIFIABLE = 9,
	CSFTP_SSH_CONNECTION_LOST = 10,
	CSFTP_SSH_BY_APPLICATION = 11,
	CSFTP_SSH_TOO_MANY_CONNECTIONS = 12,
	CSFTP_SSH_NO_MORE_AUTH_METHODS = 14
};

/* Tells the peer and ends the connection; text is cut at 200 bytes. */
CSFTP_API void csftp_ssh_disconnect(struct csftp_ssh *ssh,
				    enum csftp_ssh_reason reason,
				    const char *text);

enum csftp_ssh_event_kind {
	/* Both roles. */
	CSFTP_SSH_CLOSED,	  /* the last: reason, text, err; by_peer */
	CSFTP_SSH_DATA,		  /* channel, placed, data; stderr_data */
	CSFTP_SSH_EOF,		  /* channel: no more data */
	CSFTP_SSH_CHANNEL_CLOSED, /* channel: its number is free again */
	CSFTP_SSH_REQUEST, /* channel, request and its fields; a question where
			      the peer wants a reply */
	CSFTP_SSH_PONG,	   /* the answer to csftp_ssh_ping() */

	/* Server. */
	CSFTP_SSH_AUTH,		/* auth; a question */
	CSFTP_SSH_CHANNEL_OPEN, /* channel: a session; a question */

	/* Client. */
	CSFTP_SSH_HOSTKEY, /* key, algorithm: the server has proved to own it;
			      a question */
	CSFTP_SSH_READY,   /* authentication can begin */
	CSFTP_SSH_BANNER,  /* data: any bytes */
	CSFTP_SSH_AUTH_FAILED,	/* methods (text) that can go on; partial */
	CSFTP_SSH_AUTH_KEY_OK,	/* the key tried would do */
	CSFTP_SSH_AUTH_PROMPTS, /* keyboard-interactive: auth.prompts */
	CSFTP_SSH_AUTH_OK,
	CSFTP_SSH_OPENED,  /* channel: csftp_ssh_open() worked */
	CSFTP_SSH_REFUSED, /* channel, reason (RFC 4254, 5.1), text; its number
			      is free again */
	CSFTP_SSH_REPLY	   /* channel: the oldest request that wanted a reply
			      has it; ok */
};

enum csftp_ssh_request {
	CSFTP_SSH_EXEC,	     /* data: the command */
	CSFTP_SSH_SUBSYSTEM, /* data: its name */
	CSFTP_SSH_SHELL,
	CSFTP_SSH_ENV,	       /* data: name; more: value */
	CSFTP_SSH_PTY,	       /* data: TERM; more: modes; columns, rows */
	CSFTP_SSH_WINDOW,      /* columns, rows */
	CSFTP_SSH_SIGNAL,      /* data: name without SIG */
	CSFTP_SSH_EXIT_STATUS, /* number */
	CSFTP_SSH_EXIT_SIGNAL  /* data: name without SIG; more: text */
};

/* Bytes of the peer's: no NUL behind them, perhaps one in them. */
struct csftp_ssh_bytes {
	const uint8_t *ptr;
	size_t len;
};

struct csftp_ssh_event {
	enum csftp_ssh_event_kind kind;
	bool question;
	bool ok;
	bool partial;
	bool by_peer;
	bool stderr_data;
	uint32_t channel;
	size_t placed; /* DATA: bytes before `data`, where place() said */
	struct csftp_ssh_bytes data;
	struct csftp_ssh_bytes more;
	enum csftp_ssh_request request;
	uint32_t number;
	uint32_t columns;
	uint32_t rows;

	/* CLOSED, REFUSED. */
	uint32_t reason;
	struct csftp_ssh_bytes text;
	enum csftp_err err;

	/* AUTH, HOSTKEY. */
	uint32_t method; /* one CSFTP_SSH_AUTH_ bit */
	struct csftp_ssh_bytes user;
	struct csftp_ssh_bytes password;
	struct csftp_ssh_bytes key; /* public, in SSH form (RFC 4253, 6.6) */
	const char *algorithm;	    /* that it signs with */
	bool query; /* would this key do?  Nothing is proved yet */
	/*
	 * Of a key in hardware (sk-...): whether its user has touched it for
	 * this signature, and was asked for a PIN or the like.  True for all
	 * other keys and for a query, so that an owner can just demand it.
	 */
	bool touched;
	bool verified;

	/* AUTH_PROMPTS: how many; read them with csftp_ssh_prompt(). */
	uint32_t prompts;
};

/*
 * The next event; false: there is none now.  A question that is still open
 * keeps it false.
 */
CSFTP_MUST_CHECK CSFTP_API bool csftp_ssh_event(struct csftp_ssh *ssh,
						struct csftp_ssh_event *event);

enum csftp_ssh_answer {
	CSFTP_SSH_NO,
	CSFTP_SSH_YES,
	/* AUTH: right, but another method is needed, too (RFC 4252, 5.1). */
	CSFTP_SSH_PARTLY
};

/*
 * AUTH: YES to a query says that the key would do; YES to all else lets the
 * user in, and only then.  A signature has been verified before the event.
 * The engine's answer to NO does not depend on the user's name; nor should
 * the owner's timing.
 * HOSTKEY: NO ends the connection.  CSFTP_ERR_STATE: nothing was asked.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_answer(struct csftp_ssh *ssh, enum csftp_ssh_answer answer);

/*
 * A server's text for the user, before authentication ends (RFC 4252, 5.4).
 * CSFTP_ERR_STATE at any other time than between the first AUTH and its end.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_banner(struct csftp_ssh *ssh, const char *text);

/*
 * Client authentication: one at a time, from READY on, each ended by AUTH_OK
 * or AUTH_FAILED (KEY_OK for a try).  CSFTP_ERR_STATE if one is under way,
 * CSFTP_ERR_NO_ROOM if output has to go first.  user ends with NUL.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_auth_none(struct csftp_ssh *ssh, const char *user);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_auth_password(struct csftp_ssh *ssh, const char *user,
			const void *password, size_t len);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_auth_keyboard(struct csftp_ssh *ssh, const char *user);

/*
 * AUTH_PROMPTS: the n-th prompt; echo says whether what is typed may be seen.
 * The answers go out together, as many as there are prompts.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_prompt(const struct csftp_ssh_event *event, uint32_t n,
		 struct csftp_ssh_bytes *text, bool *echo);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_auth_answers(struct csftp_ssh *ssh,
		       const struct csftp_ssh_bytes *answers, uint32_t count);

/*
 * What signs for a public key: a key in memory (csftp_ssh_key_signer()), an
 * agent, a token.  sign() makes the signature in SSH form (RFC 4253, 6.6) of
 * len bytes of data with the algorithm named, of at most CSFTP_SSH_SIGN_MAX
 * bytes at to.  What it points at is needed during the call only.
 */
struct csftp_ssh_signer {
	struct csftp_ssh_bytes key;
	enum csftp_err (*sign)(void *arg, const char *algorithm,
			       const uint8_t *data, size_t len, uint8_t *to,
			       size_t *to_len);
	void *arg;
};

/* Asks whether the key would do; then signs.  One can go without the other. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_auth_try_key(struct csftp_ssh *ssh, const char *user,
		       struct csftp_ssh_bytes key);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_auth_key(struct csftp_ssh *ssh, const char *user,
		   const struct csftp_ssh_signer *signer);

/*
 * Channels, after authentication.  Numbers of channels that are gone are
 * recognised: CSFTP_ERR_ARG.  CSFTP_ERR_STATE where the channel is not open
 * for that, CSFTP_ERR_NO_ROOM where something has to go first.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err csftp_ssh_open(struct csftp_ssh *ssh,
							 uint32_t *channel);

/* Requests of a client; each is answered by a REPLY, but for `signal`. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_exec(struct csftp_ssh *ssh, uint32_t channel, const char *command);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_subsystem(struct csftp_ssh *ssh, uint32_t channel, const char *name);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err csftp_ssh_shell(struct csftp_ssh *ssh,
							  uint32_t channel);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_setenv(struct csftp_ssh *ssh, uint32_t channel, const char *name,
		 const char *value);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_signal(struct csftp_ssh *ssh, uint32_t channel, const char *name);

/* What a server says of a program that ended, before it closes. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_exit_status(struct csftp_ssh *ssh, uint32_t channel, uint32_t status);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_exit_signal(struct csftp_ssh *ssh, uint32_t channel, const char *name,
		      const char *text);

enum csftp_ssh_data { CSFTP_SSH_STDOUT, CSFTP_SSH_STDERR };

/*
 * Where the next data of a channel is to be written, and how much fits and
 * may be sent now (0: none; ask again after csftp_ssh_event() and
 * csftp_ssh_out_ack()).  csftp_ssh_send() seals it where it is; between the
 * two no other call for this connection; len 0 sends nothing and gives back
 * the buffer.
 */
CSFTP_API uint8_t *csftp_ssh_room(struct csftp_ssh *ssh, uint32_t channel,
				  enum csftp_ssh_data which, size_t *room);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_send(struct csftp_ssh *ssh, uint32_t channel, size_t len);

/*
 * Both in one, for data that stands elsewhere: as much of the slices as fits
 * and may be sent, sealed from where it is into the packet.  *sent: how much,
 * 0 for none now.  Slices of a pipe (csftp/fs.h) end it.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_send_from(struct csftp_ssh *ssh, uint32_t channel,
		    enum csftp_ssh_data which, const struct csftp_slice *slice,
		    size_t count, size_t *sent);

/*
 * The owner is done with len bytes that DATA brought: the peer may send as
 * many again.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_consumed(struct csftp_ssh *ssh, uint32_t channel, size_t len);

/* No more data from here; the peer may go on.  Close ends both ways. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_send_eof(struct csftp_ssh *ssh, uint32_t channel);
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_channel_close(struct csftp_ssh *ssh, uint32_t channel);

/* keepalive@openssh.com; a PONG follows. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err csftp_ssh_ping(struct csftp_ssh *ssh);

/* Starts a key exchange now, if none is under way. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_rekey(struct csftp_ssh *ssh);

/* The peer's identification without line end; empty before it is known. */
CSFTP_API struct csftp_ssh_bytes
csftp_ssh_peer_version(const struct csftp_ssh *ssh);

/* The algorithm in use; NULL before there is one.  in: from the peer. */
CSFTP_API const char *csftp_ssh_in_use(const struct csftp_ssh *ssh,
				       enum csftp_ssh_alg_kind kind, bool in);

/*
 * Keys.  A key is heap memory with a libcrypto object; it does not change, so
 * any number of environments may use it, of one thread.
 */
enum csftp_ssh_key_type {
	CSFTP_SSH_ED25519,
	CSFTP_SSH_P256,
	CSFTP_SSH_P384,
	CSFTP_SSH_P521,
	CSFTP_SSH_RSA
};

/* A new private key; bits for RSA, 0 for 3072. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_key_make(struct csftp_ssh_key **out, enum csftp_ssh_key_type type,
		   unsigned bits);

/*
 * A private key from the text of a file: "OPENSSH PRIVATE KEY" (OpenSSH
 * PROTOCOL.key) or PEM as libcrypto reads it.  passphrase NULL: none.
 * CSFTP_ERR_DENIED: one is needed, or it is wrong.  The text stays the
 * caller's to wipe.
 */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_key_read(struct csftp_ssh_key **out, const char *text, size_t len,
		   const char *passphrase);

/* A public key from one line: "type base64 comment", as in *.pub files. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_key_read_public(struct csftp_ssh_key **out, const char *line,
			  size_t len);

/* A public key from its SSH form. */
CSFTP_MUST_CHECK CSFTP_API enum csftp_err
csftp_ssh_key_from_blob(struct csftp_ssh_key **out,
			struct csftp_ssh_bytes blob);

CSFTP_API void csftp_ssh_key_free(struct csftp_ssh_key *key);
CSFTP_API enum csftp_ssh_key_type
csftp_ssh_key_type(const struct csftp_ssh_key *key);
CSFTP_API bool csftp_ssh_key_is_private(const struct csftp_ssh_key *key);

/* The public half in SSH form; lives as long as the key. */
CSFTP_API struct csftp_ssh_bytes
csftp_ssh_key_blob(const struct csftp_ssh_key *key);

/* A signer of a private key; needs the key as long as it is used. */
CSFTP_API struct csftp_ssh_signer
csftp_ssh_key_signer(const struct csftp_ssh_key *key);

#endif
