/* Who connects: bounds on what is not logged in yet, and penalties. */
#ifndef CSFTP_SERVER_CSFTPD_SOURCES_H
#define CSFTP_SERVER_CSFTPD_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ssh/match.h"
#include "csftp/err.h"

/*
 * What is counted is connections whose user is not known yet.  A new one is
 * always let in unless its source is to blame: where there are too many, an
 * older one has to go, so that whoever opens connections and says nothing does
 * not keep others out.
 *
 * Penalties are those of sshd's PerSourcePenalties (sshd_config(5) of OpenSSH
 * 9.8).  Each adds to the time for which a source is refused, from `min` up to
 * `max`.
 *
 * Nothing here does I/O or reads a clock: the time comes in, of one that only
 * goes forward.  All memory is taken by sources_new().  One thread at a time.
 */

/* A connection that was let in; 0 is none.  One that has gone is recognised. */
typedef uint64_t sources_ticket;

/* How a connection that was not logged in ended. */
enum sources_end {
	SOURCES_DONE,	  /* logged in, dropped by us, or nobody's fault */
	SOURCES_CRASH,	  /* our side came to a bad end because of the peer */
	SOURCES_AUTHFAIL, /* tried, and did not get in */
	SOURCES_NOAUTH,	  /* never tried */
	SOURCES_GRACE,	  /* did not log in in time */
	SOURCES_ENDS
};

/* What happens where no further source can be remembered. */
enum sources_overflow {
	SOURCES_PERMISSIVE, /* the penalty that ends first is forgotten */
	SOURCES_DENY_ALL    /* nobody gets in until one has ended */
};

struct sources_config {
	uint32_t waiting; /* connections that are not logged in */
	/* The same, of one source; 0: no bound of its own. */
	uint32_t waiting_source;
	/* The bits of an address that make a source (PerSourceNetBlockSize). */
	unsigned v4_bits;
	unsigned v6_bits;

	bool penalties; /* the rest counts only if true */
	uint64_t end_ms[SOURCES_ENDS];
	uint64_t min_ms;
	uint64_t max_ms;
	uint32_t v4_sources; /* that are remembered */
	uint32_t v6_sources;
	enum sources_overflow v4_overflow;
	enum sources_overflow v6_overflow;
	/* A list for ssh_match_addr() of those without penalties, or empty. */
	struct wire_bytes exempt;

	/* Unpredictable, so that nobody can choose addresses that collide. */
	uint64_t seed;
};

/*
 * As sshd has it, but for MaxStartups: 100 in all, any number of one source,
 * 32 and 128 bits; 90 s, 5 s, 1 s and 10 s, between 15 s and 10 minutes, of
 * 65536 sources each.
 */
void sources_defaults(struct sources_config *config);

struct sources;

/*
 * Copies the config; the list `exempt` has to live as long.  CSFTP_ERR_ARG: a
 * number that cannot be, or a list that is broken; CSFTP_ERR_NOMEM.
 */
CSFTP_MUST_CHECK enum csftp_err
sources_new(struct sources **out, const struct sources_config *config);
void sources_free(struct sources *sources);

enum sources_answer {
	SOURCES_TAKE,
	SOURCES_PENALTY, /* to be refused: it has a penalty */
	SOURCES_FULL	 /* to be refused: too many penalties (DENY_ALL), or
			    all it has open are busy logging in */
};

struct sources_arrival {
	enum sources_answer answer;
	sources_ticket ticket; /* where it is to be taken */
	/* The connection that has to be closed for it, 0: none; and whose. */
	sources_ticket drop;
	uint32_t drop_keeper;
};

/*
 * A connection arrives.  addr without bits: it has no address, and neither
 * bounds of its own nor penalties.  keeper: who will have it, for who has to
 * close it; any number.
 *
 * Who has to go where all places are taken: who has been silent for longest, if
 * that is two seconds.  Else it is one of the source that has most of them, or
 * of those that have as many: the one that has been silent for longest, or if
 * all have said something, the one that began to speak first.  So who comes
 * from few addresses again and again, however fast, displaces only himself.
 *
 * Of a source with too many of its own the one that has been silent for longest
 * has to go; if all have said something, the new one is refused.
 *
 * A ticket to be dropped is worth nothing any more: leaving with it does no
 * harm.
 */
void sources_arrive(struct sources *sources, const struct ssh_addr *addr,
		    uint32_t keeper, uint64_t now_ms,
		    struct sources_arrival *arrival);

/* The peer has said something. */
void sources_heard(struct sources *sources, sources_ticket ticket);

/* It is logged in (DONE), or gone; no more is counted of it. */
void sources_leave(struct sources *sources, sources_ticket ticket,
		   enum sources_end end, uint64_t now_ms);

/* For those who look at the daemon. */
struct sources_counts {
	uint32_t waiting;
	uint32_t silent;     /* of these */
	uint64_t dropped;    /* so far, for others */
	uint64_t refused;    /* so far, because of a penalty, or full */
	uint32_t v4_sources; /* with a penalty, in force or not yet */
	uint32_t v6_sources;
};

void sources_count(struct sources *sources, uint64_t now_ms,
		   struct sources_counts *counts);

/* How long the address is still refused; 0: it is not. */
uint64_t sources_penalty_ms(const struct sources *sources,
			    const struct ssh_addr *addr, uint64_t now_ms);

/* Forgets all penalties. */
void sources_forgive(struct sources *sources);

#endif
