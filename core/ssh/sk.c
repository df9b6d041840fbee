#include "core/ssh/sk.h"

#include "core/ssh/names.h"

#define NAME "sk-ssh-ed25519@openssh.com"

/* Both hashes, the flags and the counter. */
enum { SIGNED_LEN = 32 + 1 + 4 + 32 };

const struct ssh_alg ssh_sk_alg = {
	.name = NAME,
	.kind = CSFTP_SSH_ALG_COUNT,
	.key = CSFTP_SSH_ED25519,
	.key_name = NAME,
};

bool ssh_sk_is_key(struct wire_bytes blob)
{
	struct wire_rd rd = {.next = blob.ptr, .left = blob.len};

	return ssh_is(wire_rd_string(&rd, 64), NAME);
}

/* PROTOCOL.u2f, "SSH U2F public key formats". */
static enum csftp_err read_key(struct wire_bytes blob,
			       struct ssh_public *public,
			       struct wire_bytes *application)
{
	struct wire_rd rd = {.next = blob.ptr, .left = blob.len};
	struct wire_bytes name = wire_rd_string(&rd, 64);

	public->point = wire_rd_string(&rd, SSH_POINT_MAX);
	*application = wire_rd_string(&rd, rd.left);
	return ssh_is(name, NAME) ? wire_rd_end(&rd) : CSFTP_ERR_VALUE;
}

static enum csftp_err verify_raw(const struct ssh_public *public,
				 struct wire_bytes data, struct wire_bytes raw)
{
	struct ssh_pkey pkey;
	enum csftp_err err =
		ssh_pkey_init(&pkey, CSFTP_SSH_ED25519, public, NULL);

	if (err != CSFTP_OK)
		return err;
	err = ssh_pkey_verify(&pkey, SSH_SHA512, data, raw);
	ssh_pkey_release(&pkey);
	return err;
}

/* PROTOCOL.u2f, "SSH U2F signatures": what the hardware signs. */
static enum csftp_err wrap(struct ssh_lib *lib, struct wire_bytes application,
			   uint8_t flags, uint32_t counter,
			   struct wire_bytes data, uint8_t out[SIGNED_LEN])
{
	enum csftp_err err = ssh_hash(lib, SSH_SHA256, &application, 1, out);

	out[32] = flags;
	wire_put_u32(out + 33, counter);
	if (err == CSFTP_OK)
		err = ssh_hash(lib, SSH_SHA256, &data, 1, out + 37);
	return err;
}

enum csftp_err ssh_sk_verify(struct ssh_lib *lib, struct wire_bytes blob,
			     struct wire_bytes data,
			     struct wire_bytes signature, unsigned *flags)
{
	struct wire_rd rd = {.next = signature.ptr, .left = signature.len};
	struct wire_bytes name = wire_rd_string(&rd, 64);
	struct wire_bytes raw = wire_rd_string(&rd, SSH_RAW_SIG_MAX);
	uint8_t said = wire_rd_u8(&rd);
	uint32_t counter = wire_rd_u32(&rd);
	struct ssh_public public = {.point.len = 0};
	struct wire_bytes application;
	uint8_t wrapped[SIGNED_LEN];

	if (wire_rd_end(&rd) != CSFTP_OK || !ssh_is(name, NAME) ||
	    read_key(blob, &public, &application) != CSFTP_OK ||
	    wrap(lib, application, said, counter, data, wrapped) != CSFTP_OK ||
	    verify_raw(&public, (struct wire_bytes){wrapped, SIGNED_LEN},
		       raw) != CSFTP_OK)
		return CSFTP_ERR_FORGED;
	/* Others announce what is not signed in this form. */
	if (said & ~(SSH_SK_TOUCHED | SSH_SK_VERIFIED))
		return CSFTP_ERR_FORGED;
	*flags = said;
	return CSFTP_OK;
}
