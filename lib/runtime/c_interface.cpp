// The C interface: exceptions to codes, and nothing else. See include/tutti/tutti.h for what each call means.
#include <array>
#include <cstring>
#include <memory>

#include "bootstrap/from_environment.hpp"
#include "bootstrap/function_store.hpp"
#include "payload/reproducible.hpp"
#include "runtime/c_objects.hpp"
#include "runtime/lossy.hpp"

using tutti::Call;
using tutti::Communicator;
using tutti::error;
using tutti::Kind;

using tutti::c::checked;
using tutti::c::failed;
using tutti::c::guarded;
using tutti::c::need;

namespace {

thread_local std::string thread_message;

}  // namespace

namespace tutti::c {

int failed(const tutti_comm* comm, tutti_result code, const char* message) {
  thread_message = message;
  if (comm && comm->communicator) comm->communicator->message = message;
  return code;
}

Communicator& checked(tutti_comm* comm) {
  if (!comm) throw error(TUTTI_ERROR_ARGUMENT, "the communicator is null; tutti_init_from_env makes one");
  comm->communicator->context().check_process();
  return *comm->communicator;
}

}  // namespace tutti::c

namespace {

Call make_call(Kind kind, std::size_t count, tutti_type type, tutti_op op, int root) {
  Call call;
  call.kind = kind;
  call.count = count;
  call.type = type;
  call.op = op;
  call.root = root;
  return call;
}

int run(const Call& call, const void* in, void* out, tutti_comm* comm) {
  return guarded(comm, [&] {
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    communicator.run(call, in, out, held);
  });
}

int run_quantised(const Call& call, const void* in, void* out, const tutti_quantisation* how, tutti_comm* comm,
                  tutti_report* report) {
  return guarded(comm, [&] {
    need(how, "how to quantise");
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    tutti::run_quantised(communicator, call, in, out, *how, report, held);
  });
}

int begin(const Call& call, const void* in, void* out, tutti_comm* comm, tutti_request** request) {
  return guarded(comm, [&] {
    need(request, "request");
    *request = nullptr;
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    auto made = std::make_unique<tutti_request>();
    made->comm = comm;
    communicator.start(call, in, out, made->started);
    made->active = true;
    *request = made.release();
  });
}

int prepare(const Call& call, const void* in, void* out, tutti_comm* comm, tutti_request** request) {
  return guarded(comm, [&] {
    need(request, "request");
    *request = nullptr;
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    auto made = std::make_unique<tutti_request>();
    made->comm = comm;
    made->call = call;
    made->input = in;
    made->output = out;
    communicator.check(call, in, out);
    made->own = communicator.make_for_request();
    *request = made.release();
  });
}

int start(tutti_request* request) {
  return guarded(request ? request->comm : nullptr, [&] {
    need(request, "request");
    if (!request->own) throw error(TUTTI_ERROR_ARGUMENT, "tutti_start: this request is not persistent");
    if (request->active)
      throw error(TUTTI_ERROR_ARGUMENT,
                  "tutti_start: this request has started already; complete it by tutti_wait first");
    auto held = request->own->context().lock();
    request->started = {};
    request->own->start(request->call, request->input, request->output, request->started);
    request->active = true;
  });
}

// Ends a request's operation: nonblocking ones are gone afterwards, persistent ones rest.
void retire(tutti_request* request) {
  request->active = false;
  if (!request->own) delete request;
}

int wait(tutti_request* request) {
  if (!request || !request->active) return TUTTI_OK;
  const int result = guarded(request->comm, [&] {
    Communicator& communicator = request->communicator();
    communicator.context().check_process();
    auto held = communicator.context().lock();
    communicator.complete(request->started, held);
  });
  retire(request);
  return result;
}

}  // namespace

extern "C" {

TUTTI_API const char* tutti_error_message(const tutti_comm* comm) {
  return comm && comm->communicator ? comm->communicator->message.c_str() : thread_message.c_str();
}

TUTTI_API const char* tutti_result_name(int result) {
  static constexpr std::array names = {
      "TUTTI_OK",           "TUTTI_ERROR_ARGUMENT", "TUTTI_ERROR_UNSUPPORTED", "TUTTI_ERROR_MISMATCH",
      "TUTTI_ERROR_DEAD",   "TUTTI_ERROR_LATE",     "TUTTI_ERROR_ABORTED",     "TUTTI_ERROR_START",
      "TUTTI_ERROR_MEMORY", "TUTTI_ERROR_FORK",     "TUTTI_ERROR_SYSTEM",      "TUTTI_ERROR_INTERNAL"};
  return result >= 0 && result < static_cast<int>(names.size()) ? names[static_cast<std::size_t>(result)]
                                                                : "no code of Tutti";
}

#define TUTTI_TEXT_OF(x) #x
#define TUTTI_TEXT(x) TUTTI_TEXT_OF(x)
TUTTI_API const char* tutti_version(void) {
  return TUTTI_TEXT(TUTTI_VERSION_MAJOR) "." TUTTI_TEXT(TUTTI_VERSION_MINOR) "." TUTTI_TEXT(TUTTI_VERSION_PATCH);
}

TUTTI_API size_t tutti_type_size(tutti_type type) { return tutti::type_size(type); }

TUTTI_API int tutti_op_create(tutti_combine_function function, void* context, int commutative, tutti_op* op) {
  return guarded(nullptr, [&] {
    need(function, "the function");
    need(op, "op");
    *op = tutti::create_operation(function, context, commutative != 0);
  });
}
TUTTI_API int tutti_op_free(tutti_op op) {
  return guarded(nullptr, [&] { tutti::free_operation(op); });
}

TUTTI_API int tutti_init_from_env(tutti_comm** comm) {
  return guarded(nullptr, [&] {
    need(comm, "comm");
    *comm = nullptr;
    auto context = tutti::Context::join(tutti::identify_from_environment());
    *comm = new tutti_comm{std::make_unique<Communicator>(std::move(context), std::vector<int>{}, 1)};
  });
}

TUTTI_API int tutti_init_from_store(const tutti_store_functions* store, int rank, int size, tutti_comm** comm) {
  return guarded(nullptr, [&] {
    need(comm, "comm");
    *comm = nullptr;
    need(store, "store");
    need(store->put, "store->put");
    need(store->get, "store->get");
    need(store->fence, "store->fence");
    if (size < 1 || rank < 0 || rank >= size)
      throw error(TUTTI_ERROR_ARGUMENT, "rank {} of {}: ranks count from 0 and there must be at least 1", rank, size);
    tutti::Identity identity;
    identity.rank = rank;
    identity.size = size;
    identity.store = tutti::make_function_store(*store, rank, size);
    identity.how = "the caller's functions";
    auto context = tutti::Context::join(std::move(identity));
    *comm = new tutti_comm{std::make_unique<Communicator>(std::move(context), std::vector<int>{}, 1)};
  });
}

TUTTI_API int tutti_init_threads(int size, tutti_comm** comms) {
  return guarded(nullptr, [&] {
    need(comms, "comms");
    auto contexts = tutti::Context::within_process(size);
    for (std::size_t rank = 0; rank < contexts.size(); ++rank)
      comms[rank] = new tutti_comm{std::make_unique<Communicator>(std::move(contexts[rank]), std::vector<int>{}, 1)};
  });
}

TUTTI_API int tutti_comm_rank(const tutti_comm* comm, int* rank) {
  return guarded(comm, [&] {
    need(comm, "the communicator");
    need(rank, "rank");
    *rank = comm->communicator->rank();
  });
}

TUTTI_API int tutti_comm_size(const tutti_comm* comm, int* size) {
  return guarded(comm, [&] {
    need(comm, "the communicator");
    need(size, "size");
    *size = comm->communicator->size();
  });
}

TUTTI_API int tutti_comm_split(tutti_comm* comm, int color, int key, tutti_comm** out) {
  return guarded(comm, [&] {
    need(out, "out");
    *out = nullptr;
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    if (auto made = communicator.split(color, key)) *out = new tutti_comm{std::move(made)};
  });
}

TUTTI_API int tutti_comm_duplicate(tutti_comm* comm, tutti_comm** out) {
  return guarded(comm, [&] {
    need(out, "out");
    *out = nullptr;
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    *out = new tutti_comm{communicator.split(0, communicator.rank())};
  });
}

TUTTI_API int tutti_comm_free(tutti_comm* comm) {
  delete comm;
  return TUTTI_OK;
}

TUTTI_API int tutti_comm_abort(tutti_comm* comm, const char* reason) {
  return guarded(comm, [&] {
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    communicator.abort(reason ? reason : "no reason given");
  });
}

TUTTI_API int tutti_comm_shrink(tutti_comm* comm, tutti_comm** out) {
  return guarded(comm, [&] {
    need(out, "out");
    *out = nullptr;
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    *out = new tutti_comm{communicator.shrink()};
  });
}

TUTTI_API int tutti_comm_set_algorithm(tutti_comm* comm, const char* spec) {
  return guarded(comm, [&] { checked(comm).set_algorithms(spec ? spec : ""); });
}

TUTTI_API int tutti_comm_choice(tutti_comm* comm, const char* collective, size_t count, tutti_type type, tutti_op op,
                                int in_place, char* text, size_t room) {
  return guarded(comm, [&] {
    need(collective, "collective");
    need(text, "text");
    (void)in_place;  // schedules differ by it, choices do not
    const tutti::Choice choice = checked(comm).choice(make_call(tutti::parse_kind(collective), count, type, op, 0));
    const std::string line = tutti::text(choice) + ": " + choice.reason;
    if (room == 0) return;
    const std::size_t bytes = std::min(room - 1, line.size());
    std::memcpy(text, line.data(), bytes);
    text[bytes] = '\0';
  });
}

TUTTI_API int tutti_comm_progress_thread(tutti_comm* comm, int on) {
  return guarded(comm, [&] { checked(comm).context().progress_thread(on != 0); });
}

// One line each: the blocking, nonblocking and persistent forms of a collective.
TUTTI_API int tutti_allreduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, tutti_comm* comm) {
  return run(make_call(Kind::allreduce, count, type, op, 0), in, out, comm);
}
TUTTI_API int tutti_broadcast(void* buffer, size_t count, tutti_type type, int root, tutti_comm* comm) {
  return run(make_call(Kind::broadcast, count, type, TUTTI_SUM, root), buffer, buffer, comm);
}
TUTTI_API int tutti_reduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, int root,
                           tutti_comm* comm) {
  return run(make_call(Kind::reduce, count, type, op, root), in, out, comm);
}
TUTTI_API int tutti_reduce_scatter(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                   tutti_comm* comm) {
  return run(make_call(Kind::reduce_scatter, count, type, op, 0), in, out, comm);
}
TUTTI_API int tutti_allgather(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm) {
  return run(make_call(Kind::allgather, count, type, TUTTI_SUM, 0), in, out, comm);
}
TUTTI_API int tutti_alltoall(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm) {
  return run(make_call(Kind::alltoall, count, type, TUTTI_SUM, 0), in, out, comm);
}
TUTTI_API int tutti_barrier(tutti_comm* comm) {
  return run(make_call(Kind::barrier, 0, TUTTI_INT8, TUTTI_SUM, 0), nullptr, nullptr, comm);
}

TUTTI_API int tutti_comm_set_reproducible(tutti_comm* comm, int on) {
  return guarded(comm, [&] { checked(comm).set_reproducible(on != 0); });
}
TUTTI_API int tutti_reproducible_allreduce(const void* const* inputs, size_t vectors, void* out, size_t count,
                                           tutti_type type, tutti_op op, tutti_comm* comm) {
  return guarded(comm, [&] {
    if (vectors > 0) need(inputs, "the list of inputs");
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    communicator.run_reproducible(make_call(Kind::allreduce, count, type, op, 0), {inputs, vectors}, out, held);
  });
}
TUTTI_API int tutti_reproducible_sum(const void* const* inputs, size_t vectors, void* out, size_t count,
                                     tutti_type type, tutti_op op) {
  return guarded(nullptr, [&] {
    if (vectors > 0) need(inputs, "the list of inputs");
    tutti::sum_here({inputs, vectors}, out, count, type, op);
  });
}

TUTTI_API int tutti_quantised_allreduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                        const tutti_quantisation* how, tutti_comm* comm, tutti_report* report) {
  return run_quantised(make_call(Kind::allreduce, count, type, op, 0), in, out, how, comm, report);
}
TUTTI_API int tutti_quantised_reduce_scatter(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                             const tutti_quantisation* how, tutti_comm* comm, tutti_report* report) {
  return run_quantised(make_call(Kind::reduce_scatter, count, type, op, 0), in, out, how, comm, report);
}
TUTTI_API int tutti_quantised_allgather(const void* in, void* out, size_t count, tutti_type type,
                                        const tutti_quantisation* how, tutti_comm* comm, tutti_report* report) {
  return run_quantised(make_call(Kind::allgather, count, type, TUTTI_SUM, 0), in, out, how, comm, report);
}
TUTTI_API int tutti_quantised_broadcast(void* buffer, size_t count, tutti_type type, int root,
                                        const tutti_quantisation* how, tutti_comm* comm, tutti_report* report) {
  return run_quantised(make_call(Kind::broadcast, count, type, TUTTI_SUM, root), buffer, buffer, how, comm, report);
}

TUTTI_API int tutti_iallreduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, tutti_comm* comm,
                               tutti_request** request) {
  return begin(make_call(Kind::allreduce, count, type, op, 0), in, out, comm, request);
}
TUTTI_API int tutti_ibroadcast(void* buffer, size_t count, tutti_type type, int root, tutti_comm* comm,
                               tutti_request** request) {
  return begin(make_call(Kind::broadcast, count, type, TUTTI_SUM, root), buffer, buffer, comm, request);
}
TUTTI_API int tutti_ireduce(const void* in, void* out, size_t count, tutti_type type, tutti_op op, int root,
                            tutti_comm* comm, tutti_request** request) {
  return begin(make_call(Kind::reduce, count, type, op, root), in, out, comm, request);
}
TUTTI_API int tutti_ireduce_scatter(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                    tutti_comm* comm, tutti_request** request) {
  return begin(make_call(Kind::reduce_scatter, count, type, op, 0), in, out, comm, request);
}
TUTTI_API int tutti_iallgather(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                               tutti_request** request) {
  return begin(make_call(Kind::allgather, count, type, TUTTI_SUM, 0), in, out, comm, request);
}
TUTTI_API int tutti_ialltoall(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                              tutti_request** request) {
  return begin(make_call(Kind::alltoall, count, type, TUTTI_SUM, 0), in, out, comm, request);
}
TUTTI_API int tutti_ibarrier(tutti_comm* comm, tutti_request** request) {
  return begin(make_call(Kind::barrier, 0, TUTTI_INT8, TUTTI_SUM, 0), nullptr, nullptr, comm, request);
}

TUTTI_API int tutti_allreduce_init(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                   tutti_comm* comm, tutti_request** request) {
  return prepare(make_call(Kind::allreduce, count, type, op, 0), in, out, comm, request);
}
TUTTI_API int tutti_broadcast_init(void* buffer, size_t count, tutti_type type, int root, tutti_comm* comm,
                                   tutti_request** request) {
  return prepare(make_call(Kind::broadcast, count, type, TUTTI_SUM, root), buffer, buffer, comm, request);
}
TUTTI_API int tutti_reduce_init(const void* in, void* out, size_t count, tutti_type type, tutti_op op, int root,
                                tutti_comm* comm, tutti_request** request) {
  return prepare(make_call(Kind::reduce, count, type, op, root), in, out, comm, request);
}
TUTTI_API int tutti_reduce_scatter_init(const void* in, void* out, size_t count, tutti_type type, tutti_op op,
                                        tutti_comm* comm, tutti_request** request) {
  return prepare(make_call(Kind::reduce_scatter, count, type, op, 0), in, out, comm, request);
}
TUTTI_API int tutti_allgather_init(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                                   tutti_request** request) {
  return prepare(make_call(Kind::allgather, count, type, TUTTI_SUM, 0), in, out, comm, request);
}
TUTTI_API int tutti_alltoall_init(const void* in, void* out, size_t count, tutti_type type, tutti_comm* comm,
                                  tutti_request** request) {
  return prepare(make_call(Kind::alltoall, count, type, TUTTI_SUM, 0), in, out, comm, request);
}
TUTTI_API int tutti_barrier_init(tutti_comm* comm, tutti_request** request) {
  return prepare(make_call(Kind::barrier, 0, TUTTI_INT8, TUTTI_SUM, 0), nullptr, nullptr, comm, request);
}

TUTTI_API int tutti_start(tutti_request* request) { return start(request); }

TUTTI_API int tutti_wait(tutti_request* request) { return wait(request); }

TUTTI_API int tutti_test(tutti_request* request, int* done) {
  if (!done) return failed(request ? request->comm : nullptr, TUTTI_ERROR_ARGUMENT, "done is null");
  *done = 1;
  if (!request || !request->active) return TUTTI_OK;
  bool complete = true;
  const int result = guarded(request->comm, [&] {
    Communicator& communicator = request->communicator();
    communicator.context().check_process();
    auto held = communicator.context().lock();
    complete = communicator.test(request->started);
    if (complete) communicator.complete(request->started, held);
  });
  *done = complete;
  if (complete || result != TUTTI_OK) retire(request);
  return result;
}

TUTTI_API int tutti_wait_all(size_t count, tutti_request** requests) {
  if (count && !requests) return failed(nullptr, TUTTI_ERROR_ARGUMENT, "requests is null");
  int first = TUTTI_OK;
  std::string message;
  for (size_t i = 0; i < count; ++i) {
    const int result = wait(requests[i]);
    if (result != TUTTI_OK && first == TUTTI_OK) {
      first = result;
      message = thread_message;
    }
  }
  if (first != TUTTI_OK) thread_message = message;
  return first;
}

TUTTI_API int tutti_request_free(tutti_request* request) {
  if (!request) return TUTTI_OK;
  if (request->active)
    return failed(request->comm, TUTTI_ERROR_ARGUMENT,
                  "tutti_request_free: this request is active; complete it by tutti_wait first");
  delete request;
  return TUTTI_OK;
}

}  // extern "C"
