/* Levels and facilities of the log, by the words of sshd_config(5). */
#ifndef CSFTP_SERVER_LOG_WORDS_H
#define CSFTP_SERVER_LOG_WORDS_H

#include <stdbool.h>

#include "server/log.h"

/* In any case of letters; false: there is no such word. */
bool log_level_of(const char *text, enum log_level *out);
bool log_facility_of(const char *text, int *out);

/* "?" for what has no word. */
const char *log_level_word(enum log_level level);
const char *log_facility_word(int facility);

#endif
