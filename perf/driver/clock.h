/* The clock that all ranks on one machine share, and what to do while waiting for one another. */
#ifndef TUTTI_PERF_CLOCK_H
#define TUTTI_PERF_CLOCK_H

#include <sched.h>
#include <stdint.h>
#include <time.h>

static inline int64_t clock_now(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t now_ns(void) { return clock_now(CLOCK_MONOTONIC); }

/* One turn of a waiting loop: with a core of its own a rank spins, otherwise it lets the others run. */
static inline void wait_a_turn(int more_ranks_than_cores) {
  if (more_ranks_than_cores) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
