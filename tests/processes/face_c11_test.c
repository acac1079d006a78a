/* Every function of tutti.h from strict C11, on any number of ranks: tutti run -n P face_c11_test */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <string.h>

#include "expect.h"
#include "store_over_comm.h"
#include "tutti/tutti.h"

enum { count = 37, most_ranks = 8 };

static int rank;
static int size;

/* The sum over all ranks of (rank + 1) * factor. */
static double total(double factor) { return factor * size * (size + 1) / 2; }

/* ---- what needs no communicator -------------------------------------------------------------------- */

static void type_sizes_are_as_documented(void) {
  static const size_t sizes[] = {1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16, 8, 16, 8, 16};
  for (int type = TUTTI_INT8; type <= TUTTI_INT64_INT64; ++type)
    EXPECT(tutti_type_size((tutti_type)type) == sizes[type]);
  EXPECT(tutti_type_size((tutti_type)99) == 0);
}

static void names_and_versions_are_as_documented(void) {
  EXPECT(strcmp(tutti_result_name(TUTTI_OK), "TUTTI_OK") == 0);
  EXPECT(strcmp(tutti_result_name(TUTTI_ERROR_DEAD), "TUTTI_ERROR_DEAD") == 0);
  EXPECT(strcmp(tutti_result_name(TUTTI_ERROR_INTERNAL), "TUTTI_ERROR_INTERNAL") == 0);
  EXPECT(tutti_result_name(99) != NULL);
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", TUTTI_VERSION_MAJOR, TUTTI_VERSION_MINOR, TUTTI_VERSION_PATCH);
  EXPECT(strcmp(tutti_version(), version) == 0);
  EXPECT(tutti_error_message(NULL) != NULL);
}

/* ---- blocking ---------------------------------------------------------------------------------------- */

static void blocking_collectives_give_their_results(tutti_comm* comm) {
  double in[most_ranks * count];
  double out[most_ranks * count];

  for (int i = 0; i < count; ++i) in[i] = (rank + 1) * i;
  EXPECT(tutti_allreduce(in, out, count, TUTTI_FLOAT64, TUTTI_SUM, comm) == TUTTI_OK);
  for (int i = 0; i < count; ++i) EXPECT(out[i] == total(i));
  EXPECT(tutti_allreduce(in, in, count, TUTTI_FLOAT64, TUTTI_AVG, comm) == TUTTI_OK);
  for (int i = 0; i < count; ++i) EXPECT(in[i] == total(i) / size);

  for (int root = 0; root < size; ++root) {
    for (int i = 0; i < count; ++i) in[i] = rank == root ? root + i : -1;
    EXPECT(tutti_broadcast(in, count, TUTTI_FLOAT64, root, comm) == TUTTI_OK);
    for (int i = 0; i < count; ++i) EXPECT(in[i] == root + i);

    for (int i = 0; i < count; ++i) in[i] = (rank + 1) * i;
    EXPECT(tutti_reduce(in, rank == root ? out : NULL, count, TUTTI_FLOAT64, TUTTI_MAX, root, comm) == TUTTI_OK);
    for (int i = 0; i < count && rank == root; ++i) EXPECT(out[i] == size * i);
    EXPECT(tutti_reduce(in, rank == root ? in : NULL, count, TUTTI_FLOAT64, TUTTI_SUM, root, comm) == TUTTI_OK);
    for (int i = 0; i < count; ++i) EXPECT(in[i] == (rank == root ? total(i) : (rank + 1) * i));
  }

  for (int i = 0; i < size * count; ++i) in[i] = (rank + 1) * i;
  EXPECT(tutti_reduce_scatter(in, out, count, TUTTI_FLOAT64, TUTTI_SUM, comm) == TUTTI_OK);
  for (int i = 0; i < count; ++i) EXPECT(out[i] == total(rank * count + i));
  EXPECT(tutti_reduce_scatter(in, in, count, TUTTI_FLOAT64, TUTTI_SUM, comm) == TUTTI_OK);
  for (int i = 0; i < count; ++i) EXPECT(in[i] == total(rank * count + i));

  for (int i = 0; i < count; ++i) in[i] = 1000 * rank + i;
  EXPECT(tutti_allgather(in, out, count, TUTTI_FLOAT64, comm) == TUTTI_OK);
  for (int i = 0; i < size * count; ++i) EXPECT(out[i] == 1000 * (i / count) + i % count);
  memset(out, 0, sizeof out);
  memcpy(out + rank * count, in, count * sizeof *in);
  EXPECT(tutti_allgather(out, out, count, TUTTI_FLOAT64, comm) == TUTTI_OK);
  for (int i = 0; i < size * count; ++i) EXPECT(out[i] == 1000 * (i / count) + i % count);

  for (int i = 0; i < size * count; ++i) in[i] = 1000 * rank + i;
  EXPECT(tutti_alltoall(in, out, count, TUTTI_FLOAT64, comm) == TUTTI_OK);
  for (int i = 0; i < size * count; ++i) EXPECT(out[i] == 1000 * (i / count) + rank * count + i % count);
  EXPECT(tutti_alltoall(in, in, count, TUTTI_FLOAT64, comm) == TUTTI_OK);
  for (int i = 0; i < size * count; ++i) EXPECT(in[i] == out[i]);
  tutti_request* request = NULL;
  for (int i = 0; i < size * count; ++i) in[i] = 2000 * rank + i;
  EXPECT(tutti_ialltoall(in, out, count, TUTTI_FLOAT64, comm, &request) == TUTTI_OK);
  EXPECT(tutti_wait(request) == TUTTI_OK);
  for (int i = 0; i < size * count; ++i) EXPECT(out[i] == 2000 * (i / count) + rank * count + i % count);
  EXPECT(tutti_alltoall_init(in, out, count, TUTTI_FLOAT64, comm, &request) == TUTTI_OK);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < size * count; ++i) in[i] = 3000 * rank + i + round;
    EXPECT(tutti_start(request) == TUTTI_OK);
    EXPECT(tutti_wait(request) == TUTTI_OK);
    for (int i = 0; i < size * count; ++i) EXPECT(out[i] == 3000 * (i / count) + rank * count + i % count + round);
  }
  EXPECT(tutti_request_free(request) == TUTTI_OK);

  EXPECT(tutti_barrier(comm) == TUTTI_OK);
}

/* What is kept of a call for its repetition must not be taken for another one's. */
static void a_repeated_call_is_the_same_after_others(tutti_comm* comm) {
  int64_t in[count], out[count], other[count];
  for (int round = 0; round < 6; ++round) {
    tutti_request* request = NULL;
    for (int i = 0; i < count; ++i) {
      in[i] = (rank + 1) * (i + round);
      out[i] = -1;
      other[i] = rank + i;
    }
    EXPECT(tutti_allreduce(in, out, count, TUTTI_INT64, TUTTI_SUM, comm) == TUTTI_OK);
    for (int i = 0; i < count; ++i) EXPECT(out[i] == (i + round) * size * (size + 1) / 2);
    /* The same call in place, begun and waited for; the same with another operation; plans that are forgotten. */
    if (round % 3 == 0) {
      EXPECT(tutti_iallreduce(other, other, count, TUTTI_INT64, TUTTI_SUM, comm, &request) == TUTTI_OK);
      EXPECT(tutti_wait(request) == TUTTI_OK);
      for (int i = 0; i < count; ++i) EXPECT(other[i] == size * (size - 1) / 2 + size * i);
    } else if (round % 3 == 1) {
      EXPECT(tutti_allreduce(in, out, count, TUTTI_INT64, TUTTI_MAX, comm) == TUTTI_OK);
      for (int i = 0; i < count; ++i) EXPECT(out[i] == size * (i + round));
    } else {
      EXPECT(tutti_comm_set_algorithm(comm, "") == TUTTI_OK);
    }
  }
}

static void count_zero_is_allowed_with_null_buffers(tutti_comm* comm) {
  EXPECT(tutti_allreduce(NULL, NULL, 0, TUTTI_INT32, TUTTI_SUM, comm) == TUTTI_OK);
  EXPECT(tutti_broadcast(NULL, 0, TUTTI_INT32, 0, comm) == TUTTI_OK);
  EXPECT(tutti_reduce(NULL, NULL, 0, TUTTI_INT32, TUTTI_SUM, 0, comm) == TUTTI_OK);
  EXPECT(tutti_reduce_scatter(NULL, NULL, 0, TUTTI_INT32, TUTTI_SUM, comm) == TUTTI_OK);
  EXPECT(tutti_allgather(NULL, NULL, 0, TUTTI_INT32, comm) == TUTTI_OK);
  EXPECT(tutti_alltoall(NULL, NULL, 0, TUTTI_INT32, comm) == TUTTI_OK);
}

static void operations_combine_as_documented(tutti_comm* comm) {
  struct {
    float value;
    int32_t index;
  } pair = {(float)(rank % 2), rank};
  EXPECT(tutti_allreduce(&pair, &pair, 1, TUTTI_FLOAT32_INT32, TUTTI_MAXLOC, comm) == TUTTI_OK);
  EXPECT(pair.value == (size > 1 ? 1 : 0) && pair.index == (size > 1 ? 1 : 0));

  uint8_t bits = (uint8_t)(1u << rank);
  EXPECT(tutti_allreduce(&bits, &bits, 1, TUTTI_UINT8, TUTTI_BOR, comm) == TUTTI_OK);
  EXPECT(bits == (1u << size) - 1);

  int16_t truth = (int16_t)(rank == 0 ? 0 : 5);
  EXPECT(tutti_allreduce(&truth, &truth, 1, TUTTI_INT16, TUTTI_LOR, comm) == TUTTI_OK);
  EXPECT(truth == (size > 1 ? 1 : 0));
}

/* ---- a user's operation ------------------------------------------------------------------------------ */

/* Composes x -> a x + b of lower ranks with that of higher ones: associative, not commutative. `left` is applied first.
 */
static void compose(const void* left, void* inout, size_t pairs, tutti_type type, void* context) {
  const double* first = left;
  double* second = inout;
  if (type != TUTTI_COMPLEX128) return;
  for (size_t i = 0; i < pairs; ++i) {
    second[2 * i + 1] += second[2 * i] * first[2 * i + 1];
    second[2 * i] *= first[2 * i];
  }
  *(int*)context = 1;
}

static void a_users_operation_keeps_the_order_of_ranks(tutti_comm* comm) {
  int called = 0;
  tutti_op op = TUTTI_SUM;
  EXPECT(tutti_op_create(compose, &called, 0, &op) == TUTTI_OK);
  EXPECT(op > TUTTI_BXOR);
  double map[2] = {2, rank + 1};
  EXPECT(tutti_allreduce(map, map, 1, TUTTI_COMPLEX128, op, comm) == TUTTI_OK);
  double factor = 1;
  double offset = 0;
  for (int r = 0; r < size; ++r) {
    factor *= 2;
    offset = 2 * offset + r + 1;
  }
  EXPECT(map[0] == factor && map[1] == offset);
  EXPECT(called == (size > 1 ? 1 : called));
  EXPECT(tutti_op_free(op) == TUTTI_OK);
}

/* ---- nonblocking and persistent ------------------------------------------------------------------------ */

typedef struct buffers {
  int64_t sum[count], sent[count], reduced[count], blocks[most_ranks * count], block[count],
      gathered[most_ranks * count];
} buffers;

static void fill(buffers* b, int round) {
  for (int i = 0; i < count; ++i) {
    b->sum[i] = rank + i + round;
    b->sent[i] = rank == size - 1 ? i + round : -1;
    b->reduced[i] = rank + i + round;
    b->gathered[rank * count + i] = 100 * rank + i + round;
  }
  for (int i = 0; i < size * count; ++i) b->blocks[i] = rank + i + round;
}

static void check_buffers(const buffers* b, int round) {
  const int64_t ranks = (int64_t)size * (size - 1) / 2;
  for (int i = 0; i < count; ++i) {
    EXPECT(b->sum[i] == ranks + size * (i + round));
    EXPECT(b->sent[i] == i + round);
    EXPECT(rank != 0 || b->reduced[i] == ranks + size * (i + round));
    EXPECT(b->block[i] == ranks + size * (rank * count + i + round));
  }
  for (int i = 0; i < size * count; ++i) EXPECT(b->gathered[i] == 100 * (i / count) + i % count + round);
}

static void nonblocking_collectives_fly_together(tutti_comm* comm) {
  static buffers b;
  tutti_request* requests[6];
  fill(&b, 0);
  EXPECT(tutti_iallreduce(b.sum, b.sum, count, TUTTI_INT64, TUTTI_SUM, comm, &requests[0]) == TUTTI_OK);
  EXPECT(tutti_ibroadcast(b.sent, count, TUTTI_INT64, size - 1, comm, &requests[1]) == TUTTI_OK);
  EXPECT(tutti_ireduce(b.reduced, rank == 0 ? b.reduced : NULL, count, TUTTI_INT64, TUTTI_SUM, 0, comm, &requests[2]) ==
         TUTTI_OK);
  EXPECT(tutti_ireduce_scatter(b.blocks, b.block, count, TUTTI_INT64, TUTTI_SUM, comm, &requests[3]) == TUTTI_OK);
  EXPECT(tutti_iallgather(b.gathered, b.gathered, count, TUTTI_INT64, comm, &requests[4]) == TUTTI_OK);
  EXPECT(tutti_ibarrier(comm, &requests[5]) == TUTTI_OK);
  EXPECT(tutti_wait(requests[3]) == TUTTI_OK);
  requests[3] = NULL; /* NULL is complete */
  EXPECT(tutti_wait_all(6, requests) == TUTTI_OK);
  check_buffers(&b, 0);
  EXPECT(tutti_wait(NULL) == TUTTI_OK);
  EXPECT(tutti_wait_all(0, NULL) == TUTTI_OK);
}

static void test_makes_progress_until_it_says_done(tutti_comm* comm) {
  int64_t value = rank;
  tutti_request* request = NULL;
  EXPECT(tutti_iallreduce(&value, &value, 1, TUTTI_INT64, TUTTI_MAX, comm, &request) == TUTTI_OK);
  for (int done = 0; !done;) {
    if (tutti_test(request, &done) != TUTTI_OK) break;
  }
  EXPECT(value == size - 1);
}

static void a_thousand_requests_are_outstanding_at_once(tutti_comm* comm) {
  enum { many = 1000 };
  static int32_t values[many];
  static tutti_request* requests[many];
  for (int i = 0; i < many; ++i) {
    values[i] = rank + i;
    EXPECT(tutti_iallreduce(&values[i], &values[i], 1, TUTTI_INT32, TUTTI_SUM, comm, &requests[i]) == TUTTI_OK);
  }
  EXPECT(tutti_wait_all(many, requests) == TUTTI_OK);
  int wrong = 0;
  for (int i = 0; i < many; ++i) wrong += values[i] != size * (size - 1) / 2 + size * i;
  EXPECT(wrong == 0);
}

static void persistent_requests_start_again_and_again(tutti_comm* comm) {
  static buffers b;
  tutti_request* requests[6] = {NULL};
  EXPECT(tutti_allreduce_init(b.sum, b.sum, count, TUTTI_INT64, TUTTI_SUM, comm, &requests[0]) == TUTTI_OK);
  EXPECT(tutti_broadcast_init(b.sent, count, TUTTI_INT64, size - 1, comm, &requests[1]) == TUTTI_OK);
  EXPECT(tutti_reduce_init(b.reduced, rank == 0 ? b.reduced : NULL, count, TUTTI_INT64, TUTTI_SUM, 0, comm,
                           &requests[2]) == TUTTI_OK);
  EXPECT(tutti_reduce_scatter_init(b.blocks, b.block, count, TUTTI_INT64, TUTTI_SUM, comm, &requests[3]) == TUTTI_OK);
  EXPECT(tutti_allgather_init(b.gathered, b.gathered, count, TUTTI_INT64, comm, &requests[4]) == TUTTI_OK);
  EXPECT(tutti_barrier_init(comm, &requests[5]) == TUTTI_OK);
  for (int round = 0; round < 3; ++round) {
    fill(&b, round);
    for (int i = 0; i < 6; ++i) EXPECT(tutti_start(requests[(i + rank) % 6]) == TUTTI_OK); /* in any order */
    int done = 0;
    while (!done && tutti_test(requests[0], &done) == TUTTI_OK) continue;
    EXPECT(tutti_wait_all(5, requests + 1) == TUTTI_OK);
    check_buffers(&b, round);
  }
  for (int i = 0; i < 6; ++i) EXPECT(tutti_request_free(requests[i]) == TUTTI_OK);
  EXPECT(tutti_request_free(NULL) == TUTTI_OK);
}

/* ---- communicators and options --------------------------------------------------------------------------- */

static void check_sum(tutti_comm* comm, int32_t expected) {
  int32_t value = rank;
  EXPECT(tutti_allreduce(&value, &value, 1, TUTTI_INT32, TUTTI_SUM, comm) == TUTTI_OK);
  EXPECT(value == expected);
}

static void split_and_duplicate_make_new_communicators(tutti_comm* comm) {
  tutti_comm* half = NULL;
  EXPECT(tutti_comm_split(comm, rank % 2, -rank, &half) == TUTTI_OK);
  int new_rank = -1;
  int new_size = -1;
  EXPECT(tutti_comm_rank(half, &new_rank) == TUTTI_OK && tutti_comm_size(half, &new_size) == TUTTI_OK);
  EXPECT(new_size == (size + 1 - rank % 2) / 2);
  EXPECT(new_rank == new_size - 1 - rank / 2); /* the key turns the order round */
  int32_t expected = 0;
  for (int r = rank % 2; r < size; r += 2) expected += r;
  check_sum(half, expected);
  EXPECT(tutti_comm_free(half) == TUTTI_OK);

  tutti_comm* others = NULL;
  EXPECT(tutti_comm_split(comm, rank == 0 ? -1 : 7, 0, &others) == TUTTI_OK);
  EXPECT((others == NULL) == (rank == 0));
  EXPECT(tutti_comm_free(others) == TUTTI_OK);

  tutti_comm* copy = NULL;
  EXPECT(tutti_comm_duplicate(comm, &copy) == TUTTI_OK);
  check_sum(copy, size * (size - 1) / 2);
  EXPECT(tutti_comm_free(copy) == TUTTI_OK);
}

static void an_abort_ends_all_waits_on_its_communicator_alone(tutti_comm* comm) {
  tutti_comm* copy = NULL;
  EXPECT(tutti_comm_duplicate(comm, &copy) == TUTTI_OK);
  if (rank == 0) EXPECT(tutti_comm_abort(copy, "enough") == TUTTI_OK);
  EXPECT(tutti_barrier(copy) == TUTTI_ERROR_ABORTED);
  EXPECT(strstr(tutti_error_message(copy), "enough") != NULL);
  EXPECT(tutti_barrier(copy) == TUTTI_ERROR_ABORTED); /* it stays so */
  check_sum(comm, size * (size - 1) / 2);
  EXPECT(tutti_comm_free(copy) == TUTTI_OK);
}

static void shrink_keeps_all_where_all_live(tutti_comm* comm) {
  tutti_comm* survivors = NULL;
  EXPECT(tutti_comm_shrink(comm, &survivors) == TUTTI_OK);
  check_sum(survivors, size * (size - 1) / 2);
  EXPECT(tutti_comm_free(survivors) == TUTTI_OK);
}

static void algorithms_can_be_forced_and_asked_for(tutti_comm* comm) {
  char text[4096];
  EXPECT(tutti_comm_set_algorithm(comm, "allreduce=ring") == TUTTI_OK);
  EXPECT(tutti_comm_choice(comm, "allreduce", 1000, TUTTI_FLOAT32, TUTTI_SUM, 0, text, sizeof text) == TUTTI_OK);
  EXPECT(size == 1 || strncmp(text, "ring", 4) == 0);
  check_sum(comm, size * (size - 1) / 2);
  EXPECT(tutti_comm_set_algorithm(comm, "allreduce=no-such") == TUTTI_ERROR_ARGUMENT);
  EXPECT(tutti_comm_set_algorithm(comm, NULL) == TUTTI_OK);
  check_sum(comm, size * (size - 1) / 2);
}

static void a_progress_thread_completes_operations(tutti_comm* comm) {
  EXPECT(tutti_comm_progress_thread(comm, 1) == TUTTI_OK);
  nonblocking_collectives_fly_together(comm);
  check_sum(comm, size * (size - 1) / 2);
  EXPECT(tutti_comm_progress_thread(comm, 0) == TUTTI_OK);
  check_sum(comm, size * (size - 1) / 2);
}

static void a_store_over_a_communicator_starts_another(tutti_comm* comm) {
  comm_store store = comm_store_over(comm, size);
  const tutti_store_functions functions = {comm_store_put, comm_store_get, comm_store_fence, &store};
  tutti_comm* second = NULL;
  EXPECT(tutti_init_from_store(&functions, rank, size, &second) == TUTTI_OK);
  free(store.published);
  if (second != NULL) check_sum(second, size * (size - 1) / 2);
  EXPECT(tutti_comm_free(second) == TUTTI_OK);
}

/* ---- threads ------------------------------------------------------------------------------------------- */

static void* sum_in_a_thread(void* argument) {
  tutti_comm* comm = argument;
  int thread_rank = -1;
  float value = 0;
  if (tutti_comm_rank(comm, &thread_rank) != TUTTI_OK) return NULL;
  value = (float)thread_rank + 1;
  if (tutti_allreduce(&value, &value, 1, TUTTI_FLOAT32, TUTTI_SUM, comm) != TUTTI_OK) return NULL;
  return value == 6 ? comm : NULL;
}

static void threads_of_one_process_are_ranks_too(void) {
  tutti_comm* comms[3] = {NULL};
  pthread_t threads[3];
  EXPECT(tutti_init_threads(3, comms) == TUTTI_OK);
  for (int i = 0; i < 3; ++i) EXPECT(pthread_create(&threads[i], NULL, sum_in_a_thread, comms[i]) == 0);
  for (int i = 0; i < 3; ++i) {
    void* good = NULL;
    EXPECT(pthread_join(threads[i], &good) == 0 && good == comms[i]);
  }
  for (int i = 0; i < 3; ++i) EXPECT(tutti_comm_free(comms[i]) == TUTTI_OK);
}

int main(void) {
  tutti_comm* world = NULL;
  EXPECT(tutti_init_from_env(&world) == TUTTI_OK);
  if (world == NULL) return failures_seen();
  EXPECT(tutti_comm_rank(world, &rank) == TUTTI_OK && tutti_comm_size(world, &size) == TUTTI_OK);
  EXPECT(rank >= 0 && rank < size && size <= most_ranks);

  type_sizes_are_as_documented();
  names_and_versions_are_as_documented();
  blocking_collectives_give_their_results(world);
  a_repeated_call_is_the_same_after_others(world);
  count_zero_is_allowed_with_null_buffers(world);
  operations_combine_as_documented(world);
  a_users_operation_keeps_the_order_of_ranks(world);
  nonblocking_collectives_fly_together(world);
  test_makes_progress_until_it_says_done(world);
  a_thousand_requests_are_outstanding_at_once(world);
  persistent_requests_start_again_and_again(world);
  split_and_duplicate_make_new_communicators(world);
  an_abort_ends_all_waits_on_its_communicator_alone(world);
  shrink_keeps_all_where_all_live(world);
  algorithms_can_be_forced_and_asked_for(world);
  a_progress_thread_completes_operations(world);
  a_store_over_a_communicator_starts_another(world);
  threads_of_one_process_are_ranks_too();

  EXPECT(tutti_comm_free(world) == TUTTI_OK);
  EXPECT(tutti_comm_free(NULL) == TUTTI_OK);
  return failures_seen();
}
