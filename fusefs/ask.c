#include "fusefs/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fusefs/control.h"

/*
 * The mount point's own directory is looked up, but not what is mounted there:
 * that might have to wait for the server.
 */
static char *mount_path(char *given)
{
	char *name, *dir = NULL, *path = NULL;
	size_t len = strlen(given);

	while (len > 1 && given[len - 1] == '/')
		given[--len] = '\0';
	name = strrchr(given, '/');
	if (name && strcmp(name, "/") != 0 && strcmp(name, "/.") != 0 &&
	    strcmp(name, "/..") != 0) {
		*name++ = '\0';
		dir = realpath(*given ? given : "/", NULL);
	} else if (!name && strcmp(given, ".") != 0 &&
		   strcmp(given, "..") != 0) {
		name = given;
		dir = realpath(".", NULL);
	} else {
		return realpath(given, NULL);
	}
	if (dir &&
	    asprintf(&path, "%s/%s", strcmp(dir, "/") ? dir : "", name) < 0)
		path = NULL;
	free(dir);
	return path;
}

int ask_process(const char *mountpoint, const char *order, FILE *to)
{
	char *given = strdup(mountpoint);
	char *path = given ? mount_path(given) : NULL;
	int err = path ? control_ask(path, order, to) : errno;

	/* Nothing is mounted there, so it can be looked at: is it a link? */
	if (err == ENODEV) {
		free(path);
		path = realpath(mountpoint, NULL);
		err = path ? control_ask(path, order, to) : errno;
	}
	if (!err && fflush(to) != 0)
		err = errno;
	free(path);
	free(given);
	return err;
}
