/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The smallest program: the ranks find each other, add up one number each, and part.
 *
 *   cc hello.c $(pkg-config --cflags --libs tutti) -o hello
 *   tutti run -n 4 ./hello
 */
#include <stdio.h>
#include <tutti/tutti.h>

static int failed(const char* call) {
  fprintf(stderr, "%s: %s\n", call, tutti_error_message(NULL));
  return 1;
}

int main(void) {
  tutti_comm* world = NULL;
  if (tutti_init_from_env(&world) != TUTTI_OK) return failed("tutti_init_from_env");

  int rank = 0;
  int size = 0;
  if (tutti_comm_rank(world, &rank) != TUTTI_OK) return failed("tutti_comm_rank");
  if (tutti_comm_size(world, &size) != TUTTI_OK) return failed("tutti_comm_size");

  const double mine = rank + 1;
  double total = 0;
  if (tutti_allreduce(&mine, &total, 1, TUTTI_FLOAT64, TUTTI_SUM, world) != TUTTI_OK) return failed("tutti_allreduce");

  printf("rank %d of %d: the numbers 1 to %d add up to %g\n", rank, size, size, total);
  tutti_comm_free(world);
  return total == size * (size + 1) / 2.0 ? 0 : 1;
}
