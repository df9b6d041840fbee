#include "core/ssh/alg.h"

#include "core/ssh/names.h"

#define KEX(text, curve, digest)                                               \
	{                                                                      \
		.name = (text), .kind = CSFTP_SSH_ALG_KEX, .group = (curve),   \
		.hash = (digest)                                               \
	}
#define HOSTKEY(text, type, digest, own)                                       \
	{                                                                      \
		.name = (text), .kind = CSFTP_SSH_ALG_HOSTKEY, .key = (type),  \
		.hash = (digest), .key_name = (own)                            \
	}
#define CIPHER(text, how, key_bytes, iv_bytes, multiple, tag)                  \
	{                                                                      \
		.name = (text), .kind = CSFTP_SSH_ALG_CIPHER, .mode = (how),   \
		.key_len = (key_bytes), .iv_len = (iv_bytes),                  \
		.block = (multiple), .tag_len = (tag)                          \
	}
#define MAC(text, digest, tag, after)                                          \
	{                                                                      \
		.name = (text), .kind = CSFTP_SSH_ALG_MAC, .hash = (digest),   \
		.tag_len = (tag), .etm = (after)                               \
	}

/* In the order of preference, kind by kind. */
static const struct ssh_alg algs[] = {
	KEX("mlkem768x25519-sha256", SSH_MLKEM768_X25519, SSH_SHA256),
	KEX("curve25519-sha256", SSH_X25519, SSH_SHA256),
	KEX("curve25519-sha256@libssh.org", SSH_X25519, SSH_SHA256),
	KEX("ecdh-sha2-nistp256", SSH_NISTP256, SSH_SHA256),
	KEX("ecdh-sha2-nistp384", SSH_NISTP384, SSH_SHA384),
	KEX("ecdh-sha2-nistp521", SSH_NISTP521, SSH_SHA512),

	HOSTKEY("ssh-ed25519", CSFTP_SSH_ED25519, SSH_SHA512, "ssh-ed25519"),
	HOSTKEY("ecdsa-sha2-nistp256", CSFTP_SSH_P256, SSH_SHA256,
		"ecdsa-sha2-nistp256"),
	HOSTKEY("ecdsa-sha2-nistp384", CSFTP_SSH_P384, SSH_SHA384,
		"ecdsa-sha2-nistp384"),
	HOSTKEY("ecdsa-sha2-nistp521", CSFTP_SSH_P521, SSH_SHA512,
		"ecdsa-sha2-nistp521"),
	HOSTKEY("rsa-sha2-512", CSFTP_SSH_RSA, SSH_SHA512, "ssh-rsa"),
	HOSTKEY("rsa-sha2-256", CSFTP_SSH_RSA, SSH_SHA256, "ssh-rsa"),

	/* AES first: processors have instructions for it. */
	CIPHER("aes256-gcm@openssh.com", SSH_GCM, 32, 12, 16, 16),
	CIPHER("aes128-gcm@openssh.com", SSH_GCM, 16, 12, 16, 16),
	CIPHER("chacha20-poly1305@openssh.com", SSH_CHACHA, 64, 0, 8, 16),
	CIPHER("aes256-ctr", SSH_CTR, 32, 16, 16, 0),
	CIPHER("aes192-ctr", SSH_CTR, 24, 16, 16, 0),
	CIPHER("aes128-ctr", SSH_CTR, 16, 16, 16, 0),

	MAC("hmac-sha2-256-etm@openssh.com", SSH_SHA256, 32, true),
	MAC("hmac-sha2-512-etm@openssh.com", SSH_SHA512, 64, true),
	MAC("hmac-sha2-256", SSH_SHA256, 32, false),
	MAC("hmac-sha2-512", SSH_SHA512, 64, false),
};

enum { ALGS = sizeof(algs) / sizeof(algs[0]) };

/* What libcrypto lacks is as if it were not in the table. */
static bool is_there(const struct ssh_alg *alg, enum csftp_ssh_alg_kind kind)
{
	return alg->kind == kind &&
	       (kind != CSFTP_SSH_ALG_KEX || ssh_group_works(alg->group));
}

const struct ssh_alg *ssh_alg_at(enum csftp_ssh_alg_kind kind, size_t n)
{
	for (size_t i = 0; i < ALGS; i++)
		if (is_there(&algs[i], kind) && n-- == 0)
			return &algs[i];
	return NULL;
}

const struct ssh_alg *ssh_alg_find(enum csftp_ssh_alg_kind kind,
				   struct wire_bytes name)
{
	for (size_t i = 0; i < ALGS; i++)
		if (ssh_is(name, algs[i].name) && is_there(&algs[i], kind))
			return &algs[i];
	return NULL;
}

static bool list_holds(const struct ssh_alg_list *list,
		       const struct ssh_alg *alg)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->alg[i] == alg)
			return true;
	return false;
}

enum csftp_err ssh_alg_list(struct ssh_alg_list *out,
			    enum csftp_ssh_alg_kind kind, const char *names)
{
	struct ssh_alg_list list = {.count = 0};
	struct wire_bytes left, name;
	const struct ssh_alg *alg;

	if (!names) {
		for (size_t i = 0; i < ALGS; i++)
			if (is_there(&algs[i], kind))
				list.alg[list.count++] = &algs[i];
		*out = list;
		return CSFTP_OK;
	}
	left = ssh_text(names);
	while (ssh_next_name(&left, &name)) {
		alg = ssh_alg_find(kind, name);
		if (!alg || list_holds(&list, alg))
			return CSFTP_ERR_ARG;
		list.alg[list.count++] = alg;
	}
	if (list.count == 0)
		return CSFTP_ERR_ARG;
	*out = list;
	return CSFTP_OK;
}

static const struct ssh_alg *by_name(const struct ssh_alg_list *list,
				     struct wire_bytes name)
{
	for (size_t i = 0; i < list->count; i++)
		if (ssh_is(name, list->alg[i]->name))
			return list->alg[i];
	return NULL;
}

const struct ssh_alg *ssh_alg_choose(const struct ssh_alg_list *ours,
				     struct wire_bytes theirs,
				     enum csftp_ssh_role role)
{
	const struct ssh_alg *alg;
	struct wire_bytes name;

	if (role == CSFTP_SSH_CLIENT) {
		for (size_t i = 0; i < ours->count; i++)
			if (ssh_list_has(theirs, ours->alg[i]->name))
				return ours->alg[i];
		return NULL;
	}
	while (ssh_next_name(&theirs, &name)) {
		alg = by_name(ours, name);
		if (alg)
			return alg;
	}
	return NULL;
}

const char *ssh_curve_name(enum csftp_ssh_key_type type)
{
	switch (type) {
	case CSFTP_SSH_P256:
		return "nistp256";
	case CSFTP_SSH_P384:
		return "nistp384";
	case CSFTP_SSH_P521:
		return "nistp521";
	case CSFTP_SSH_ED25519:
	case CSFTP_SSH_RSA:
		break;
	}
	return NULL;
}

const char *csftp_ssh_algorithms(enum csftp_ssh_alg_kind kind, size_t n)
{
	const struct ssh_alg *alg = ssh_alg_at(kind, n);

	return alg ? alg->name : NULL;
}
