#include "tests/lib/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

/* Two paths that grow and shrink together while the trees are walked. */
struct walk {
	char left[4096];
	char right[4096];
	unsigned what;
	char *why;
};

struct names {
	char **name;
	size_t count;
};

__attribute__((format(printf, 2, 3))) static int differ(const struct walk *walk,
							const char *format, ...)
{
	va_list args;
	int len;

	len = snprintf(walk->why, TREE_WHY_MAX, "%s: ", walk->left);
	va_start(args, format);
	vsnprintf(walk->why + len, TREE_WHY_MAX - (size_t)len, format, args);
	va_end(args);
	return 1;
}

static int by_bytes(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
}

static bool names_get(struct names *names, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t room = 0;

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (names->count == room) {
			room = room ? 2 * room : 64;
			names->name = realloc(names->name,
					      room * sizeof(*names->name));
			assert_non_null(names->name);
		}
		names->name[names->count] = strdup(entry->d_name);
		assert_non_null(names->name[names->count]);
		names->count++;
	}
	closedir(dir);
	if (names->count > 0)
		qsort(names->name, names->count, sizeof(*names->name),
		      by_bytes);
	return true;
}

static ssize_t read_full(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = read(fd, buf + len, size - len);
		if (got < 0)
			return -1;
		len += (size_t)got;
	} while (got > 0 && len < size);
	return (ssize_t)len;
}

static int compare_fds(struct walk *walk, int left, int right)
{
	static const size_t chunk = 1U << 17;
	char *one = malloc(chunk), *two = malloc(chunk);
	int differs = 0;
	off_t done = 0;
	ssize_t len;

	assert_non_null(one);
	assert_non_null(two);
	do {
		len = read_full(left, one, chunk);
		if (len < 0 || read_full(right, two, chunk) != len)
			differs = differ(walk, "cannot be read alike at %lld",
					 (long long)done);
		else if (memcmp(one, two, (size_t)len) != 0)
			differs = differ(walk, "contents differ behind %lld",
					 (long long)done);
		done += len;
	} while (!differs && len > 0);
	free(one);
	free(two);
	return differs;
}

static int compare_files(struct walk *walk)
{
	int left = open(walk->left, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int right = open(walk->right, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int differs;

	if (left < 0 || right < 0)
		differs = differ(walk, "open: %d, %d: %s", left, right,
				 strerror(errno));
	else
		differs = compare_fds(walk, left, right);
	if (left >= 0)
		close(left);
	if (right >= 0)
		close(right);
	return differs;
}

static int compare_links(struct walk *walk)
{
	char one[4096] = "", two[4096] = "";

	if (readlink(walk->left, one, sizeof(one) - 1) < 0 ||
	    readlink(walk->right, two, sizeof(two) - 1) < 0)
		return differ(walk, "readlink: %s", strerror(errno));
	if (strcmp(one, two) != 0)
		return differ(walk, "says \"%s\", not \"%s\"", one, two);
	return 0;
}

static int compare_here(struct walk *walk);

static int compare_child(struct walk *walk, const char *name)
{
	size_t left = strlen(walk->left), right = strlen(walk->right);
	int differs;

	if (left + strlen(name) + 2 > sizeof(walk->left) ||
	    right + strlen(name) + 2 > sizeof(walk->right))
		return differ(walk, "%s: path too long", name);
	snprintf(walk->left + left, sizeof(walk->left) - left, "/%s", name);
	snprintf(walk->right + right, sizeof(walk->right) - right, "/%s", name);
	differs = compare_here(walk);
	walk->left[left] = '\0';
	walk->right[right] = '\0';
	return differs;
}

static int compare_dirs(struct walk *walk)
{
	struct names one = {0}, two = {0};
	int differs = 0;

	if (!names_get(&one, walk->left) || !names_get(&two, walk->right))
		differs = differ(walk, "opendir: %s", strerror(errno));
	for (size_t i = 0; !differs && i < one.count && i < two.count; i++)
		differs = strcmp(one.name[i], two.name[i]) != 0
				  ? differ(walk, "\"%s\" against \"%s\"",
					   one.name[i], two.name[i])
				  : compare_child(walk, one.name[i]);
	if (!differs && one.count != two.count)
		differs = differ(walk, "%zu names, not %zu", one.count,
				 two.count);
	names_release(&one);
	names_release(&two);
	return differs;
}

static int compare_here(struct walk *walk)
{
	struct stat one, two;
	unsigned what;

	if (lstat(walk->left, &one) != 0 || lstat(walk->right, &two) != 0)
		return differ(walk, "stat: %s", strerror(errno));
	if ((one.st_mode & S_IFMT) != (two.st_mode & S_IFMT))
		return differ(walk, "type %o, not %o", one.st_mode,
			      two.st_mode);
	if (S_ISLNK(one.st_mode))
		return compare_links(walk);
	if (S_ISREG(one.st_mode) && one.st_size != two.st_size)
		return differ(walk, "%lld bytes, not %lld",
			      (long long)one.st_size, (long long)two.st_size);
	what = S_ISDIR(one.st_mode) && (walk->what & TREE_FILES) ? 0
								 : walk->what;
	if ((what & TREE_MODE) && one.st_mode != two.st_mode)
		return differ(walk, "mode %o, not %o", one.st_mode,
			      two.st_mode);
	if ((what & TREE_MTIME) && one.st_mtime != two.st_mtime)
		return differ(walk, "mtime %lld, not %lld",
			      (long long)one.st_mtime, (long long)two.st_mtime);
	if (S_ISDIR(one.st_mode))
		return compare_dirs(walk);
	return S_ISREG(one.st_mode) ? compare_files(walk) : 0;
}

int tree_compare(const char *left, const char *right, unsigned what,
		 char why[TREE_WHY_MAX])
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int differs;

	assert_non_null(walk);
	walk->what = what;
	walk->why = why;
	snprintf(walk->left, sizeof(walk->left), "%s", left);
	snprintf(walk->right, sizeof(walk->right), "%s", right);
	differs = compare_here(walk);
	free(walk);
	return differs;
}

void assert_same_tree(const char *left, const char *right, unsigned what)
{
	static _Thread_local char why[TREE_WHY_MAX];

	if (tree_compare(left, right, what, why) != 0)
		fail_msg("%s and %s: %s", left, right, why);
}

static size_t count_names(char path[4096])
{
	struct names names = {0};
	size_t len = strlen(path);
	size_t count = 0;

	if (names_get(&names, path))
		count = names.count;
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;

		snprintf(path + len, 4096 - len, "/%s", names.name[i]);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			count += count_names(path);
		path[len] = '\0';
	}
	names_release(&names);
	return count;
}

size_t tree_count(const char *path)
{
	char copy[4096];

	snprintf(copy, sizeof(copy), "%s", path);
	return count_names(copy);
}
