/* Timing from a common start, and the CPU time of a call. */
#ifndef TUTTI_PERF_MEASURE_H
#define TUTTI_PERF_MEASURE_H

#include "library.h"

struct measure {
  struct library* library;
  char* page;
  int rank;
  int size;
  int more_ranks_than_cores;
  uint64_t turn;
  uint64_t sequence;              /* the turn in the high half, its common starts so far in the low half */
  double compute_iterations_a_ns; /* how fast this core runs the loop that stands for an application */
};

/* Begins turn number `turn`: whatever a failed turn left behind, all ranks count their common starts alike. */
void measure_begin_turn(struct measure* measure, uint64_t turn);
void measure_calibrate(struct measure* measure);
/* Writes `samples` samples into the shared page. Returns 0, or 1 where a call failed. */
int measure_time(struct measure* measure, const struct perf_request* request);
/* The CPU time of this process in nanoseconds over `samples` calls in a row, or -1 where a call failed. */
int64_t measure_cpu(struct measure* measure, const struct perf_request* request);
/* 1 if no rank left the barrier before all had entered it, -1 where the call failed. */
int measure_check_barrier(struct measure* measure);

#endif
