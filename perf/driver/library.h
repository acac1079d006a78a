/* The seam between the driver and what it measures: one small file for each library (library_tutti.c,
 * library_mpi.c, library_bound.c) implements these functions, everything else is shared by all of them. */
#ifndef TUTTI_PERF_LIBRARY_H
#define TUTTI_PERF_LIBRARY_H

#include "protocol.h"

struct library;

/* The memory that every call of a run uses; both are as long as the longest vector. */
struct buffers {
  void* in;
  void* out;
};

/* Joins the job. Ends the process with a message on standard error where that fails. */
struct library* library_start(int* argc, char*** argv, int* rank, int* size);
void library_version(struct library* library, char* text, size_t room);

/* Hands the shared page over, after the welcome; only the bound's job keeps it. */
void library_share(struct library* library, char* page, int more_ranks_than_cores);

/* Makes the call of `request` ready, so that library_call does nothing else. Returns 0, or 1 with the reason
 * in `text`. */
int library_prepare(struct library* library, const struct perf_request* request, const struct buffers* buffers,
                    char* text, size_t room);
/* Which algorithm runs, or an empty text where the library does not say. */
int library_choice(struct library* library, char* text, size_t room);

/* The prepared call: blocking, or begun and completed. Return 0, or 1 with library_reason. */
int library_call(struct library* library);
int library_begin(struct library* library);
int library_complete(struct library* library);
const char* library_reason(struct library* library);

/* After a call: lays a result that is not dense into the output. */
void library_result(struct library* library);
/* What this rank sent in a call like the one that was prepared, which it may make again; 0 where it cannot be told. */
uint64_t library_wire_bytes(struct library* library);

/* 1 where the call moves data whose result can be compared. */
int library_has_results(struct library* library);

void library_stop(struct library* library);

#endif
