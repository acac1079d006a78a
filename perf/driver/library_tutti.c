/* Tutti, behind the driver's seam. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "tutti/tutti.h"

struct library {
  tutti_comm* comm;
  int (*call)(struct library*, tutti_request**);
  const char* collective;
  const void* in;
  void* out;
  size_t count;
  int root;
  int in_place;
  tutti_type type;
  tutti_op op;
  tutti_request* request;
  char algorithm[PERF_TEXT_ROOM + 2 * PERF_NAME_ROOM]; /* the override that is in force */
};

static void fail(int code) {
  fprintf(stderr, "tutti-perf driver: %s: %s\n", tutti_result_name(code), tutti_error_message(NULL));
  exit(1);
}

struct library* library_start(int* argc, char*** argv, int* rank, int* size) {
  (void)argc;
  (void)argv;
  struct library* library = calloc(1, sizeof *library);
  if (!library) fail(TUTTI_ERROR_MEMORY);
  int code = tutti_init_from_env(&library->comm);
  if (code == TUTTI_OK) code = tutti_comm_rank(library->comm, rank);
  if (code == TUTTI_OK) code = tutti_comm_size(library->comm, size);
  if (code != TUTTI_OK) fail(code);
  return library;
}

void library_version(struct library* library, char* text, size_t room) {
  (void)library;
  snprintf(text, room, "Tutti %s", tutti_version());
}

void library_share(struct library* library, char* page, int more_ranks_than_cores) {
  (void)library;
  (void)page;
  (void)more_ranks_than_cores;
}

/* Each with a place for a request (nonblocking) or NULL (blocking). */
static int allreduce(struct library* l, tutti_request** request) {
  return request ? tutti_iallreduce(l->in, l->out, l->count, l->type, l->op, l->comm, request)
                 : tutti_allreduce(l->in, l->out, l->count, l->type, l->op, l->comm);
}
static int broadcast(struct library* l, tutti_request** request) {
  return request ? tutti_ibroadcast(l->out, l->count, l->type, l->root, l->comm, request)
                 : tutti_broadcast(l->out, l->count, l->type, l->root, l->comm);
}
static int barrier(struct library* l, tutti_request** request) {
  return request ? tutti_ibarrier(l->comm, request) : tutti_barrier(l->comm);
}
static int reduce(struct library* l, tutti_request** request) {
  return request ? tutti_ireduce(l->in, l->out, l->count, l->type, l->op, l->root, l->comm, request)
                 : tutti_reduce(l->in, l->out, l->count, l->type, l->op, l->root, l->comm);
}
static int reduce_scatter(struct library* l, tutti_request** request) {
  return request ? tutti_ireduce_scatter(l->in, l->out, l->count, l->type, l->op, l->comm, request)
                 : tutti_reduce_scatter(l->in, l->out, l->count, l->type, l->op, l->comm);
}
static int allgather(struct library* l, tutti_request** request) {
  return request ? tutti_iallgather(l->in, l->out, l->count, l->type, l->comm, request)
                 : tutti_allgather(l->in, l->out, l->count, l->type, l->comm);
}

static int find(const char* const* names, size_t count, const char* name) {
  for (size_t i = 0; i < count; ++i)
    if (strcmp(names[i], name) == 0) return (int)i;
  return -1;
}

/* In the order of tutti_type and tutti_op. */
static const char* const type_names[] = {"int8",    "int16",   "int32",     "int64",     "uint8",
                                         "uint16",  "uint32",  "uint64",    "float16",   "bfloat16",
                                         "float32", "float64", "complex64", "complex128"};
static const char* const op_names[] = {"sum",  "avg", "prod", "min",  "max", "minloc", "maxloc",
                                       "land", "lor", "lxor", "band", "bor", "bxor"};

static int force_algorithm(struct library* library, const struct perf_request* request, char* text, size_t room) {
  char spec[sizeof library->algorithm] = "";
  if (request->algorithm[0]) snprintf(spec, sizeof spec, "%s=%s", request->collective, request->algorithm);
  if (strcmp(spec, library->algorithm) == 0) return 0;
  if (tutti_comm_set_algorithm(library->comm, spec) != TUTTI_OK) {
    snprintf(text, room, "%s", tutti_error_message(library->comm));
    return 1;
  }
  memcpy(library->algorithm, spec, sizeof spec);
  return 0;
}

int library_prepare(struct library* library, const struct perf_request* request, const struct buffers* buffers,
                    char* text, size_t room) {
  static const struct {
    const char* name;
    int (*call)(struct library*, tutti_request**);
  } calls[] = {{"allreduce", allreduce}, {"broadcast", broadcast},           {"barrier", barrier},
               {"reduce", reduce},       {"reduce-scatter", reduce_scatter}, {"allgather", allgather}};
  library->call = NULL;
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; ++i)
    if (strcmp(calls[i].name, request->collective) == 0) {
      library->call = calls[i].call;
      library->collective = calls[i].name;
    }
  int type = find(type_names, sizeof type_names / sizeof type_names[0], request->type);
  int op = find(op_names, sizeof op_names / sizeof op_names[0], request->op);
  if (!library->call || type < 0 || op < 0) {
    snprintf(text, room, "Tutti has no %s of %s with %s", request->collective, request->type, request->op);
    return 1;
  }
  library->type = (tutti_type)type;
  library->op = (tutti_op)op;
  library->count = request->count;
  library->root = request->root;
  library->in_place = request->in_place;
  library->out = buffers->out;
  library->in = request->in_place ? buffers->out : buffers->in;
  if (request->in_place && library->call == allgather) {
    int rank;
    tutti_comm_rank(library->comm, &rank);
    library->in = (char*)buffers->out + (size_t)rank * request->count * tutti_type_size(library->type);
  }
  return force_algorithm(library, request, text, room);
}

int library_choice(struct library* library, char* text, size_t room) {
  return tutti_comm_choice(library->comm, library->collective, library->count, library->type, library->op,
                           library->in_place, text, room);
}

int library_call(struct library* library) { return library->call(library, NULL); }
int library_begin(struct library* library) { return library->call(library, &library->request); }
int library_complete(struct library* library) { return tutti_wait(library->request); }
const char* library_reason(struct library* library) { return tutti_error_message(library->comm); }
int library_has_results(struct library* library) {
  (void)library;
  return 1;
}

void library_stop(struct library* library) {
  tutti_comm_free(library->comm);
  free(library);
}
