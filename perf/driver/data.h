/* Inputs whose results are known exactly, for every collective, type and operation. */
#ifndef TUTTI_PERF_DATA_H
#define TUTTI_PERF_DATA_H

#include "library.h"

/* Bytes of one element, 0 for a type without a known form. */
size_t data_type_bytes(const char* type);
/* 0, or 1 with the reason in `text`: an unknown type or operation, or a pair that has no meaning. */
int data_supported(const char* collective, const char* type, const char* op, char* text, size_t room);
/* Fills the buffers as rank `rank` of `size` must before the call, the output with rubbish. */
void data_fill(const struct perf_request* request, const struct buffers* buffers, int rank, int size);
/* 1 if the output holds what the collective promises, bit for bit; otherwise 0, and `text` names the first element
 * that differs. */
int data_check(const struct perf_request* request, const struct buffers* buffers, int rank, int size, char* text,
               size_t room);

#endif
