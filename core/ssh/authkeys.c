#include "core/ssh/authkeys.h"

#include <string.h>

#include "core/ssh/key.h"
#include "core/ssh/keyfile.h"
#include "core/ssh/match.h"
#include "core/ssh/names.h"
#include "core/ssh/sk.h"
#include "core/words.h"

/* The options of a line while they are applied; why is the first refusal. */
struct apply {
	const struct ssh_authkeys_peer *peer;
	struct ssh_authkeys_grant *grant;
	bool from_given;
	bool no_touch_required;
	bool verify_required;
	const char *why;
};

static void refuse(struct apply *apply, const char *why)
{
	if (!apply->why)
		apply->why = why;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void skip(struct wire_bytes *text, size_t len)
{
	text->ptr += len;
	text->len -= len;
}

static void skip_blanks(struct wire_bytes *text)
{
	while (text->len > 0 && is_blank(*text->ptr))
		skip(text, 1);
}

static struct wire_bytes take_word(struct wire_bytes *text)
{
	struct wire_bytes word = {.ptr = text->ptr};

	while (word.len < text->len && !is_blank(text->ptr[word.len]))
		word.len++;
	skip(text, word.len);
	skip_blanks(text);
	return word;
}

/* What is in quotes, which \" does not end, quotes and all; 0: no end. */
static size_t quoted_len(struct wire_bytes text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] == '"')
			return i + 1;
		if (text.ptr[i] == '\\' && i + 1 < text.len &&
		    text.ptr[i + 1] == '"')
			i++;
	}
	return 0;
}

/* Up to a blank outside of quotes; false: quotes are left open. */
static bool take_options(struct wire_bytes *text, struct wire_bytes *options)
{
	struct wire_bytes left = *text;
	size_t len;

	while (left.len > 0 && !is_blank(*left.ptr)) {
		len = *left.ptr == '"' ? quoted_len(left) : 1;
		if (len == 0)
			return false;
		skip(&left, len);
	}
	*options = (struct wire_bytes){text->ptr, text->len - left.len};
	*text = left;
	skip_blanks(text);
	return true;
}

static void on_nothing(struct apply *apply, struct wire_bytes value)
{
	(void)apply;
	(void)value;
}

static void on_certificate(struct apply *apply, struct wire_bytes value)
{
	(void)value;
	refuse(apply, "certificates are not supported");
}

static void on_no_touch(struct apply *apply, struct wire_bytes value)
{
	(void)value;
	apply->no_touch_required = true;
}

static void on_verify(struct apply *apply, struct wire_bytes value)
{
	(void)value;
	apply->verify_required = true;
}

/* An address shown as IPv4 inside of IPv6 is looked at as IPv4 alone. */
static struct wire_bytes plain_address(struct wire_bytes text)
{
	for (size_t i = text.len; i > 0; i--)
		if (text.ptr[i - 1] == ':') {
			skip(&text, i);
			break;
		}
	return text;
}

static void on_from(struct apply *apply, struct wire_bytes list)
{
	struct wire_bytes text = apply->peer->address;
	enum ssh_match by_address, by_name = SSH_MATCH_NO;
	struct ssh_addr addr;

	if (apply->from_given)
		refuse(apply, "from= is given twice");
	apply->from_given = true;
	if (!ssh_addr_read(&addr, text)) {
		refuse(apply, "from= and an address that is not known");
		return;
	}
	if (addr.bits == 32)
		text = plain_address(text);
	by_address = ssh_match_addr(&addr, text, list);
	if (apply->peer->host.len > 0)
		by_name = ssh_match_name(apply->peer->host, list);
	if (by_address == SSH_MATCH_BROKEN)
		refuse(apply, "from= has a range that cannot be meant");
	else if (by_address == SSH_MATCH_NEVER || by_name == SSH_MATCH_NEVER ||
		 (by_address == SSH_MATCH_NO && by_name == SSH_MATCH_NO))
		refuse(apply, "not from this address");
}

static bool ends_with(struct wire_bytes text, const char *end)
{
	size_t len = strlen(end);

	return text.len >= len &&
	       memcmp(text.ptr + text.len - len, end, len) == 0;
}

/* Month, day, hour, minute and second can be such. */
static bool is_time(uint64_t time)
{
	uint64_t day = time / 1000000 % 100, month = time / 100000000 % 100;

	return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
	       time / 10000 % 100 <= 23 && time / 100 % 100 <= 59 &&
	       time % 100 <= 60;
}

/* YYYYMMDD, YYYYMMDDhhmm or YYYYMMDDhhmmss, then Z or UTC or nothing. */
static void on_expiry(struct apply *apply, struct wire_bytes text)
{
	bool is_utc = ends_with(text, "Z") || ends_with(text, "UTC");
	uint64_t time = 0;

	if (is_utc)
		text.len -= ends_with(text, "Z") ? 1 : 3;
	if (text.len != 8 && text.len != 12 && text.len != 14) {
		refuse(apply, "expiry-time= is no time");
		return;
	}
	for (size_t i = 0; i < 14; i++) {
		uint8_t c = i < text.len ? text.ptr[i] : (uint8_t)'0';

		if (c < '0' || c > '9') {
			refuse(apply, "expiry-time= is no time");
			return;
		}
		time = time * 10 + (c - (uint64_t)'0');
	}
	if (!is_time(time))
		refuse(apply, "expiry-time= is no time");
	else if (time <=
		 (is_utc ? apply->peer->now_utc : apply->peer->now_local))
		refuse(apply, "expired");
}

/* Options of sftp-server, alone or several behind one dash. */
static bool are_options(const struct words *words)
{
	const char *word = words_next(words, NULL);
	const char *at;

	for (; word; word = words_next(words, word)) {
		if (*word != '-' || !word[1])
			return false;
		for (at = word + 1; *at == 'e' || *at == 'R'; at++)
			;
		if (!*at)
			continue;
		if (!strchr("dflPpu", *at))
			return false;
		/* The value is behind the letter, or the next word. */
		if (!at[1])
			word = words_next(words, word);
		if (!word)
			return false;
	}
	return true;
}

/* \" is a quote; any other backslash is one. */
static bool unquote(char *out, size_t cap, size_t *len, struct wire_bytes text)
{
	*len = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\\' && i + 1 < text.len &&
		    text.ptr[i + 1] == '"')
			i++;
		if (*len == cap)
			return false;
		out[(*len)++] = (char)text.ptr[i];
	}
	return true;
}

static void on_command(struct apply *apply, struct wire_bytes value)
{
	static const char only[] = "internal-sftp";
	struct ssh_authkeys_grant *grant = apply->grant;
	struct words words = {.room = grant->args, .cap = sizeof(grant->args)};
	char text[SSH_AUTHKEYS_ARGS_MAX];
	size_t len = 0;

	if (grant->sftp_only)
		refuse(apply, "command= is given twice");
	grant->sftp_only = true;
	if (!unquote(text, sizeof(text), &len, value) ||
	    words_split(&words, WORDS_PLAIN,
			(struct wire_bytes){(uint8_t *)text, len}) !=
		    CSFTP_OK ||
	    words.count == 0 || strcmp(grant->args, only) != 0) {
		refuse(apply, "command= is not internal-sftp");
		return;
	}
	words.len -= sizeof(only);
	words.count--;
	memmove(grant->args, grant->args + sizeof(only), words.len);
	grant->arg_count = words.count;
	if (!are_options(&words))
		refuse(apply, "internal-sftp with an option that it has not");
}

enum option_form { ALONE, WITH_VALUE };

/* Without a row there is no such option. */
static const struct option_row {
	const char *name;
	enum option_form form;
	void (*apply)(struct apply *, struct wire_bytes value);
} rows[] = {
	{"restrict", ALONE, on_nothing},
	{"agent-forwarding", ALONE, on_nothing},
	{"no-agent-forwarding", ALONE, on_nothing},
	{"port-forwarding", ALONE, on_nothing},
	{"no-port-forwarding", ALONE, on_nothing},
	{"pty", ALONE, on_nothing},
	{"no-pty", ALONE, on_nothing},
	{"user-rc", ALONE, on_nothing},
	{"no-user-rc", ALONE, on_nothing},
	{"x11-forwarding", ALONE, on_nothing},
	{"no-x11-forwarding", ALONE, on_nothing},
	{"environment", WITH_VALUE, on_nothing},
	{"permitlisten", WITH_VALUE, on_nothing},
	{"permitopen", WITH_VALUE, on_nothing},
	{"tunnel", WITH_VALUE, on_nothing},
	{"cert-authority", ALONE, on_certificate},
	{"principals", WITH_VALUE, on_certificate},
	{"no-touch-required", ALONE, on_no_touch},
	{"verify-required", ALONE, on_verify},
	{"from", WITH_VALUE, on_from},
	{"expiry-time", WITH_VALUE, on_expiry},
	{"command", WITH_VALUE, on_command},
};

/* Names of options in any case; they are small ones in the table. */
static bool is_like(struct wire_bytes name, const char *text)
{
	if (name.len != strlen(text))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (c != (uint8_t)text[i])
			return false;
	}
	return true;
}

static const struct option_row *find_row(struct wire_bytes name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_like(name, rows[i].name))
			return &rows[i];
	return NULL;
}

/* The quotes are whole: take_options() has seen to that. */
static bool take_value(struct wire_bytes *text, struct wire_bytes *value)
{
	size_t len = 0;

	if (text->len > 1 && text->ptr[0] == '=' && text->ptr[1] == '"') {
		skip(text, 1);
		len = quoted_len(*text);
	}
	if (len == 0)
		return false;
	*value = (struct wire_bytes){text->ptr + 1, len - 2};
	skip(text, len);
	return true;
}

static size_t name_len(struct wire_bytes text)
{
	size_t len = 0;

	while (len < text.len && text.ptr[len] != '=' && text.ptr[len] != ',')
		len++;
	return len;
}

/* One option; false: what follows cannot be told. */
static bool apply_one(struct apply *apply, struct wire_bytes *text)
{
	struct wire_bytes name = {text->ptr, name_len(*text)};
	const struct option_row *row = find_row(name);
	struct wire_bytes value = {.len = 0};

	if (!row) {
		refuse(apply, "an unknown option");
		return false;
	}
	skip(text, name.len);
	if (row->form == WITH_VALUE && !take_value(text, &value)) {
		refuse(apply, "an option without its value");
		return false;
	}
	row->apply(apply, value);
	return true;
}

static void apply_options(struct apply *apply, struct wire_bytes text)
{
	while (text.len > 0) {
		if (!apply_one(apply, &text))
			return;
		if (text.len == 0)
			return;
		/* A comma, and something behind it. */
		if (*text.ptr != ',' || text.len == 1) {
			refuse(apply, "options that do not end where they "
				      "should");
			return;
		}
		skip(&text, 1);
	}
}

/* How a key in hardware was used. */
static void judge_use(struct apply *apply)
{
	const struct ssh_authkeys_peer *peer = apply->peer;

	if (!ssh_sk_is_key(peer->key))
		return;
	if (!peer->touched && !apply->no_touch_required)
		refuse(apply, "the key was not touched");
	if (!peer->verified && apply->verify_required)
		refuse(apply, "the key's user was not verified");
}

/* The first word of a key; what else stands first is options. */
static bool is_key_type(struct wire_bytes word)
{
	const struct ssh_alg *alg;

	for (size_t i = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, i)); i++)
		if (ssh_is(word, alg->key_name))
			return true;
	return ssh_is(word, ssh_sk_alg.key_name);
}

/* A key in SSH form. */
struct blob {
	size_t len;
	uint8_t bytes[SSH_KEY_BLOB_MAX + 4];
};

/* "type base64 comment"; the type has to be the one that is inside. */
static bool read_key(struct wire_bytes text, struct blob *key)
{
	struct wire_bytes type = take_word(&text);
	struct wire_bytes digits = take_word(&text);
	struct wire_rd rd;

	if (!is_key_type(type) || digits.len > sizeof(key->bytes) / 3 * 4 ||
	    ssh_base64((const char *)digits.ptr, digits.len, key->bytes,
		       &key->len) != CSFTP_OK)
		return false;
	rd = (struct wire_rd){.next = key->bytes, .left = key->len};
	return ssh_equal(wire_rd_string(&rd, 64), type);
}

static bool is_noise(struct wire_bytes text)
{
	return text.len == 0 || *text.ptr == '#';
}

/* The options and the key of a line; NULL, or why it is none. */
static const char *read_line(struct wire_bytes text, struct wire_bytes *options,
			     struct blob *key)
{
	struct wire_bytes left = text;

	if (memchr(text.ptr, '\0', text.len) ||
	    memchr(text.ptr, '\n', text.len) ||
	    memchr(text.ptr, '\r', text.len))
		return "a NUL or a line end in it";
	if (!is_key_type(take_word(&left)) && !take_options(&text, options))
		return "quotes that do not end";
	if (!read_key(text, key))
		return "no key of a type that we know";
	return NULL;
}

enum ssh_authkeys_verdict
ssh_authkeys_line(const char *line, size_t len,
		  const struct ssh_authkeys_peer *peer,
		  struct ssh_authkeys_grant *grant, const char **why)
{
	struct wire_bytes text = {(const uint8_t *)line, len};
	struct wire_bytes options = {.len = 0};
	struct ssh_authkeys_grant given = {.sftp_only = false};
	struct apply apply = {.peer = peer, .grant = &given};
	struct blob key;

	*why = NULL;
	while (text.len > 0 && (text.ptr[text.len - 1] == '\n' ||
				text.ptr[text.len - 1] == '\r'))
		text.len--;
	skip_blanks(&text);
	if (is_noise(text))
		return SSH_AUTHKEYS_OTHER;
	*why = text.len > SSH_AUTHKEYS_LINE_MAX
		       ? "too long"
		       : read_line(text, &options, &key);
	if (*why)
		return SSH_AUTHKEYS_BROKEN;
	if (!ssh_equal((struct wire_bytes){key.bytes, key.len}, peer->key))
		return SSH_AUTHKEYS_OTHER;
	apply_options(&apply, options);
	judge_use(&apply);
	*why = apply.why;
	if (apply.why)
		return SSH_AUTHKEYS_REFUSED;
	*grant = given;
	return SSH_AUTHKEYS_GRANTED;
}
