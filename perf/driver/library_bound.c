/* The machine itself, behind the driver's seam: what no library can avoid, measured like a library, in the same rounds
 * and on the same cores. Each "collective" here is one part of a bound, `count` its bytes for each rank:
 *
 *   copy-all        every rank copies its own input to its own output, all at once
 *   copy-root       the root alone does so
 *   copy-from-root  every other rank copies the root's vector to its own output, all at once
 *   pass            every rank passes bytes to its right neighbour in windows that fit the cache, all at once:
 *                   the sender writes each byte once, the receiver loads it once
 *   hop             a cache line goes from rank 0 to rank 1 and back (two hops a call)
 *   switch          ranks 0 and 1 share one core and yield to each other (two context switches a call)
 *
 * `algorithm` names the variant: plain or streaming stores; the window's bytes. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "clock.h"
#include "library.h"

/* Windows that may be full at a time, in 1 MiB at most: more room than that leaves the cache and was slower. */
enum { MOST_WINDOWS = 64 };

struct library {
  void (*call)(struct library*);
  void (*copy)(void* to, const void* from, size_t bytes);
  int rank;
  int size;
  int root;
  int shared; /* more ranks than cores: waits yield */
  int yields; /* this part's waits yield */
  size_t bytes;
  size_t window;
  const char* in;
  char* out;
  char* page;
  size_t windows;   /* in flight */
  uint64_t passed;  /* windows passed by each rank so far, in turns that have ended */
  uint64_t emptied; /* windows of ours that we know the neighbour has read */
  uint64_t turns;   /* of the ping-pong so far */
  cpu_set_t cores;
  uint64_t seen; /* keeps the receiver's loads alive */
};

static int number_after(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i)
    if (strcmp(argv[i], name) == 0) return atoi(argv[i + 1]);
  return 0;
}

struct library* library_start(int* argc, char*** argv, int* rank, int* size) {
  struct library* library = calloc(1, sizeof *library);
  if (!library) exit(1);
  library->rank = *rank = number_after(*argc, *argv, "--rank");
  library->size = *size = number_after(*argc, *argv, "--size");
  return library;
}

void library_version(struct library* library, char* text, size_t room) {
  (void)library;
  snprintf(text, room, "the machine");
}

void library_share(struct library* library, char* page, int more_ranks_than_cores) {
  library->page = page;
  library->shared = more_ranks_than_cores;
  sched_getaffinity(0, sizeof library->cores, &library->cores);
}

static void copy_plain(void* to, const void* from, size_t bytes) { memcpy(to, from, bytes); }

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void stream_64(char* to, const char* from, size_t bytes) {
  for (size_t i = 0; i + 64 <= bytes; i += 64)
    _mm512_stream_si512((void*)(to + i), _mm512_loadu_si512((const void*)(from + i)));
}
__attribute__((target("avx2"))) static void stream_32(char* to, const char* from, size_t bytes) {
  for (size_t i = 0; i + 32 <= bytes; i += 32)
    _mm256_stream_si256((__m256i*)(void*)(to + i), _mm256_loadu_si256((const __m256i*)(const void*)(from + i)));
}
static void stream_16(char* to, const char* from, size_t bytes) {
  for (size_t i = 0; i + 16 <= bytes; i += 16)
    _mm_stream_si128((__m128i*)(void*)(to + i), _mm_loadu_si128((const __m128i*)(const void*)(from + i)));
}

/* Stores that pass the caches by, of the widest kind this machine has. */
static void copy_streaming(void* to, const void* from, size_t bytes) {
  size_t whole = bytes / 64 * 64;
  if (__builtin_cpu_supports("avx512f"))
    stream_64(to, from, whole);
  else if (__builtin_cpu_supports("avx2"))
    stream_32(to, from, whole);
  else
    stream_16(to, from, whole);
  _mm_sfence();
  memcpy((char*)to + whole, (const char*)from + whole, bytes - whole);
}
__attribute__((target_clones("avx512f", "avx2", "default")))
#else
static void copy_streaming(void* to, const void* from, size_t bytes) { memcpy(to, from, bytes); }
#endif
uint64_t
load_all(const char* from, size_t bytes) {
  const uint64_t* at = (const uint64_t*)(const void*)from;
  uint64_t mixed = 0;
  for (size_t i = 0; i < bytes / 8; ++i) mixed ^= at[i];
  return mixed;
}

static struct perf_line* line(struct library* l, size_t offset, int rank) {
  return (struct perf_line*)(void*)(l->page + offset) + rank;
}

static void wait_for(struct library* l, const struct perf_line* at, uint64_t value) {
  while (__atomic_load_n(&at->value, __ATOMIC_ACQUIRE) < value) wait_a_turn(l->yields);
}
static void set(struct perf_line* at, uint64_t value) { __atomic_store_n(&at->value, value, __ATOMIC_RELEASE); }

static void copy_all(struct library* l) { l->copy(l->out, l->in, l->bytes); }

static void copy_root(struct library* l) {
  if (l->rank == l->root) copy_all(l);
}

static void copy_from_root(struct library* l) {
  if (l->rank != l->root) l->copy(l->out, l->page + perf_offset_root_vector(l->size), l->bytes);
}

static void pass(struct library* l) {
  int left = (l->rank + l->size - 1) % l->size;
  struct perf_line* my_filled = line(l, perf_offset_filled(l->size), l->rank);
  struct perf_line* my_emptied = line(l, perf_offset_emptied(l->size), l->rank);
  struct perf_line* left_filled = line(l, perf_offset_filled(l->size), left);
  struct perf_line* left_emptied = line(l, perf_offset_emptied(l->size), left);
  char* mine = l->page + perf_offset_slots(l->size) + (size_t)l->rank * PERF_SLOT_BYTES;
  const char* lefts = l->page + perf_offset_slots(l->size) + (size_t)left * PERF_SLOT_BYTES;
  for (size_t done = 0; done < l->bytes; done += l->window) {
    size_t now = l->bytes - done < l->window ? l->bytes - done : l->window;
    size_t slot = l->passed % l->windows * l->window;
    /* The line is read only when the credits that it gave last time are used up. */
    if (l->passed >= l->emptied + l->windows) {
      wait_for(l, my_emptied, l->passed - l->windows + 1);
      l->emptied = __atomic_load_n(&my_emptied->value, __ATOMIC_ACQUIRE);
    }
    memcpy(mine + slot, l->in, now);
    set(my_filled, ++l->passed);
    wait_for(l, left_filled, l->passed);
    l->seen += load_all(lefts + slot, now);
    set(left_emptied, l->passed);
  }
}

static void ping_pong(struct library* l) {
  if (l->rank > 1) return;
  struct perf_line* turn = &((struct perf_page*)(void*)l->page)->turn;
  if (l->rank == 0) {
    set(turn, l->turns + 1);
    wait_for(l, turn, l->turns + 2);
  } else {
    wait_for(l, turn, l->turns + 1);
    set(turn, l->turns + 2);
  }
  l->turns += 2;
}

/* Binds ranks 0 and 1 to two cores, or to one, where the part asks for it; everybody else to the cores of the run. */
static void place(struct library* l, int distance) {
  cpu_set_t set = l->cores;
  if (distance >= 0 && l->rank < 2 && l->shared) {
    int index = 0;
    CPU_ZERO(&set);
    for (size_t core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &l->cores) && index++ == l->rank * distance) CPU_SET(core, &set);
  }
  sched_setaffinity(0, sizeof set, &set);
}

int library_prepare(struct library* library, const struct perf_request* request, const struct buffers* buffers,
                    char* text, size_t room) {
  static const struct {
    const char* name;
    void (*call)(struct library*);
    int distance; /* between the cores of ranks 0 and 1; -1: as in the run */
  } parts[] = {{"copy-all", copy_all, -1}, {"copy-root", copy_root, -1}, {"copy-from-root", copy_from_root, -1},
               {"pass", pass, -1},         {"hop", ping_pong, 1},        {"switch", ping_pong, 0}};
  library->call = NULL;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; ++i)
    if (strcmp(parts[i].name, request->collective) == 0) {
      library->call = parts[i].call;
      library->yields = library->shared && parts[i].distance != 1;
      place(library, parts[i].distance);
    }
  if (!library->call) {
    snprintf(text, room, "'%s' is no part of a bound", request->collective);
    return 1;
  }
  library->copy = strcmp(request->algorithm, "streaming") == 0 ? copy_streaming : copy_plain;
  library->window = library->call == pass ? (size_t)atol(request->algorithm) : 0;
  library->bytes = request->count;
  library->root = request->root;
  library->in = buffers->in;
  library->out = buffers->out;
  library->windows = library->window ? PERF_SLOT_BYTES / library->window : 0;
  if (library->windows > MOST_WINDOWS) library->windows = MOST_WINDOWS;
  if (library->call == pass && library->windows < 2) {
    snprintf(text, room, "windows of %zu bytes do not fit a slot", library->window);
    return 1;
  }
  return 0;
}

int library_choice(struct library* library, char* text, size_t room) {
  (void)library;
  if (room) text[0] = 0;
  return 0;
}
int library_call(struct library* library) {
  library->call(library);
  return 0;
}
int library_begin(struct library* library) { return library_call(library); }
int library_complete(struct library* library) {
  (void)library;
  return 0;
}
const char* library_reason(struct library* library) {
  (void)library;
  return "";
}
void library_result(struct library* library) { (void)library; }
uint64_t library_wire_bytes(struct library* library) {
  (void)library;
  return 0;
}
int library_has_results(struct library* library) {
  (void)library;
  return 0;
}
void library_stop(struct library* library) { free(library); }
