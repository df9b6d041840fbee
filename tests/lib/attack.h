/* Attacks on the jail of posixfs, through the server engine. */
#ifndef CSFTP_TESTS_ATTACK_H
#define CSFTP_TESTS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "core/sftp/msg.h"
#include "csftp/serve.h"
#include "server/posixfs.h"
#include "tests/lib/test.h"

/*
 * Outside of the jail is a canary: a directory and a file whose content, name,
 * size and date are found nowhere else.  After each attack they are as they
 * were, and no answer has shown any of them.
 *
 * Attacks that arrive must not arrive at this machine: as root it all happens
 * under a root directory of its own (chroot(2)), and a user's rights are few.
 *
 * What cannot be done fails the running test.
 */

#define ATTACK_CONTENT "canary-content-"
#define ATTACK_INNER   "canary-name"

struct attack {
	char base[64];
	char jail[80];
	char out[80];
	struct stat secret; /* as it was */
	struct stat dir;
	struct csftp_fs *fs;
	struct csftp_serve *serve;
	uint8_t answer[300 * 1024];
	size_t answer_len;
	struct sftp_msg msg; /* the answer, decoded */
	bool seen;	     /* a mark of the canary was in an answer */
	bool changed;	     /* something was done: the jail is not as new */
};

/* For cmocka: the state is a struct attack with a canary and no jail. */
int attack_set_up(void **state);
int attack_tear_down(void **state);

/* Of the test's own making: has to work. */
void attack_must(int result);
__attribute__((format(printf, 2, 3))) void attack_path(char path[256],
						       const char *format, ...);
void attack_make_file(const char *dir, const char *name, const char *text);
void attack_make_dir(const char *dir, const char *name);
void attack_make_link(const char *dir, const char *name, const char *text);
/* Also of what an attack has made unreadable.  There may be none. */
void attack_remove_tree(const char *path);

void attack_make_canary(struct attack *attack);
/* A change of any kind, of a name or of a file, is its end. */
bool attack_canary_lives(const struct attack *attack);
/* What the jail holds: ways out of every kind, to the canary. */
void attack_make_jail(const struct attack *attack);

/* A session. */
void attack_start(struct attack *attack, const struct posixfs_config *config);
void attack_end(struct attack *attack);
/* One request and its answer, which is searched for the canary. */
enum sftp_kind attack_ask(struct attack *attack, const struct sftp_msg *msg);
struct wire_bytes attack_bytes(const char *text);
bool attack_succeeded(const struct attack *attack);

/* A row: the kind, its first path, its second; "@" is the path attacked. */
struct attack_request {
	enum sftp_kind kind;
	const char *path;
	const char *path2;
	uint32_t num;
	struct csftp_attr attr;
};

extern const struct attack_request attack_requests[];
extern const size_t attack_requests_count;

/* Sends it; by the handle that may come of it, all that can be done is done. */
void attack_send(struct attack *attack, const struct attack_request *request,
		 const char *path);

/* The tests as root and as nobody, where we are root, else as we are. */
int attack_run(const struct CMUnitTest *tests, size_t count);

#endif
