/* Timing from a common start. The lead rank waits until all have arrived, announces a time a little ahead, and every
 * rank begins then; the time of a sample is the last rank's end minus that start (tutti-perf takes the maximum). A
 * barrier of the measured library would promise nothing about a simultaneous exit, and would be measured with it. */
#include "measure.h"

#include "clock.h"

/* How far ahead a start is announced: long enough for the announcement to reach every rank, and, where ranks share
 * cores, for each of them to have had its turn. */
#define LEAD_NS 1000
#define LEAD_SHARED_NS 10000

static struct perf_line* line(const struct measure* measure, size_t offset, int index) {
  return (struct perf_line*)(void*)(measure->page + offset) + index;
}

static uint64_t load(const struct perf_line* at) { return __atomic_load_n(&at->value, __ATOMIC_ACQUIRE); }
static void store(struct perf_line* at, uint64_t value) { __atomic_store_n(&at->value, value, __ATOMIC_RELEASE); }

void measure_begin_turn(struct measure* measure, uint64_t turn) {
  measure->turn = turn;
  measure->sequence = turn << 32;
}

/* Returns 0 when the line holds at least `value`, 1 where a rank has abandoned this turn and will never come. */
static int wait_for(struct measure* measure, const struct perf_line* at, uint64_t value) {
  const struct perf_page* page = (const struct perf_page*)(const void*)measure->page;
  while (load(at) < value) {
    if (load(&page->abandoned) == measure->turn) return 1;
    wait_a_turn(measure->more_ranks_than_cores);
  }
  return 0;
}

static int abandon(struct measure* measure) {
  store(&((struct perf_page*)(void*)measure->page)->abandoned, measure->turn);
  return 1;
}

/* Returns 0 with the common start, and in `entered` when this rank saw it pass; 1 where the turn was abandoned. */
static int common_start(struct measure* measure, int64_t* start, int64_t* entered) {
  struct perf_page* page = (struct perf_page*)(void*)measure->page;
  int shared = measure->more_ranks_than_cores;
  uint64_t sequence = ++measure->sequence;
  store(line(measure, perf_offset_arrived(), measure->rank), sequence);
  if (measure->rank == 0) {
    for (int rank = 0; rank < measure->size; ++rank)
      if (wait_for(measure, line(measure, perf_offset_arrived(), rank), sequence)) return 1;
    int64_t lead = shared ? LEAD_SHARED_NS * (int64_t)measure->size : LEAD_NS;
    store(&page->start_ns, (uint64_t)(now_ns() + lead));
    store(&page->announced, sequence);
  } else if (wait_for(measure, &page->announced, sequence)) {
    return 1;
  }
  *start = (int64_t)load(&page->start_ns);
  while ((*entered = now_ns()) < *start)
    if (shared) sched_yield();
  return 0;
}

/* Stands for an application's own work: dependent arithmetic in registers, no memory. */
static double compute(uint64_t iterations) {
  double x = 1.0;
  for (uint64_t i = 0; i < iterations; ++i) {
    x = x * 1.0000001 + 1e-9;
    __asm__ __volatile__("" : "+m"(x));
  }
  return x;
}

void measure_calibrate(struct measure* measure) {
  const uint64_t iterations = 2000000;
  compute(iterations / 10);
  int64_t start = now_ns();
  compute(iterations);
  measure->compute_iterations_a_ns = (double)iterations / (double)(now_ns() - start);
}

static int run(struct measure* measure, const struct perf_request* request, uint64_t iterations) {
  int failed = 0;
  if (request->mode == PERF_BLOCKING) return library_call(measure->library);
  if (request->mode != PERF_COMPUTE) failed = library_begin(measure->library);
  if (request->mode != PERF_NONBLOCKING) compute(iterations);
  if (request->mode != PERF_COMPUTE && !failed) failed = library_complete(measure->library);
  return failed;
}

int measure_time(struct measure* measure, const struct perf_request* request) {
  struct perf_sample* samples = (struct perf_sample*)(void*)(measure->page + perf_offset_samples(measure->size)) +
                                (size_t)measure->rank * PERF_TURN_SAMPLES;
  uint64_t iterations = (uint64_t)((double)request->compute_ns * measure->compute_iterations_a_ns);
  int64_t start, entered;
  if (common_start(measure, &start, &entered)) return 1;
  for (uint32_t i = 0; i < request->warm_up; ++i)
    if (run(measure, request, iterations)) return abandon(measure);
  for (uint32_t i = 0; i < request->samples; ++i) {
    if (common_start(measure, &start, &entered)) return 1;
    for (uint32_t call = 0; call < request->batch; ++call)
      if (run(measure, request, iterations)) return abandon(measure);
    int64_t left = now_ns();
    samples[i].entered = entered - start;
    samples[i].left = left - start;
  }
  return 0;
}

int64_t measure_cpu(struct measure* measure, const struct perf_request* request) {
  int64_t start, entered;
  if (common_start(measure, &start, &entered)) return -1;
  int64_t before = clock_now(CLOCK_PROCESS_CPUTIME_ID);
  for (uint32_t i = 0; i < request->samples; ++i)
    if (run(measure, request, 0)) return -abandon(measure);
  return clock_now(CLOCK_PROCESS_CPUTIME_ID) - before;
}

int measure_check_barrier(struct measure* measure) {
  struct perf_line* mine = line(measure, perf_offset_entered(measure->size), measure->rank);
  uint64_t round = load(mine) + 1;
  store(mine, round);
  if (library_call(measure->library)) return -1;
  for (int rank = 0; rank < measure->size; ++rank)
    if (load(line(measure, perf_offset_entered(measure->size), rank)) < round) return 0;
  return 1;
}
