#include "core/ssh/agent.h"

#include <string.h>

#include "core/ssh/names.h"

/* Section 6.1. */
enum {
	FAILURE = 5,
	REQUEST_IDENTITIES = 11,
	IDENTITIES_ANSWER = 12,
	SIGN_REQUEST = 13,
	SIGN_RESPONSE = 14
};

/* Section 3.6.1. */
enum { RSA_SHA2_256 = 2, RSA_SHA2_512 = 4 };

size_t ssh_agent_length(const uint8_t head[4])
{
	uint32_t len = wire_get_u32(head);

	return len > SSH_AGENT_MESSAGE_MAX - 4 ? 0 : (size_t)len + 4;
}

void ssh_agent_ask_keys(struct wire_wr *wr)
{
	size_t mark = wire_wr_open(wr);

	wire_wr_u8(wr, REQUEST_IDENTITIES);
	wire_wr_close(wr, mark);
}

/* The body of a message that has to be of one type; or FAILURE. */
static struct wire_rd open_message(const uint8_t *message, size_t len,
				   uint8_t type)
{
	struct wire_rd rd = {.next = message, .left = len};
	uint32_t body = wire_rd_u32(&rd);
	uint8_t got = wire_rd_u8(&rd);

	if (rd.err == CSFTP_OK && body != len - 4)
		rd.err = CSFTP_ERR_VALUE;
	if (rd.err == CSFTP_OK && got == FAILURE)
		rd.err = CSFTP_ERR_DENIED;
	if (rd.err == CSFTP_OK && got != type)
		rd.err = CSFTP_ERR_STATE;
	return rd;
}

enum csftp_err ssh_agent_read_keys(const uint8_t *message, size_t len,
				   void (*each)(void *arg,
						struct wire_bytes key,
						struct wire_bytes comment),
				   void *arg)
{
	struct wire_rd rd = open_message(message, len, IDENTITIES_ANSWER);
	uint32_t count = wire_rd_u32(&rd);

	if (rd.err == CSFTP_OK && count > SSH_AGENT_KEYS_MAX)
		return CSFTP_ERR_TOO_LONG;
	for (uint32_t i = 0; i < count && rd.err == CSFTP_OK; i++) {
		struct wire_bytes key = wire_rd_string(&rd, rd.left);
		struct wire_bytes comment = wire_rd_string(&rd, rd.left);

		if (rd.err == CSFTP_OK)
			each(arg, key, comment);
	}
	return wire_rd_end(&rd);
}

/* Keys of other types have one way to sign, and no flag. */
static bool flags_for(const char *algorithm, uint32_t *flags)
{
	*flags = 0;
	if (!strcmp(algorithm, "rsa-sha2-256"))
		*flags = RSA_SHA2_256;
	else if (!strcmp(algorithm, "rsa-sha2-512"))
		*flags = RSA_SHA2_512;
	/* "ssh-rsa" would be SHA-1. */
	return strcmp(algorithm, "ssh-rsa") != 0;
}

enum csftp_err ssh_agent_ask_signature(struct wire_wr *wr,
				       struct wire_bytes key,
				       const char *algorithm,
				       struct wire_bytes data)
{
	uint32_t flags;
	size_t mark;

	if (!flags_for(algorithm, &flags))
		return CSFTP_ERR_ALGORITHM;
	mark = wire_wr_open(wr);
	wire_wr_u8(wr, SIGN_REQUEST);
	wire_wr_string(wr, key.ptr, key.len);
	wire_wr_string(wr, data.ptr, data.len);
	wire_wr_u32(wr, flags);
	wire_wr_close(wr, mark);
	return wire_wr_end(wr);
}

enum csftp_err ssh_agent_read_signature(const uint8_t *message, size_t len,
					const char *algorithm,
					struct wire_bytes *signature)
{
	struct wire_rd rd = open_message(message, len, SIGN_RESPONSE);
	struct wire_bytes whole = wire_rd_string(&rd, CSFTP_SSH_SIGN_MAX);
	struct wire_rd inner = {.next = whole.ptr, .left = whole.len};
	enum csftp_err err = wire_rd_end(&rd);

	if (err != CSFTP_OK)
		return err;
	/* An agent that does not know the flags signs with SHA-1. */
	if (!ssh_is(wire_rd_string(&inner, 64), algorithm))
		return CSFTP_ERR_VALUE;
	*signature = whole;
	return CSFTP_OK;
}
