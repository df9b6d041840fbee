/*
 * SFTP over SSH with nothing but engines: the file API asked of the SFTP
 * client, which speaks through two SSH engines to the SFTP server over memfs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/memfs.h"
#include "csftp/remote.h"
#include "csftp/serve.h"
#include "tests/lib/fs_suite.h"
#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"

/* What each side takes before its link has room: all of the window. */
enum { WINDOW = 256 * 1024 };

/* One end: a link, the channel it speaks on, and what has come for it. */
struct end {
	struct ssh_side *side;
	struct csftp_link *link;
	uint32_t channel;
	uint8_t queue[WINDOW];
	size_t queued;
};

struct tunnel {
	struct ssh_rig rig;
	struct end client;
	struct end server;
	struct csftp_serve *serve;
	struct csftp_remote *remote;
	uint64_t carried;
	unsigned exchanges; /* of keys */
};

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool take_data(struct ssh_side *side,
		      const struct csftp_ssh_event *event)
{
	struct tunnel *tunnel = side->rig->arg;
	struct end *end =
		side == &side->rig->client ? &tunnel->client : &tunnel->server;

	if (event->kind == CSFTP_SSH_CHANNEL_OPEN)
		end->channel = event->channel;
	if (event->kind != CSFTP_SSH_DATA)
		return false;
	assert_true(event->data.len <= WINDOW - end->queued);
	memcpy(end->queue + end->queued, event->data.ptr, event->data.len);
	end->queued += event->data.len;
	return true;
}

/* What came goes into the link as it has room; then more may come. */
static bool deliver(struct end *end)
{
	size_t room, len;
	uint8_t *in = csftp_link_in(end->link, &room);

	len = smaller(room, end->queued);
	if (len == 0)
		return false;
	memcpy(in, end->queue, len);
	end->queued -= len;
	memmove(end->queue, end->queue + len, end->queued);
	assert_int_equal(csftp_ssh_consumed(end->side->ssh, end->channel, len),
			 CSFTP_OK);
	assert_int_equal(csftp_link_in_ack(end->link, len), CSFTP_OK);
	return true;
}

/* From the link's slices right into packets. */
static bool send_out(struct tunnel *tunnel, struct end *end)
{
	struct csftp_slice slice;
	bool any = false;
	size_t room, len;
	uint8_t *to;

	while (csftp_link_out(end->link, &slice, 1) > 0) {
		to = csftp_ssh_room(end->side->ssh, end->channel,
				    CSFTP_SSH_STDOUT, &room);
		len = smaller(room, slice.len);
		if (len == 0)
			break;
		memcpy(to, slice.ptr, len);
		assert_int_equal(
			csftp_ssh_send(end->side->ssh, end->channel, len),
			CSFTP_OK);
		assert_int_equal(csftp_link_out_ack(end->link, len), CSFTP_OK);
		tunnel->carried += len;
		any = true;
	}
	return any;
}

static bool drive(void *arg)
{
	struct tunnel *tunnel = arg;
	bool any = ssh_rig_move(&tunnel->rig);

	any = deliver(&tunnel->client) || any;
	any = deliver(&tunnel->server) || any;
	any = send_out(tunnel, &tunnel->client) || any;
	return send_out(tunnel, &tunnel->server) || any;
}

static void set_true(void *arg)
{
	*(bool *)arg = true;
}

static void count_exchanges(void *arg, const struct csftp_ssh *ssh,
			    const char *line)
{
	struct ssh_side *side = arg;
	struct tunnel *tunnel = side->rig->arg;

	(void)ssh;
	if (strcmp(line, "> 21 NEWKEYS") == 0)
		tunnel->exchanges++;
}

static void start_ssh(struct tunnel *tunnel, const char *cipher, size_t piece,
		      size_t buf_size)
{
	struct ssh_rig *rig = &tunnel->rig;

	ssh_rig_init(rig);
	rig->arg = tunnel;
	rig->on_event = take_data;
	rig->piece = piece;
	rig->client.config.trace = count_exchanges;
	rig->client.config.cipher = cipher;
	rig->client.config.rekey_bytes = 300000;
	rig->server.config.rekey_bytes = 200000;
	rig->client.config.buf_size = buf_size;
	rig->server.config.buf_size = buf_size;
	rig->client.config.window = WINDOW;
	rig->client.config.window_max = WINDOW;
	rig->server.config.window = WINDOW;
	rig->server.config.window_max = WINDOW;
	ssh_rig_start(rig);
	ssh_rig_login(rig);
	tunnel->client.channel = ssh_rig_channel(rig);
	assert_int_equal(csftp_ssh_subsystem(rig->client.ssh,
					     tunnel->client.channel, "sftp"),
			 CSFTP_OK);
	ssh_rig_run(rig);
	assert_int_equal(rig->client.last.kind, CSFTP_SSH_REPLY);
	assert_true(rig->client.last.ok);
}

static void start_sftp(struct tunnel *tunnel, struct csftp_fs *fs)
{
	struct csftp_serve_config serve = {.fs = fs};
	bool ready = false;
	struct csftp_remote_config remote = {.ready = set_true, .arg = &ready};

	assert_int_equal(csftp_serve_new(&tunnel->serve, &serve), CSFTP_OK);
	assert_int_equal(csftp_remote_new(&tunnel->remote, &remote), CSFTP_OK);
	tunnel->client.side = &tunnel->rig.client;
	tunnel->server.side = &tunnel->rig.server;
	tunnel->client.link = csftp_remote_link(tunnel->remote);
	tunnel->server.link = csftp_serve_link(tunnel->serve);
	while (!ready)
		assert_true(drive(tunnel));
}

static void stop(struct tunnel *tunnel)
{
	csftp_link_close(tunnel->server.link, CSFTP_ERR_EOF);
	csftp_serve_free(tunnel->serve);
	csftp_remote_free(tunnel->remote);
	ssh_rig_stop(&tunnel->rig);
}

/* The suite runs groups of tests of its own, so it is not inside of one. */
static int suite_over_ssh(const char *name, const char *cipher, size_t piece,
			  size_t buf_size)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	struct fs_suite suite = {
		.name = name,
		.base = "/base",
		/* See test_engines.c. */
		.has = FS_ALL & ~(FS_NSEC | FS_NLINK | FS_COPY_EMPTY),
	};
	struct csftp_fs *fs = NULL;
	int failed = 1;

	if (!tunnel || csftp_memfs_new(&fs, NULL) != CSFTP_OK)
		return 1;
	start_ssh(tunnel, cipher, piece, buf_size);
	start_sftp(tunnel, fs);
	suite.caller = (struct fs_caller){
		.fs = csftp_remote_fs(tunnel->remote),
		.drive = drive,
		.arg = tunnel,
	};
	if (fs_mkdir(&suite.caller, suite.base) == 0)
		failed = fs_suite_run(&suite);
	/* It was SSH, with keys that did not last. */
	if (tunnel->carried < 1000000 || tunnel->exchanges < 5) {
		fprintf(stderr, "%s: %llu bytes, %u exchanges\n", name,
			(unsigned long long)tunnel->carried, tunnel->exchanges);
		failed++;
	}
	fs_caller_release(&suite.caller);
	stop(tunnel);
	csftp_memfs_free(fs);
	free(tunnel);
	return failed;
}

int main(void)
{
	int failed = 0;

	failed += suite_over_ssh("SFTP over SSH, AES-GCM",
				 "aes256-gcm@openssh.com", 0, 65536);
	failed += suite_over_ssh("SFTP over SSH, ChaCha20, small buffers",
				 "chacha20-poly1305@openssh.com", 0, 4096);
	failed += suite_over_ssh("SFTP over SSH, AES-CTR, in pieces",
				 "aes128-ctr", 1461, 40000);
	ssh_rig_free_keys();
	return failed;
}
