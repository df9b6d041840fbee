#include "tests/lib/liar.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire.h"
#include "csftp/memfs.h"
#include "csftp/serve.h"
#include "tests/lib/fs_call.h"
#include "tests/lib/test.h"

/* A packet of a client, and all that is said to it. */
#define PACKET_MAX (300U * 1024U)
#define ANSWER_MAX (2U << 20)

struct liar {
	const struct lie *lie;
	struct csftp_fs *fs;
	struct csftp_serve *serve;
	unsigned told; /* lies */
	bool over;
	uint8_t honest[ANSWER_MAX];
	size_t honest_len;
	uint8_t said[ANSWER_MAX];
	size_t said_len;
};

uint8_t liar_byte(uint64_t off)
{
	return (uint8_t)('A' + off % 23 + off / 1024 % 3);
}

static void make_tree(struct liar *liar)
{
	struct fs_caller caller = {.fs = liar->fs};
	uint8_t *large = malloc(LIAR_LARGE);

	assert_non_null(large);
	for (size_t i = 0; i < LIAR_LARGE; i++)
		large[i] = liar_byte(i);
	assert_int_equal(fs_mkdir(&caller, "/d"), 0);
	assert_int_equal(fs_put(&caller, "/d/a", "a\n", 2), 0);
	assert_int_equal(fs_put(&caller, "/d/b", "b\n", 2), 0);
	assert_int_equal(fs_put(&caller, "/file", "text\n", 5), 0);
	assert_int_equal(fs_put(&caller, "/large", large, LIAR_LARGE), 0);
	assert_int_equal(fs_symlink(&caller, "/link", "file"), 0);
	fs_caller_release(&caller);
	free(large);
}

struct liar *liar_new(const struct lie *lie)
{
	struct liar *liar = calloc(1, sizeof(*liar));
	struct csftp_serve_config config = {0};

	assert_non_null(liar);
	liar->lie = lie;
	assert_int_equal(csftp_memfs_new(&liar->fs, NULL), CSFTP_OK);
	make_tree(liar);
	config.fs = liar->fs;
	assert_int_equal(csftp_serve_new(&liar->serve, &config), CSFTP_OK);
	return liar;
}

void liar_free(struct liar *liar)
{
	csftp_serve_free(liar->serve);
	csftp_memfs_free(liar->fs);
	free(liar);
}

void liar_change(struct liar *liar, const struct lie *lie)
{
	liar->lie = lie;
	liar->told = 0;
}

unsigned liar_told(const struct liar *liar)
{
	return liar->told;
}

/* memfs answers at once, so all that is to be said is there afterwards. */
static void ask_honest(struct liar *liar, const uint8_t *packet, size_t len)
{
	struct csftp_link *link = csftp_serve_link(liar->serve);
	struct csftp_slice slice;
	size_t room;

	liar->honest_len = 0;
	while (len > 0) {
		uint8_t *in = csftp_link_in(link, &room);

		if (room == 0 || !in)
			break;
		room = room < len ? room : len;
		memcpy(in, packet, room);
		packet += room;
		len -= room;
		if (csftp_link_in_ack(link, room) != CSFTP_OK)
			break;
	}
	while (csftp_link_out(link, &slice, 1) > 0) {
		assert_true(liar->honest_len + slice.len <= ANSWER_MAX);
		memcpy(liar->honest + liar->honest_len, slice.ptr, slice.len);
		liar->honest_len += slice.len;
		(void)!csftp_link_out_ack(link, slice.len);
	}
}

/*
 * The words of a lie
 */

static void put(struct liar *liar, const void *bytes, size_t len)
{
	assert_true(liar->said_len + len <= ANSWER_MAX);
	memcpy(liar->said + liar->said_len, bytes, len);
	liar->said_len += len;
}

static void put_u32(struct liar *liar, uint32_t value)
{
	const uint8_t bytes[4] = {(uint8_t)(value >> 24),
				  (uint8_t)(value >> 16), (uint8_t)(value >> 8),
				  (uint8_t)value};

	put(liar, bytes, 4);
}

static void put_many(struct liar *liar, size_t count)
{
	while (count-- > 0)
		put(liar, "x", 1);
}

static uint8_t hex_byte(const char *digits)
{
	const char text[3] = {digits[0], digits[1], '\0'};
	char *end;
	unsigned long value = strtoul(text, &end, 16);

	assert_true(*end == '\0');
	return (uint8_t)value;
}

static void put_hex(struct liar *liar, const char *word, size_t len)
{
	assert_true(len % 2 == 0);
	for (size_t i = 0; i < len; i += 2) {
		uint8_t byte = hex_byte(word + i);

		put(liar, &byte, 1);
	}
}

static void put_string(struct liar *liar, const char *text, size_t len)
{
	size_t at = liar->said_len;
	uint32_t count = 0;

	put_u32(liar, 0);
	for (size_t i = 0; i < len; i++, count++) {
		uint8_t byte = (uint8_t)text[i];

		if (text[i] == '%') {
			byte = hex_byte(text + i + 1);
			i += 2;
		}
		put(liar, &byte, 1);
	}
	for (unsigned i = 0; i < 4; i++)
		liar->said[at + i] = (uint8_t)(count >> (24 - 8 * i));
}

static bool is_word(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(word, text, len) == 0;
}

static bool begins(const char *word, const char *text)
{
	return strncmp(word, text, strlen(text)) == 0;
}

/* False: the packet is not what it seems, or there is no more to say. */
static void put_word(struct liar *liar, const char *word, size_t len,
		     uint32_t id)
{
	if (is_word(word, len, "id"))
		put_u32(liar, id);
	else if (is_word(word, len, "id+1"))
		put_u32(liar, id + 1);
	else if (begins(word, "s:"))
		put_string(liar, word + 2, len - 2);
	else if (begins(word, "s*")) {
		put_u32(liar, (uint32_t)strtoul(word + 2, NULL, 10));
		put_many(liar, strtoul(word + 2, NULL, 10));
	} else if (begins(word, "x*"))
		put_many(liar, strtoul(word + 2, NULL, 10));
	else if (is_word(word, len, "file"))
		put_hex(liar, "000000050000000000000005000081a4", 32);
	else if (is_word(word, len, "dir"))
		put_hex(liar, "00000004000041ed", 16);
	else
		put_hex(liar, word, len);
}

struct packet {
	size_t at; /* of its length in what is said */
	bool said; /* its length was given */
};

static void packet_begin(struct liar *liar, struct packet *packet)
{
	*packet = (struct packet){.at = liar->said_len};
	put_u32(liar, 0);
}

static void packet_end(struct liar *liar, const struct packet *packet)
{
	size_t len = liar->said_len - packet->at - 4;

	for (unsigned i = 0; !packet->said && i < 4; i++)
		liar->said[packet->at + i] = (uint8_t)(len >> (24 - 8 * i));
	/* Nothing in it: there was none. */
	if (!packet->said && len == 0)
		liar->said_len = packet->at;
}

static void tell(struct liar *liar, uint32_t id)
{
	const char *at = liar->lie->says;
	struct packet packet;

	packet_begin(liar, &packet);
	while (*at && !liar->over) {
		size_t len = strcspn(at, " ");

		if (is_word(at, len, "|")) {
			packet_end(liar, &packet);
			packet_begin(liar, &packet);
		} else if (is_word(at, len, "honest")) {
			liar->said_len = packet.at;
			put(liar, liar->honest, liar->honest_len);
			packet_begin(liar, &packet);
		} else if (is_word(at, len, "end")) {
			liar->over = true;
		} else if (begins(at, "length:")) {
			for (unsigned i = 0; i < 4; i++)
				liar->said[packet.at + i] =
					hex_byte(at + 7 + (size_t)2 * i);
			packet.said = true;
		} else {
			put_word(liar, at, len, id);
		}
		at += len;
		at += strspn(at, " ");
	}
	packet_end(liar, &packet);
}

static bool ends_with(struct wire_bytes path, const char *end)
{
	size_t len = strlen(end);

	return path.len >= len &&
	       memcmp(path.ptr + path.len - len, end, len) == 0;
}

bool liar_answer(struct liar *liar, const uint8_t *packet, size_t len,
		 const uint8_t **answer, size_t *answer_len)
{
	const struct lie *lie = liar->lie;
	struct sftp_msg msg;
	bool lied;

	liar->said_len = 0;
	(void)!sftp_msg_decode(&msg, packet + 4, len - 4);
	lied = msg.kind == lie->on &&
	       (!lie->times || liar->told < lie->times) &&
	       (!lie->path || ends_with(msg.path, lie->path));
	ask_honest(liar, packet, len);
	*answer = liar->honest;
	*answer_len = liar->honest_len;
	if (lied) {
		liar->told++;
		tell(liar, msg.id);
		*answer = liar->said;
		*answer_len = liar->said_len;
	}
	return !liar->over;
}

/*
 * The process
 */

static bool read_all(int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t got = recv(fd, to, len, 0);

		if (got <= 0)
			return false;
		to += got;
		len -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const uint8_t *from, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, from, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		from += sent;
		len -= (size_t)sent;
	}
	return true;
}

static void serve_one(const struct lie *lie, int fd)
{
	static uint8_t packet[PACKET_MAX];
	struct liar *liar = liar_new(lie);
	const uint8_t *answer;
	size_t len, answer_len;
	bool goes_on = true;

	while (goes_on && read_all(fd, packet, 4)) {
		len = wire_get_u32(packet);
		if (len > PACKET_MAX - 4 || !read_all(fd, packet + 4, len))
			break;
		goes_on = liar_answer(liar, packet, len + 4, &answer,
				      &answer_len);
		if (!write_all(fd, answer, answer_len))
			break;
	}
	liar_free(liar);
}

pid_t liar_start(const struct lie *lie, int listener)
{
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno != EINTR)
			_exit(1);
		if (fd < 0)
			continue;
		serve_one(lie, fd);
		close(fd);
	}
}
