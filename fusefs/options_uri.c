#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fusefs/options_impl.h"

/*
 * sftp://[user@]host[:port][/path], as file managers write it
 * (draft-ietf-secsh-scp-sftp-ssh-uri-04, 4), with bytes as in any URI.
 */

#define SCHEME "sftp://"

bool options_is_uri(const char *target)
{
	return !strncmp(target, SCHEME, sizeof(SCHEME) - 1);
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)(tolower((unsigned char)c) - 'a') + 10;
}

/* RFC 3986, 2.1: "%41" is a byte.  No path has a byte 0 in it. */
static bool unescape(char *text)
{
	char *to = text;

	while (*text) {
		char byte = *text++;

		if (byte == '%') {
			if (!isxdigit((unsigned char)text[0]) ||
			    !isxdigit((unsigned char)text[1]))
				return false;
			byte = (char)(digit(text[0]) * 16 + digit(text[1]));
			text += 2;
		}
		if (!byte)
			return false;
		*to++ = byte;
	}
	*to = '\0';
	return true;
}

/* Where the port is in "host:port" or "[::1]:port"; NULL: there is none. */
static char *port_of(char *host)
{
	char *end = host[0] == '[' ? strchr(host, ']') : host;

	return end ? strchr(end, ':') : NULL;
}

/* Without a path it is the home; "/~" is so, too, and the rest is absolute. */
static const char *dir_of(const char *path)
{
	return path[0] == '/' && path[1] == '~' ? path + 1 : path;
}

static char *join(const char *login, const char *path)
{
	size_t size = strlen(login) + strlen(path) + 2;
	char *target = malloc(size);

	if (target)
		(void)snprintf(target, size, "%s:%s", login, path);
	return target;
}

/* What would be the end of a host, had it been written so. */
static bool has_end(const char *login)
{
	const char *host = strrchr(login, '@');

	if (host && strcspn(login, ":/") < (size_t)(host - login))
		return true;
	host = host ? host + 1 : login;
	return host[0] != '[' && host[strcspn(host, ":/")];
}

/* Both are changed; port becomes a part of login, or NULL. */
static bool take_apart(const char *uri, char *login, char *path, char **port,
		       char *why)
{
	char *host;

	login[strcspn(login, "/")] = '\0';
	host = strrchr(login, '@');
	*port = port_of(host ? host + 1 : login);
	if (*port)
		*(*port)++ = '\0';
	if (!unescape(login) || !unescape(path))
		return explain(why, "%s: two digits are wanted behind '%%'",
			       uri);
	if (has_end(login))
		return explain(why,
			       "%s: no user or host has ':' or '/' in it, "
			       "and a password has no place there",
			       uri);
	return true;
}

char *options_uri(struct options *options, const char *uri, char *why)
{
	char *login = strdup(uri + sizeof(SCHEME) - 1);
	char *path = login ? strdup(login + strcspn(login, "/")) : NULL;
	char *target = NULL, *port = NULL;

	if (!path)
		(void)explain(why, "out of memory");
	else if (take_apart(uri, login, path, &port, why) &&
		 (!port || !*port || options->port ||
		  options_port(options, port, why))) {
		target = join(login, dir_of(path));
		if (!target)
			(void)explain(why, "out of memory");
	}
	free(login);
	free(path);
	return target;
}
