/*
 * Memory that is counted, and that ends: for tests that are linked with
 * --wrap of the allocator's calls, see the Makefile.
 */
#ifndef CSFTP_TESTS_MEMORY_H
#define CSFTP_TESTS_MEMORY_H

/* Calls that ask for memory, since the program began. */
unsigned long memory_calls(void);

/* That call from now on, counted from 1, finds none; 0: none does. */
void memory_fail_at(unsigned long nth);

/* What is left of that: 0 where it has failed, or none was to. */
unsigned long memory_left(void);

#endif
