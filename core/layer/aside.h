/* Names of ours beside what is asked for, for a while. */
#ifndef CSFTP_CORE_LAYER_ASIDE_H
#define CSFTP_CORE_LAYER_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "csftp/fs.h"

/*
 * Writes the path of ".csftp-" and the number, in eight hexadecimal digits, in
 * the directory of another path.  False: that is too long.
 */
bool aside_name(char out[CSFTP_PATH_MAX + 1], const char *path,
		uint32_t number);

#endif
