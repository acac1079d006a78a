/* The one check of the face tests, in C and C++: says what was false and where, and counts it. The test goes on, so
 * that ranks do not leave each other waiting, and ends with failures_seen(). */
#pragma once

#include <stdio.h>

#include "tutti/tutti.h"

static int expect_failures = 0;

static inline void expect_failed(const char* file, int line, const char* text) {
  ++expect_failures;
  fprintf(stderr, "%s:%d: expected %s; last error: %s\n", file, line, text, tutti_error_message(NULL));
}

/* A macro for the sake of the condition's text and line. */
#define EXPECT(condition) ((condition) ? (void)0 : expect_failed(__FILE__, __LINE__, #condition))

/* The exit status of the test. */
static inline int failures_seen(void) { return expect_failures == 0 ? 0 : 1; }
