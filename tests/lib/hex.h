/* Packets as hexadecimal text. */
#ifndef CSFTP_TESTS_HEX_H
#define CSFTP_TESTS_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Decodes pairs of digits; blanks are skipped.  Fails the test on others. */
size_t hex_bytes(const char *text, uint8_t *buf, size_t cap);

#endif
