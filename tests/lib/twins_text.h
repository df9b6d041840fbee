/* Requests and answers as text, for twins.c to compare. */
#ifndef CSFTP_TESTS_TWINS_TEXT_H
#define CSFTP_TESTS_TWINS_TEXT_H

#include "tests/lib/twins.h"

#define TWINS_SAID_MAX (1024U * 1024U)

/* All add to a text that has room for TWINS_SAID_MAX bytes. */
__attribute__((format(printf, 2, 3))) void twins_say(char *said,
						     const char *format, ...);

/* twin->answer, to twin->said. */
void twins_say_answer(const struct twins *twins, struct twin *twin);

/* more: bytes that follow, or are missing. */
void twins_say_request(char *text, const struct sftp_msg *msg, int more);

#endif
