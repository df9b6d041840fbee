/*
 * Messages as lines of text.  A rule's fields are words: a letter for the type
 * and a name (RFC 4251, 5), "s" text, "l" a string of which only the length is
 * shown, "u" uint32, "b" boolean, "s-" a string not shown, or a number of
 * bytes to skip.  What comes behind the last word is not shown: that is where
 * passwords and signatures are.
 */
#include <string.h>

#include "core/ssh/engine.h"

enum { LINE_MAX = 400, TEXT_MAX = 120 };

struct line {
	char text[LINE_MAX];
	size_t len;
};

static void put(struct line *line, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(line->text) - 1 - line->len)
		len = sizeof(line->text) - 1 - line->len;
	memcpy(line->text + line->len, text, len);
	line->len += len;
	line->text[line->len] = '\0';
}

static void put_number(struct line *line, uint32_t number)
{
	char digits[12];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(line, digits + at);
}

/* Control characters of the peer's shall not reach a terminal. */
static void put_text(struct line *line, struct wire_bytes text)
{
	char one[2] = {0};

	put(line, "\"");
	for (size_t i = 0; i < text.len && i < TEXT_MAX; i++) {
		one[0] = text.ptr[i] >= ' ' && text.ptr[i] < 127 &&
					 text.ptr[i] != '"'
				 ? (char)text.ptr[i]
				 : '.';
		put(line, one);
	}
	put(line, text.len > TEXT_MAX ? "...\"" : "\"");
}

static void put_value(struct line *line, char type, struct wire_rd *rd)
{
	switch (type) {
	case 's':
		put_text(line, wire_rd_string(rd, rd->left));
		break;
	case 'l':
		put_number(line, (uint32_t)wire_rd_string(rd, rd->left).len);
		break;
	case 'u':
		put_number(line, wire_rd_u32(rd));
		break;
	default:
		put(line, wire_rd_u8(rd) ? "yes" : "no");
		break;
	}
}

/* One word of a rule's fields; returns where the next begins. */
static const char *put_field(struct line *line, const char *word,
			     struct wire_rd *rd)
{
	size_t len = strcspn(word, " ");
	char name[32] = " ";

	if (word[0] >= '0' && word[0] <= '9') {
		/* The only such field: the cookie of a KEXINIT. */
		for (size_t i = 0; i < 16; i++)
			(void)wire_rd_u8(rd);
	} else if (len > 2 && len < sizeof(name)) {
		memcpy(name + 1, word + 2, len - 2);
		name[len - 1] = '=';
		put(line, name);
		put_value(line, word[0], rd);
	} else {
		(void)wire_rd_string(rd, rd->left);
	}
	return word + len + strspn(word + len, " ");
}

void ssh_trace(struct csftp_ssh *ssh, enum ssh_to to, const uint8_t *payload,
	       size_t len)
{
	const struct csftp_ssh_config *config = &ssh->env->config;
	struct wire_rd rd = {.next = payload, .left = len};
	struct line line = {.len = 0};
	const struct ssh_rule *rule;
	const char *word;
	uint8_t msg;

	if (!config->trace)
		return;
	msg = wire_rd_u8(&rd);
	rule = &ssh_rules[msg];
	put(&line, to == SSH_TO_PEER ? "> " : "< ");
	put_number(&line, msg);
	put(&line, " ");
	put(&line, rule->name ? rule->name : "unknown");
	word = rule->name ? rule->fields : "";
	while (*word && rd.err == CSFTP_OK)
		word = put_field(&line, word, &rd);
	if (rd.err != CSFTP_OK)
		put(&line, " (cut short)");
	config->trace(config->arg, ssh, line.text);
}

void ssh_trace_text(struct csftp_ssh *ssh, const char *text)
{
	const struct csftp_ssh_config *config = &ssh->env->config;
	struct line line = {.len = 0};

	if (!config->trace)
		return;
	put(&line, "= ");
	put(&line, text);
	config->trace(config->arg, ssh, line.text);
}
