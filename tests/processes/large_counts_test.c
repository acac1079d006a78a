/* Counts beyond 2^31 elements, which would not fit into an int: tutti run -n 2 large_counts_test.
 * Each rank marks a few places, among them the last one, and nothing else may change. */
#define _DEFAULT_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "expect.h"
#include "tutti/tutti.h"

enum { ranks = 2, mark_count = 5 };
static const size_t elements = ((size_t)1 << 31) + 17;
static const size_t marks[mark_count] = {0, 4095, ((size_t)1 << 31) - 1, (size_t)1 << 31, ((size_t)1 << 31) + 16};

/* How many of the elements differ from zero. */
static size_t non_zero(const uint8_t* values, size_t count) {
  static const uint8_t zeros[4096];
  size_t found = 0;
  for (size_t at = 0; at < count; at += sizeof zeros) {
    const size_t length = count - at < sizeof zeros ? count - at : sizeof zeros;
    if (memcmp(values + at, zeros, length) == 0) continue;
    for (size_t i = at; i < at + length; ++i) found += values[i] != 0;
  }
  return found;
}

static void set_marks(uint8_t* values, uint8_t value) {
  memset(values, 0, elements);
  for (int i = 0; i < mark_count; ++i) values[marks[i]] = (uint8_t)(value + i);
}

static void expect_marks(const uint8_t* values, int factor, int value) {
  for (int i = 0; i < mark_count; ++i) EXPECT(values[marks[i]] == factor * i + value);
  EXPECT(non_zero(values, elements) == mark_count);
}

int main(void) {
  tutti_comm* comm = NULL;
  EXPECT(tutti_init_from_env(&comm) == TUTTI_OK);
  if (comm == NULL) return failures_seen();
  int rank = 0, size = 0;
  EXPECT(tutti_comm_rank(comm, &rank) == TUTTI_OK);
  EXPECT(tutti_comm_size(comm, &size) == TUTTI_OK);
  EXPECT(size == ranks);
  uint8_t* values = mmap(NULL, elements, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT(values != MAP_FAILED);

  set_marks(values, (uint8_t)(10 + rank));
  EXPECT(tutti_allreduce(values, values, elements, TUTTI_UINT8, TUTTI_SUM, comm) == TUTTI_OK);
  expect_marks(values, 2, 21);

  set_marks(values, (uint8_t)(rank == 1 ? 50 : 0));
  EXPECT(tutti_broadcast(values, elements, TUTTI_UINT8, 1, comm) == TUTTI_OK);
  expect_marks(values, 1, 50);

  EXPECT(munmap(values, elements) == 0);
  EXPECT(tutti_comm_free(comm) == TUTTI_OK);
  return failures_seen();
}
