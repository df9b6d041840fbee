/* An SFTP server that is honest but for one thing. */
#ifndef CSFTP_TESTS_LIAR_H
#define CSFTP_TESTS_LIAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/sftp/msg.h"

/*
 * What is said in place of the honest answer, as words with blanks between:
 *
 *	6a3f		bytes in hex
 *	id, id+1	the request's id, another one
 *	s:text		a string; %xx is a byte
 *	s*1000		a string of so many 'x'
 *	x*1000		so many 'x' alone
 *	file, dir	attributes of such a one
 *	length:6a3f	the packet's length is said to be that
 *	honest		what an honest server says, as a packet of its own
 *	|		ends a packet
 *	end		hangs up
 *
 * A packet's length is put before it.
 */
struct lie {
	const char *name;
	enum sftp_kind on; /* requests of that kind */
	const char *path;  /* whose path ends so; NULL: any */
	unsigned times;	   /* then it is honest; 0: for ever */
	const char *says;
	/*
	 * What holds on a mount of it: a script in the mount's root, with the
	 * honest content in $honest, that ends with 0; NULL: it cannot be
	 * mounted.
	 */
	const char *script;
};

/* Lies in every field, for all who can be lied to. */
extern const struct lie lies[];
extern const size_t lies_count;

/*
 * What it serves, in "/": file ("text\n"), large (LIAR_LARGE bytes, see
 * liar_byte()), d/a, d/b ("a\n", "b\n"), link to file.
 */
#define LIAR_LARGE 300000U
uint8_t liar_byte(uint64_t off);

struct liar;

/* Fails the running test where it cannot be. */
struct liar *liar_new(const struct lie *lie);
void liar_free(struct liar *liar);

/* From now on this. */
void liar_change(struct liar *liar, const struct lie *lie);

/* How often it has lied. */
unsigned liar_told(const struct liar *liar);

/*
 * Takes a whole packet of the client's with its length field; the answer is
 * good until the next call.  False: it hangs up behind that.
 */
bool liar_answer(struct liar *liar, const uint8_t *packet, size_t len,
		 const uint8_t **answer, size_t *answer_len);

/* Serves each connection of a listening socket, in a child process. */
pid_t liar_start(const struct lie *lie, int listener);

#endif
