/* Key files: "OPENSSH PRIVATE KEY" (OpenSSH PROTOCOL.key), PEM, *.pub lines. */
#include <stdlib.h>
#include <string.h>

#include "core/ssh/key.h"
#include "core/ssh/keyfile.h"
#include "core/ssh/names.h"

/* The largest RSA key makes 13 KiB of text; comments may be long. */
enum { TEXT_MAX = 64 * 1024 };

#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END   "-----END OPENSSH PRIVATE KEY-----"
/* How the first line of each private key in PEM ends, whatever its kind. */
#define PEM_MARK "PRIVATE KEY-----"

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum csftp_err ssh_base64(const char *text, size_t len, uint8_t *out,
			  size_t *out_len)
{
	uint32_t bits = 0;
	size_t digits = 0, padding = 0, n = 0;

	for (size_t i = 0; i < len; i++) {
		int value = sextet(text[i]);

		if (is_space(text[i]))
			continue;
		if (text[i] == '=')
			padding++;
		if (text[i] == '=' && padding <= 2)
			continue;
		if (value < 0 || padding > 0)
			return CSFTP_ERR_VALUE;
		bits = bits << 6 | (uint32_t)value;
		if (++digits % 4 != 1)
			out[n++] =
				(uint8_t)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	/* One digit alone is no byte, and padding fills up to four. */
	if (digits % 4 == 1 || (digits + padding) % 4 != 0)
		return CSFTP_ERR_VALUE;
	*out_len = n;
	return CSFTP_OK;
}

/* The parts of an RSA key are in an order of their own here. */
static void read_private(struct wire_rd *rd, enum csftp_ssh_key_type type,
			 struct ssh_public *public, struct ssh_private *private)
{
	const char *curve = ssh_curve_name(type);

	if (type == CSFTP_SSH_RSA) {
		public->n = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		public->e = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		private->d = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		private->inverse = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		private->p = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		private->q = ssh_rd_mpint(rd, SSH_RAW_SIG_MAX);
		return;
	}
	if (curve && !ssh_is(wire_rd_string(rd, 16), curve) &&
	    rd->err == CSFTP_OK)
		rd->err = CSFTP_ERR_VALUE;
	public->point = wire_rd_string(rd, SSH_POINT_MAX);
	if (curve) {
		private->scalar = ssh_rd_mpint(rd, SSH_SHARED_MAX);
		return;
	}
	/* Ed25519: the seed, and the public half once more. */
	private->scalar = wire_rd_string(rd, 64);
	if (rd->err == CSFTP_OK && private->scalar.len != 64)
		rd->err = CSFTP_ERR_VALUE;
	if (rd->err == CSFTP_OK)
	private->scalar.len = 32;
}

/* PROTOCOL.key, 3: the padding counts 1, 2, 3, ... */
static bool padding_is_fine(struct wire_bytes padding)
{
	for (size_t i = 0; i < padding.len; i++)
		if (padding.ptr[i] != (uint8_t)(i + 1))
			return false;
	return true;
}

/* The decrypted part.  Two equal numbers say that the passphrase was right. */
enum csftp_err ssh_keyfile_read_section(struct csftp_ssh_key **out,
					struct wire_bytes section)
{
	struct wire_rd rd = {.next = section.ptr, .left = section.len};
	struct ssh_public public = {.point.len = 0};
	struct ssh_private private = {.scalar.len = 0};
	enum csftp_ssh_key_type type;
	struct ssh_pkey pkey;
	enum csftp_err err;

	if (wire_rd_u32(&rd) != wire_rd_u32(&rd))
		return CSFTP_ERR_DENIED;
	/* The type stands where a public blob has it, too. */
	if (!ssh_key_blob_type((struct wire_bytes){rd.next, rd.left}, &type))
		return CSFTP_ERR_VALUE;
	(void)wire_rd_string(&rd, 64);
	read_private(&rd, type, &public, &private);
	(void)wire_rd_string(&rd, rd.left);
	if (rd.err != CSFTP_OK)
		return rd.err;
	if (!padding_is_fine(wire_rd_rest(&rd)))
		return CSFTP_ERR_VALUE;
	err = ssh_pkey_init(&pkey, type, &public, &private);
	return err == CSFTP_OK ? ssh_key_new(out, &pkey, true) : err;
}

static void write_fields(struct wire_wr *wr, enum csftp_ssh_key_type type,
			 const struct ssh_public *public,
			 const struct ssh_private *private)
{
	const char *curve = ssh_curve_name(type);
	size_t mark;

	if (type == CSFTP_SSH_RSA) {
		ssh_wr_mpint(wr, public->n);
		ssh_wr_mpint(wr, public->e);
		ssh_wr_mpint(wr, private->d);
		ssh_wr_mpint(wr, private->inverse);
		ssh_wr_mpint(wr, private->p);
		ssh_wr_mpint(wr, private->q);
		return;
	}
	if (curve)
		ssh_wr_text(wr, curve);
	ssh_wr_bytes(wr, public->point);
	if (curve) {
		ssh_wr_mpint(wr, private->scalar);
		return;
	}
	mark = wire_wr_open(wr);
	wire_wr_raw(wr, private->scalar.ptr, private->scalar.len);
	wire_wr_raw(wr, public->point.ptr, public->point.len);
	wire_wr_close(wr, mark);
}

enum csftp_err ssh_keyfile_write_section(const struct csftp_ssh_key *key,
					 struct wire_wr *wr)
{
	struct wire_rd blob = {.next = key->blob, .left = key->blob_len};
	uint8_t parts[SSH_KEYFILE_SECTION_MAX];
	struct wire_wr buf = {.base = parts, .cap = sizeof(parts)};
	struct ssh_public public = {.point.len = 0};
	struct ssh_private private;
	enum csftp_err err;

	if (!key->is_private)
		return CSFTP_ERR_ARG;
	err = ssh_pkey_public(&key->pkey, &buf, &public);
	if (err == CSFTP_OK)
		err = ssh_pkey_private(&key->pkey, &buf, &private);
	if (err == CSFTP_OK) {
		wire_wr_u32(wr, 0);
		wire_wr_u32(wr, 0);
		ssh_wr_bytes(wr, wire_rd_string(&blob, 64));
		write_fields(wr, key->pkey.type, &public, &private);
		ssh_wr_text(wr, "");
		err = wire_wr_end(wr);
	}
	ssh_wipe(parts, sizeof(parts));
	return err;
}

/* What stands before the private section, and where that is. */
struct envelope {
	struct wire_bytes cipher;
	struct wire_bytes kdf;
	struct wire_bytes options;
	struct wire_bytes public;
	struct wire_bytes section;
};

/* PROTOCOL.key, 1: files with more than one key do not exist. */
static enum csftp_err read_envelope(struct envelope *envelope,
				    struct wire_bytes bytes)
{
	static const char magic[] = "openssh-key-v1";
	struct wire_rd rd = {.next = bytes.ptr, .left = bytes.len};

	for (size_t i = 0; i < sizeof(magic); i++)
		if (wire_rd_u8(&rd) != (uint8_t)magic[i])
			return CSFTP_ERR_VALUE;
	envelope->cipher = wire_rd_string(&rd, 64);
	envelope->kdf = wire_rd_string(&rd, 64);
	envelope->options = wire_rd_string(&rd, 256);
	if (wire_rd_u32(&rd) != 1)
		return rd.err != CSFTP_OK ? rd.err : CSFTP_ERR_VALUE;
	envelope->public = wire_rd_string(&rd, SSH_KEY_BLOB_MAX);
	envelope->section = wire_rd_string(&rd, rd.left);
	return wire_rd_end(&rd);
}

static enum csftp_err read_binary(struct csftp_ssh_key **out,
				  struct wire_bytes bytes,
				  const char *passphrase)
{
	struct envelope envelope;
	struct csftp_ssh_key *key;
	enum csftp_err err = read_envelope(&envelope, bytes);

	if (err == CSFTP_OK)
		err = ssh_keyfile_decrypt(envelope.cipher, envelope.kdf,
					  envelope.options, envelope.section,
					  passphrase);
	if (err == CSFTP_OK)
		err = ssh_keyfile_read_section(&key, envelope.section);
	if (err == CSFTP_OK)
		*out = key;
	return err;
}

static enum csftp_err read_openssh(struct csftp_ssh_key **out, const char *text,
				   size_t len, const char *passphrase)
{
	uint8_t *bytes = malloc(len);
	size_t bytes_len = 0;
	enum csftp_err err;

	if (!bytes)
		return CSFTP_ERR_NOMEM;
	err = ssh_base64(text, len, bytes, &bytes_len);
	if (err == CSFTP_OK)
		err = read_binary(out, (struct wire_bytes){bytes, bytes_len},
				  passphrase);
	ssh_wipe(bytes, len);
	free(bytes);
	return err;
}

/* Where a text stands in one that has no end mark; NULL: nowhere. */
static const char *find(const char *text, size_t len, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= len; i++)
		if (memcmp(text + i, what, n) == 0)
			return text + i;
	return NULL;
}

enum csftp_err ssh_keyfile_public(const char *text, size_t len,
				  uint8_t out[SSH_KEYFILE_BLOB_MAX],
				  size_t *out_len)
{
	const char *begin = find(text, len, BEGIN);
	const char *end =
		begin ? find(begin, len - (size_t)(begin - text), END) : NULL;
	struct envelope envelope;
	enum csftp_err err;
	uint8_t *bytes;
	size_t n = 0;

	if (!end)
		return CSFTP_ERR_VALUE;
	begin += strlen(BEGIN);
	bytes = malloc(len);
	if (!bytes)
		return CSFTP_ERR_NOMEM;
	err = ssh_base64(begin, (size_t)(end - begin), bytes, &n);
	if (err == CSFTP_OK)
		err = read_envelope(&envelope, (struct wire_bytes){bytes, n});
	if (err == CSFTP_OK && envelope.public.len > SSH_KEYFILE_BLOB_MAX)
		err = CSFTP_ERR_TOO_LONG;
	if (err == CSFTP_OK) {
		memcpy(out, envelope.public.ptr, envelope.public.len);
		*out_len = envelope.public.len;
	}
	/* It may not be encrypted. */
	ssh_wipe(bytes, len);
	free(bytes);
	return err;
}

enum csftp_err csftp_ssh_key_read(struct csftp_ssh_key **out, const char *text,
				  size_t len, const char *passphrase)
{
	const char *begin, *end;
	struct ssh_pkey pkey;
	enum csftp_err err;

	if (!out || !text)
		return CSFTP_ERR_ARG;
	if (len > TEXT_MAX)
		return CSFTP_ERR_TOO_LONG;
	begin = find(text, len, BEGIN);
	if (begin) {
		begin += strlen(BEGIN);
		end = find(begin, len - (size_t)(begin - text), END);
		return end ? read_openssh(out, begin, (size_t)(end - begin),
					  passphrase)
			   : CSFTP_ERR_SHORT;
	}
	/* libcrypto needs half a millisecond to find that nothing is there. */
	if (!find(text, len, PEM_MARK))
		return CSFTP_ERR_VALUE;
	err = ssh_pkey_pem(&pkey, text, len, passphrase);
	return err == CSFTP_OK ? ssh_key_new(out, &pkey, true) : err;
}

/* One word of a line; empty at its end. */
static struct wire_bytes next_word(const char **text, size_t *len)
{
	const char *start;

	while (*len > 0 && is_space(**text)) {
		(*text)++;
		(*len)--;
	}
	start = *text;
	while (*len > 0 && !is_space(**text)) {
		(*text)++;
		(*len)--;
	}
	return (struct wire_bytes){(const uint8_t *)start,
				   (size_t)(*text - start)};
}

enum csftp_err csftp_ssh_key_read_public(struct csftp_ssh_key **out,
					 const char *line, size_t len)
{
	uint8_t bytes[SSH_KEY_BLOB_MAX + 4];
	struct wire_bytes type, text;
	size_t bytes_len = 0;
	struct wire_rd rd;
	enum csftp_err err;

	if (!out || !line)
		return CSFTP_ERR_ARG;
	type = next_word(&line, &len);
	text = next_word(&line, &len);
	if (text.len > sizeof(bytes) / 3 * 4)
		return CSFTP_ERR_TOO_LONG;
	err = ssh_base64((const char *)text.ptr, text.len, bytes, &bytes_len);
	if (err != CSFTP_OK)
		return err;
	/* The word in front has to be the type that is inside. */
	rd = (struct wire_rd){.next = bytes, .left = bytes_len};
	if (!ssh_equal(wire_rd_string(&rd, 64), type))
		return CSFTP_ERR_VALUE;
	return csftp_ssh_key_from_blob(
		out, (struct csftp_ssh_bytes){bytes, bytes_len});
}
