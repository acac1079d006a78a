/* What tutti-perf and the driver ranks it starts say to each other: fixed records over a Unix socket of
 * packets, one for each rank, and a page of memory that all ranks of a job share with tutti-perf.
 *
 * Every rank has a socket of its own, so that a job which is not on turn sleeps in recv(2) on all its ranks
 * and takes no time from the job that is measured. Both sides are built from this header on one machine. */
#ifndef TUTTI_PERF_PROTOCOL_H
#define TUTTI_PERF_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define PERF_PROTOCOL_VERSION 3
#define PERF_NAME_ROOM 32
#define PERF_TEXT_ROOM 512
/* Samples of one turn; more turns bring more samples. */
#define PERF_TURN_SAMPLES 2048
#define PERF_LINE 64
/* The windows in which the bound's job passes bytes from core to core, per rank. */
#define PERF_SLOT_BYTES (1024 * 1024)

/* First packet of a rank to tutti-perf. */
struct perf_hello {
  uint32_t protocol;
  int32_t rank;
  int32_t size;
  int32_t pid;
  char version[PERF_TEXT_ROOM];
};

/* tutti-perf's answer, with the file descriptor of the shared page attached. */
struct perf_welcome {
  uint64_t page_bytes;
  uint64_t buffer_bytes; /* the longest vector of this run */
  int32_t more_ranks_than_cores;
};

enum perf_action {
  PERF_CHECK = 0,   /* fill, call once, compare every element on every rank */
  PERF_RECHECK = 1, /* compare what the last timed call left in the output, without a new call where that is possible */
  PERF_TIME = 2,    /* `samples` times from a common start, after `warm_up` calls */
  PERF_CPU = 3,     /* CPU time of this process over `samples` calls in a row */
  PERF_CHOICE = 4,  /* which algorithm the call would run */
  PERF_QUIT = 5
};

enum perf_mode {
  PERF_BLOCKING = 0,
  PERF_NONBLOCKING = 1, /* begin and wait at once */
  PERF_OVERLAPPED = 2,  /* begin, compute for compute_ns, wait */
  PERF_COMPUTE = 3      /* compute alone */
};

struct perf_request {
  int32_t action;
  int32_t mode;
  int32_t in_place;
  int32_t root;
  uint32_t batch; /* calls timed together */
  uint32_t samples;
  uint32_t warm_up;
  uint32_t seed;
  uint64_t count; /* elements as the collective counts them: of one block, where the vector has one for each rank */
  uint64_t compute_ns;
  uint64_t turn; /* how many requests this job has had: common starts are counted anew in each */
  char collective[PERF_NAME_ROOM];
  char type[PERF_NAME_ROOM];
  char op[PERF_NAME_ROOM];
  char algorithm[PERF_TEXT_ROOM]; /* forced; empty where the library chooses */
  /* Of calls that may lose something, and of the dense ones beside them. */
  char distribution[PERF_TEXT_ROOM]; /* of their inputs; empty: whole numbers, whose sums are exact */
  double density;                    /* topk-allreduce: the share that each rank selects */
  int32_t bits;                      /* quantised-allreduce: of a number on the wire; else 0 */
  int32_t dense_result;              /* topk-allreduce: the result is a whole vector, not pairs */
};

struct perf_reply {
  int32_t failed;  /* `text` says why */
  int32_t correct; /* PERF_CHECK, PERF_RECHECK */
  int64_t cpu_ns;  /* PERF_CPU */
  /* PERF_CHECK, PERF_RECHECK of inputs with a distribution, against the exact sum */
  double max_abs_error;
  double nrmse;
  double snr_db;
  uint64_t digest;     /* of the result's bits */
  uint64_t wire_bytes; /* that this rank sent in the call; 0 where the library does not tell */
  char text[PERF_TEXT_ROOM];
};

/* One timed sample of one rank, both in nanoseconds after the common start. */
struct perf_sample {
  int64_t entered;
  int64_t left;
};

/* A counter alone on its cache line. */
struct perf_line {
  uint64_t value;
  char padding[PERF_LINE - sizeof(uint64_t)];
};

/* The shared page begins with this; then, for p ranks: p lines "arrived", p lines "barrier check", p times
 * PERF_TURN_SAMPLES samples, and for the bound's job p + 1 slots of PERF_SLOT_BYTES with p lines "filled" and
 * p lines "emptied" and one vector of the root. perf_offset_* tell where. */
struct perf_page {
  struct perf_line announced; /* sequence number of the newest common start */
  struct perf_line start_ns;  /* its time on CLOCK_MONOTONIC */
  struct perf_line abandoned; /* the turn in which a call failed somewhere: nobody waits for that rank any more */
  struct perf_line turn;      /* whose turn it is in the bound's ping-pong */
};

static inline size_t perf_offset_arrived(void) { return sizeof(struct perf_page); }
static inline size_t perf_offset_entered(int size) {
  return perf_offset_arrived() + (size_t)size * sizeof(struct perf_line);
}
static inline size_t perf_offset_filled(int size) {
  return perf_offset_entered(size) + (size_t)size * sizeof(struct perf_line);
}
static inline size_t perf_offset_emptied(int size) {
  return perf_offset_filled(size) + (size_t)size * sizeof(struct perf_line);
}
static inline size_t perf_offset_samples(int size) {
  return perf_offset_emptied(size) + (size_t)size * sizeof(struct perf_line);
}
static inline size_t perf_offset_slots(int size) {
  size_t end = perf_offset_samples(size) + (size_t)size * PERF_TURN_SAMPLES * sizeof(struct perf_sample);
  return (end + 4095) / 4096 * 4096;
}
static inline size_t perf_offset_root_vector(int size) {
  return perf_offset_slots(size) + (size_t)size * PERF_SLOT_BYTES;
}

#endif
