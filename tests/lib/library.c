#include "tests/lib/library.h"

#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"

static void send_entry(const struct library *library, void *session,
		       const FTSENT *entry, const char *remote)
{
	char text[PROC_PATH_MAX];
	ssize_t len;

	switch (entry->fts_info) {
	case FTS_D:
		library->mkdir(session, remote);
		return;
	case FTS_SL:
	case FTS_SLNONE:
		len = readlink(entry->fts_path, text, sizeof(text) - 1);
		assert_true(len > 0);
		text[len] = '\0';
		library->symlink(session, text, remote);
		return;
	case FTS_F:
		library->put(session, entry->fts_path, remote);
		break;
	case FTS_DP:
		break;
	default:
		fail_msg("%s: %s", entry->fts_path, strerror(entry->fts_errno));
	}
	library->set(session, remote, entry->fts_statp);
}

void library_send(const struct library *library, void *session,
		  const char *local, const char *remote)
{
	char root[PROC_PATH_MAX], path[PROC_PATH_MAX];
	char *roots[] = {root, NULL};
	FTSENT *entry;
	FTS *walk;

	proc_print(root, sizeof(root), "%s", local);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	assert_non_null(walk);
	while ((entry = fts_read(walk))) {
		proc_print(path, sizeof(path), "%s%s", remote,
			   entry->fts_path + strlen(root));
		send_entry(library, session, entry, path);
	}
	fts_close(walk);
}

/* Where a fetch is. */
struct fetch {
	const struct library *library;
	void *session;
	const char *remote;
	const char *local;
};

static void fetch_dir(struct fetch *fetch);

static void set_local(const char *path, const struct stat *st)
{
	struct timespec times[2] = {st->st_mtim, st->st_mtim};

	assert_int_equal(chmod(path, st->st_mode & 07777), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void fetch_entry(void *arg, const char *name, const struct stat *st)
{
	const struct fetch *up = arg;
	char remote[PROC_PATH_MAX], local[PROC_PATH_MAX], text[PROC_PATH_MAX];
	struct fetch fetch = {up->library, up->session, remote, local};

	proc_print(remote, sizeof(remote), "%s/%s", up->remote, name);
	proc_print(local, sizeof(local), "%s/%s", up->local, name);
	if (S_ISLNK(st->st_mode)) {
		up->library->readlink(up->session, remote, text);
		assert_int_equal(symlink(text, local), 0);
		return;
	}
	if (S_ISDIR(st->st_mode))
		fetch_dir(&fetch);
	else
		up->library->get(up->session, remote, local);
	set_local(local, st);
}

static void fetch_dir(struct fetch *fetch)
{
	assert_int_equal(mkdir(fetch->local, 0700), 0);
	fetch->library->list(fetch->session, fetch->remote, fetch_entry, fetch);
}

void library_fetch(const struct library *library, void *session,
		   const char *remote, const char *local)
{
	struct fetch fetch = {library, session, remote, local};

	fetch_dir(&fetch);
}
