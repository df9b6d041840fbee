/*
 * server OURS THEIRS: two SFTP servers, each on its own standard input and
 * output, without ssh: what a request costs the server.  In each round one is
 * measured after the other; what is printed are medians.
 *
 * CSFTP_BENCH_ROUNDS (3), CSFTP_BENCH_SERVER_MIB (512): what READ and WRITE
 * move, CSFTP_BENCH_OPS (20000): how often the small requests are made, and
 * CSFTP_BENCH_ONLY: a part of the names of the measurements that are made.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/peer.h"

#define KIB	   1024U
#define MIB	   (1024U * KIB)
#define ROUNDS_MAX 99U
#define NAMES	   10000U
#define STARTS	   40U /* of the server, in one round */

struct bench {
	const char *server[2];
	unsigned rounds;
	uint64_t bytes;
	unsigned ops;
	const char *only;
	char dir[256];
	uint8_t *payload;
};

/* What one measurement found. */
struct found {
	double amount; /* bytes or operations */
	double wall;   /* seconds */
	double cpu;    /* the server's */
	double peak_kib;
};

enum unit { PER_BYTE, PER_OPERATION, START, MEMORY };

struct measurement {
	const char *name;
	enum peer_kind kind;
	enum unit unit;
	void (*run)(const struct bench *bench, struct peer *peer, unsigned size,
		    unsigned window, struct found *found);
	unsigned size; /* bytes of one request */
	unsigned window;
};

static struct wire_bytes text(const char *from)
{
	return (struct wire_bytes){(const uint8_t *)from, strlen(from)};
}

/* A file or directory, opened; the bytes of its handle are kept in `room`. */
static struct wire_bytes open_at(const struct bench *bench, struct peer *peer,
				 const char *name, struct sftp_msg how,
				 uint8_t room[SFTP_HANDLE_MAX])
{
	struct peer_answer answer;
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/%s", bench->dir, name);
	how.path = text(path);
	peer_call(peer, &how, SFTP_HANDLE, &answer);
	memcpy(room, answer.msg.handle.ptr, answer.msg.handle.len);
	return (struct wire_bytes){room, answer.msg.handle.len};
}

static void close_handle(struct peer *peer, struct wire_bytes handle)
{
	struct sftp_msg msg = {.kind = SFTP_CLOSE, .handle = handle};
	struct peer_answer answer;

	peer_call(peer, &msg, SFTP_STATUS, &answer);
}

static void begin(const struct peer *peer, struct found *found)
{
	found->wall = -peer_now();
	found->cpu = -peer_cpu(peer);
}

static void finish(const struct peer *peer, struct found *found, double amount)
{
	found->wall += peer_now();
	found->cpu += peer_cpu(peer);
	found->amount = amount;
}

static void ask_read(struct peer *peer, struct wire_bytes handle, uint64_t *off,
		     unsigned size)
{
	struct sftp_msg msg = {
		.kind = SFTP_READ, .handle = handle, .off = *off, .len = size};

	peer_ask(peer, &msg);
	*off += size;
}

/* Keeps `window` requests on their way; asks again when half are answered. */
static void measure_read(const struct bench *bench, struct peer *peer,
			 unsigned size, unsigned window, struct found *found)
{
	uint8_t room[SFTP_HANDLE_MAX];
	struct sftp_msg how = {.kind = SFTP_OPEN, .num = CSFTP_OPEN_READ};
	struct wire_bytes handle = open_at(bench, peer, "large", how, room);
	uint64_t total = bench->bytes / size * size;
	uint64_t got = 0, asked = 0;

	begin(peer, found);
	while (got < total) {
		struct peer_answer answer;

		if (asked - got <= (uint64_t)window * size / 2) {
			while (asked < total &&
			       asked - got < (uint64_t)window * size)
				ask_read(peer, handle, &asked, size);
			peer_flush(peer);
		}
		peer_hear(peer, &answer);
		if (answer.msg.kind != SFTP_DATA || answer.msg.data.len != size)
			peer_die("a READ was answered in part");
		got += size;
	}
	finish(peer, found, (double)total);
	close_handle(peer, handle);
}

static void hear_ok(struct peer *peer)
{
	struct peer_answer answer;

	peer_hear(peer, &answer);
	if (answer.msg.kind != SFTP_STATUS || answer.msg.num != 0)
		peer_die("answered by %s %u", sftp_kind_name(answer.msg.kind),
			 answer.msg.num);
}

static void measure_write(const struct bench *bench, struct peer *peer,
			  unsigned size, unsigned window, struct found *found)
{
	uint8_t room[SFTP_HANDLE_MAX];
	struct sftp_msg how = {.kind = SFTP_OPEN,
			       .num = CSFTP_OPEN_WRITE | CSFTP_OPEN_CREAT};
	char path[300];
	struct wire_bytes handle;
	uint64_t total = bench->bytes / size * size;
	unsigned waiting = 0;

	(void)snprintf(path, sizeof(path), "%s/written", bench->dir);
	(void)unlink(path);
	handle = open_at(bench, peer, "written", how, room);
	begin(peer, found);
	for (uint64_t off = 0; off < total; off += size) {
		peer_write(peer, handle, off, bench->payload, size);
		if (++waiting == window)
			for (; waiting > window / 2; waiting--)
				hear_ok(peer);
	}
	for (; waiting > 0; waiting--)
		hear_ok(peer);
	finish(peer, found, (double)total);
	close_handle(peer, handle);
	(void)unlink(path);
}

/*
 * Seconds per GiB of writing to a new file from memory: what no server can be
 * faster than.
 */
static double write_floor(const struct bench *bench, unsigned size)
{
	static const double gib = 1024.0 * MIB;
	uint64_t total = bench->bytes / size * size;
	char path[300];
	double cpu;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/written", bench->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		peer_die("%s: %s", path, strerror(errno));
	cpu = -peer_own_cpu();
	for (uint64_t off = 0; off < total; off += size)
		if (pwrite(fd, bench->payload, size, (off_t)off) !=
		    (ssize_t)size)
			peer_die("%s: %s", path, strerror(errno));
	cpu += peer_own_cpu();
	(void)close(fd);
	(void)unlink(path);
	return cpu / ((double)total / gib);
}

static void measure_stat(const struct bench *bench, struct peer *peer,
			 unsigned size, unsigned window, struct found *found)
{
	struct peer_answer answer;
	char path[300];

	(void)size;
	(void)snprintf(path, sizeof(path), "%s/large", bench->dir);
	begin(peer, found);
	for (unsigned done = 0; done < bench->ops; done += window) {
		for (unsigned i = 0; i < window; i++) {
			struct sftp_msg msg = {.kind = SFTP_STAT,
					       .path = text(path)};

			peer_ask(peer, &msg);
		}
		peer_flush(peer);
		for (unsigned i = 0; i < window; i++) {
			peer_hear(peer, &answer);
			if (answer.msg.kind != SFTP_ATTRS)
				peer_die("a STAT failed");
		}
	}
	finish(peer, found, bench->ops / window * window);
}

#define OPENS_MAX 64U

static void measure_open(const struct bench *bench, struct peer *peer,
			 unsigned size, unsigned window, struct found *found)
{
	struct sftp_msg open = {.kind = SFTP_OPEN, .num = CSFTP_OPEN_READ};
	static uint8_t room[OPENS_MAX][SFTP_HANDLE_MAX];
	struct peer_answer answer;
	char path[300];

	(void)size;
	(void)snprintf(path, sizeof(path), "%s/large", bench->dir);
	open.path = text(path);
	begin(peer, found);
	for (unsigned done = 0; done < bench->ops; done += window) {
		for (unsigned i = 0; i < window; i++)
			peer_ask(peer, &open);
		peer_flush(peer);
		for (unsigned i = 0; i < window; i++) {
			struct sftp_msg msg = {.kind = SFTP_CLOSE};

			peer_hear(peer, &answer);
			if (answer.msg.kind != SFTP_HANDLE)
				peer_die("an OPEN failed");
			msg.handle = answer.msg.handle;
			memcpy(room[i], msg.handle.ptr, msg.handle.len);
			msg.handle.ptr = room[i];
			peer_ask(peer, &msg);
		}
		peer_flush(peer);
		for (unsigned i = 0; i < window; i++)
			hear_ok(peer);
	}
	finish(peer, found, bench->ops / window * window);
}

/* The names of one directory, once more for each `window`. */
static void measure_readdir(const struct bench *bench, struct peer *peer,
			    unsigned size, unsigned window, struct found *found)
{
	double names = 0;

	(void)size;
	begin(peer, found);
	for (unsigned i = 0; i < window; i++) {
		uint8_t room[SFTP_HANDLE_MAX];
		struct sftp_msg msg = {.kind = SFTP_OPENDIR};
		struct wire_bytes handle =
			open_at(bench, peer, "names", msg, room);
		struct peer_answer answer;

		do {
			msg = (struct sftp_msg){.kind = SFTP_READDIR,
						.handle = handle};
			peer_ask(peer, &msg);
			peer_flush(peer);
			peer_hear(peer, &answer);
			if (answer.msg.kind == SFTP_NAME)
				names += answer.msg.num;
		} while (answer.msg.kind == SFTP_NAME);
		close_handle(peer, handle);
	}
	finish(peer, found, names);
	if (names < (double)NAMES * window)
		peer_die("%.0f names of %u", names, NAMES * window);
}

/* A little of everything, for the memory that it takes. */
static void measure_memory(const struct bench *bench, struct peer *peer,
			   unsigned size, unsigned window, struct found *found)
{
	struct bench little = *bench;

	little.bytes = 32 * MIB;
	little.ops = 1024;
	measure_stat(&little, peer, 0, window, found);
	measure_open(&little, peer, 0, window, found);
	measure_readdir(&little, peer, 0, 1, found);
	measure_read(&little, peer, size, window, found);
	measure_write(&little, peer, size, window, found);
}

static void measure_nothing(const struct bench *bench, struct peer *peer,
			    unsigned size, unsigned window, struct found *found)
{
	(void)bench;
	(void)peer;
	(void)size;
	(void)window;
	(void)found;
}

#define SMALL (32 * KIB)
#define LARGE (255 * KIB)

static const struct measurement measurements[] = {
	{"READ 32 KiB, pipes", PEER_PIPES, PER_BYTE, measure_read, SMALL, 64},
	{"READ 255 KiB, pipes", PEER_PIPES, PER_BYTE, measure_read, LARGE, 64},
	{"READ 32 KiB, socket", PEER_SOCKETPAIR, PER_BYTE, measure_read, SMALL,
	 64},
	{"READ 255 KiB, socket", PEER_SOCKETPAIR, PER_BYTE, measure_read, LARGE,
	 64},
	{"WRITE 32 KiB, pipes", PEER_PIPES, PER_BYTE, measure_write, SMALL, 64},
	{"WRITE 255 KiB, pipes", PEER_PIPES, PER_BYTE, measure_write, LARGE,
	 64},
	{"WRITE 32 KiB, socket", PEER_SOCKETPAIR, PER_BYTE, measure_write,
	 SMALL, 64},
	{"WRITE 255 KiB, socket", PEER_SOCKETPAIR, PER_BYTE, measure_write,
	 LARGE, 64},
	{"STAT, one by one", PEER_SOCKETPAIR, PER_OPERATION, measure_stat, 0,
	 1},
	{"STAT, 64 at a time", PEER_SOCKETPAIR, PER_OPERATION, measure_stat, 0,
	 64},
	{"OPEN+CLOSE, one by one", PEER_SOCKETPAIR, PER_OPERATION, measure_open,
	 0, 1},
	{"OPEN+CLOSE, 64 at a time", PEER_SOCKETPAIR, PER_OPERATION,
	 measure_open, 0, 64},
	{"READDIR, by name", PEER_SOCKETPAIR, PER_OPERATION, measure_readdir, 0,
	 4},
	{"start to first answer", PEER_SOCKETPAIR, START, measure_nothing, 0,
	 0},
	{"memory at the start", PEER_SOCKETPAIR, MEMORY, measure_nothing, 0, 0},
	{"memory after all of it", PEER_SOCKETPAIR, MEMORY, measure_memory,
	 LARGE, 64},
};

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *value, size_t count)
{
	qsort(value, count, sizeof(*value), by_size);
	return count % 2 ? value[count / 2]
			 : (value[count / 2 - 1] + value[count / 2]) / 2;
}

/* Of many starts, as each is over in no time. */
static struct found measure_start(const char *server, enum peer_kind kind)
{
	double wall[STARTS], cpu[STARTS];

	for (size_t i = 0; i < STARTS; i++) {
		struct peer peer;

		wall[i] = -peer_now();
		peer_start(&peer, server, kind);
		wall[i] += peer_now();
		cpu[i] = peer_cpu(&peer);
		peer_stop(&peer);
	}
	return (struct found){.amount = 1,
			      .wall = median(wall, STARTS),
			      .cpu = median(cpu, STARTS)};
}

static struct found measure(const struct bench *bench,
			    const struct measurement *what, const char *server)
{
	struct found found = {.amount = 1};
	struct peer peer;

	if (what->unit == START)
		return measure_start(server, what->kind);
	peer_start(&peer, server, what->kind);
	what->run(bench, &peer, what->size, what->window, &found);
	found.peak_kib = (double)peer_peak_kib(&peer);
	peer_stop(&peer);
	return found;
}

/* The two columns of one measurement, as its unit has them. */
static void columns(enum unit unit, const struct found *found, double out[2])
{
	static const double gib = 1024.0 * MIB;

	switch (unit) {
	case PER_BYTE:
		out[0] = found->amount / gib / found->wall;
		out[1] = found->cpu / (found->amount / gib);
		return;
	case PER_OPERATION:
		out[0] = found->amount / found->wall;
		out[1] = found->amount / found->cpu;
		return;
	case START:
		out[0] = found->wall * 1e6;
		out[1] = found->cpu * 1e6;
		return;
	case MEMORY:
		out[0] = found->peak_kib;
		out[1] = 0;
		return;
	}
}

struct unit_text {
	const char *name[2];
	int digits[2];
};

static const struct unit_text units[] = {
	[PER_BYTE] = {{"GiB/s", "CPU s/GiB"}, {2, 3}},
	[PER_OPERATION] = {{"per s", "per CPU s"}, {0, 0}},
	[START] = {{"us", "CPU us"}, {0, 0}},
	[MEMORY] = {{"KiB", NULL}, {0, 0}},
};

static void print_line(const struct measurement *what, double ours[2],
		       double theirs[2])
{
	const struct unit_text *unit = &units[what->unit];

	for (int i = 0; i < 2 && unit->name[i]; i++)
		printf("%-26s %-10s %10.*f %10.*f %8.2f\n",
		       i == 0 ? what->name : "", unit->name[i], unit->digits[i],
		       ours[i], unit->digits[i], theirs[i],
		       theirs[i] > 0 ? ours[i] / theirs[i] : 0.0);
	(void)fflush(stdout);
}

/* One of ours, one of theirs, and again, so that both have the same weather. */
static void compare(const struct bench *bench, const struct measurement *what)
{
	double value[2][2][ROUNDS_MAX], floor[ROUNDS_MAX], middle[2][2];
	bool writes = what->run == measure_write;

	for (unsigned round = 0; round < bench->rounds; round++) {
		for (int who = 0; who < 2; who++) {
			struct found found =
				measure(bench, what, bench->server[who]);
			double out[2] = {0, 0};

			columns(what->unit, &found, out);
			value[who][0][round] = out[0];
			value[who][1][round] = out[1];
		}
		if (writes)
			floor[round] = write_floor(bench, what->size);
	}
	for (int who = 0; who < 2; who++)
		for (int i = 0; i < 2; i++)
			middle[who][i] = median(value[who][i], bench->rounds);
	print_line(what, middle[0], middle[1]);
	if (writes)
		printf("%-26s %-10s %10.3f\n", "", "pwrite(2)",
		       median(floor, bench->rounds));
}

static void make_large(const struct bench *bench)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/large", bench->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		peer_die("%s: %s", path, strerror(errno));
	for (uint64_t done = 0; done < bench->bytes; done += MIB)
		if (write(fd, bench->payload, MIB) != (ssize_t)MIB)
			peer_die("%s: %s", path, strerror(errno));
	(void)close(fd);
}

static void make_names(const struct bench *bench)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/names", bench->dir);
	if (mkdir(path, 0700) != 0)
		peer_die("%s: %s", path, strerror(errno));
	for (unsigned i = 0; i < NAMES; i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/names/file-%05u.txt",
			       bench->dir, i);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			peer_die("%s: %s", path, strerror(errno));
		(void)close(fd);
	}
}

static void remove_all(const struct bench *bench)
{
	char path[300];

	for (unsigned i = 0; i < NAMES; i++) {
		(void)snprintf(path, sizeof(path), "%s/names/file-%05u.txt",
			       bench->dir, i);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/names", bench->dir);
	(void)rmdir(path);
	(void)snprintf(path, sizeof(path), "%s/large", bench->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/written", bench->dir);
	(void)unlink(path);
	(void)rmdir(bench->dir);
}

/* In memory where there is room: it is not the disk that is measured. */
static void choose_dir(struct bench *bench)
{
	const char *base = getenv("TMPDIR");
	struct statfs fs;

	if (statfs("/dev/shm", &fs) == 0 && access("/dev/shm", W_OK) == 0 &&
	    (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize > 4 * bench->bytes)
		base = "/dev/shm";
	(void)snprintf(bench->dir, sizeof(bench->dir),
		       "%s/csftp-bench-server.XXXXXX",
		       base && *base ? base : "/tmp");
	if (!mkdtemp(bench->dir))
		peer_die("%s: %s", bench->dir, strerror(errno));
}

static unsigned number(const char *name, unsigned usual, unsigned most)
{
	const char *said = getenv(name);
	unsigned long value = said ? strtoul(said, NULL, 10) : usual;

	if (value < 1 || value > most)
		peer_die("%s: from 1 to %u", name, most);
	return (unsigned)value;
}

static void run(const struct bench *bench)
{
	printf("files in %s; medians of %u rounds\n", bench->dir,
	       bench->rounds);
	printf("%-26s %-10s %10s %10s %8s\n", "", "", "ours", "theirs",
	       "ratio");
	(void)fflush(stdout);
	make_large(bench);
	make_names(bench);
	for (size_t i = 0; i < sizeof(measurements) / sizeof(*measurements);
	     i++)
		if (!bench->only || strstr(measurements[i].name, bench->only))
			compare(bench, &measurements[i]);
}

/* For the handler below. */
static volatile pid_t worker;

static void pass_on(int number)
{
	if (worker > 0)
		(void)kill(worker, number);
}

/* In a child, as whatever goes wrong, or a Ctrl-C, ends that. */
static int run_and_clean_up(const struct bench *bench)
{
	struct sigaction action = {.sa_handler = pass_on};
	int status = 0;

	worker = fork();
	if (worker < 0)
		peer_die("fork: %s", strerror(errno));
	if (worker == 0) {
		run(bench);
		exit(EXIT_SUCCESS);
	}
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
		continue;
	remove_all(bench);
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void set_up(struct bench *bench, char **argv)
{
	bench->server[0] = argv[1];
	bench->server[1] = argv[2];
	bench->rounds = number("CSFTP_BENCH_ROUNDS", 3, ROUNDS_MAX);
	bench->bytes =
		(uint64_t)number("CSFTP_BENCH_SERVER_MIB", 512, MIB) * MIB;
	bench->ops = number("CSFTP_BENCH_OPS", 20000, 100 * MIB);
	bench->only = getenv("CSFTP_BENCH_ONLY");
	bench->payload = malloc(MIB);
	if (!bench->payload)
		peer_die("out of memory");
	memset(bench->payload, 'x', MIB);
	choose_dir(bench);
}

int main(int argc, char **argv)
{
	struct bench bench = {.rounds = 0};

	if (argc != 3)
		peer_die("usage: server OURS THEIRS");
	set_up(&bench, argv);
	return run_and_clean_up(&bench);
}
