/* Real-valued inputs for collectives that lose something: what they lose depends on how the data are distributed. */
#ifndef TUTTI_PERF_DISTRIBUTION_H
#define TUTTI_PERF_DISTRIBUTION_H

#include <stddef.h>
#include <stdint.h>

struct distribution;

/* "uniform", "gaussian", "heavy-tail", or a file of recorded numbers: .npy of float32, otherwise raw float32. NULL with
 * the reason in `text` where it is none of these. */
struct distribution* distribution_open(const char* name, char* text, size_t room);
void distribution_close(struct distribution* distribution);
/* Elements first..first+count of what rank `rank` of `size` brings. A recorded file is cut into `size` starting points,
 * one for each rank, and begins anew where it ends. */
void distribution_fill(const struct distribution* distribution, uint32_t seed, int rank, int size, uint64_t first,
                       size_t count, double* to);

#endif
