/* Memory for secrets. */
#ifndef CSFTP_FUSEFS_LOCKED_H
#define CSFTP_FUSEFS_LOCKED_H

#include <stddef.h>
#include <stdint.h>

/*
 * It is not written to swap as far as RLIMIT_MEMLOCK allows, nor to core dumps,
 * nor seen by processes that fork(2) makes.  Zeros at first.  NULL: there is
 * none.
 */
uint8_t *locked_new(size_t size);

/* Wipes it first; NULL is fine. */
void locked_free(uint8_t *memory, size_t size);

#endif
