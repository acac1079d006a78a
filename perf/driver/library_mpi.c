/* Any MPI library, behind the driver's seam. Compiled by its own mpicc. */
#include <mpi.h>
#if defined(OPEN_MPI) && __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

struct library {
  void (*call)(struct library*, MPI_Request*);
  const void* in;
  void* out;
  int count;
  int root;
  MPI_Datatype type;
  MPI_Op op;
  MPI_Op brain_half_sum;
  MPI_Request request;
};

/* MPI 3 and 4 know no bfloat16: a user's operation on the bits, rounded to nearest even after each combination as
 * Tutti does. tutti-perf says so beside the figures. */
static void add_brain_halves(void* left, void* inout, int* count, MPI_Datatype* type) {
  (void)type;
  const uint16_t* from = left;
  uint16_t* to = inout;
  for (int i = 0; i < *count; ++i) {
    uint32_t a = (uint32_t)from[i] << 16, b = (uint32_t)to[i] << 16, sum;
    float x, y, z;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    z = x + y;
    memcpy(&sum, &z, sizeof sum);
    to[i] = (uint16_t)((sum + 0x7fff + ((sum >> 16) & 1)) >> 16);
  }
}

struct library* library_start(int* argc, char*** argv, int* rank, int* size) {
  MPI_Init(argc, argv);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  struct library* library = calloc(1, sizeof *library);
  if (!library) MPI_Abort(MPI_COMM_WORLD, 1);
  MPI_Op_create(add_brain_halves, 1, &library->brain_half_sum);
  return library;
}

void library_version(struct library* library, char* text, size_t room) {
  (void)library;
  char version[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(version, &length);
  version[strcspn(version, "\n,")] = 0;
  size_t written = 0;
  for (const char* at = version; *at && written + 1 < room; ++at) {
    char letter = *at == '\t' ? ' ' : *at;
    if (letter != ' ' || (written > 0 && text[written - 1] != ' ')) text[written++] = letter;
  }
  text[written] = 0;
}

void library_share(struct library* library, char* page, int more_ranks_than_cores) {
  (void)library;
  (void)page;
  (void)more_ranks_than_cores;
}

struct named_type {
  const char* name;
  MPI_Datatype type;
};

static int find_type(const char* name, MPI_Datatype* type) {
  const struct named_type types[] = {
      {"int8", MPI_INT8_T},
      {"int16", MPI_INT16_T},
      {"int32", MPI_INT32_T},
      {"int64", MPI_INT64_T},
      {"uint8", MPI_UINT8_T},
      {"uint16", MPI_UINT16_T},
      {"uint32", MPI_UINT32_T},
      {"uint64", MPI_UINT64_T},
      {"float32", MPI_FLOAT},
      {"float64", MPI_DOUBLE},
      {"complex64", MPI_C_FLOAT_COMPLEX},
      {"complex128", MPI_C_DOUBLE_COMPLEX},
#ifdef MPIX_C_FLOAT16
      {"float16", MPIX_C_FLOAT16},
#endif
#ifdef MPIX_BFLOAT16
      {"bfloat16", MPIX_BFLOAT16},
#else
      {"bfloat16", MPI_UINT16_T},
#endif
  };
  for (size_t i = 0; i < sizeof types / sizeof types[0]; ++i)
    if (strcmp(types[i].name, name) == 0) {
      *type = types[i].type;
      return 1;
    }
  return 0;
}

static int find_op(struct library* library, const char* type, const char* name, MPI_Op* op) {
  const struct {
    const char* name;
    MPI_Op op;
  } ops[] = {{"sum", MPI_SUM}, {"prod", MPI_PROD}, {"min", MPI_MIN},   {"max", MPI_MAX}, {"land", MPI_LAND},
             {"lor", MPI_LOR}, {"lxor", MPI_LXOR}, {"band", MPI_BAND}, {"bor", MPI_BOR}, {"bxor", MPI_BXOR}};
#ifndef MPIX_BFLOAT16
  if (strcmp(type, "bfloat16") == 0) {
    *op = library->brain_half_sum;
    return strcmp(name, "sum") == 0;
  }
#else
  (void)library;
  (void)type;
#endif
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; ++i)
    if (strcmp(ops[i].name, name) == 0) {
      *op = ops[i].op;
      return 1;
    }
  return 0;
}

/* Each with a request (nonblocking) or NULL (blocking). An MPI error ends the job, as MPI's default is. */
static void allreduce(struct library* l, MPI_Request* request) {
  if (request)
    MPI_Iallreduce(l->in, l->out, l->count, l->type, l->op, MPI_COMM_WORLD, request);
  else
    MPI_Allreduce(l->in, l->out, l->count, l->type, l->op, MPI_COMM_WORLD);
}
static void broadcast(struct library* l, MPI_Request* request) {
  if (request)
    MPI_Ibcast(l->out, l->count, l->type, l->root, MPI_COMM_WORLD, request);
  else
    MPI_Bcast(l->out, l->count, l->type, l->root, MPI_COMM_WORLD);
}
static void barrier(struct library* l, MPI_Request* request) {
  (void)l;
  if (request)
    MPI_Ibarrier(MPI_COMM_WORLD, request);
  else
    MPI_Barrier(MPI_COMM_WORLD);
}
static void reduce(struct library* l, MPI_Request* request) {
  if (request)
    MPI_Ireduce(l->in, l->out, l->count, l->type, l->op, l->root, MPI_COMM_WORLD, request);
  else
    MPI_Reduce(l->in, l->out, l->count, l->type, l->op, l->root, MPI_COMM_WORLD);
}
static void reduce_scatter(struct library* l, MPI_Request* request) {
  if (request)
    MPI_Ireduce_scatter_block(l->in, l->out, l->count, l->type, l->op, MPI_COMM_WORLD, request);
  else
    MPI_Reduce_scatter_block(l->in, l->out, l->count, l->type, l->op, MPI_COMM_WORLD);
}
static void allgather(struct library* l, MPI_Request* request) {
  if (request)
    MPI_Iallgather(l->in, l->count, l->type, l->out, l->count, l->type, MPI_COMM_WORLD, request);
  else
    MPI_Allgather(l->in, l->count, l->type, l->out, l->count, l->type, MPI_COMM_WORLD);
}

static void alltoall(struct library* l, MPI_Request* request) {
  if (request)
    MPI_Ialltoall(l->in, l->count, l->type, l->out, l->count, l->type, MPI_COMM_WORLD, request);
  else
    MPI_Alltoall(l->in, l->count, l->type, l->out, l->count, l->type, MPI_COMM_WORLD);
}

int library_prepare(struct library* library, const struct perf_request* request, const struct buffers* buffers,
                    char* text, size_t room) {
  const struct {
    const char* name;
    void (*call)(struct library*, MPI_Request*);
  } calls[] = {{"allreduce", allreduce},           {"broadcast", broadcast}, {"barrier", barrier},  {"reduce", reduce},
               {"reduce-scatter", reduce_scatter}, {"allgather", allgather}, {"alltoall", alltoall}};
  library->call = NULL;
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; ++i)
    if (strcmp(calls[i].name, request->collective) == 0) library->call = calls[i].call;
  int reduces = library->call == allreduce || library->call == reduce || library->call == reduce_scatter;
  if (!library->call || !find_type(request->type, &library->type) ||
      (reduces && !find_op(library, request->type, request->op, &library->op))) {
    snprintf(text, room, "this MPI library has no %s of %s with %s", request->collective, request->type, request->op);
    return 1;
  }
  if (request->count > 2147483647u) {
    snprintf(text, room, "MPI's counts are 32 bit: %llu elements are too many", (unsigned long long)request->count);
    return 1;
  }
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  library->count = (int)request->count;
  library->root = request->root;
  library->out = buffers->out;
  library->in = buffers->in;
  if (request->in_place) library->in = MPI_IN_PLACE;
  /* MPI_Reduce takes MPI_IN_PLACE at the root alone; the others send from where their data lies. */
  if (request->in_place && library->call == reduce && rank != request->root) {
    library->in = buffers->out;
    library->out = NULL;
  }
  return 0;
}

int library_choice(struct library* library, char* text, size_t room) {
  (void)library;
  if (room) text[0] = 0;
  return 0;
}

int library_call(struct library* library) {
  library->call(library, NULL);
  return 0;
}
int library_begin(struct library* library) {
  library->call(library, &library->request);
  return 0;
}
int library_complete(struct library* library) {
  MPI_Wait(&library->request, MPI_STATUS_IGNORE);
  return 0;
}
const char* library_reason(struct library* library) {
  (void)library;
  return "the MPI library reported no reason";
}
void library_result(struct library* library) { (void)library; }
uint64_t library_wire_bytes(struct library* library) {
  (void)library;
  return 0;
}
int library_has_results(struct library* library) {
  (void)library;
  return 1;
}

void library_stop(struct library* library) {
  MPI_Op_free(&library->brain_half_sum);
  free(library);
  MPI_Finalize();
}
