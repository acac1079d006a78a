/* Adds up vectors of all ranks and checks every element: sum BYTES TIMES. Each rank prints one line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tutti/tutti.h>

static int failed(const char* call) {
  fprintf(stderr, "%s: %s\n", call, tutti_error_message(NULL));
  return 1;
}

int main(int argc, char** argv) {
  const size_t count = (argc > 1 ? (size_t)atoll(argv[1]) : 8) / sizeof(int64_t);
  const int times = argc > 2 ? atoi(argv[2]) : 1;
  tutti_comm* world = NULL;
  int rank = 0, size = 0;
  if (tutti_init_from_env(&world) != TUTTI_OK) return failed("tutti_init_from_env");
  if (tutti_comm_rank(world, &rank) != TUTTI_OK || tutti_comm_size(world, &size) != TUTTI_OK) return failed("rank");
  int64_t* in = malloc((count + 1) * sizeof *in);
  int64_t* out = malloc((count + 1) * sizeof *out);
  if (!in || !out) return 1;
  for (int round = 0; round < times; ++round) {
    for (size_t i = 0; i < count; ++i) in[i] = (int64_t)i * (rank + 1) + round;
    if (tutti_allreduce(in, out, count, TUTTI_INT64, TUTTI_SUM, world) != TUTTI_OK) return failed("tutti_allreduce");
    for (size_t i = 0; i < count; ++i) {
      const int64_t right = (int64_t)i * size * (size + 1) / 2 + (int64_t)round * size;
      if (out[i] == right) continue;
      fprintf(stderr, "rank %d, round %d: element %zu is %lld, not %lld\n", rank, round, i, (long long)out[i], (long long)right);
      return 1;
    }
  }
  printf("rank %d of %d has the sums\n", rank, size);
  fflush(stdout);
  tutti_comm_free(world);
  free(in);
  free(out);
  return 0;
}
