/*
 * Key files, public lines, public keys and signatures that could be anything.
 * What is accepted as a key can be written and read again.
 */
#include <string.h>

#include "core/ssh/key.h"
#include "core/ssh/names.h"
#include "tests/fuzz/fuzz.h"

static void use_key(struct csftp_ssh_key *key)
{
	struct csftp_ssh_bytes blob = csftp_ssh_key_blob(key);
	struct csftp_ssh_key *again;

	must(csftp_ssh_key_from_blob(&again, blob) == CSFTP_OK);
	must(csftp_ssh_key_blob(again).len == blob.len);
	must(memcmp(csftp_ssh_key_blob(again).ptr, blob.ptr, blob.len) == 0);
	csftp_ssh_key_free(again);
	csftp_ssh_key_free(key);
}

static void try_signature(const uint8_t *bytes, size_t len)
{
	struct wire_bytes sig = {bytes, len}, data = ssh_text("data");
	const struct ssh_alg *alg;

	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++)
		(void)!ssh_key_verify(sig, alg, data, sig);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	const char *text = (const char *)input + 1;
	struct csftp_ssh_bytes blob = {input + 1, len - 1};
	struct csftp_ssh_key *key;
	enum csftp_err err = CSFTP_ERR_ARG;

	if (len < 1)
		return 0;
	switch (input[0] % 4) {
	case 0:
		err = csftp_ssh_key_read(&key, text, len - 1, NULL);
		break;
	case 1:
		err = csftp_ssh_key_read_public(&key, text, len - 1);
		break;
	case 2:
		err = csftp_ssh_key_from_blob(&key, blob);
		break;
	default:
		try_signature(input + 1, len - 1);
		break;
	}
	if (err == CSFTP_OK)
		use_key(key);
	return 0;
}
