/* One connection: a socket, an SSH engine and the channels in it. */
#ifndef CSFTP_SERVER_CSFTPD_CONN_H
#define CSFTP_SERVER_CSFTPD_CONN_H

#include <netinet/in.h>

#include "core/ssh/authkeys.h"
#include "server/csftpd/disk.h"
#include "server/csftpd/worker.h"
#include "server/session.h"

/* What a peer sends that a session cannot take yet; in a packet buffer. */
struct spill {
	struct spill *next;
	size_t head;
	size_t tail;
	uint8_t bytes[];
};

#define SPILL_ROOM (WORKER_BUFFER - sizeof(struct spill))

/* The order in which a channel comes to its end; see channel.c. */
enum channel_state {
	CHANNEL_OPEN,	 /* nothing was started yet */
	CHANNEL_OPENING, /* its tree is */
	CHANNEL_SFTP,
	CHANNEL_EXEC,
	CHANNEL_SAY,	/* a line on standard error, and then the end */
	CHANNEL_STATUS, /* output is sent: exit status, end of data, close */
	CHANNEL_EOF,
	CHANNEL_CLOSE,
	CHANNEL_CLOSED, /* waits for the peer's close */
	CHANNEL_GONE	/* waits for answers to what it has asked */
};

/*
 * Of a session whose key has options of its own: a tree with these.  While a
 * thread opens it, nobody else touches what follows `under_way`.
 */
struct private
{
	struct threads_task task; /* first */
	struct private *next_opened;
	struct channel *channel;
	bool under_way;
	bool good; /* the tree is open */
	const struct tree *like;
	struct server_options options;
	struct log log;
	struct tree tree;
};

struct channel {
	struct channel *next;
	struct conn *conn;
	uint32_t number;
	enum channel_state state;
	bool eof;    /* the peer sends no more */
	bool fed;    /* and the session knows */
	bool work;   /* the engine has work to go on with */
	bool hungry; /* it waits for a buffer */
	bool asked;  /* CHANNEL_OPENING: the peer waits for the answer */
	struct private *private; /* NULL: it has what all have */
	uint32_t status;
	uint64_t sent;	  /* since conn_stuck() */
	const char *line; /* CHANNEL_SAY: what is left of it */
	struct spill *first;
	struct spill *last;
	struct disk disk; /* what the session stands on, if threads are used */
	struct session session;
	struct exec *exec;	       /* NULL: no command */
	_Alignas(16) uint8_t memory[]; /* the session's engine */
};

/* Where a connection waits for its turn. */
enum conn_queue {
	CONN_UNQUEUED,
	CONN_RUNNABLE,
	CONN_STARVED, /* until a buffer comes back */
	CONN_TAKEN    /* it is about to have it */
};

/*
 * Made from mail and gone by itself.  Behind it, in the same memory, is its
 * SSH connection.
 */
struct conn {
	struct conn *next; /* of the worker's list, under its lock */
	struct conn *prev;
	struct conn *next_queued;
	enum conn_queue queue;
	struct worker *worker;
	struct serving *serving;
	uint64_t id;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles; /* of libuv, that are not closed yet */
	int events;	  /* polled for */
	uint64_t timer_ms;
	uint64_t since_ms;
	uint64_t heard_ms;
	unsigned pings; /* that had no answer */
	bool logged_in;
	bool named; /* user is set; under the lock of the list */
	bool closing;
	bool over; /* the engine has said its last */
	bool dry;  /* there was no buffer to read to */
	struct channel *channels;
	/* Data of an event that nobody has taken yet; the engine waits. */
	struct channel *held_by;
	struct csftp_ssh_bytes held;
	unsigned spills;    /* of all channels */
	uint64_t looked_at; /* bytes_out at conn_stuck() */
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	char address[INET6_ADDRSTRLEN];
	uint16_t port;
	/* Who is logged in or, until `named`, has asked last; "": nobody. */
	char user[CSFTP_SSH_USER_MAX + 1];
	bool valid;	     /* AllowUsers has that name */
	bool sftp_only;	     /* the key may do nothing else */
	unsigned arg_count;  /* and with these options of csftp-server */
	bool tried;	     /* to authenticate */
	struct login *login; /* that is looked into; see login.c */
	bool timed_out;	     /* before it was logged in */
	bool ended;	     /* by us, for no fault of the peer's */
	sources_ticket ticket;
	struct conn *next_waiting; /* of those that are not logged in */
	struct csftp_ssh *ssh;
	/* Not zeroed with the rest: few have any. */
	char args[SSH_AUTHKEYS_ARGS_MAX];
	_Alignas(16) uint8_t memory[];
};

void conn_open(struct worker *worker, const struct mail *mail);

/* csftp_ssh_config.place; what the connection was given is its user. */
uint8_t *conn_place(struct csftp_ssh *ssh, uint32_t channel, size_t left,
		    size_t *room);

/* Something that it waited for is gone: once it is closed, that may be the end.
 */
void conn_settle(struct conn *conn);

/* Goes on with all that can be gone on with. */
void conn_turn(struct conn *conn);

/* Ends it without a word. */
void conn_drop(struct conn *conn);

/* The answer to its question; the connection goes on at its next turn. */
void conn_answer_login(struct conn *conn, enum csftp_ssh_answer answer,
		       bool query);

/* Tells the peer, if it can, and ends it. */
void conn_end(struct conn *conn, enum csftp_ssh_reason reason,
	      const char *text);

/* Whether nothing would be lost by ending it. */
bool conn_is_idle(const struct conn *conn);

/*
 * Whether its sessions do nothing and its peer has asked for nothing for so
 * long; a command is no such session.
 */
bool conn_is_quiet(const struct conn *conn, uint64_t for_ms);

/*
 * How much of it, the connection itself and its channels, has something to
 * send and has sent less than `least` bytes since this was asked last.
 */
unsigned conn_stuck(struct conn *conn, uint64_t least);

/* Goes on with what takes longer, a piece; whether there is more. */
bool channel_work(struct channel *channel);

/* channel.c; false: there is no object for one more. */
bool channel_open(struct conn *conn, uint32_t number);
struct channel *channel_find(const struct conn *conn, uint32_t number);
/* LATER: it is answered once that is known. */
enum channel_answer { CHANNEL_NO, CHANNEL_YES, CHANNEL_LATER };
enum channel_answer channel_request(struct channel *channel,
				    const struct csftp_ssh_event *event);
/* channel_private.c: goes on with what threads have opened. */
void channel_private_collect(struct worker *worker);
/* Where data that comes for it can go at once: see csftp_ssh_config.place. */
uint8_t *channel_place(struct channel *channel, size_t left, size_t *room);
/* It is there, and good. */
void channel_placed(struct channel *channel, size_t len);
/* Takes data, at once or to keep; returns how much. */
size_t channel_take(struct channel *channel, struct csftp_ssh_bytes data);
/* Moves what can be moved; whether anything was. */
bool channel_move(struct channel *channel);
/* Microseconds for which it has to be left alone. */
uint64_t channel_wait_us(const struct channel *channel);
/* Whether there is output of it that has no place in a packet. */
bool channel_has_output(const struct channel *channel);
/* Whether there is nothing that it goes on with by itself. */
bool channel_is_quiet(const struct channel *channel);
/* It is none any more; the object goes once nothing is under way. */
void channel_free(struct channel *channel);

/*
 * login.c: whether who asks may enter.  A key may take long to be found, or for
 * ever: so it is a thread that looks, where there are some, and the engine's
 * question is answered by conn_answer_login(), in here or later.
 */
void login_ask(struct conn *conn, const struct csftp_ssh_event *event);
void login_collect(struct worker *worker); /* what threads have found */
size_t login_size(void);
/*
 * The connection has closed.  What a thread is at goes on; until it comes back
 * conn->login stays.
 */
void login_leave(struct conn *conn);

#endif
