/* A library that is wrong, behind the driver's seam: its calls leave the output as it was, and with FAULT=fail the
 * fiftieth call of rank 1 fails. tutti-perf must say so and must not wait for that rank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

struct library {
  int rank;
  int calls;
  int fails;
};

static int number_after(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i)
    if (strcmp(argv[i], name) == 0) return atoi(argv[i + 1]);
  return 0;
}

struct library* library_start(int* argc, char*** argv, int* rank, int* size) {
  struct library* library = calloc(1, sizeof *library);
  if (!library) exit(1);
  const char* fault = getenv("FAULT");
  library->fails = fault && strcmp(fault, "fail") == 0;
  library->rank = *rank = number_after(*argc, *argv, "--rank");
  *size = number_after(*argc, *argv, "--size");
  return library;
}
void library_version(struct library* library, char* text, size_t room) {
  (void)library;
  snprintf(text, room, "a faulty library");
}
void library_share(struct library* library, char* page, int more_ranks_than_cores) {
  (void)library;
  (void)page;
  (void)more_ranks_than_cores;
}
int library_prepare(struct library* library, const struct perf_request* request, const struct buffers* buffers,
                    char* text, size_t room) {
  (void)library;
  (void)request;
  (void)buffers;
  (void)text;
  (void)room;
  return 0;
}
int library_choice(struct library* library, char* text, size_t room) {
  (void)library;
  if (room) text[0] = 0;
  return 0;
}
int library_call(struct library* library) { return library->fails && library->rank == 1 && ++library->calls == 50; }
int library_begin(struct library* library) { return library_call(library); }
int library_complete(struct library* library) {
  (void)library;
  return 0;
}
const char* library_reason(struct library* library) { return library->rank == 1 ? "the fiftieth call" : ""; }
void library_result(struct library* library) { (void)library; }
uint64_t library_wire_bytes(struct library* library) {
  (void)library;
  return 0;
}
int library_has_results(struct library* library) {
  (void)library;
  return 1;
}
void library_stop(struct library* library) { free(library); }
