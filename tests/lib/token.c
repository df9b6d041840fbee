#include "tests/lib/token.h"

#include "core/ssh/alg.h"
#include "core/ssh/key.h"
#include "core/ssh/names.h"
#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

static enum csftp_err token_sign(void *arg, const char *algorithm,
				 const uint8_t *data, size_t len, uint8_t *to,
				 size_t *to_len)
{
	const struct csftp_ssh_key *key = ssh_rig_key(CSFTP_SSH_ED25519);
	const struct token *token = arg;
	struct wire_bytes application = ssh_text(token->application);
	struct wire_bytes bytes = {data, len};
	uint8_t wrapped[69], plain[128];
	struct wire_wr wr = {.base = plain, .cap = sizeof(plain)};
	struct wire_wr out = {.base = to, .cap = CSFTP_SSH_SIGN_MAX};
	struct wire_rd rd;
	struct ssh_lib *lib;

	assert_string_equal(algorithm, "sk-ssh-ed25519@openssh.com");
	assert_int_equal(ssh_lib_new(&lib), CSFTP_OK);
	assert_int_equal(ssh_hash(lib, SSH_SHA256, &application, 1, wrapped),
			 CSFTP_OK);
	wrapped[32] = token->flags;
	wire_put_u32(wrapped + 33, 7);
	assert_int_equal(ssh_hash(lib, SSH_SHA256, &bytes, 1, wrapped + 37),
			 CSFTP_OK);
	ssh_lib_free(lib);
	assert_int_equal(ssh_key_sign(key, ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, 0),
				      (struct wire_bytes){wrapped, 69}, &wr),
			 CSFTP_OK);
	rd = (struct wire_rd){.next = plain, .left = wr.len};
	(void)wire_rd_string(&rd, 64);
	ssh_wr_text(&out, algorithm);
	ssh_wr_bytes(&out, wire_rd_string(&rd, 64));
	wire_wr_u8(&out, token->told);
	wire_wr_u32(&out, 7);
	*to_len = out.len;
	return wire_wr_end(&out);
}

struct csftp_ssh_signer token_make(struct token *token, uint8_t flags)
{
	struct csftp_ssh_bytes blob =
		csftp_ssh_key_blob(ssh_rig_key(CSFTP_SSH_ED25519));
	struct wire_rd rd = {.next = blob.ptr, .left = blob.len};
	struct wire_wr wr = {.base = token->blob, .cap = sizeof(token->blob)};

	(void)wire_rd_string(&rd, 64);
	ssh_wr_text(&wr, "sk-ssh-ed25519@openssh.com");
	ssh_wr_bytes(&wr, wire_rd_string(&rd, 64));
	ssh_wr_text(&wr, "ssh:");
	assert_int_equal(wire_wr_end(&wr), CSFTP_OK);
	token->blob_len = wr.len;
	token->application = "ssh:";
	token->flags = flags;
	token->told = flags;
	return (struct csftp_ssh_signer){
		{token->blob, token->blob_len}, token_sign, token};
}
