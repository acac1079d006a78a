/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tutti's C interface: collective operations between processes.
 *
 * Every call returns TUTTI_OK (0) or an error code; tutti_error_message() then says what was wrong,
 * where, and what would be right. Objects are opaque, there is no global state, and any number of
 * communicators may live in one process.
 *
 * Shapes. `count` is a number of elements of `type`, always 64 bit. For allreduce, broadcast and reduce
 * it is the length of the whole vector; for reduce-scatter and allgather it is the length of one
 * rank's block, so the long side holds size * count elements; for alltoall that of what one rank has for
 * another, so both sides hold size * count elements.
 *
 * Buffers. `in == out` means in place: for allgather the rank's own block then already lies at its
 * position of `out`; for reduce-scatter the result lies at the beginning of `in`, whose rest is undefined
 * except that the other ranks' blocks stay as they were; alltoall runs from a copy of the input, which it
 * makes at each call. Any other overlap is an error. Buffers belong
 * to the library from the call to its return, or, for nonblocking calls, until the request is complete.
 * Count 0 is allowed everywhere, with null buffers too.
 *
 * Agreement. All ranks of a communicator call its collectives in the same order, with the same
 * count, type, op and root. A difference is found and reported as TUTTI_ERROR_MISMATCH.
 *
 * Threads. Communicators of different tutti_init_* calls may be used by different threads at the same time.
 * Communicators split or duplicated from one another share a context, which belongs to one thread at a time;
 * while its progress thread runs (tutti_comm_progress_thread), several threads may call, and take turns. On
 * one communicator all ranks must still agree on the order of calls.
 *
 * Errors of collectives: TUTTI_ERROR_ARGUMENT before anything was sent (the communicator stays usable);
 * TUTTI_ERROR_MISMATCH, _DEAD, _LATE, _ABORTED poison the communicator: each later call on it
 * returns the same error at once.
 */
#ifndef TUTTI_TUTTI_H
#define TUTTI_TUTTI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TUTTI_API __attribute__((visibility("default")))
#else
#define TUTTI_API
#endif

#define TUTTI_VERSION_MAJOR 0
#define TUTTI_VERSION_MINOR 1
#define TUTTI_VERSION_PATCH 0

typedef struct tutti_comm tutti_comm;
typedef struct tutti_request tutti_request;

/* ---- errors ------------------------------------------------------------------------------------ */

typedef enum tutti_result {
  TUTTI_OK = 0,
  TUTTI_ERROR_ARGUMENT = 1,    /* an argument, variable or file is wrong; nothing was sent */
  TUTTI_ERROR_UNSUPPORTED = 2, /* well formed, but what was forced cannot run here */
  TUTTI_ERROR_MISMATCH = 3,    /* ranks called different things */
  TUTTI_ERROR_DEAD = 4,        /* a rank died */
  TUTTI_ERROR_LATE = 5,        /* a live rank was later than TUTTI_LATE_TIMEOUT */
  TUTTI_ERROR_ABORTED = 6,     /* tutti_comm_abort was called somewhere */
  TUTTI_ERROR_START = 7,       /* the ranks did not find each other: store, secret, time limit */
  TUTTI_ERROR_MEMORY = 8,      /* the system gave no memory */
  TUTTI_ERROR_FORK = 9,        /* used in a child after fork */
  TUTTI_ERROR_SYSTEM = 10,     /* a system call failed; the message names it */
  TUTTI_ERROR_INTERNAL = 11    /* a fault of this library; please report it */
} tutti_result;

/* The last error of `comm`, or with NULL the calling thread's last. Never NULL; valid until the next
 * failing call of the same thread (on the same communicator). */
TUTTI_API const char* tutti_error_message(const tutti_comm* comm);
/* A code's name, such as "TUTTI_ERROR_DEAD". */
TUTTI_API const char* tutti_result_name(int result);
/* "major.minor.patch" of the library that runs. */
TUTTI_API const char* tutti_version(void);

/* ---- element types and operations ---------------------------------------------------------------- */

typedef enum tutti_type {
  TUTTI_INT8 = 0,
  TUTTI_INT16 = 1,
  TUTTI_INT32 = 2,
  TUTTI_INT64 = 3,
  TUTTI_UINT8 = 4,
  TUTTI_UINT16 = 5,
  TUTTI_UINT32 = 6,
  TUTTI_UINT64 = 7,
  TUTTI_FLOAT16 = 8,  /* IEEE binary16; combined in float32, rounded to nearest even after each combine */
  TUTTI_BFLOAT16 = 9, /* likewise */
  TUTTI_FLOAT32 = 10,
  TUTTI_FLOAT64 = 11,
  TUTTI_COMPLEX64 = 12,  /* two float32: real, imaginary */
  TUTTI_COMPLEX128 = 13, /* two float64 */
  /* (value, index) pairs for TUTTI_MINLOC and TUTTI_MAXLOC, as C structs without padding */
  TUTTI_FLOAT32_INT32 = 14,
  TUTTI_FLOAT64_INT64 = 15,
  TUTTI_INT32_INT32 = 16,
  TUTTI_INT64_INT64 = 17,
  TUTTI_TYPE_LIMIT = 0x7fffffff /* no type: it lets the enum hold any int, so that unknown ones can be refused */
} tutti_type;

typedef enum tutti_op {
  TUTTI_SUM = 0, /* integers wrap */
  TUTTI_AVG = 1, /* the sum, then divided by the number of ranks; integers truncate towards zero */
  TUTTI_PROD = 2,
  TUTTI_MIN = 3, /* a NaN in any summand gives NaN; complex types refused */
  TUTTI_MAX = 4,
  TUTTI_MINLOC = 5, /* pairs only; equal values keep the lowest index */
  TUTTI_MAXLOC = 6,
  TUTTI_LAND = 7, /* logical: non-zero is true; the result of combining is 0 or 1; integers only */
  TUTTI_LOR = 8,
  TUTTI_LXOR = 9,
  TUTTI_BAND = 10, /* bitwise; integers only */
  TUTTI_BOR = 11,
  TUTTI_BXOR = 12,
  /* values from tutti_op_create lie between; this one gives the type the room for them */
  TUTTI_OP_LAST = 0x7fffffff
} tutti_op;

/* Bytes of one element; 0 for an unknown type. */
TUTTI_API size_t tutti_type_size(tutti_type type);

/* A user's operation: inout[i] = combine(left[i], inout[i]) for i < count when it is called as
 * f(left, inout, count, type, context), where `left` holds the contributions of lower ranks.
 * It must be associative. With commutative == 0, contributions are combined in rank order only.
 * The operation belongs to the process; it must outlive every call that uses it. */
typedef void (*tutti_combine_function)(const void* left, void* inout, size_t count, tutti_type type, void* context);
TUTTI_API int tutti_op_create(tutti_combine_function function, void* context, int commutative, tutti_op* op);
TUTTI_API int tutti_op_free(tutti_op op);

/* ---- start and end ----------------------------------------------------------------------------- */

/* Joins the job that the environment describes: TUTTI_RANK, TUTTI_SIZE, TUTTI_STORE, TUTTI_SECRET_FILE;
 * else torchrun's RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT. Half a set is an error. Collective. */
TUTTI_API int tutti_init_from_env(tutti_comm** comm);

/* Joins over the caller's own functions, an existing MPI communicator for instance. `put` publishes a value
 * under a key, `get` copies the value of a key (length in: room, out: bytes), `fence` returns on each rank
 * after all have entered it. Each returns 0 or an error. They are called by this thread during this function
 * only; a key is read only after a fence that followed its put, and all ranks enter equally many fences, so
 * that collective operations alone can carry them (examples/over_mpi.c). Keys are printable and shorter than
 * 128 bytes, values shorter than 4096. Collective. */
typedef struct tutti_store_functions {
  int (*put)(void* context, const char* key, const void* value, size_t bytes);
  int (*get)(void* context, const char* key, void* value, size_t* bytes);
  int (*fence)(void* context);
  void* context;
} tutti_store_functions;
TUTTI_API int tutti_init_from_store(const tutti_store_functions* store, int rank, int size, tutti_comm** comm);

/* `size` communicators in one process, comms[r] for rank r: each belongs to a thread of its own. */
TUTTI_API int tutti_init_threads(int size, tutti_comm** comms);

/* This process's rank, from 0 to size - 1, and the number of ranks. Local. */
TUTTI_API int tutti_comm_rank(const tutti_comm* comm, int* rank);
TUTTI_API int tutti_comm_size(const tutti_comm* comm, int* size);
/* Ranks with equal `color` form a new communicator, ordered by (key, old rank). A negative color takes no
 * part and gets NULL. Collective over `comm`. */
TUTTI_API int tutti_comm_split(tutti_comm* comm, int color, int key, tutti_comm** out);
TUTTI_API int tutti_comm_duplicate(tutti_comm* comm, tutti_comm** out);
/* Ends everything that belongs to the communicator: its requests become invalid. Says goodbye, waits for
 * nobody. NULL is allowed. */
TUTTI_API int tutti_comm_free(tutti_comm* comm);
/* Ends all waits on this communicator, here and on all other ranks, with TUTTI_ERROR_ABORTED. */
TUTTI_API int tutti_comm_abort(tutti_comm* comm, const char* reason);
/* After TUTTI_ERROR_DEAD: the survivors agree on who is left and get a new communicator. Collective over the survivors. */
TUTTI_API int tutti_comm_shrink(tutti_comm* comm, tutti_comm** out);

/* ---- options ----------------------------------------------------------------------------------- */

/* Forces algorithms for this communicator, in the grammar of TUTTI_ALGORITHM:
 * "allreduce=ring; broadcast@1M-=chain(window=256K)". NULL or "" ends it. All ranks must set the same.
 * A name or range that cannot be understood is TUTTI_ERROR_ARGUMENT; an algorithm that cannot run is
 * TUTTI_ERROR_UNSUPPORTED from the call that would have used it. */
TUTTI_API int tutti_comm_set_algorithm(tutti_comm* comm, const char* spec);
/* Which algorithm a call would run, such as "two-shot(window=256K)", and why; both into `text`. */
TUTTI_API int tutti_comm_choice(tutti_comm* comm, const char* collective, size_t count, tutti_type type,
                                tutti_op op, int in_place, char* text, size_t room);
/* Starts (1) or ends (0) a thread that progresses this communicator's nonblocking operations. */
TUTTI_API int tutti_comm_progress_thread(tutti_comm* comm, int on);

/* ---- collectives ------------------------------------------------------------------------------- */

/* Every rank gets the combination of all ranks' vectors: in and out hold count elements. */
TUTTI_API int tutti_allreduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, tutti_comm* comm);
/* Every rank's buffer gets the count elements of the root's. */
TUTTI_API int tutti_broadcast(void* buffer, size_t count, tutti_type type, int root, tutti_comm* comm);
/* The combination of all ranks' vectors, at the root; elsewhere `out` is not touched and may be null. */
TUTTI_API int tutti_reduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, int root,
                           tutti_comm* comm);
/* in: size * count elements; out: count elements, this rank's block. */
TUTTI_API int tutti_reduce_scatter(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                   tutti_comm* comm);
/* in: count elements; out: size * count elements, rank r's block at r * count. */
TUTTI_API int tutti_allgather(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm);
/* in and out: size * count elements; the r-th block of `in` goes to rank r, the r-th of `out` comes from it. */
TUTTI_API int tutti_alltoall(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm);
/* Returns after all ranks have called it. */
TUTTI_API int tutti_barrier(tutti_comm* comm);

/* ---- sparse sums: docs/sparse.md ----------------------------------------------------------------------- */

/* Pairs of index and value in arrays of the caller. Indices rise and none is repeated; they are uint32_t where the vector
 * has at most 2^32 elements, else uint64_t. Values are float32 or float64. As an argument, `count` of them are read
 * and `room` is ignored; as a result, `count` says how many there are, also where `room` was not enough, which is
 * TUTTI_ERROR_ARGUMENT on this rank after the call has been completed on all. */
typedef struct tutti_pairs {
  void* indices;
  void* values;
  uint64_t count;
  uint64_t room;
} tutti_pairs;

/* What a sparse sum means. */
typedef enum tutti_meaning {
  TUTTI_UNION = 0, /* the sum of all that was selected anywhere */
  TUTTI_GLOBAL = 1 /* the k largest of that sum; of equal magnitudes those of lower index */
} tutti_meaning;

/* What each rank selects: the k elements of largest magnitude, of equal ones those of lower index. NaN counts as
 * larger than infinity; zeros are never selected. All members but `estimated` must be equal on all ranks. Zero-initialise
 * it, and set what you need. */
typedef struct tutti_topk {
  uint64_t k;      /* elements, at most `count` (or `bucket`) */
  double density;  /* where k is 0: k is this share of the vector (or bucket), rounded up; from 0 to 1 */
  uint64_t bucket; /* 0: of the whole vector; else k of every `bucket` elements, the last bucket may be shorter */
  int meaning;     /* a tutti_meaning; the k of TUTTI_GLOBAL is that of all buckets together */
  int estimated;   /* 1: any number from 4/5 k to 5/4 k will do, which is a little faster */
} tutti_topk;

/* What a sparse call truly cost, on this rank. */
typedef struct tutti_sparse_report {
  char algorithm[32];     /* "split-sparse"; "none" on a single rank */
  uint64_t selected;      /* pairs that this rank brought */
  uint64_t result_pairs;  /* of the result; 0 where no rank brought any */
  uint64_t bytes_sent;    /* by this rank, everything */
  uint64_t bytes_control; /* of those, sizes, parts and thresholds */
  uint64_t bytes_dense;   /* that a dense call at its bound would have sent */
  double ratio;           /* bytes_dense / bytes_sent; 0 where nothing was sent */
} tutti_sparse_report;

/* Every rank gets the sum of what all ranks select of their vectors. `values`: count elements of `type` (float32,
 * float64). `residual`, if not NULL: count elements; they are added before the selection and then hold what was not sent
 * (TUTTI_GLOBAL: what did not make it into the result), which is error feedback. `out`, if not NULL: count elements,
 * the dense result; it may be `values`. `pairs`, if not NULL: the sparse result, without zeros; at most
 * size * k pairs (TUTTI_GLOBAL: k). `report` may be NULL. TUTTI_ERROR_ARGUMENT: k above count, density not from 0 to 1,
 * an unknown meaning, null pointers; TUTTI_ERROR_UNSUPPORTED: another type; TUTTI_ERROR_MISMATCH: another k, density,
 * bucket or meaning on another rank. */
TUTTI_API int tutti_topk_allreduce(const void* values, size_t count, tutti_type type, const tutti_topk* select,
                                   void* residual, void* out, tutti_pairs* pairs, tutti_sparse_report* report,
                                   tutti_comm* comm);
/* The same for callers who bring their own pairs, of a vector of count elements; their numbers may differ from rank to
 * rank. `keep`: 0 for the sum of all, else the result is the `keep` pairs of largest magnitude. Pairs that are not
 * sorted, repeat an index or have one out of range are TUTTI_ERROR_ARGUMENT, before anything is sent. */
TUTTI_API int tutti_sparse_allreduce(const tutti_pairs* in, size_t count, tutti_type type, uint64_t keep, void* out,
                                     tutti_pairs* pairs, tutti_sparse_report* report, tutti_comm* comm);
/* Every rank gets the root's pairs, of a vector of count elements. `pairs` is read at the root and written elsewhere,
 * where it may be NULL. `vector`, if not NULL: count elements, to which the pairs are added, at the root too. */
TUTTI_API int tutti_sparse_broadcast(tutti_pairs* pairs, size_t count, tutti_type type, int root, void* vector,
                                     tutti_sparse_report* report, tutti_comm* comm);
/* Nonblocking; all that is pointed to, but for `select`, belongs to the library until the request is complete. */
TUTTI_API int tutti_itopk_allreduce(const void* values, size_t count, tutti_type type, const tutti_topk* select,
                                    void* residual, void* out, tutti_pairs* pairs, tutti_sparse_report* report,
                                    tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_isparse_allreduce(const tutti_pairs* in, size_t count, tutti_type type, uint64_t keep, void* out,
                                      tutti_pairs* pairs, tutti_sparse_report* report, tutti_comm* comm,
                                      tutti_request** request);
TUTTI_API int tutti_isparse_broadcast(tutti_pairs* pairs, size_t count, tutti_type type, int root, void* vector,
                                      tutti_sparse_report* report, tutti_comm* comm, tutti_request** request);

/* ---- reproducible sums ---------------------------------------------------------------------------- */

/* From now on (on != 0) every sum and average of float16, bfloat16, float32, float64 and complex numbers by allreduce,
 * reduce or reduce-scatter on this communicator, in all their forms, has bits that depend on the multiset of the summands
 * alone: the same for any algorithm, any order of the ranks and any machine. TUTTI_REPRODUCIBLE=1 sets it from the
 * start; communicators made from this one inherit it. All ranks must set the same. docs/reproducible.md: error, cost. */
TUTTI_API int tutti_comm_set_reproducible(tutti_comm* comm, int on);
/* The reproducible sum of `vectors` >= 1 vectors of each rank, each of count elements: the same bits however the same
 * summands are split over vectors and ranks. Ranks may bring different numbers of vectors, 2^20 in all at most. `out` may
 * be one of the inputs, which need not differ from one another; any other overlap is an error. TUTTI_AVG divides by
 * the number of all vectors. `op` is TUTTI_SUM or TUTTI_AVG, `type` float16, bfloat16, float32 or float64, else
 * TUTTI_ERROR_ARGUMENT. */
TUTTI_API int tutti_reproducible_allreduce(const void* const* inputs, size_t vectors, void* out, size_t count,
                                           tutti_type type, tutti_op op, tutti_comm* comm);
/* The same of this process's vectors alone, without any communicator: the bits that tutti_reproducible_allreduce would
 * give if they were spread over ranks. Local; any thread. */
TUTTI_API int tutti_reproducible_sum(const void* const* inputs, size_t vectors, void* out, size_t count,
                                     tutti_type type, tutti_op op);

/* ---- quantised vectors ---------------------------------------------------------------------------------- */

/* In what the numbers of a vector travel. Integers and the two 8-bit floating formats have a float32 scale for each
 * block. TUTTI_WIRE_DENSE is the vector's own type, without loss. docs/quantised.md: formats, errors, special values. */
typedef enum tutti_wire {
  TUTTI_WIRE_DENSE = 0,
  TUTTI_WIRE_INT8 = 1, /* -127 to 127 times the scale */
  TUTTI_WIRE_INT4 = 2, /* -7 to 7 */
  TUTTI_WIRE_INT2 = 3, /* -1 to 1 */
  TUTTI_WIRE_E4M3 = 4, /* 4 bits of exponent, 3 of fraction */
  TUTTI_WIRE_E5M2 = 5,
  TUTTI_WIRE_BFLOAT16 = 6,
  TUTTI_WIRE_LIMIT = 0x7fffffff /* no wire: it lets the enum hold any int, so that unknown ones can be refused */
} tutti_wire;

/* Some consecutive elements with a wire of their own. */
typedef struct tutti_segment {
  size_t first;
  size_t count;
  tutti_wire wire;
} tutti_segment;

/* How to quantise; equal on all ranks. Zeroed but for `bytes` and `wire` it is: blocks of 256, rounding to nearest. */
typedef struct tutti_quantisation {
  size_t bytes; /* sizeof(tutti_quantisation) */
  tutti_wire wire;
  int stochastic; /* 1: rounds up or down at random, so that the expected error is zero */
  uint32_t block; /* numbers that share a scale: a power of two from 32 to 1024, or 0 for 256 */
  uint64_t seed;  /* of the random numbers: the same seed gives the same bits; change it from call to call */
  const tutti_segment* segments; /* elements with another wire than `wire`, in any order, without overlap */
  size_t segment_count;          /* allreduce and broadcast only */
} tutti_quantisation;

/* What a call cost and lost on this rank; null where a call offers one: not wanted. */
typedef struct tutti_report {
  size_t bytes;                /* in: sizeof(tutti_report) */
  int measure;                 /* in: 1: measure the errors too, by the same collective in float64 (dense, 8 bytes an element) */
  uint64_t sent_bytes;         /* that this rank sent, with scales */
  uint64_t dense_bytes;        /* that it would have sent without quantisation, by the algorithm chosen then */
  double ratio;                /* dense_bytes / sent_bytes; 1 where nothing was sent */
  uint64_t sent_by_width[6];   /* of sent_bytes, for numbers of 2, 4, 8, 16, 32, 64 bits */
  double max_abs_error;        /* the rest only if measured: over this rank's result */
  double nrmse;                /* root mean square error, divided by the range (largest - least) of the exact result */
  double snr_db;               /* 10 log10(sum of squares of the exact result / sum of squares of errors) */
} tutti_report;

/* The collectives of the same names for vectors that travel in few bits. Numbers are added in float32, all
 * contributions of an element in one pass, so the error has two roundings however many ranks there are; all ranks get
 * the same bits of an allreduce, a broadcast and an allgather. `type`: float16, bfloat16, float32 or float64; `op`: sum or
 * avg. Lossy: never chosen unless it is called. Buffers lie in host memory. An algorithm that is forced and combines
 * more than once on the way is TUTTI_ERROR_UNSUPPORTED; a wire, block or segment that cannot be is TUTTI_ERROR_ARGUMENT. */
TUTTI_API int tutti_quantised_allreduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                        const tutti_quantisation* how, tutti_comm* comm, tutti_report* report);
TUTTI_API int tutti_quantised_reduce_scatter(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                             const tutti_quantisation* how, tutti_comm* comm, tutti_report* report);
TUTTI_API int tutti_quantised_allgather(const void* in, void* out, size_t count, tutti_type type,
                                        const tutti_quantisation* how, tutti_comm* comm, tutti_report* report);
TUTTI_API int tutti_quantised_broadcast(void* buffer, size_t count, tutti_type type, int root,
                                        const tutti_quantisation* how, tutti_comm* comm, tutti_report* report);

/* ---- nonblocking and persistent ------------------------------------------------------------------ */

/* Nonblocking forms return a request at once; it must be completed by tutti_wait, tutti_wait_all or a
 * tutti_test that says done, which release it. 1,000 may be outstanding and more. */
TUTTI_API int tutti_iallreduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, tutti_comm* comm,
                               tutti_request** request);
TUTTI_API int tutti_ibroadcast(void* buffer, size_t count, tutti_type type, int root, tutti_comm* comm,
                               tutti_request** request);
TUTTI_API int tutti_ireduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, int root,
                            tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_ireduce_scatter(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                    tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_iallgather(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                               tutti_request** request);
TUTTI_API int tutti_ialltoall(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                              tutti_request** request);
TUTTI_API int tutti_ibarrier(tutti_comm* comm, tutti_request** request);

/* Persistent forms prepare a request once; tutti_start starts it, wait or test complete it (it then stays
 * for the next start), tutti_request_free releases it. All ranks prepare them in the same order, and may then
 * start them in different orders. */
TUTTI_API int tutti_allreduce_init(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                   tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_broadcast_init(void* buffer, size_t count, tutti_type type, int root, tutti_comm* comm,
                                   tutti_request** request);
TUTTI_API int tutti_reduce_init(const void* in, void* out, size_t count, tutti_type type, tutti_op op, int root,
                                tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_reduce_scatter_init(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                        tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_allgather_init(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                                   tutti_request** request);
TUTTI_API int tutti_alltoall_init(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                                  tutti_request** request);
TUTTI_API int tutti_barrier_init(tutti_comm* comm, tutti_request** request);
TUTTI_API int tutti_start(tutti_request* request);

/* Waits until the operation is complete. NULL is complete. */
TUTTI_API int tutti_wait(tutti_request* request);
/* Sets *done to 1 if it is complete, else 0, and makes progress. */
TUTTI_API int tutti_test(tutti_request* request, int* done);
/* Waits for all; returns the first error, after all have ended. */
TUTTI_API int tutti_wait_all(size_t count, tutti_request** requests);
/* Releases a persistent request that is not active. NULL is allowed. */
TUTTI_API int tutti_request_free(tutti_request* request);

#ifdef __cplusplus
}
#endif

#endif
