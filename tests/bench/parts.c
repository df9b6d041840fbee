/*
 * What a mount over SSH cannot save: the processor time of each stage that a
 * GiB goes through on its way to a server and back, each by itself, of all
 * processes that take part.  CSFTP_BENCH_MIB: how much; files are on tmpfs
 * where there is one.
 */
#define FUSE_USE_VERSION 314

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKET (32U * 1024U)  /* of SSH */
#define PIECE  (256U * 1024U) /* of SFTP */
#define CHUNK  (1024U * 1024U)
#define PAGE   4096U

enum { FILE_INO = 2, LIMIT_S = 60, TAG = 16 };

/* The one file that is mounted. */
struct sink {
	struct fuse_session *session;
	uint64_t size;
	bool direct;
	char *data;
};

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static void need(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

static char *room(size_t len)
{
	char *at = aligned_alloc(PAGE, len);

	if (!at)
		die("memory");
	memset(at, 'x', len);
	return at;
}

static void write_all(int fd, const char *from, uint64_t bytes, size_t step)
{
	ssize_t n;

	for (; bytes > 0; bytes -= (uint64_t)n) {
		n = write(fd, from, step);
		need(n > 0, "write");
	}
}

static void read_all(int fd, char *to, uint64_t bytes, size_t step)
{
	ssize_t n;

	for (; bytes > 0; bytes -= (uint64_t)n) {
		n = read(fd, to, step);
		need(n > 0, "read");
	}
}

/*
 * A file of the page cache
 */

/* Without a name, as nobody is to find it. */
static int temporary(void)
{
	const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

	need(fd >= 0, dir);
	return fd;
}

static void write_file(uint64_t bytes)
{
	write_all(temporary(), room(PIECE), bytes, PIECE);
}

/* The difference to write_file() is what counts. */
static void write_and_read_file(uint64_t bytes)
{
	int fd = temporary();
	char *buf = room(PIECE);

	write_all(fd, buf, bytes, PIECE);
	need(lseek(fd, 0, SEEK_SET) == 0, "lseek");
	read_all(fd, buf, bytes, PIECE);
}

/*
 * TCP
 */

static int listening(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET};
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(fd >= 0 && bind(fd, (struct sockaddr *)at, len) == 0 &&
		     listen(fd, 1) == 0 &&
		     getsockname(fd, (struct sockaddr *)at, &len) == 0,
	     "socket");
	return fd;
}

static void send_to(const struct sockaddr_in *to, uint64_t bytes)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(fd >= 0 &&
		     connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0,
	     "connect");
	write_all(fd, room(PIECE), bytes, PIECE);
	_exit(0);
}

static void by_tcp(uint64_t bytes)
{
	struct sockaddr_in at;
	int fd = listening(&at);
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0)
		send_to(&at, bytes);
	fd = accept(fd, NULL, NULL);
	need(fd >= 0, "accept");
	read_all(fd, room(PIECE), bytes, PIECE);
	need(waitpid(pid, NULL, 0) == pid, "wait");
}

/*
 * AES-128-GCM
 */

static void seal_or_open(uint64_t bytes, int seals)
{
	uint8_t key[16] = {1}, iv[12] = {2}, tag[TAG] = {0};
	uint8_t *buf = (uint8_t *)room(PACKET);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	need(ctx && EVP_CipherInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, iv,
				      seals) == 1,
	     "AES-GCM");
	for (; bytes >= PACKET; bytes -= PACKET) {
		(void)EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, -1);
		(void)EVP_CipherUpdate(ctx, buf, &n, buf, (int)PACKET);
		if (!seals)
			(void)EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
						  TAG, tag);
		/* What is opened is wrong; that takes no less. */
		(void)EVP_CipherFinal_ex(ctx, buf, &n);
	}
}

static void seal(uint64_t bytes)
{
	seal_or_open(bytes, 1);
}

static void open_sealed(uint64_t bytes)
{
	seal_or_open(bytes, 0);
}

/*
 * FUSE
 */

static void fill(const struct sink *sink, fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){.st_ino = ino, .st_nlink = 1};
	st->st_mode = ino == FILE_INO ? S_IFREG | 0600 : S_IFDIR | 0700;
	st->st_size = ino == FILE_INO ? (off_t)sink->size : 0;
}

static void on_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE);
	conn->max_write = CHUNK;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = FILE_INO, .attr_timeout = 60};

	(void)parent;
	(void)name;
	fill(fuse_req_userdata(req), FILE_INO, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	fill(fuse_req_userdata(req), ino, &st);
	fuse_reply_attr(req, &st, 60);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct sink *sink = fuse_req_userdata(req);

	(void)ino;
	fi->direct_io = sink->direct;
	fuse_reply_open(req, fi);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	const struct sink *sink = fuse_req_userdata(req);

	(void)ino;
	(void)off;
	(void)fi;
	fuse_reply_buf(req, sink->data, size < CHUNK ? size : CHUNK);
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)data;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static void on_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct sink *sink = fuse_req_userdata(req);

	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
	fuse_session_exit(sink->session);
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.release = on_release,
};

/* Payload begins with a page, as in csftpfs. */
static void serve(struct fuse_session *session)
{
	enum { PAYLOAD_AT = 80 };
	struct fuse_buf buf = {
		.mem = room(CHUNK + 2 * PAGE) + PAGE - PAYLOAD_AT,
	};

	while (!fuse_session_exited(session)) {
		struct fuse_buf got = buf;
		int n = fuse_session_receive_buf(session, &got);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(session, &got);
	}
}

static void use_sink(const char *point, uint64_t bytes, bool writes)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/sink", point);
	fd = open(path, writes ? O_WRONLY : O_RDONLY);
	need(fd >= 0, path);
	if (writes)
		write_all(fd, room(CHUNK), bytes, CHUNK);
	else
		read_all(fd, room(CHUNK), bytes, CHUNK);
	_exit(0);
}

static void by_fuse(uint64_t bytes, bool writes, bool direct)
{
	char point[] = "/tmp/csftp-parts.XXXXXX";
	char *argv[] = {(char[]){"parts"}, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct sink sink = {
		.size = bytes, .direct = direct, .data = room(CHUNK)};
	pid_t pid;

	sink.session =
		fuse_session_new(&args, &operations, sizeof(operations), &sink);
	need(sink.session && mkdtemp(point), "FUSE");
	if (fuse_session_mount(sink.session, point) != 0) {
		(void)rmdir(point);
		die("mount");
	}
	pid = fork();
	if (pid == 0)
		use_sink(point, bytes, writes);
	if (pid > 0)
		serve(sink.session);
	fuse_session_unmount(sink.session);
	(void)rmdir(point);
	need(pid > 0 && waitpid(pid, NULL, 0) == pid, "FUSE");
}

static void fuse_write(uint64_t bytes)
{
	by_fuse(bytes, true, true);
}

static void fuse_write_pages(uint64_t bytes)
{
	by_fuse(bytes, true, false);
}

static void fuse_read(uint64_t bytes)
{
	by_fuse(bytes, false, false);
}

/* Processor seconds for a GiB, of the process that does it and its children. */
static double measure(void (*run)(uint64_t bytes), uint64_t bytes)
{
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(LIMIT_S);
		run(bytes);
		_exit(0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
		exit(1);
	return ((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
			1e6) *
	       (double)(1U << 30) / (double)bytes;
}

static double best(void (*run)(uint64_t bytes), uint64_t bytes)
{
	double least = measure(run, bytes);

	for (unsigned i = 1; i < 5; i++) {
		double now = measure(run, bytes);

		least = now < least ? now : least;
	}
	return least;
}

static double show(const char *what, double seconds)
{
	printf("%-46s %5.2f\n", what, seconds);
	return seconds;
}

int main(void)
{
	const char *wish = getenv("CSFTP_BENCH_MIB");
	unsigned mib = 256;
	uint64_t bytes;
	double file, source, way, to, from;

	if (wish && (sscanf(wish, "%u", &mib) != 1 || mib == 0))
		return 2;
	bytes = (uint64_t)mib << 20;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("processor seconds for a GiB, best of 5\n");
	file = show("write to a file", best(write_file, bytes));
	source = show("read from one", best(write_and_read_file, bytes) - file);
	way = show("AES-128-GCM, seal", best(seal, bytes));
	way += show("AES-128-GCM, open", best(open_sealed, bytes));
	way += show("TCP, 256 KiB, both ends", best(by_tcp, bytes));
	(void)show("FUSE write, through pages", best(fuse_write_pages, bytes));
	to = show("FUSE write, past them", best(fuse_write, bytes));
	from = show("FUSE read", best(fuse_read, bytes));
	(void)show("a write in sum: file, FUSE, way, file",
		   source + to + way + file);
	(void)show("a read in sum: file, way, FUSE, file",
		   source + way + from + file);
	return 0;
}
