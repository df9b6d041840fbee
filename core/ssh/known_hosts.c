#include "core/ssh/known_hosts.h"

#include <string.h>

#include "core/ssh/key.h"
#include "core/ssh/keyfile.h"
#include "core/ssh/match.h"
#include "core/ssh/names.h"

enum { PORT = 22, HASH = 20, HASH_TEXT = 28 };

/* The longest key in base64; longer text is none that we know. */
enum { KEY_TEXT_MAX = (SSH_KEY_BLOB_MAX + 2) / 3 * 4 };

static char small(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

/* What separates or marks something in a line cannot be in a name. */
static bool can_be_in_name(char c)
{
	return c > ' ' && c < 0x7f && !strchr(",*?!|#@\"\\", c);
}

static void put(struct wire_wr *wr, const char *text)
{
	wire_wr_raw(wr, text, strlen(text));
}

static void put_number(struct wire_wr *wr, unsigned number)
{
	if (number >= 10)
		put_number(wr, number / 10);
	wire_wr_u8(wr, (uint8_t)('0' + number % 10));
}

enum csftp_err ssh_known_name(char out[SSH_HOST_MAX], const char *host,
			      unsigned port)
{
	uint8_t text[SSH_HOST_MAX];
	struct wire_wr wr = {.base = text, .cap = sizeof(text)};
	enum csftp_err err;

	if (!host[0])
		return CSFTP_ERR_VALUE;
	if (port != PORT)
		wire_wr_u8(&wr, '[');
	for (; *host; host++) {
		if (!can_be_in_name(*host))
			return CSFTP_ERR_VALUE;
		wire_wr_u8(&wr, (uint8_t)small(*host));
	}
	if (port != PORT) {
		put(&wr, "]:");
		put_number(&wr, port);
	}
	wire_wr_u8(&wr, '\0');
	err = wire_wr_end(&wr);
	if (err == CSFTP_ERR_NO_ROOM)
		return CSFTP_ERR_TOO_LONG;
	if (err == CSFTP_OK)
		memcpy(out, text, wr.len);
	return err;
}

/* Exactly 20 bytes in base64. */
static bool read_hash(struct wire_bytes text, uint8_t out[HASH])
{
	uint8_t bytes[HASH_TEXT];
	size_t len = 0;

	if (text.len != HASH_TEXT ||
	    ssh_base64((const char *)text.ptr, text.len, bytes, &len) !=
		    CSFTP_OK ||
	    len != HASH)
		return false;
	memcpy(out, bytes, HASH);
	return true;
}

static bool hash_matches(struct ssh_lib *lib, struct wire_bytes names,
			 const char *host)
{
	static const char magic[] = "|1|";
	uint8_t salt[HASH], want[HASH], have[HASH];
	struct wire_bytes rest = {names.ptr + 3, names.len - 3};

	if (names.len != 3 + 2 * HASH_TEXT + 1 ||
	    memcmp(names.ptr, magic, 3) != 0 || rest.ptr[HASH_TEXT] != '|')
		return false;
	if (!read_hash((struct wire_bytes){rest.ptr, HASH_TEXT}, salt) ||
	    !read_hash((struct wire_bytes){rest.ptr + HASH_TEXT + 1, HASH_TEXT},
		       want))
		return false;
	return ssh_hmac_sha1(lib, salt, sizeof(salt), ssh_text(host), have) ==
		       CSFTP_OK &&
	       memcmp(have, want, HASH) == 0;
}

static bool is_host(const struct ssh_known *known, struct wire_bytes names)
{
	if (names.len > 0 && names.ptr[0] == '|')
		return hash_matches(known->lib, names, known->host);
	return ssh_match_name(ssh_text(known->host), names) == SSH_MATCH_YES;
}

/*
 * Lines
 */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the next word off a line; empty at its end. */
static struct wire_bytes next_word(struct wire_bytes *line)
{
	struct wire_bytes word;
	size_t len = 0;

	while (line->len > 0 && is_blank(line->ptr[0])) {
		line->ptr++;
		line->len--;
	}
	while (len < line->len && !is_blank(line->ptr[len]))
		len++;
	word = (struct wire_bytes){line->ptr, len};
	line->ptr += len;
	line->len -= len;
	return word;
}

/* A key that we know, and whose blob is of the type that the line says. */
static bool read_key(struct wire_bytes type, struct wire_bytes text,
		     uint8_t blob[KEY_TEXT_MAX], struct wire_bytes *key,
		     enum csftp_ssh_key_type *key_type)
{
	struct wire_rd rd;
	size_t len = 0;

	if (text.len == 0 || text.len > KEY_TEXT_MAX ||
	    ssh_base64((const char *)text.ptr, text.len, blob, &len) !=
		    CSFTP_OK)
		return false;
	*key = (struct wire_bytes){blob, len};
	rd = (struct wire_rd){.next = blob, .left = len};
	return ssh_equal(wire_rd_string(&rd, 64), type) &&
	       ssh_key_blob_type(*key, key_type);
}

/* A line for this host, with a key. */
static void take_key(struct ssh_known *known, struct wire_bytes key,
		     enum csftp_ssh_key_type type)
{
	known->types |= 1U << type;
	if (!known->key.ptr)
		return;
	if (ssh_equal(key, known->key)) {
		known->same = true;
		return;
	}
	known->changed = known->now;
	known->changed_type = type;
}

/* Its key can be of a type that only others have. */
static void take_authority(struct ssh_known *known, struct wire_bytes names,
			   struct wire_bytes line)
{
	(void)next_word(&line);
	if (next_word(&line).len > 0 && is_host(known, names))
		known->authority = true;
}

void ssh_known_line(struct ssh_known *known, const char *text, size_t len)
{
	struct wire_bytes line = {(const uint8_t *)text, len};
	struct wire_bytes names, type, key;
	enum csftp_ssh_key_type key_type;
	uint8_t blob[KEY_TEXT_MAX];
	bool revoked, authority;

	known->now.line++;
	names = next_word(&line);
	if (names.len == 0 || names.ptr[0] == '#')
		return;
	revoked = ssh_is(names, "@revoked");
	authority = ssh_is(names, "@cert-authority");
	/* What may be invented yet. */
	if (names.ptr[0] == '@' && !revoked && !authority)
		return;
	if (revoked || authority)
		names = next_word(&line);
	if (authority) {
		take_authority(known, names, line);
		return;
	}
	type = next_word(&line);
	if (!read_key(type, next_word(&line), blob, &key, &key_type))
		return;
	if (!is_host(known, names)) {
		if (!revoked && known->key.ptr && known->named.line == 0 &&
		    ssh_equal(key, known->key))
			known->named = known->now;
		return;
	}
	if (!revoked)
		take_key(known, key, key_type);
	else if (known->key.ptr && ssh_equal(key, known->key))
		known->revoked = true;
}

void ssh_known_text(struct ssh_known *known, const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		ssh_known_line(known, text, line);
		if (end)
			line++;
		text += line;
		len -= line;
	}
}

void ssh_known_start(struct ssh_known *known, struct ssh_lib *lib,
		     const char *host, struct wire_bytes key)
{
	*known = (struct ssh_known){.lib = lib, .host = host, .key = key};
}

void ssh_known_next_file(struct ssh_known *known)
{
	known->now.file++;
	known->now.line = 0;
}

enum ssh_known_verdict ssh_known_verdict(const struct ssh_known *known)
{
	if (known->revoked)
		return SSH_KNOWN_REVOKED;
	if (known->same)
		return SSH_KNOWN_SAME;
	if (known->changed.line > 0)
		return SSH_KNOWN_CHANGED;
	return SSH_KNOWN_UNKNOWN;
}

/*
 * New lines
 */

static void put_base64(struct wire_wr *wr, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)bytes[i] << 16;

		bits |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		bits |= left > 2 ? bytes[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			wire_wr_u8(wr,
				   (uint8_t)(k <= left
						     ? digits[bits >> (18 -
								       6 * k) &
							      63]
						     : '='));
	}
}

static enum csftp_err put_name(struct wire_wr *wr, struct ssh_lib *lib,
			       const char *host,
			       const uint8_t salt[SSH_KNOWN_SALT])
{
	uint8_t hash[HASH];
	enum csftp_err err;

	if (!salt) {
		put(wr, host);
		return CSFTP_OK;
	}
	err = ssh_hmac_sha1(lib, salt, SSH_KNOWN_SALT, ssh_text(host), hash);
	put(wr, "|1|");
	put_base64(wr, salt, SSH_KNOWN_SALT);
	put(wr, "|");
	put_base64(wr, hash, sizeof(hash));
	return err;
}

enum csftp_err ssh_known_write(struct wire_wr *wr, struct ssh_lib *lib,
			       const char *host, struct wire_bytes key,
			       const uint8_t salt[SSH_KNOWN_SALT])
{
	struct wire_rd rd = {.next = key.ptr, .left = key.len};
	struct wire_bytes name = wire_rd_string(&rd, 64);
	enum csftp_ssh_key_type type;
	enum csftp_err err;

	if (!ssh_key_blob_type(key, &type))
		return CSFTP_ERR_VALUE;
	err = put_name(wr, lib, host, salt);
	if (err != CSFTP_OK)
		return err;
	put(wr, " ");
	wire_wr_raw(wr, name.ptr, name.len);
	put(wr, " ");
	put_base64(wr, key.ptr, key.len);
	put(wr, "\n");
	return wire_wr_end(wr);
}

enum csftp_err ssh_fingerprint(char out[SSH_FINGERPRINT_MAX],
			       struct ssh_lib *lib, struct wire_bytes key)
{
	uint8_t hash[SSH_HASH_MAX], text[SSH_FINGERPRINT_MAX + 1];
	struct wire_wr wr = {.base = text, .cap = sizeof(text)};
	enum csftp_err err = ssh_hash(lib, SSH_SHA256, &key, 1, hash);

	if (err != CSFTP_OK)
		return err;
	put(&wr, "SHA256:");
	put_base64(&wr, hash, ssh_hash_len(SSH_SHA256));
	err = wire_wr_end(&wr);
	if (err != CSFTP_OK)
		return err;
	/* The one '=' at the end is left out. */
	memcpy(out, text, wr.len - 1);
	out[wr.len - 1] = '\0';
	return CSFTP_OK;
}

const char *ssh_type_shown(enum csftp_ssh_key_type type)
{
	switch (type) {
	case CSFTP_SSH_ED25519:
		return "ED25519";
	case CSFTP_SSH_P256:
	case CSFTP_SSH_P384:
	case CSFTP_SSH_P521:
		return "ECDSA";
	case CSFTP_SSH_RSA:
		break;
	}
	return "RSA";
}
