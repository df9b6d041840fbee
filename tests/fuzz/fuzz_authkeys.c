/*
 * Lines of authorized_keys that could be anything.  A line that lets a key in
 * has that key in it; what it grants can be used as it is.
 */
#include <string.h>

#include "core/ssh/authkeys.h"
#include "core/ssh/keyfile.h"
#include "core/words.h"
#include "tests/fuzz/fuzz.h"

#define DIGITS                                                                 \
	"AAAAC3NzaC1lZDI1NTE5AAAAIKom4gSroK7fy/BJl41tP/GJqyruzT65/"            \
	"cHHCdRuReVI"

static bool has(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what));
}

static void check_grant(const struct ssh_authkeys_grant *grant,
			const char *line, size_t len)
{
	const char *at = grant->args;

	must(has(line, len, DIGITS));
	must(grant->sftp_only || grant->arg_count == 0);
	for (unsigned i = 0; i < grant->arg_count; i++) {
		size_t left = sizeof(grant->args) - (size_t)(at - grant->args);
		size_t word = strnlen(at, left);

		must(word < left);
		at += word + 1;
	}
	/* What is not an option of sftp-server's gives nothing. */
	must(grant->arg_count == 0 || grant->args[0] == '-');
}

/* Both kinds agree on how many words there are, or that there are none. */
static void check_words(const uint8_t *input, size_t len)
{
	char one[8192], two[16384];
	struct words plain = {.room = one, .cap = sizeof(one)};
	struct words patterns = {.room = two, .cap = sizeof(two)};
	struct wire_bytes text = {input, len};
	enum csftp_err err = words_split(&plain, WORDS_PLAIN, text);

	if (err == CSFTP_ERR_NO_ROOM)
		return;
	must(words_split(&patterns, WORDS_PATTERNS, text) == err);
	must(err != CSFTP_OK || patterns.count == plain.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct ssh_authkeys_peer peer = {
		.address = {(const uint8_t *)"192.0.2.7", 9},
		.now_utc = 20261122120000,
		.now_local = 20261122140000,
	};
	struct ssh_authkeys_grant grant;
	const char *line = (const char *)input, *why = NULL;
	uint8_t blob[64];
	size_t blob_len = 0;

	must(ssh_base64(DIGITS, strlen(DIGITS), blob, &blob_len) == CSFTP_OK);
	peer.key = (struct wire_bytes){blob, blob_len};
	switch (ssh_authkeys_line(line, len, &peer, &grant, &why)) {
	case SSH_AUTHKEYS_GRANTED:
		must(!why);
		check_grant(&grant, line, len);
		break;
	case SSH_AUTHKEYS_OTHER:
		must(!why);
		break;
	case SSH_AUTHKEYS_REFUSED:
	case SSH_AUTHKEYS_BROKEN:
		must(why);
		break;
	}
	check_words(input, len);
	return 0;
}
