/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tutti beside MPI: an existing MPI communicator is the store over which the ranks find each other.
 *
 *   mpicc over_mpi.c $(pkg-config --cflags --libs tutti) -o over_mpi
 *   mpiexec -n 4 ./over_mpi
 *
 * A rank may read a key after the fence that followed its put, so plain MPI is enough: put keeps the entry
 * here, fence exchanges what is new with MPI_Allgatherv, get looks it up. Nothing needs a rank to answer
 * while it is busy elsewhere.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tutti/tutti.h>

enum { longest_key = 128, longest_value = 4096 }; /* bytes, as tutti.h promises */

typedef struct entry {
  size_t bytes;
  char key[longest_key];
  char value[longest_value];
} entry;

typedef struct entries {
  entry* list;
  int count;
} entries;

typedef struct mpi_store {
  MPI_Comm comm;
  entries published; /* by all ranks, before the last fence */
  entries fresh;     /* by this rank, since then */
} mpi_store;

static int make_room(entries* table, int more) {
  entry* list = realloc(table->list, (size_t)(table->count + more) * sizeof(entry));
  if (list == NULL) return TUTTI_ERROR_MEMORY;
  table->list = list;
  return 0;
}

static int put(void* context, const char* key, const void* value, size_t bytes) {
  mpi_store* store = context;
  if (strlen(key) >= longest_key || bytes > longest_value) return TUTTI_ERROR_ARGUMENT;
  if (make_room(&store->fresh, 1) != 0) return TUTTI_ERROR_MEMORY;
  entry* added = &store->fresh.list[store->fresh.count++];
  memset(added, 0, sizeof *added);
  memcpy(added->key, key, strlen(key));
  if (bytes > 0) memcpy(added->value, value, bytes);
  added->bytes = bytes;
  return 0;
}

static int get(void* context, const char* key, void* value, size_t* bytes) {
  const mpi_store* store = context;
  for (int i = store->published.count - 1; i >= 0; --i) { /* the newest first */
    const entry* found = &store->published.list[i];
    if (strcmp(found->key, key) != 0) continue;
    if (found->bytes > *bytes) return TUTTI_ERROR_ARGUMENT;
    memcpy(value, found->value, found->bytes);
    *bytes = found->bytes;
    return 0;
  }
  fprintf(stderr, "over_mpi: nobody put \"%s\" before the last fence\n", key);
  return TUTTI_ERROR_START;
}

static int fence(void* context) {
  mpi_store* store = context;
  int size = 0;
  MPI_Comm_size(store->comm, &size);
  /* Of each rank the number of new entries, and behind these where they begin. */
  int* lengths = malloc(2 * (size_t)size * sizeof *lengths);
  if (lengths == NULL) MPI_Abort(store->comm, TUTTI_ERROR_MEMORY);
  int* begins = lengths + size;

  MPI_Allgather(&store->fresh.count, 1, MPI_INT, lengths, 1, MPI_INT, store->comm);
  int total = 0;
  for (int rank = 0; rank < size; ++rank) {
    begins[rank] = total;
    total += lengths[rank];
  }
  /* A rank that left here would leave the others waiting in the exchange. */
  if (make_room(&store->published, total) != 0) MPI_Abort(store->comm, TUTTI_ERROR_MEMORY);
  MPI_Datatype entry_type;
  MPI_Type_contiguous((int)sizeof(entry), MPI_BYTE, &entry_type);
  MPI_Type_commit(&entry_type);
  MPI_Allgatherv(store->fresh.list, store->fresh.count, entry_type, store->published.list + store->published.count,
                 lengths, begins, entry_type, store->comm);
  MPI_Type_free(&entry_type);
  store->published.count += total;
  store->fresh.count = 0;
  free(lengths);
  return 0;
}

/* Both libraries add up the same vector. */
static int same_sums(tutti_comm* comm, int rank) {
  enum { count = 1000 };
  double mine[count];
  double by_tutti[count];
  double by_mpi[count];
  for (int i = 0; i < count; ++i) mine[i] = i + 1000.0 * rank; /* whole numbers: both orders give the same bits */
  if (tutti_allreduce(mine, by_tutti, count, TUTTI_FLOAT64, TUTTI_SUM, comm) != TUTTI_OK) {
    fprintf(stderr, "tutti_allreduce: %s\n", tutti_error_message(comm));
    return 0;
  }
  MPI_Allreduce(mine, by_mpi, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return memcmp(by_tutti, by_mpi, sizeof by_mpi) == 0;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);

  /* A communicator of its own, so that the store's messages meet no others. */
  mpi_store store = {MPI_COMM_NULL, {NULL, 0}, {NULL, 0}};
  MPI_Comm_dup(MPI_COMM_WORLD, &store.comm);
  const tutti_store_functions functions = {put, get, fence, &store};
  tutti_comm* comm = NULL;
  int good = 0;
  if (tutti_init_from_store(&functions, rank, size, &comm) != TUTTI_OK) {
    fprintf(stderr, "tutti_init_from_store: %s\n", tutti_error_message(NULL));
  } else {
    good = same_sums(comm, rank);
    printf("rank %d of %d: Tutti and MPI %s\n", rank, size, good ? "agree" : "DISAGREE");
  }
  tutti_comm_free(comm);

  MPI_Comm_free(&store.comm);
  free(store.published.list);
  free(store.fresh.list);
  MPI_Finalize();
  return good ? 0 : 1;
}
