/* Numbers of a distribution, each computed from its seed, rank and position alone, so that every rank can compute what
 * every other brings. The quantile of a counted random number: looked up between 2^16 points, and computed in the two
 * outermost cells, where the tail lies. Normal quantiles: Acklam's rational approximation (relative error 1.2e-9);
 * Student's t with 4 degrees of freedom has a closed form. */
#include "distribution.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 1 << 16 };

struct distribution {
  double (*quantile)(double); /* NULL for recorded numbers */
  double* points;             /* CELLS + 1 of them */
  float* recorded;
  uint64_t recorded_count;
};

static double uniform(double u) { return 2 * u - 1; }

static double gaussian(double u) {
  static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                             1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                             6.680131188771972e+01, -1.328068155288572e+01};
  static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                             -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                             3.754408661907416e+00};
  const double tail = 0.02425;
  if (u < tail || u > 1 - tail) {
    const double q = sqrt(-2 * log(u < tail ? u : 1 - u));
    const double x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
                     ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    return u < tail ? x : -x;
  }
  const double q = u - 0.5, r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

static double heavy_tail(double u) {
  const double root = sqrt(4 * u * (1 - u));
  const double q = cos(acos(root) / 3) / root;
  const double x = 2 * sqrt(q > 1 ? q - 1 : 0);
  return u < 0.5 ? -x : x;
}

/* The header of a .npy file names the type and says where the numbers begin. */
static int skip_header(FILE* file, const char* name, char* text, size_t room) {
  unsigned char start[12];
  if (fread(start, 1, 8, file) != 8 || memcmp(start, "\x93NUMPY", 6) != 0) {
    rewind(file);
    return 0;
  }
  const size_t width = start[6] == 1 ? 2 : 4;
  if (fread(start + 8, 1, width, file) != width) {
    snprintf(text, room, "%s ends within its .npy header", name);
    return 1;
  }
  size_t length = 0;
  for (size_t i = width; i-- > 0;) length = length << 8 | start[8 + i];
  char header[4096];
  if (length >= sizeof header || fread(header, 1, length, file) != length) {
    snprintf(text, room, "%s has no .npy header that can be read", name);
    return 1;
  }
  header[length] = 0;
  if (strstr(header, "'<f4'")) return 0;
  snprintf(text, room, "%s holds no little-endian float32 ('<f4'): %.100s", name, header);
  return 1;
}

static int read_recorded(struct distribution* to, const char* name, FILE* file, char* text, size_t room) {
  if (skip_header(file, name, text, room)) return 1;
  const long begin = ftell(file);
  if (begin < 0 || fseek(file, 0, SEEK_END) != 0) {
    snprintf(text, room, "%s is no file whose length can be told", name);
    return 1;
  }
  const long bytes = ftell(file) - begin;
  if (bytes <= 0 || bytes % (long)sizeof(float) != 0) {
    snprintf(text, room, "%s holds %ld B of numbers, which is no whole number of float32 above zero", name, bytes);
    return 1;
  }
  to->recorded_count = (uint64_t)bytes / sizeof(float);
  to->recorded = malloc((size_t)bytes);
  if (!to->recorded || fseek(file, begin, SEEK_SET) != 0 ||
      fread(to->recorded, 1, (size_t)bytes, file) != (size_t)bytes) {
    snprintf(text, room, "%s cannot be read", name);
    return 1;
  }
  for (uint64_t i = 0; i < to->recorded_count; ++i)
    if (!isfinite(to->recorded[i])) {
      snprintf(text, room, "%s: number %llu is not finite, so no error against it can be told", name,
               (unsigned long long)i);
      return 1;
    }
  return 0;
}

static int open_recorded(struct distribution* to, const char* name, char* text, size_t room) {
  FILE* file = fopen(name, "rb");
  if (!file) {
    snprintf(text, room,
             "distribution '%s' is none of uniform, gaussian, heavy-tail, and no file that can be opened: %s", name,
             strerror(errno));
    return 1;
  }
  const int failed = read_recorded(to, name, file, text, room);
  fclose(file);
  return failed;
}

static int tabulate(struct distribution* to) {
  to->points = malloc((CELLS + 1) * sizeof *to->points);
  if (!to->points) return 1;
  for (int i = 1; i < CELLS; ++i) to->points[i] = to->quantile((double)i / CELLS);
  to->points[0] = to->points[CELLS] = 0; /* never looked up */
  return 0;
}

struct distribution* distribution_open(const char* name, char* text, size_t room) {
  static const struct {
    const char* name;
    double (*quantile)(double);
  } known[] = {{"uniform", uniform}, {"gaussian", gaussian}, {"heavy-tail", heavy_tail}};
  struct distribution* made = calloc(1, sizeof *made);
  if (!made) {
    snprintf(text, room, "no memory for a distribution");
    return NULL;
  }
  for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i)
    if (strcmp(name, known[i].name) == 0) made->quantile = known[i].quantile;
  int failed;
  if (made->quantile) {
    failed = tabulate(made);
    if (failed) snprintf(text, room, "no memory for a distribution");
  } else {
    failed = open_recorded(made, name, text, room);
  }
  if (!failed) return made;
  distribution_close(made);
  return NULL;
}

void distribution_close(struct distribution* distribution) {
  if (!distribution) return;
  free(distribution->points);
  free(distribution->recorded);
  free(distribution);
}

/* The finaliser of splitmix64. */
static uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static double number(const struct distribution* d, uint64_t random) {
  const double unit = 1.0 / 9007199254740992.0; /* 2^-53 */
  const size_t cell = random >> 48;
  if (cell == 0 || cell == CELLS - 1) return d->quantile(((double)(random >> 11) + 0.5) * unit);
  const double within = (double)(random & 0xffffffffffffu) / 281474976710656.0; /* 2^48 */
  return d->points[cell] + within * (d->points[cell + 1] - d->points[cell]);
}

void distribution_fill(const struct distribution* distribution, uint32_t seed, int rank, int size, uint64_t first,
                       size_t count, double* to) {
  if (distribution->quantile) {
    const uint64_t stream = mixed(((uint64_t)seed << 32) + (uint64_t)rank + 1);
    for (size_t i = 0; i < count; ++i)
      to[i] = number(distribution, mixed(stream + (first + i + 1) * 0x9e3779b97f4a7c15u));
    return;
  }
  const uint64_t all = distribution->recorded_count;
  uint64_t at = ((uint64_t)rank * (all / (uint64_t)size) + first) % all;
  for (size_t i = 0; i < count; ++i) {
    to[i] = distribution->recorded[at];
    if (++at == all) at = 0;
  }
}
