/* Inside the options of csftpfs; their contract is options.h. */
#ifndef CSFTP_FUSEFS_OPTIONS_IMPL_H
#define CSFTP_FUSEFS_OPTIONS_IMPL_H

#include "fusefs/options.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * One option of -o; set gets the value, "" where none was given, and leaves a
 * sentence in why if it returns false.
 */
struct keyword {
	const char *name;
	enum { ALONE, VALUE, EITHER } kind;
	bool (*set)(struct options *options, const struct keyword *keyword,
		    const char *value, char *why);
	size_t offset; /* of the member it sets, where the setter needs it */
};

static inline void *member(struct options *options,
			   const struct keyword *keyword)
{
	return (char *)options + keyword->offset;
}

/* Those that came from sshfs last, words of fstab(5); ends with NULL. */
extern const struct keyword options_sshfs[];

/* What is only known when all was read: false, and why. */
bool options_sshfs_check(struct options *options, char *why);

/* A keyword of ssh_config(5) and its value; len is the keyword's. */
bool options_ssh(struct options *options, const char *option, size_t len,
		 char *why);

bool options_port(struct options *options, const char *value, char *why);

/* sftp://[user@]host[:port][/path] (options_uri.c) */
bool options_is_uri(const char *target);
/*
 * The same as [user@]host:[dir], to be freed; a port is kept unless there is
 * one.  NULL: why has a sentence.
 */
char *options_uri(struct options *options, const char *uri, char *why);

/* Always false. */
bool explain(char *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

bool add_string(struct strings *to, const char *text, char *why);

/* A whole number in the base, no sign, at most max. */
bool number(const char *text, int base, uint64_t max, uint64_t *out);
bool set_seconds(double *to, const char *name, const char *text, char *why);

/* Setters of numbers (options_number.c). */
bool options_seconds(struct options *options, const struct keyword *keyword,
		     const char *value, char *why);
bool options_cached(struct options *options, const struct keyword *keyword,
		    const char *value, char *why);
bool options_timeout(struct options *options, const struct keyword *keyword,
		     const char *value, char *why);
bool options_patience(struct options *options, const struct keyword *keyword,
		      const char *value, char *why);
bool options_names(struct options *options, const struct keyword *keyword,
		   const char *value, char *why);
bool options_bytes(struct options *options, const struct keyword *keyword,
		   const char *value, char *why);

bool options_id(struct options *options, const struct keyword *keyword,
		const char *value, char *why);

/* What writers wait for (options_write.c). */
bool options_behind_max(struct options *options, const struct keyword *keyword,
			const char *value, char *why);
bool options_durability(struct options *options, const struct keyword *keyword,
			const char *value, char *why);
/* sshfs_sync */
bool options_sync(struct options *options, const struct keyword *keyword,
		  const char *value, char *why);

/* Setters of more than one table. */
bool keep_text(struct options *options, const struct keyword *keyword,
	       const char *value, char *why);
bool keep_flag(struct options *options, const struct keyword *keyword,
	       const char *value, char *why);
/* What is so in any case. */
bool keep_default(struct options *options, const struct keyword *keyword,
		  const char *value, char *why);

#endif
