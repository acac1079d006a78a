/* The exact sum is made in long double from what every rank brought, which each rank computes by itself. The errors are
 * those against the whole sum, so that they show what a selection left out. The promise that each element is held to is
 * narrower: the sum of what was selected, or the sum within the steps of the codes (docs/sparse.md, quantised.md). */
#include "accuracy.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements at a time: whole blocks of a quantised vector. */
enum { CHUNK = 4096, BLOCK = 256, BINS = 1 << 16 };

static int is(const char* a, const char* b) { return strcmp(a, b) == 0; }
static int is_wide(const struct perf_request* request) { return is(request->type, "float64"); }

static double magnitude_bound(int bits) { /* the half step of a code, as a share of the block's largest magnitude */
  if (bits == 8) return 1.0 / 254;
  if (bits == 4) return 1.0 / 14;
  return 1.0 / 2;
}

static void store(const struct perf_request* request, void* to, uint64_t first, const double* from, size_t count) {
  if (is_wide(request))
    memcpy((double*)to + first, from, count * sizeof(double));
  else
    for (size_t i = 0; i < count; ++i) ((float*)to)[first + i] = (float)from[i];
}

static size_t chunk_at(const struct perf_request* request, uint64_t first) {
  return request->count - first < CHUNK ? (size_t)(request->count - first) : CHUNK;
}

/* What a rank brought, as the element type holds it. */
static void brought(const struct perf_request* request, const struct distribution* distribution, int rank, int size,
                    uint64_t first, size_t count, double* to) {
  distribution_fill(distribution, request->seed, rank, size, first, count, to);
  if (!is_wide(request))
    for (size_t i = 0; i < count; ++i) to[i] = (float)to[i];
}

uint64_t accuracy_selected(const struct perf_request* request) {
  const double wanted = ceil(request->density * (double)request->count);
  return wanted >= (double)request->count ? request->count : (uint64_t)wanted;
}

void accuracy_fill(const struct perf_request* request, const struct distribution* distribution,
                   const struct buffers* buffers, int rank, int size) {
  double numbers[CHUNK];
  memset(buffers->out, 0x55, request->count * (is_wide(request) ? sizeof(double) : sizeof(float)));
  for (uint64_t first = 0; first < request->count; first += CHUNK) {
    const size_t count = chunk_at(request, first);
    brought(request, distribution, rank, size, first, count, numbers);
    store(request, buffers->in, first, numbers, count);
  }
}

/* Magnitudes of the element type compare as their bits do; both types as 64 of them. */
static uint64_t magnitude(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits & 0x7fffffffffffffffu;
}

struct threshold {
  uint64_t least; /* selected if above, */
  uint64_t ties;  /* and so many of those that equal it, the first ones */
};

/* The k-th largest magnitude of a rank, found 16 bits at a time. */
static struct threshold find_threshold(const struct perf_request* request, const struct distribution* distribution,
                                       int rank, int size, uint64_t* bins) {
  struct threshold found = {0, accuracy_selected(request)};
  if (found.ties == 0) return (struct threshold){UINT64_MAX, 0};
  double numbers[CHUNK];
  for (int shift = 48; shift >= (is_wide(request) ? 0 : 16); shift -= 16) {
    memset(bins, 0, BINS * sizeof *bins);
    for (uint64_t first = 0; first < request->count; first += CHUNK) {
      const size_t count = chunk_at(request, first);
      brought(request, distribution, rank, size, first, count, numbers);
      for (size_t i = 0; i < count; ++i) {
        const uint64_t bits = magnitude(numbers[i]);
        if (shift == 48 || bits >> (shift + 16) == found.least >> (shift + 16)) ++bins[bits >> shift & (BINS - 1)];
      }
    }
    uint64_t bin = BINS - 1;
    for (; bin > 0 && bins[bin] < found.ties; --bin) found.ties -= bins[bin];
    found.least |= bin << shift;
  }
  return found;
}

struct sums {
  long double exact[CHUNK];    /* of everything */
  long double promised[CHUNK]; /* of what travels */
  double size[CHUNK];          /* sum of the magnitudes of what travels */
  double steps[CHUNK];         /* sum of the half steps of the ranks' codes */
};

static double block_largest(const double* numbers, size_t at, size_t count) {
  const size_t begin = at / BLOCK * BLOCK, end = begin + BLOCK < count ? begin + BLOCK : count;
  double largest = 0;
  for (size_t i = begin; i < end; ++i) largest = fmax(largest, fabs(numbers[i]));
  return largest;
}

static void half_steps(int bits, const double* numbers, size_t count, double* to) {
  double largest = 0;
  for (size_t i = 0; i < count; ++i) {
    if (bits == 16) {
      to[i] += fabs(numbers[i]) / 256;
      continue;
    }
    if (i % BLOCK == 0) largest = block_largest(numbers, i, count);
    to[i] += largest * magnitude_bound(bits);
  }
}

static void sum_up(const struct perf_request* request, const struct distribution* distribution, int size,
                   uint64_t first, size_t count, struct threshold* thresholds, struct sums* sums) {
  memset(sums, 0, sizeof *sums);
  double numbers[CHUNK];
  for (int rank = 0; rank < size; ++rank) {
    brought(request, distribution, rank, size, first, count, numbers);
    if (request->bits) half_steps(request->bits, numbers, count, sums->steps);
    for (size_t i = 0; i < count; ++i) {
      sums->exact[i] += numbers[i];
      if (thresholds) {
        const uint64_t bits = magnitude(numbers[i]);
        if (bits < thresholds[rank].least) continue;
        if (bits == thresholds[rank].least && thresholds[rank].ties-- == 0) {
          thresholds[rank].ties = 0;
          continue;
        }
      }
      sums->promised[i] += numbers[i];
      sums->size[i] += fabs(numbers[i]);
    }
  }
}

/* How far each element may be from what is promised; in float32 also the steps of codes that a float64 result has. */
static void tolerances(const struct perf_request* request, const struct sums* sums, size_t count, int size,
                       double* to) {
  const double unit = is_wide(request) && !request->bits ? DBL_EPSILON : FLT_EPSILON;
  double near[CHUNK]; /* an upper bound of the sum that was encoded last */
  for (size_t i = 0; i < count; ++i) {
    to[i] = (double)size * unit * sums->size[i] + 1.001 * sums->steps[i];
    near[i] = (double)fabsl(sums->exact[i]) + to[i];
  }
  if (!request->bits) return;
  double last[CHUNK] = {0};
  half_steps(request->bits, near, count, last);
  for (size_t i = 0; i < count; ++i) to[i] += 1.001 * last[i];
}

static double found_at(const struct perf_request* request, const void* out, uint64_t i) {
  return is_wide(request) ? ((const double*)out)[i] : (double)((const float*)out)[i];
}

struct losses {
  double largest, squares, signal, least, most;
  uint64_t digest; /* FNV-1a over the elements' bits */
};

static void compare(const struct perf_request* request, const void* out, int size, uint64_t first, size_t count,
                    const struct sums* sums, struct losses* losses, struct perf_reply* reply) {
  double allowed[CHUNK];
  tolerances(request, sums, count, size, allowed);
  for (size_t i = 0; i < count; ++i) {
    const double found = found_at(request, out, first + i), exact = (double)sums->exact[i];
    const double error = (double)(found - sums->exact[i]);
    losses->largest = isnan(error) ? error : fmax(losses->largest, fabs(error));
    losses->squares += error * error;
    losses->signal += exact * exact;
    losses->least = fmin(losses->least, exact);
    losses->most = fmax(losses->most, exact);
    losses->digest = (losses->digest ^ magnitude(found) ^ (signbit(found) ? 1u : 0u)) * 0x100000001b3u;
    const double off = (double)fabsl(found - sums->promised[i]);
    if (reply->correct && !(off <= allowed[i])) {
      reply->correct = 0;
      snprintf(reply->text, sizeof reply->text,
               "element %llu is wrong: it is %.9g and should be %.9g, at most %.3g away",
               (unsigned long long)(first + i), found, (double)sums->promised[i], allowed[i]);
    }
  }
}

static int check_with(const struct perf_request* request, const struct distribution* distribution, const void* out,
                      int size, struct threshold* thresholds, struct perf_reply* reply) {
  struct sums* sums = malloc(sizeof *sums);
  if (!sums) return 1;
  struct losses losses = {0, 0, 0, INFINITY, -INFINITY, 0xcbf29ce484222325u};
  reply->correct = 1;
  for (uint64_t first = 0; first < request->count; first += CHUNK) {
    const size_t count = chunk_at(request, first);
    sum_up(request, distribution, size, first, count, thresholds, sums);
    compare(request, out, size, first, count, sums, &losses, reply);
  }
  free(sums);
  reply->digest = losses.digest;
  reply->max_abs_error = losses.largest;
  const double mean = sqrt(losses.squares / (double)request->count);
  reply->nrmse = losses.squares == 0 ? 0 : mean / (losses.most - losses.least);
  reply->snr_db = losses.squares == 0 ? INFINITY : 10 * log10(losses.signal / losses.squares);
  return 0;
}

int accuracy_check(const struct perf_request* request, const struct distribution* distribution, const void* out,
                   int size, struct perf_reply* reply) {
  if (!is(request->collective, "topk-allreduce")) return check_with(request, distribution, out, size, NULL, reply);
  struct threshold* thresholds = malloc((size_t)size * sizeof *thresholds);
  uint64_t* bins = malloc(BINS * sizeof *bins);
  int failed = !thresholds || !bins;
  for (int rank = 0; rank < size && !failed; ++rank)
    thresholds[rank] = find_threshold(request, distribution, rank, size, bins);
  if (!failed) failed = check_with(request, distribution, out, size, thresholds, reply);
  free(bins);
  free(thresholds);
  return failed;
}
