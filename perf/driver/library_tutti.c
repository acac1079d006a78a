/* Tutti, behind the driver's seam. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"
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
  tutti_topk select;
  tutti_quantisation quantisation;
  tutti_sparse_report sparse_report;
  tutti_report report;
  int reports;    /* in checks alone, since a report can cost a pass over the result */
  void* residual; /* of topk-allreduce; both grow to what is needed */
  size_t residual_bytes;
  tutti_pairs pairs;
  size_t pairs_bytes;
  int dense_result;
  int reproducible;                                    /* whether the communicator is */
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

static int alltoall(struct library* l, tutti_request** request) {
  return request ? tutti_ialltoall(l->in, l->out, l->count, l->type, l->comm, request)
                 : tutti_alltoall(l->in, l->out, l->count, l->type, l->comm);
}

/* The whole of what training pays: selection, residual, sum, result. */
static int topk_allreduce(struct library* l, tutti_request** request) {
  (void)request;
  return tutti_topk_allreduce(l->in, l->count, l->type, &l->select, l->residual, l->dense_result ? l->out : NULL,
                              l->dense_result ? NULL : &l->pairs, l->reports ? &l->sparse_report : NULL, l->comm);
}
static int quantised_allreduce(struct library* l, tutti_request** request) {
  (void)request;
  return tutti_quantised_allreduce(l->in, l->out, l->count, l->type, l->op, &l->quantisation, l->comm,
                                   l->reports ? &l->report : NULL);
}
/* The communicator is reproducible while this is prepared. */
static int reproducible_allreduce(struct library* l, tutti_request** request) { return allreduce(l, request); }

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

/* Room for the residual and the pairs of the longest call so far. Returns 1 where there is none. */
static int make_room(struct library* library, size_t pairs) {
  const size_t element = tutti_type_size(library->type);
  const size_t index = library->count > (size_t)UINT32_MAX + 1 ? sizeof(uint64_t) : sizeof(uint32_t);
  if (library->residual_bytes < library->count * element) {
    free(library->residual);
    library->residual_bytes = library->count * element;
    library->residual = calloc(1, library->residual_bytes);
  }
  const size_t bytes = pairs * (element > index ? element : index);
  if (library->pairs_bytes < bytes) {
    free(library->pairs.values);
    free(library->pairs.indices);
    library->pairs.values = malloc(bytes);
    library->pairs.indices = malloc(bytes);
    library->pairs_bytes = bytes;
  }
  library->pairs.room = pairs;
  return !library->residual || (bytes > 0 && (!library->pairs.values || !library->pairs.indices));
}

static int prepare_lossy(struct library* library, const struct perf_request* request, char* text, size_t room) {
  library->reports = request->action == PERF_CHECK || request->action == PERF_RECHECK;
  const int reproducible = library->call == reproducible_allreduce;
  if (reproducible != library->reproducible && tutti_comm_set_reproducible(library->comm, reproducible) != TUTTI_OK) {
    snprintf(text, room, "%s", tutti_error_message(library->comm));
    return 1;
  }
  library->reproducible = reproducible;
  library->report = (tutti_report){.bytes = sizeof library->report};
  const tutti_wire wire = request->bits == 8    ? TUTTI_WIRE_INT8
                          : request->bits == 4  ? TUTTI_WIRE_INT4
                          : request->bits == 2  ? TUTTI_WIRE_INT2
                          : request->bits == 16 ? TUTTI_WIRE_BFLOAT16
                                                : TUTTI_WIRE_DENSE;
  library->quantisation = (tutti_quantisation){.bytes = sizeof library->quantisation, .wire = wire};
  if (library->call != topk_allreduce) return 0;
  library->dense_result = request->dense_result;
  library->select = (tutti_topk){.k = accuracy_selected(request), .meaning = TUTTI_UNION};
  int size;
  tutti_comm_size(library->comm, &size);
  const uint64_t most =
      library->select.k > request->count / (uint64_t)size ? request->count : library->select.k * (uint64_t)size;
  if (make_room(library, library->dense_result ? 0 : most)) {
    snprintf(text, room, "no memory for a residual and %llu pairs", (unsigned long long)most);
    return 1;
  }
  if (library->reports) memset(library->residual, 0, library->count * tutti_type_size(library->type));
  return 0;
}

static int force_algorithm(struct library* library, const struct perf_request* request, char* text, size_t room) {
  char spec[sizeof library->algorithm] = "";
  /* What is forced for a quantised or a reproducible sum is an algorithm of the allreduce that carries it. */
  const char* collective = library->call == quantised_allreduce || library->call == reproducible_allreduce
                               ? "allreduce"
                               : request->collective;
  if (request->algorithm[0]) snprintf(spec, sizeof spec, "%s=%s", collective, request->algorithm);
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
  } calls[] = {{"allreduce", allreduce},
               {"broadcast", broadcast},
               {"barrier", barrier},
               {"reduce", reduce},
               {"reduce-scatter", reduce_scatter},
               {"allgather", allgather},
               {"alltoall", alltoall},
               {"topk-allreduce", topk_allreduce},
               {"quantised-allreduce", quantised_allreduce},
               {"reproducible-allreduce", reproducible_allreduce}};
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
  if (prepare_lossy(library, request, text, room)) return 1;
  return force_algorithm(library, request, text, room);
}

/* Of a top-k sum what the last checked call ran; of a quantised one nothing is told but what was forced. */

int library_choice(struct library* library, char* text, size_t room) {
  if (library->call == topk_allreduce || library->call == quantised_allreduce) {
    snprintf(text, room, "%s", library->call == topk_allreduce ? library->sparse_report.algorithm : "");
    return 0;
  }
  const char* collective = library->call == reproducible_allreduce ? "allreduce" : library->collective;
  return tutti_comm_choice(library->comm, collective, library->count, library->type, library->op, library->in_place,
                           text, room);
}

int library_call(struct library* library) { return library->call(library, NULL); }
int library_begin(struct library* library) { return library->call(library, &library->request); }
int library_complete(struct library* library) { return tutti_wait(library->request); }
const char* library_reason(struct library* library) { return tutti_error_message(library->comm); }

void library_result(struct library* library) {
  if (library->call != topk_allreduce || library->dense_result) return;
  const size_t element = tutti_type_size(library->type);
  const int wide = library->count > (size_t)UINT32_MAX + 1;
  memset(library->out, 0, library->count * element);
  for (uint64_t i = 0; i < library->pairs.count; ++i) {
    const uint64_t at =
        wide ? ((const uint64_t*)library->pairs.indices)[i] : ((const uint32_t*)library->pairs.indices)[i];
    memcpy((char*)library->out + at * element, (const char*)library->pairs.values + i * element, element);
  }
}

/* Plain sums tell nothing; the same call through the quantised interface, with its numbers left as they are, does. */
uint64_t library_wire_bytes(struct library* library) {
  if (library->call == topk_allreduce) return library->sparse_report.bytes_sent;
  if (library->call == quantised_allreduce) return library->report.sent_bytes;
  if (library->call != allreduce && library->call != reproducible_allreduce) return 0;
  const int code = tutti_quantised_allreduce(library->in, library->out, library->count, library->type, library->op,
                                             &library->quantisation, library->comm, &library->report);
  return code == TUTTI_OK ? library->report.sent_bytes : 0;
}

int library_has_results(struct library* library) {
  (void)library;
  return 1;
}

void library_stop(struct library* library) {
  tutti_comm_free(library->comm);
  free(library->residual);
  free(library->pairs.values);
  free(library->pairs.indices);
  free(library);
}
