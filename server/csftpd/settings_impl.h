/* Inside of reading a configuration. */
#ifndef CSFTP_SERVER_CSFTPD_SETTINGS_IMPL_H
#define CSFTP_SERVER_CSFTPD_SETTINGS_IMPL_H

#include "server/csftpd/settings.h"

#define SETTINGS_WORDS	  64U /* on a line */
#define SETTINGS_KEYWORDS 96U /* there are not more */

struct settings_reader {
	struct settings *settings;
	uint8_t source;			 /* 1: command line, 2: file */
	uint8_t seen[SETTINGS_KEYWORDS]; /* where it was given; 0: nowhere */
	const char *file;
	unsigned line;
	const char *keyword; /* as it is written in the manual */
	char *why;	     /* SETTINGS_WHY_MAX */
};

/* Says what is wrong, behind file, line and keyword; false. */
__attribute__((format(printf, 2, 3))) bool
settings_wrong(struct settings_reader *reader, const char *format, ...);

/* word[0] is the keyword; there is at least one more. */
bool settings_apply(struct settings_reader *reader, char **word, size_t count);

/* Lines of what is so in any case. */
void settings_show_fixed(FILE *out);

/* A copy that lives as long as the settings; NULL: no room, and why says so. */
const char *settings_keep(struct settings_reader *reader, const char *text);

/* settings_value.c: values, each false where the text is none. */
bool settings_number(const char *text, uint64_t most, uint64_t *out);
/* sshd_config(5), TIME FORMATS, in milliseconds. */
bool settings_time(const char *text, uint64_t *out_ms);
/* Digits, then K, M, G or nothing. */
bool settings_bytes(const char *text, uint64_t *out);
/* "host", "host:port", "[host]:port", "host port" is two words of a line. */
bool settings_address(char *text, struct settings_address *out);
/* Applies "+list", "-list", "^list" or "list" to the engine's algorithms. */
bool settings_algorithms(struct settings_reader *reader,
			 enum csftp_ssh_alg_kind kind, const char *text,
			 const char **out);

#endif
