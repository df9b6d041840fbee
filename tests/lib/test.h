/* cmocka with the headers that it wants first. */
#ifndef CSFTP_TESTS_TEST_H
#define CSFTP_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
