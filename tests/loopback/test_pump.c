/* The loop of csftp-server over pipes, sockets and files: what it moves how. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "csftp/serve.h"
#include "csftp/stream.h"
#include "tests/lib/proc.h"
#include "tests/lib/raw.h"
#include "tests/lib/test.h"

#define READ  CSFTP_OPEN_READ
#define WRITE CSFTP_OPEN_WRITE
#define LARGE CSFTP_SERVE_DATA_MAX
#define SIZE  1234567U /* of the file; no multiple of a page */

struct place {
	char dir[PROC_PATH_MAX];
	uint8_t *bytes; /* what is in the file "f" */
};

static int start(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char path[2 * PROC_PATH_MAX];

	scratch_make(place->dir);
	place->bytes = malloc(SIZE);
	assert_non_null(place->bytes);
	for (uint32_t i = 0; i < SIZE; i++)
		place->bytes[i] = (uint8_t)(i * 2654435761U >> 24);
	proc_print(path, sizeof(path), "%s/f", place->dir);
	file_write(path, place->bytes, SIZE);
	*state = place;
	return 0;
}

static int stop(void **state)
{
	struct place *place = *state;

	scratch_remove(place->dir);
	free(place->bytes);
	free(place);
	return 0;
}

static void assert_data(const struct place *place, const struct raw *raw,
			uint64_t off, uint32_t len)
{
	size_t there = off < SIZE ? SIZE - off : 0;
	size_t want = len < LARGE ? len : LARGE;

	if (there == 0) {
		assert_int_equal(raw->answer.kind, SFTP_STATUS);
		assert_int_equal(raw->answer.num, 1 /* SSH_FX_EOF */);
		return;
	}
	assert_int_equal(raw->answer.kind, SFTP_DATA);
	assert_int_equal(raw->answer.data.len, want < there ? want : there);
	assert_memory_equal(raw->answer.data.ptr, place->bytes + off,
			    raw->answer.data.len);
}

static const struct {
	uint64_t off;
	uint32_t len;
} ranges[] = {{0, 1},
	      {0, 16383},
	      {0, 16384},
	      {1, 16384},
	      {0, 32768},
	      {4095, 32768},
	      {0, LARGE},
	      {1, LARGE},
	      {4097, LARGE},
	      {0, UINT32_MAX},
	      {SIZE - 100, 100},
	      {SIZE - 20000, 32768},
	      {SIZE - 1, LARGE},
	      {SIZE, LARGE},
	      {SIZE + 5, 100},
	      {1ULL << 62, LARGE}};
#define RANGES (sizeof(ranges) / sizeof(ranges[0]))

/* One by one, and all of them before the first answer is looked at. */
static void read_ranges(const struct place *place, struct raw *raw)
{
	struct wire_bytes handle = raw_open(raw, "f", READ, 0);

	for (size_t i = 0; i < RANGES; i++) {
		raw_read(raw, handle, ranges[i].off, ranges[i].len);
		raw_hear(raw);
		assert_data(place, raw, ranges[i].off, ranges[i].len);
	}
	for (size_t i = 0; i < RANGES; i++)
		raw_read(raw, handle, ranges[i].off, ranges[i].len);
	for (size_t i = 0; i < RANGES; i++) {
		raw_hear(raw);
		assert_data(place, raw, ranges[i].off, ranges[i].len);
	}
}

static void reads_bring_what_the_file_holds(void **state)
{
	for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
		const struct place *place = *state;
		struct raw raw;

		raw_fork(&raw, (enum raw_kind)kind, place->dir, NULL);
		read_ranges(place, &raw);
		raw_stop(&raw);
	}
}

/* Makes a system call fail where its argument is, or where it is not, `is`. */
static void refuse(unsigned call, unsigned arg, uint32_t is, bool otherwise,
		   uint32_t err)
{
	uint32_t at = offsetof(struct seccomp_data, args) + 8 * arg;
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, is, otherwise ? 1 : 0,
			 otherwise ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(steps) / sizeof(steps[0]), steps};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		_exit(3);
}

static void without_splicing_to_the_stream(void)
{
	refuse(SYS_splice, 4, 1, false, EINVAL); /* the first attempt */
}

static void without_splicing_from_files(void)
{
	refuse(SYS_splice, 4, 1, true, EINVAL); /* all but that */
}

/* As for a user who has used up fs.pipe-user-pages-soft. */
static void with_a_small_pipe(void)
{
	refuse(SYS_fcntl, 1, F_SETPIPE_SZ, false, EPERM);
}

/* As Linux before 6.4, for pipes. */
static void without_writing_nowait(void)
{
	refuse(SYS_pwritev2, 5, RWF_NOWAIT, false, EOPNOTSUPP);
}

static void reads_are_as_good_where_the_kernel_can_less(void **state)
{
	static void (*const less[])(void) = {
		without_splicing_to_the_stream, without_splicing_from_files,
		with_a_small_pipe, without_writing_nowait};
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof(less) / sizeof(less[0]); i++) {
		for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
			struct raw raw;

			raw_fork(&raw, (enum raw_kind)kind, place->dir,
				 less[i]);
			read_ranges(place, &raw);
			raw_stop(&raw);
		}
	}
}

/* Of the descriptors of a stream, which are two. */
static void without_polling(void)
{
#ifdef SYS_poll
	refuse(SYS_poll, 1, 2, false, EPERM);
#endif
	refuse(SYS_ppoll, 1, 2, false, EPERM);
}

/* A request is one system call on its way in, and its answer one out. */
static void a_client_that_takes_its_answers_is_never_polled_for(void **state)
{
	static const struct sftp_msg stat = {.kind = SFTP_STAT,
					     .path = {(const uint8_t *)"f", 1}};
	const struct place *place = *state;

	for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
		struct wire_bytes handle;
		struct raw raw;

		raw_fork(&raw, (enum raw_kind)kind, place->dir,
			 without_polling);
		handle = raw_open(&raw, "f", READ, 0);
		for (int i = 0; i < 8; i++) {
			raw_call(&raw, stat, SFTP_ATTRS);
			raw_read(&raw, handle, 0, i % 2 ? 16384 : 4096);
			raw_hear(&raw);
			assert_data(place, &raw, 0, i % 2 ? 16384 : 4096);
			/* Time to begin to wait, or to do worse. */
			poll(NULL, 0, 10);
		}
		raw_stop(&raw);
	}
}

/* As they may be inherited from whoever polls. */
static void descriptors_that_do_not_block_are_as_good(void **state)
{
	for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
		const struct place *place = *state;
		struct raw raw;
		int fds[4];

		raw_join(fds, (enum raw_kind)kind);
		for (int i = 2; i < 4; i++)
			assert_int_equal(
				fcntl(fds[i], F_SETFL,
				      fcntl(fds[i], F_GETFL) | O_NONBLOCK),
				0);
		raw_fork_on(&raw, fds, place->dir, NULL);
		read_ranges(place, &raw);
		close(fds[2]);
		if (fds[3] != fds[2])
			close(fds[3]);
		raw_stop(&raw);
	}
}

static void status_flags_are_left_as_they_were(void **state)
{
	const struct place *place = *state;

	for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
		int fds[4], in_flags, out_flags, status;
		struct raw raw;

		raw_join(fds, (enum raw_kind)kind);
		in_flags = fcntl(fds[2], F_GETFL);
		out_flags = fcntl(fds[3], F_GETFL);
		raw_fork_on(&raw, fds, place->dir, NULL);
		read_ranges(place, &raw);
		if (kind == RAW_SOCKET)
			assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
		else
			close(fds[1]);
		assert_int_equal(waitpid(raw.pid, &status, 0), raw.pid);
		assert_int_equal(status, 0);
		assert_int_equal(fcntl(fds[2], F_GETFL), in_flags);
		assert_int_equal(fcntl(fds[3], F_GETFL), out_flags);
		close(fds[0]);
		close(fds[2]);
		if (kind == RAW_PIPES)
			close(fds[3]);
		free(raw.buf);
	}
}

/* The answers in a file: the greeting, the handle, the ranges. */
static void assert_said(const struct place *place, const char *path)
{
	uint8_t *said = malloc(8U << 20);
	size_t len, at = 0, answers = 0;

	assert_non_null(said);
	len = file_read(path, said, 8U << 20);
	while (at < len) {
		struct raw raw = {.buf = NULL};
		size_t one;

		assert_true(len - at > 4);
		one = wire_get_u32(said + at);
		assert_true(one <= len - at - 4);
		assert_int_equal(
			sftp_msg_decode(&raw.answer, said + at + 4, one),
			CSFTP_OK);
		if (answers >= 2)
			assert_data(place, &raw, ranges[answers - 2].off,
				    ranges[answers - 2].len);
		at += 4 + one;
		answers++;
	}
	assert_int_equal(answers, 2 + RANGES);
	free(said);
}

/* Requests come from a file, too: the handle's name is known beforehand. */
static void write_requests(struct raw *raw, const char *path)
{
	static const uint8_t zeros[8];
	struct wire_bytes handle = {zeros, sizeof(zeros)};
	size_t size = 4096, len = 0;
	uint8_t buf[4096];

	len += raw_encode(raw, (struct sftp_msg){.kind = SFTP_INIT, .num = 3},
			  buf, size);
	len += raw_encode(raw,
			  (struct sftp_msg){.kind = SFTP_OPEN,
					    .num = READ,
					    .path = {(const uint8_t *)"f", 1}},
			  buf + len, size - len);
	for (size_t i = 0; i < RANGES; i++)
		len += raw_encode(raw,
				  (struct sftp_msg){.kind = SFTP_READ,
						    .handle = handle,
						    .off = ranges[i].off,
						    .len = ranges[i].len},
				  buf + len, size - len);
	file_write(path, buf, len);
}

/* O_APPEND excludes splice(2), so the same comes about by copying. */
static void answers_can_go_to_a_file(void **state)
{
	static const int flags[] = {0, O_APPEND};
	char in[2 * PROC_PATH_MAX], out[2 * PROC_PATH_MAX];
	const struct place *place = *state;
	struct raw raw = {.pid = 0};

	proc_print(in, sizeof(in), "%s/requests", place->dir);
	proc_print(out, sizeof(out), "%s/answers", place->dir);
	write_requests(&raw, in);
	for (int i = 0; i < 2; i++) {
		int rfd = open(in, O_RDONLY | O_CLOEXEC);
		int wfd = open(out,
			       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
				       flags[i],
			       0600);

		assert_true(rfd >= 0 && wfd >= 0);
		assert_int_equal(raw_serve(place->dir, rfd, wfd), 0);
		assert_int_equal(fcntl(wfd, F_GETFL) & O_NONBLOCK, 0);
		close(rfd);
		close(wfd);
		assert_said(place, out);
	}
}

static void a_pipe_is_made_only_where_it_can_be_used(void **state)
{
	const struct place *place = *state;
	char path[2 * PROC_PATH_MAX];
	struct csftp_pipe pipe = {.room = 0};
	struct csftp_stream stream;
	int fds[4];

	proc_print(path, sizeof(path), "%s/appended", place->dir);
	pipe.out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(pipe.out >= 0);
	assert_int_equal(csftp_pipe_room(&pipe), 0);
	close(pipe.out);
	raw_join(fds, RAW_SOCKET);
	assert_int_equal(csftp_stream_share(&stream, fds[0], fds[0]), CSFTP_OK);
	assert_true(csftp_pipe_room(&stream.pipe) > 0);
	assert_int_equal(csftp_stream_close(&stream, 0), 0);
	/* They were shared. */
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	close(fds[0]);
	close(fds[2]);
}

/*
 * Sends a READ, waits until its answer lies in the stream, changes the file,
 * and looks at what is read then.  True: the file's own pages were sent.
 */
static bool is_lent(const struct place *place, struct raw *raw,
		    struct wire_bytes handle, uint32_t len)
{
	static const uint8_t zeros[64];
	char path[2 * PROC_PATH_MAX];
	bool lent;
	int fd;

	proc_print(path, sizeof(path), "%s/f", place->dir);
	raw_read(raw, handle, 0, len);
	while (raw_unread(raw) < 13 + len)
		poll(NULL, 0, 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, zeros, 64, 100), 64);
	raw_hear(raw);
	assert_int_equal(raw->answer.kind, SFTP_DATA);
	assert_int_equal(raw->answer.data.len, len);
	lent = memcmp(raw->answer.data.ptr + 100, zeros, 64) == 0;
	assert_int_equal(pwrite(fd, place->bytes, 4096, 0), 4096);
	close(fd);
	return lent;
}

static void large_reads_lend_the_pages_of_the_file(void **state)
{
	const struct place *place = *state;

	for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
		struct wire_bytes handle;
		struct raw raw;

		raw_fork(&raw, (enum raw_kind)kind, place->dir, NULL);
		handle = raw_open(&raw, "f", READ, 0);
		assert_true(is_lent(place, &raw, handle, 32768));
		assert_false(is_lent(place, &raw, handle, 4096));
		assert_true(is_lent(place, &raw, handle, 16384));
		raw_stop(&raw);
	}
}

static void close_it(struct raw *raw, struct wire_bytes handle)
{
	raw_call(raw, (struct sftp_msg){.kind = SFTP_CLOSE, .handle = handle},
		 SFTP_STATUS);
}

/* Requests for one file are served in their order (filexfer-02, 6.1). */
static void a_file_that_is_open_to_write_is_copied(void **state)
{
	struct wire_bytes read, write, other;
	const struct place *place = *state;
	struct raw raw;

	must_sh("cd '%s' && ln f second && echo >else", place->dir);
	raw_fork(&raw, RAW_SOCKET, place->dir, NULL);
	read = raw_open(&raw, "f", READ, 0);
	assert_true(is_lent(place, &raw, read, 32768));
	other = raw_open(&raw, "else", WRITE, 1);
	assert_true(is_lent(place, &raw, read, 32768));
	write = raw_open(&raw, "second", WRITE, 2);
	assert_false(is_lent(place, &raw, read, 32768));
	close_it(&raw, other);
	assert_false(is_lent(place, &raw, read, 32768));
	close_it(&raw, write);
	assert_true(is_lent(place, &raw, read, 32768));
	write = raw_open(&raw, "f", READ | WRITE, 2);
	assert_false(is_lent(place, &raw, write, 32768));
	assert_false(is_lent(place, &raw, read, 32768));
	raw_stop(&raw);
	must_sh("cd '%s' && rm second else", place->dir);
}

/* The pages that were lent are the file's no more. */
static void a_file_that_is_emptied_was_read_before(void **state)
{
	const struct place *place = *state;
	struct wire_bytes handle;
	struct raw raw;

	must_sh("cd '%s' && cp f emptied", place->dir);
	raw_fork(&raw, RAW_SOCKET, place->dir, NULL);
	handle = raw_open(&raw, "emptied", READ, 0);
	raw_read(&raw, handle, 3, 65536);
	raw_ask(&raw,
		(struct sftp_msg){.kind = SFTP_OPEN,
				  .num = WRITE | CSFTP_OPEN_TRUNC,
				  .path = {(const uint8_t *)"emptied", 7}});
	while (raw_unread(&raw) < 13 + 65536 + 21)
		poll(NULL, 0, 1);
	must_sh("test ! -s '%s/emptied'", place->dir);
	raw_hear(&raw);
	assert_int_equal(raw.answer.data.len, 65536);
	assert_data(place, &raw, 3, 65536);
	raw_hear(&raw);
	assert_int_equal(raw.answer.kind, SFTP_HANDLE);
	raw_stop(&raw);
	must_sh("rm '%s/emptied'", place->dir);
}

/* Files in /proc do not know their size. */
static void files_without_a_size_are_read(void **state)
{
	const struct place *place = *state;
	struct wire_bytes handle;
	struct raw raw;

	raw_fork(&raw, RAW_SOCKET, place->dir, NULL);
	handle = raw_open(&raw, "/proc/self/status", READ, 0);
	raw_read(&raw, handle, 0, 32768);
	raw_hear(&raw);
	assert_int_equal(raw.answer.kind, SFTP_DATA);
	assert_memory_equal(raw.answer.data.ptr, "Name:", 5);
	raw_stop(&raw);
}

#define WRITES 64U
#define READS  64U

/* What the greedy client says: all of it is one long text. */
struct speech {
	uint8_t *text;
	size_t len;
	size_t said;
};

static void add(struct speech *speech, struct raw *raw, struct sftp_msg msg)
{
	static const size_t most = (size_t)WRITES * (LARGE + 64) + READS * 64;

	if (!speech->text)
		speech->text = calloc(1, most);
	assert_non_null(speech->text);
	speech->len += raw_encode(raw, msg, speech->text + speech->len,
				  most - speech->len);
}

static void add_writes(struct speech *speech, struct raw *raw,
		       struct wire_bytes handle)
{
	uint8_t *data = malloc(LARGE);

	assert_non_null(data);
	for (uint32_t i = 0; i < WRITES; i++) {
		memset(data, 'a' + (int)(i % 26), LARGE);
		add(speech, raw,
		    (struct sftp_msg){.kind = SFTP_WRITE,
				      .handle = handle,
				      .off = (uint64_t)i * LARGE,
				      .data = {data, LARGE}});
	}
	free(data);
}

static void add_reads(struct speech *speech, struct raw *raw,
		      struct wire_bytes handle)
{
	for (uint32_t i = 0; i < READS; i++)
		add(speech, raw,
		    (struct sftp_msg){.kind = SFTP_READ,
				      .handle = handle,
				      .off = i,
				      .len = LARGE});
}

/* All answers come, each once; of READs they bring what they should. */
static void hear_all(const struct place *place, struct raw *raw)
{
	unsigned reads = 0, writes = 0;

	while (reads < READS || writes < WRITES) {
		raw_hear(raw);
		if (raw->answer.kind == SFTP_DATA) {
			assert_data(place, raw, reads, LARGE);
			reads++;
		} else {
			assert_int_equal(raw->answer.kind, SFTP_STATUS);
			assert_int_equal(raw->answer.num, 0);
			writes++;
		}
	}
}

/* Says as much as is taken for as long as something is taken now and then. */
static void say(struct speech *speech, struct raw *raw, int patience_ms)
{
	struct pollfd out = {.fd = raw->out, .events = POLLOUT};

	while (speech->said < speech->len &&
	       (patience_ms < 0 || poll(&out, 1, patience_ms) > 0))
		speech->said += raw_try_send(raw, speech->text + speech->said,
					     speech->len - speech->said);
}

/*
 * All is sent before an answer is read.  The answers to the WRITEs fit into
 * the socket, so the server has to take them all, and hear of the READs.
 */
static void uploads_finish_before_an_answer_is_read(void **state)
{
	const struct place *place = *state;
	struct speech speech = {.text = NULL};
	struct raw raw;

	raw_fork(&raw, RAW_SOCKET, place->dir, NULL);
	add_writes(&speech, &raw,
		   raw_open(&raw, "new", WRITE | CSFTP_OPEN_CREAT, 0));
	add_reads(&speech, &raw, raw_open(&raw, "f", READ, 1));
	raw_send(&raw, speech.text, speech.len);
	hear_all(place, &raw);
	raw_stop(&raw);
	free(speech.text);
	must_sh("test $(stat -c %%s '%s/new') = %u", place->dir,
		WRITES * LARGE);
}

/* In a child of its own: it does nothing but send. */
static pid_t say_in_child(const struct speech *speech, struct raw *raw)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	raw_send(raw, speech->text + speech->said, speech->len - speech->said);
	_exit(0);
}

/*
 * The answers to the READs fit nowhere: the server stops to read long before
 * the WRITEs have come.  When the client reads, all goes on.
 */
static void a_greedy_client_waits_until_it_reads(void **state)
{
	const struct place *place = *state;
	struct speech speech = {.text = NULL};
	struct raw raw;
	int status;
	pid_t pid;

	raw_fork(&raw, RAW_SOCKET, place->dir, NULL);
	add_reads(&speech, &raw, raw_open(&raw, "f", READ, 0));
	add_writes(&speech, &raw,
		   raw_open(&raw, "new", WRITE | CSFTP_OPEN_CREAT, 1));
	say(&speech, &raw, 200);
	assert_true(speech.said < speech.len / 4);
	pid = say_in_child(&speech, &raw);
	hear_all(place, &raw);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	raw_stop(&raw);
	free(speech.text);
	must_sh("test $(stat -c %%s '%s/new') = %u", place->dir,
		WRITES * LARGE);
}

#define STATS 12000U

/*
 * More answers than the stream takes, fewer than the server keeps, to requests
 * that the stream cannot hold: who writes them and waits, waits for ever.
 */
static void say_stats(struct raw *raw)
{
	static uint8_t path[1001];
	const struct sftp_msg stat = {.kind = SFTP_STAT,
				      .path = {path, sizeof(path)}};
	struct speech speech = {.text = NULL};

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i + 1 == sizeof(path) ? 'f' : i % 2 ? '/' : '.';
	for (unsigned i = 0; i < STATS; i++)
		add(&speech, raw, stat);
	say(&speech, raw, 20000);
	assert_int_equal(speech.said, speech.len);
	free(speech.text);
}

static void hear_stats(struct raw *raw)
{
	for (unsigned i = 0; i < STATS; i++) {
		raw_hear(raw);
		assert_int_equal(raw->answer.kind, SFTP_ATTRS);
		assert_int_equal(raw->answer.attr.size, SIZE);
	}
}

static void a_server_that_cannot_answer_still_reads(void **state)
{
	static const struct {
		enum raw_kind kind;
		void (*before)(void);
	} ways[] = {{RAW_PIPES, NULL},
		    {RAW_SOCKET, NULL},
		    {RAW_PIPES, without_writing_nowait}};
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct raw raw;

		raw_fork(&raw, ways[i].kind, place->dir, ways[i].before);
		say_stats(&raw);
		hear_stats(&raw);
		raw_stop(&raw);
	}
}

static void a_server_with_a_lent_answer_still_reads(void **state)
{
	const struct place *place = *state;
	struct wire_bytes handle;
	int fds[4], small = 4096;
	struct raw raw;

	raw_join(fds, RAW_SOCKET);
	assert_int_equal(setsockopt(fds[3], SOL_SOCKET, SO_SNDBUF, &small,
				    sizeof(small)),
			 0);
	raw_fork_on(&raw, fds, place->dir, NULL);
	close(fds[3]);
	handle = raw_open(&raw, "f", READ, 0);
	raw_read(&raw, handle, 5, LARGE);
	say_stats(&raw);
	raw_hear(&raw);
	assert_data(place, &raw, 5, LARGE);
	hear_stats(&raw);
	raw_stop(&raw);
}

/* Its answers have nowhere to go; that is its farewell, and no error. */
static void a_client_that_goes_away_ends_the_session(void **state)
{
	const struct place *place = *state;

	for (int kind = RAW_PIPES; kind <= RAW_SOCKET; kind++) {
		struct wire_bytes handle;
		struct raw raw;

		raw_fork(&raw, (enum raw_kind)kind, place->dir, NULL);
		handle = raw_open(&raw, "f", READ, 0);
		for (unsigned i = 0; i < 16; i++)
			raw_read(&raw, handle, 0, LARGE);
		raw_stop(&raw);
	}
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(reads_bring_what_the_file_holds),
		cmocka_unit_test(reads_are_as_good_where_the_kernel_can_less),
		cmocka_unit_test(
			a_client_that_takes_its_answers_is_never_polled_for),
		cmocka_unit_test(descriptors_that_do_not_block_are_as_good),
		cmocka_unit_test(status_flags_are_left_as_they_were),
		cmocka_unit_test(answers_can_go_to_a_file),
		cmocka_unit_test(a_pipe_is_made_only_where_it_can_be_used),
		cmocka_unit_test(large_reads_lend_the_pages_of_the_file),
		cmocka_unit_test(a_file_that_is_open_to_write_is_copied),
		cmocka_unit_test(a_file_that_is_emptied_was_read_before),
		cmocka_unit_test(files_without_a_size_are_read),
		cmocka_unit_test(uploads_finish_before_an_answer_is_read),
		cmocka_unit_test(a_greedy_client_waits_until_it_reads),
		cmocka_unit_test(a_server_that_cannot_answer_still_reads),
		cmocka_unit_test(a_server_with_a_lent_answer_still_reads),
		cmocka_unit_test(a_client_that_goes_away_ends_the_session),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(claims, start, stop) != 0;
}
