/* What a call that may lose something has lost: its result against the exact sum, and against what it promises. */
#ifndef TUTTI_PERF_ACCURACY_H
#define TUTTI_PERF_ACCURACY_H

#include "distribution.h"
#include "library.h"

/* How many elements a rank selects at the request's density. */
uint64_t accuracy_selected(const struct perf_request* request);
/* Fills the input with what rank `rank` of `size` brings, and the output with rubbish. */
void accuracy_fill(const struct perf_request* request, const struct distribution* distribution,
                   const struct buffers* buffers, int rank, int size);
/* Sets the errors of the whole output in `reply`, a digest of its bits, and whether each element lies within what the
 * collective promises; `text` of the reply names the first that does not. Returns 1 where there was no memory. */
int accuracy_check(const struct perf_request* request, const struct distribution* distribution, const void* out,
                   int size, struct perf_reply* reply);

#endif
