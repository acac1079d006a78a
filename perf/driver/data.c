/* Inputs whose results are known exactly: small integers, random by rank and position, so small that no partial
 * result rounds or wraps in the element type. Every library must then give the same bits, in any order of
 * combination, and the comparison needs no tolerance. */
#include "data.h"

#include <complex.h>
#include <stdio.h>
#include <string.h>

enum form { INTEGER, HALF, BRAIN_HALF, REAL, COMPLEX };

struct type_form {
  const char* name;
  size_t bytes;
  enum form form;
  int64_t exact; /* integers up to this are exact in the type */
};

static const struct type_form types[] = {
    {"int8", 1, INTEGER, 127},           {"int16", 2, INTEGER, 32767},         {"int32", 4, INTEGER, 1 << 24},
    {"int64", 8, INTEGER, 1 << 24},      {"uint8", 1, INTEGER, 255},           {"uint16", 2, INTEGER, 65535},
    {"uint32", 4, INTEGER, 1 << 24},     {"uint64", 8, INTEGER, 1 << 24},      {"float16", 2, HALF, 1 << 11},
    {"bfloat16", 2, BRAIN_HALF, 1 << 8}, {"float32", 4, REAL, 1 << 24},        {"float64", 8, REAL, 1 << 24},
    {"complex64", 8, COMPLEX, 1 << 24},  {"complex128", 16, COMPLEX, 1 << 24},
};

static const char* const operations[] = {"sum", "avg",  "prod", "min", "max", "land",
                                         "lor", "lxor", "band", "bor", "bxor"};

static const struct type_form* find_type(const char* name) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; ++i)
    if (strcmp(types[i].name, name) == 0) return &types[i];
  return NULL;
}

size_t data_type_bytes(const char* type) {
  const struct type_form* form = find_type(type);
  return form ? form->bytes : 0;
}

static int is(const char* a, const char* b) { return strcmp(a, b) == 0; }

static int reduces(const char* collective) {
  return is(collective, "allreduce") || is(collective, "reduce") || is(collective, "reduce-scatter");
}

int data_supported(const char* collective, const char* type, const char* op, char* text, size_t room) {
  const struct type_form* form = find_type(type);
  if (!form) {
    snprintf(text, room, "type '%s' is not one that can be measured: float32, float64, bfloat16, int32, ...", type);
    return 1;
  }
  if (!reduces(collective)) return 0;
  int known = 0;
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; ++i) known |= is(operations[i], op);
  if (!known) {
    snprintf(text, room,
             "op '%s' is not one that can be measured: sum, avg, prod, min, max, land, lor, lxor, band, "
             "bor, bxor",
             op);
    return 1;
  }
  int bitwise_or_logical = op[0] == 'l' || op[0] == 'b';
  if ((bitwise_or_logical && form->form != INTEGER) ||
      (form->form == COMPLEX && (is(op, "min") || is(op, "max") || is(op, "prod")))) {
    snprintf(text, room, "op '%s' on %s is not one that can be measured%s", op, type,
             bitwise_or_logical ? ": logical and bitwise operations take integers" : "");
    return 1;
  }
  return 0;
}

/* A well-mixed number for a seed, rank and position (the finaliser of splitmix64). */
static uint64_t mix(uint32_t seed, int rank, uint64_t index) {
  uint64_t x = index + 0x9e3779b97f4a7c15u * (uint64_t)(rank + 1) + ((uint64_t)seed << 40);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

struct values {
  char op; /* first letters tell: s a p m(in) M(ax) & | ^ and their logical forms */
  int logical;
  int size;
  uint32_t seed;
  int64_t range;  /* contributions lie in 0..range */
  int64_t factor; /* and are multiplied by this, so that an average is whole */
  int one_holder; /* only one rank contributes: the type is too narrow for a sum over all */
};

static struct values values_of(const struct perf_request* request, int size) {
  struct values v = {.size = size, .seed = request->seed, .factor = 1};
  const char* op = reduces(request->collective) ? request->op : "max";
  v.logical = op[0] == 'l';
  const char* name = v.logical || (op[0] == 'b') ? op + 1 : op;
  v.op = is(name, "sum")    ? 's'
         : is(name, "avg")  ? 'a'
         : is(name, "prod") ? 'p'
         : is(name, "min")  ? 'm'
         : is(name, "max")  ? 'M'
         : is(name, "and")  ? '&'
         : is(name, "or")   ? '|'
                            : '^';
  const struct type_form* form = find_type(request->type);
  int64_t exact = form->exact;
  if (v.op == 'a') v.factor = size;
  int64_t room = v.op == 's' || v.op == 'a' ? exact / (v.factor * size) : exact;
  v.one_holder = room < 1 || v.op == 'p';
  if (v.one_holder) room = exact / v.factor;
  v.range = room > 1000 ? 1000 : room;
  if (v.op == 'p') v.range = 2;
  return v;
}

static int64_t contribution(const struct values* v, int rank, uint64_t index) {
  if (v->one_holder) {
    int holder = (int)(mix(v->seed, -2, index) % (uint64_t)v->size);
    int64_t neutral = v->op == 'p' ? 1 : 0;
    return rank == holder ? v->range * v->factor : neutral;
  }
  return (int64_t)(mix(v->seed, rank, index) % (uint64_t)(v->range + 1)) * v->factor;
}

static int64_t combine(const struct values* v, int64_t a, int64_t b) {
  if (v->logical) {
    a = a != 0;
    b = b != 0;
  }
  switch (v->op) {
    case 's':
    case 'a':
      return a + b;
    case 'p':
      return a * b;
    case 'm':
      return a < b ? a : b;
    case 'M':
      return a > b ? a : b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    default:
      return a ^ b;
  }
}

static int64_t reduced(const struct values* v, uint64_t index) {
  int64_t result = contribution(v, 0, index);
  for (int rank = 1; rank < v->size; ++rank) result = combine(v, result, contribution(v, rank, index));
  if (v->size == 1 && v->logical) result = result != 0;
  return v->op == 'a' ? result / v->size : result;
}

/* binary16 of a whole number from 0 to 2048: its float32 form with another exponent bias. */
static uint16_t half_of(int64_t value) {
  if (value == 0) return 0;
  float real = (float)value;
  uint32_t bits;
  memcpy(&bits, &real, sizeof bits);
  return (uint16_t)((((bits >> 23) - 127 + 15) << 10) | ((bits >> 13) & 0x3ff));
}

static uint16_t brain_half_of(int64_t value) {
  float real = (float)value;
  uint32_t bits;
  memcpy(&bits, &real, sizeof bits);
  return (uint16_t)(bits >> 16);
}

/* Stores whole numbers as elements of the type; complex ones carry the number in both parts. */
static void store(const struct type_form* form, void* to, const int64_t* from, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    switch (form->form) {
      case INTEGER: /* little and big end both keep the low bytes of a small number */
        if (form->bytes == 1) ((uint8_t*)to)[i] = (uint8_t)from[i];
        if (form->bytes == 2) ((uint16_t*)to)[i] = (uint16_t)from[i];
        if (form->bytes == 4) ((uint32_t*)to)[i] = (uint32_t)from[i];
        if (form->bytes == 8) ((uint64_t*)to)[i] = (uint64_t)from[i];
        break;
      case HALF:
        ((uint16_t*)to)[i] = half_of(from[i]);
        break;
      case BRAIN_HALF:
        ((uint16_t*)to)[i] = brain_half_of(from[i]);
        break;
      case REAL:
        if (form->bytes == 4) ((float*)to)[i] = (float)from[i];
        if (form->bytes == 8) ((double*)to)[i] = (double)from[i];
        break;
      case COMPLEX:
        if (form->bytes == 8) ((float*)to)[2 * i] = ((float*)to)[2 * i + 1] = (float)from[i];
        if (form->bytes == 16) ((double*)to)[2 * i] = ((double*)to)[2 * i + 1] = (double)from[i];
        break;
    }
  }
}

/* What a stretch of elements is made of: one rank's contributions, or the combination of all. */
enum { COMBINED = -1 };
enum { CHUNK = 1024 };

static void make_chunk(const struct values* v, int source, uint64_t first, size_t count, int64_t* numbers) {
  for (size_t i = 0; i < count; ++i)
    numbers[i] = source == COMBINED ? reduced(v, first + i) : contribution(v, source, first + i);
}

static void fill(const struct perf_request* request, const struct values* v, char* to, int source, uint64_t first,
                 uint64_t count) {
  const struct type_form* form = find_type(request->type);
  int64_t numbers[CHUNK];
  for (uint64_t done = 0; done < count; done += CHUNK) {
    size_t now = count - done < CHUNK ? (size_t)(count - done) : CHUNK;
    make_chunk(v, source, first + done, now, numbers);
    store(form, to + done * form->bytes, numbers, now);
  }
}

static int check(const struct perf_request* request, const struct values* v, const char* at, int source, uint64_t first,
                 uint64_t count, char* text, size_t room) {
  const struct type_form* form = find_type(request->type);
  int64_t numbers[CHUNK];
  char expected[CHUNK * 16];
  for (uint64_t done = 0; done < count; done += CHUNK) {
    size_t now = count - done < CHUNK ? (size_t)(count - done) : CHUNK;
    make_chunk(v, source, first + done, now, numbers);
    store(form, expected, numbers, now);
    const char* found = at + done * form->bytes;
    if (memcmp(expected, found, now * form->bytes) == 0) continue;
    size_t i = 0;
    while (memcmp(expected + i * form->bytes, found + i * form->bytes, form->bytes) == 0) ++i;
    snprintf(text, room, "element %llu is wrong: it should be %lld", (unsigned long long)(first + done + i),
             (long long)numbers[i]);
    return 0;
  }
  return 1;
}

void data_fill(const struct perf_request* request, const struct buffers* buffers, int rank, int size) {
  if (is(request->collective, "barrier")) return;
  struct values v = values_of(request, size);
  size_t bytes = data_type_bytes(request->type);
  int sliced = is(request->collective, "reduce-scatter") || is(request->collective, "allgather") ||
               is(request->collective, "alltoall");
  int blocks = sliced ? size : 1;
  uint64_t whole = request->count * (uint64_t)blocks;
  memset(buffers->out, 0x55, whole * bytes);
  if (is(request->collective, "broadcast")) {
    if (rank == request->root) fill(request, &v, buffers->out, rank, 0, whole);
  } else if (is(request->collective, "allgather")) {
    char* block = request->in_place ? (char*)buffers->out + (uint64_t)rank * request->count * bytes : buffers->in;
    fill(request, &v, block, rank, 0, request->count);
  } else {
    fill(request, &v, request->in_place ? buffers->out : buffers->in, rank, 0, whole);
  }
}

int data_check(const struct perf_request* request, const struct buffers* buffers, int rank, int size, char* text,
               size_t room) {
  struct values v = values_of(request, size);
  size_t bytes = data_type_bytes(request->type);
  const char* out = buffers->out;
  if (is(request->collective, "broadcast"))
    return check(request, &v, out, request->root, 0, request->count, text, room);
  if (is(request->collective, "allgather") || is(request->collective, "alltoall")) {
    uint64_t first = is(request->collective, "alltoall") ? (uint64_t)rank * request->count : 0;
    for (int source = 0; source < size; ++source)
      if (!check(request, &v, out + (uint64_t)source * request->count * bytes, source, first, request->count, text,
                 room))
        return 0;
    return 1;
  }
  if (is(request->collective, "reduce") && rank != request->root) return 1;
  uint64_t first = is(request->collective, "reduce-scatter") ? (uint64_t)rank * request->count : 0;
  return check(request, &v, out, COMBINED, first, request->count, text, room);
}
