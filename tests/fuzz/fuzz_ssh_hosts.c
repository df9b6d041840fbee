/*
 * known_hosts files and answers of agents that could be anything.  A key that
 * was written is found, whatever stands before it, unless it is revoked there.
 */

#include "core/ssh/agent.h"
#include "core/ssh/known_hosts.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t key[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20"
			     "0123456789abcdef0123456789abcdef";

static void hear(void *arg, struct wire_bytes blob, struct wire_bytes comment)
{
	unsigned *count = arg;

	*count += 1;
	must(*count <= SSH_AGENT_KEYS_MAX);
	must(blob.len <= SSH_AGENT_MESSAGE_MAX);
	must(comment.len <= SSH_AGENT_MESSAGE_MAX);
}

static void try_agent(const uint8_t *bytes, size_t len)
{
	struct wire_bytes signature;
	unsigned count = 0;

	(void)!ssh_agent_read_keys(bytes, len, hear, &count);
	if (ssh_agent_read_signature(bytes, len, "ssh-ed25519", &signature) ==
	    CSFTP_OK)
		must(signature.len <= CSFTP_SSH_SIGN_MAX);
}

static void try_hosts(struct ssh_lib *lib, const uint8_t *bytes, size_t len)
{
	static const struct wire_bytes ours = {key, sizeof(key) - 1};
	uint8_t line[512];
	struct wire_wr wr = {.base = line, .cap = sizeof(line)};
	enum ssh_known_verdict before, after;
	struct ssh_known known;

	ssh_known_start(&known, lib, "[host]:2222", ours);
	ssh_known_text(&known, (const char *)bytes, len);
	before = ssh_known_verdict(&known);
	must(ssh_known_write(&wr, lib, "[host]:2222", ours, NULL) == CSFTP_OK);
	ssh_known_text(&known, (const char *)line, wr.len);
	after = ssh_known_verdict(&known);
	must(after == (before == SSH_KNOWN_REVOKED ? SSH_KNOWN_REVOKED
						   : SSH_KNOWN_SAME));
	must(known.changed.line > 0 || before != SSH_KNOWN_CHANGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct ssh_lib *lib;

	if (len < 1)
		return 0;
	if (input[0] & 1) {
		try_agent(input + 1, len - 1);
		return 0;
	}
	must(ssh_lib_new(&lib) == CSFTP_OK);
	try_hosts(lib, input + 1, len - 1);
	ssh_lib_free(lib);
	return 0;
}
