/* Included before everything else by lint.sh: these names do not compile. */
#ifndef CSFTP_TESTS_BANNED_H
#define CSFTP_TESTS_BANNED_H

#include <alloca.h>
/* A parameter of libcrypto's has one of the names. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok

#pragma GCC poison alloca strcpy strcat strncpy strncat sprintf vsprintf
#pragma GCC poison strtok gets atoi atol atoll atof rand srand

#endif
