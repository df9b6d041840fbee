#include "server/csftpd/hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/wire.h"
#include "server/descriptor.h"

enum { TEXT_MAX = 64 * 1024, SEED = 32, POINT = 32 };

static bool fail(char why[HOSTKEY_WHY_MAX], const char *path, const char *text)
{
	(void)snprintf(why, HOSTKEY_WHY_MAX, "%.400s: %s", path, text);
	return false;
}

/* RFC 4648, 4; lines of 70 digits as OpenSSH has them. */
static size_t encode(const uint8_t *from, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0, column = 0;

	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)from[i] << 16;

		if (have > 1)
			bits |= (uint32_t)from[i + 1] << 8;
		if (have > 2)
			bits |= from[i + 2];
		for (size_t k = 0; k < 4; k++) {
			if (column++ == 70) {
				out[n++] = '\n';
				column = 1;
			}
			out[n++] = k <= have ? digits[bits >> (18 - 6 * k) & 63]
					     : '=';
		}
	}
	out[n] = '\0';
	return n;
}

static void put_public(struct wire_wr *wr, const uint8_t point[POINT])
{
	wire_wr_string(wr, "ssh-ed25519", 11);
	wire_wr_string(wr, point, POINT);
}

/* OpenSSH PROTOCOL.key, without a passphrase. */
static size_t private_file(char *out, const uint8_t seed[SEED],
			   const uint8_t point[POINT])
{
	static const char magic[] = "openssh-key-v1";
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	static const char end[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
	uint8_t bytes[512];
	struct wire_wr wr = {.base = bytes, .cap = sizeof(bytes)};
	uint32_t check = wire_get_u32(point);
	size_t mark, start, n = sizeof(begin) - 1;

	wire_wr_raw(&wr, magic, sizeof(magic));
	wire_wr_string(&wr, "none", 4);
	wire_wr_string(&wr, "none", 4);
	wire_wr_string(&wr, "", 0);
	wire_wr_u32(&wr, 1);
	mark = wire_wr_open(&wr);
	put_public(&wr, point);
	wire_wr_close(&wr, mark);
	mark = wire_wr_open(&wr);
	start = wr.len;
	wire_wr_u32(&wr, check);
	wire_wr_u32(&wr, check);
	put_public(&wr, point);
	wire_wr_u32(&wr, SEED + POINT);
	wire_wr_raw(&wr, seed, SEED);
	wire_wr_raw(&wr, point, POINT);
	wire_wr_string(&wr, "", 0);
	for (uint8_t pad = 1; (wr.len - start) % 8 != 0; pad++)
		wire_wr_u8(&wr, pad);
	wire_wr_close(&wr, mark);
	memcpy(out, begin, n);
	n += encode(bytes, wr.len, out + n);
	memcpy(out + n, end, sizeof(end));
	explicit_bzero(bytes, sizeof(bytes));
	return n + sizeof(end) - 1;
}

static size_t public_file(char *out, const uint8_t point[POINT])
{
	uint8_t bytes[64];
	char digits[128];
	struct wire_wr wr = {.base = bytes, .cap = sizeof(bytes)};
	int len;

	put_public(&wr, point);
	(void)encode(bytes, wr.len, digits);
	len = snprintf(out, 256, "ssh-ed25519 %s csftpd\n", digits);
	return len > 0 ? (size_t)len : 0;
}

/* The public half of a seed, by way of PKCS #8 (RFC 8410, 7). */
static bool point_of(const uint8_t seed[SEED], uint8_t point[POINT])
{
	static const uint8_t head[16] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
					 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
					 0x04, 0x22, 0x04, 0x20};
	uint8_t der[sizeof(head) + SEED];
	char digits[96], text[256];
	struct csftp_ssh_key *key;
	struct csftp_ssh_bytes blob;
	bool good;

	memcpy(der, head, sizeof(head));
	memcpy(der + sizeof(head), seed, SEED);
	(void)encode(der, sizeof(der), digits);
	(void)snprintf(text, sizeof(text),
		       "-----BEGIN PRIVATE KEY-----\n%s\n"
		       "-----END PRIVATE KEY-----\n",
		       digits);
	good = csftp_ssh_key_read(&key, text, strlen(text), NULL) == CSFTP_OK;
	explicit_bzero(der, sizeof(der));
	explicit_bzero(digits, sizeof(digits));
	explicit_bzero(text, sizeof(text));
	if (!good)
		return false;
	blob = csftp_ssh_key_blob(key);
	memcpy(point, blob.ptr + blob.len - POINT, POINT);
	csftp_ssh_key_free(key);
	return true;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			text += put;
			len -= (size_t)put;
		}
	}
	return fsync(fd) == 0;
}

/*
 * Appears whole or not at all.  What another process made first stays, and
 * *ours is false.
 */
static bool write_new(const char *path, const char *text, size_t len,
		      mode_t mode, bool *ours)
{
	char draft[PATH_MAX];
	bool good;
	int fd, saved;

	if (snprintf(draft, sizeof(draft), "%s.XXXXXX", path) >=
	    (int)sizeof(draft)) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return false;
	good = fchmod(fd, mode) == 0 && write_all(fd, text, len);
	*ours = good && link(draft, path) == 0;
	good = *ours || (good && errno == EEXIST);
	saved = errno;
	close(fd);
	(void)unlink(draft);
	errno = saved;
	return good;
}

static void make_directories(const char *path)
{
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof(dir))
		return;
	memcpy(dir, path, strlen(path) + 1);
	for (char *slash = strchr(dir + 1, '/'); dir[0] && slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(dir, 0700); /* writing finds what is wrong */
		*slash = '/';
	}
}

static bool make(const char *path, char why[HOSTKEY_WHY_MAX])
{
	uint8_t seed[SEED], point[POINT];
	char text[1024], public[256], public_path[PATH_MAX];
	size_t len;
	bool good, ours = false;

	if (getrandom(seed, sizeof(seed), 0) != SEED)
		return fail(why, path, strerror(errno));
	if (!point_of(seed, point))
		return fail(why, path, "cannot make a key");
	make_directories(path);
	len = private_file(text, seed, point);
	good = write_new(path, text, len, 0600, &ours);
	if (!good)
		(void)fail(why, path, strerror(errno));
	explicit_bzero(seed, sizeof(seed));
	explicit_bzero(text, sizeof(text));
	len = public_file(public, point);
	/* For people to copy; nobody depends on it.  It is that key's. */
	if (ours && snprintf(public_path, sizeof(public_path), "%s.pub", path) <
			    (int)sizeof(public_path))
		(void)!write_new(public_path, public, len, 0644, &ours);
	return good;
}

static bool read_text(struct hostkey *key, int fd)
{
	ssize_t got;

	key->text = malloc(TEXT_MAX);
	if (!key->text)
		return false;
	do {
		got = read(fd, key->text + key->len, TEXT_MAX - key->len);
		if (got > 0)
			key->len += (size_t)got;
	} while ((got > 0 && key->len < TEXT_MAX) ||
		 (got < 0 && errno == EINTR));
	return got >= 0;
}

struct csftp_ssh_key *hostkey_open(const struct hostkey *key)
{
	struct csftp_ssh_key *out;

	if (csftp_ssh_key_read(&out, key->text, key->len, NULL) != CSFTP_OK)
		return NULL;
	return out;
}

static bool is_a_key(const struct hostkey *key, const char *path,
		     char why[HOSTKEY_WHY_MAX])
{
	struct csftp_ssh_key *out;
	enum csftp_err err =
		csftp_ssh_key_read(&out, key->text, key->len, NULL);

	if (err == CSFTP_ERR_DENIED)
		return fail(why, path, "has a passphrase");
	if (err != CSFTP_OK)
		return fail(why, path, "no private key that can be used");
	csftp_ssh_key_free(out);
	return true;
}

static bool load(struct hostkey *key, const char *path,
		 char why[HOSTKEY_WHY_MAX])
{
	const char *wrong;
	struct stat st;
	int fd = descriptor_of_file(path, &st, &wrong);
	bool good;

	if (fd < 0)
		return fail(why, path, wrong);
	/* As sshd: of others' keys that is their owners' business. */
	good = st.st_uid != geteuid() || (st.st_mode & 077) == 0;
	if (!good)
		(void)fail(why, path, "others can read it; chmod 600 it");
	else if (!read_text(key, fd))
		good = fail(why, path, strerror(errno));
	close(fd);
	return good && is_a_key(key, path, why);
}

/* The deepest directory on the way to it that is there already. */
static bool could_make(const char *path, char why[HOSTKEY_WHY_MAX])
{
	char dir[PATH_MAX];
	char *slash;

	if (strlen(path) >= sizeof(dir))
		return fail(why, path, strerror(ENAMETOOLONG));
	memcpy(dir, path, strlen(path) + 1);
	do {
		slash = strrchr(dir, '/');
		if (!slash)
			(void)snprintf(dir, sizeof(dir), ".");
		else
			slash[slash == dir] = '\0';
	} while (access(dir, F_OK) != 0 && errno == ENOENT && slash != dir);
	if (access(dir, W_OK | X_OK) == 0)
		return true;
	return fail(why, path, strerror(errno));
}

bool hostkey_load(struct hostkey *key, const char *path,
		  enum hostkey_missing missing, bool *missed,
		  char why[HOSTKEY_WHY_MAX])
{
	*key = (struct hostkey){.text = NULL};
	*missed = access(path, F_OK) != 0 && errno == ENOENT;
	if (*missed && missing == HOSTKEY_LEAVE)
		return could_make(path, why);
	if (*missed && !make(path, why))
		return false;
	if (load(key, path, why))
		return true;
	hostkey_release(key);
	return false;
}

void hostkey_release(struct hostkey *key)
{
	if (key->text)
		explicit_bzero(key->text, TEXT_MAX);
	free(key->text);
	*key = (struct hostkey){.text = NULL};
}
