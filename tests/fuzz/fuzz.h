/* What the fuzz targets share. */
#ifndef CSFTP_TESTS_FUZZ_H
#define CSFTP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* libFuzzer calls it with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

/* A claim: the input for which it does not hold is kept by libFuzzer. */
static inline void must(bool holds)
{
	if (!holds)
		abort();
}

static inline size_t fuzz_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

#endif
