/* An MPI program that starts Tutti by the variables of the launcher that both share, before or after MPI_Init: each
 * adds up the ranks.   launcher_beside_mpi first|second   (what Tutti is) */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <tutti/tutti.h>

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, tutti_error_message(NULL));
  return 1;
}

int main(int argc, char** argv) {
  const int first = argc > 1 && strcmp(argv[1], "first") == 0;
  tutti_comm* world = NULL;
  if (first && tutti_init_from_env(&world) != TUTTI_OK) return fail("tutti_init_from_env");
  MPI_Init(&argc, &argv);
  if (!first && tutti_init_from_env(&world) != TUTTI_OK) return fail("tutti_init_from_env");
  int rank = 0, size = 0, by_mpi = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int own = -1;
  if (tutti_comm_rank(world, &own) != TUTTI_OK) return fail("tutti_comm_rank");
  MPI_Allreduce(&rank, &by_mpi, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  int by_tutti = 0;
  if (tutti_allreduce(&own, &by_tutti, 1, TUTTI_INT32, TUTTI_SUM, world) != TUTTI_OK) return fail("tutti_allreduce");
  tutti_comm_free(world);
  MPI_Finalize();
  printf("rank %d is %d of %d: %d %d\n", rank, own, size, by_mpi, by_tutti);
  return own == rank && by_mpi == by_tutti && by_mpi == size * (size - 1) / 2 ? 0 : 1;
}
