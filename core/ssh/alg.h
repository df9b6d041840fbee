/* The algorithms, as one table. */
#ifndef CSFTP_CORE_SSH_ALG_H
#define CSFTP_CORE_SSH_ALG_H

#include "core/ssh/crypto.h"
#include "core/wire.h"

/* A row has what its kind needs; the rest is zero. */
struct ssh_alg {
	const char *name;
	enum csftp_ssh_alg_kind kind;
	enum ssh_group group;	     /* kex */
	enum ssh_hash hash;	     /* kex, hostkey, mac */
	enum csftp_ssh_key_type key; /* hostkey */
	const char *key_name;	     /* hostkey: in the key's own form */
	enum ssh_mode mode;	     /* cipher */
	size_t key_len;		     /* cipher */
	size_t iv_len;		     /* cipher */
	size_t block;	/* cipher: what packets are a multiple of */
	size_t tag_len; /* cipher with a tag of its own; mac */
	bool etm;	/* mac */
};

/* More than there are of one kind. */
#define SSH_ALG_MAX 12

/* Algorithms of one kind, in the order of preference. */
struct ssh_alg_list {
	const struct ssh_alg *alg[SSH_ALG_MAX];
	size_t count;
};

/* The n-th row of a kind, or the row of that name; NULL: there is none. */
const struct ssh_alg *ssh_alg_at(enum csftp_ssh_alg_kind kind, size_t n);
const struct ssh_alg *ssh_alg_find(enum csftp_ssh_alg_kind kind,
				   struct wire_bytes name);

/* All of a kind for NULL.  CSFTP_ERR_ARG: an unknown name, twice, or none. */
CSFTP_MUST_CHECK enum csftp_err ssh_alg_list(struct ssh_alg_list *out,
					     enum csftp_ssh_alg_kind kind,
					     const char *names);

/*
 * RFC 4253, 7.1: the first of the client's that the server has, too; NULL:
 * there is none.
 */
const struct ssh_alg *ssh_alg_choose(const struct ssh_alg_list *ours,
				     struct wire_bytes theirs,
				     enum csftp_ssh_role role);

/* The curve's name inside of an ECDSA key (RFC 5656, 3.1); else NULL. */
const char *ssh_curve_name(enum csftp_ssh_key_type type);

#endif
