/* Whole packets to and from one end of an engine, as a test says them. */
#ifndef CSFTP_TESTS_PACKETS_H
#define CSFTP_TESTS_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/sftp/msg.h"
#include "csftp/link.h"

/*
 * Gives the engine the bytes, as far as it takes them: one that has ended, or
 * that waits until its output is read, leaves the rest.
 */
void packets_say(struct csftp_link *link, const void *bytes, size_t len);

/* The same of hexadecimal text, of up to 1024 bytes. */
void packets_say_hex(struct csftp_link *link, const char *hex);

/*
 * Takes one packet off the engine's output; false if there is none.  msg
 * points into buf.  Fails the test unless the packet fits and decodes.
 */
bool packets_next(struct csftp_link *link, uint8_t *buf, size_t size,
		  struct sftp_msg *msg);

#endif
