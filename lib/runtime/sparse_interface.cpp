// The C interface of sparse sums: arguments to composites. See include/tutti/tutti.h for what each call means.
#include <algorithm>
#include <cmath>

#include "runtime/c_objects.hpp"
#include "runtime/sparse_allreduce.hpp"
#include "runtime/sparse_broadcast.hpp"

namespace {

using namespace tutti;
using tutti::c::checked;
using tutti::c::guarded;
using tutti::c::need;

constexpr std::uint64_t most_narrow = std::uint64_t{1} << 32;  // elements that indices of 4 bytes can count
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 47;   // of a process's address space

bool overlap(const void* a, const void* b, std::uint64_t bytes) {
  const auto x = reinterpret_cast<std::uintptr_t>(a), y = reinterpret_cast<std::uintptr_t>(b);
  return a && b && x < y + bytes && y < x + bytes;
}

Call make_call(Kind kind, std::uint64_t count, tutti_type type, Sparse brings, std::string_view name) {
  Call call;
  call.kind = kind;
  call.type = type;
  call.count = count;
  call.sparse.brings = brings;
  call.sparse.index_bytes = count <= most_narrow ? 4 : 8;
  if (count > most_bytes / sparse_kernels(type, call.sparse.index_bytes, count).value_bytes)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: {} elements do not fit into the address space", name, count);
  return call;
}

void check_room(const tutti_pairs* pairs, std::string_view name) {
  if (pairs && pairs->room != 0 && (!pairs->indices || !pairs->values))
    throw error(TUTTI_ERROR_ARGUMENT, "{}: pairs has room for {}, but its {} are null", name, pairs->room,
                pairs->indices ? "values" : "indices");
}

void check_given(const tutti_pairs& pairs, const Call& call, const std::string& name) {
  if (pairs.count != 0 && (!pairs.indices || !pairs.values))
    throw error(TUTTI_ERROR_ARGUMENT, "{}: there are {} pairs, but their {} are null", name, pairs.count,
                pairs.indices ? "values" : "indices");
  if (pairs.count > call.count)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: {} pairs of a vector of {} elements; each index may stand once", name,
                pairs.count, call.count);
  check_indices(sparse_kernels(call.type, call.sparse.index_bytes, call.count), pairs.indices, pairs.count, call.count,
                name);
}

void check_on_host(const void* buffer, std::string_view name) {
  if (Device* device = device_of(buffer))
    throw error(TUTTI_ERROR_UNSUPPORTED, "{}: its kernels run on the host; copy the buffers from the memory of {}",
                name, device->name());
}

// Empty: the request is complete at once, by waiting here.
int run(tutti_comm* comm, tutti_request** request, auto make) {
  return guarded(comm, [&] {
    if (request) *request = nullptr;
    Communicator& communicator = checked(comm);
    auto held = communicator.context().lock();
    std::unique_ptr<Composite> composite = make(communicator);
    if (!request) return communicator.run(std::move(composite), held);
    auto made = std::make_unique<tutti_request>();
    made->comm = comm;
    communicator.start(std::move(composite), made->started);
    made->active = true;
    *request = made.release();
  });
}

SparseCall selection(const tutti_topk& select, std::uint64_t count, SparseCall sparse) {
  constexpr std::string_view name = "topk-allreduce";
  const bool whole = select.bucket == 0 || select.bucket >= count;
  const std::uint64_t of = whole ? count : select.bucket;
  if (!(select.density >= 0 && select.density <= 1))
    throw error(TUTTI_ERROR_ARGUMENT, "{}: a density of {}; it is from 0 to 1", name, select.density);
  if (select.k > of)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: k is {}, of {} elements{}; at most {} is right", name, select.k, of,
                whole ? "" : " in a bucket", of);
  if (select.meaning != TUTTI_UNION && select.meaning != TUTTI_GLOBAL)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: there is no meaning {}; TUTTI_UNION (0) and TUTTI_GLOBAL (1) are right",
                name, select.meaning);
  sparse.k = select.k;
  if (sparse.k == 0 && select.density > 0)
    sparse.k = std::min(of, static_cast<std::uint64_t>(std::ceil(select.density * static_cast<double>(of))));
  sparse.bucket = whole ? 0 : select.bucket;
  sparse.global = select.meaning == TUTTI_GLOBAL;
  if (sparse.global) {
    const std::uint64_t buckets = whole ? 1 : (count + select.bucket - 1) / select.bucket;
    sparse.keep = sparse.k > count / buckets ? count : sparse.k * buckets;
  }
  return sparse;
}

int topk_allreduce(const void* values, std::size_t count, tutti_type type, const tutti_topk* select, void* residual,
                   void* out, tutti_pairs* pairs, tutti_sparse_report* report, tutti_comm* comm,
                   tutti_request** request) {
  return run(comm, request, [&](Communicator& communicator) {
    const std::string name = "topk-allreduce";
    need(select, "select");
    Call call = make_call(Kind::allreduce, count, type, Sparse::top_k, name);
    call.sparse = selection(*select, count, call.sparse);
    if (count != 0 && !values) throw error(TUTTI_ERROR_ARGUMENT, "{}: the values are null", name);
    for (const void* buffer : {values, static_cast<const void*>(residual), static_cast<const void*>(out)})
      if (buffer) check_on_host(buffer, name);
    const std::uint64_t bytes = count * type_size(type);
    if (overlap(values, residual, bytes) || overlap(out, residual, bytes))
      throw error(TUTTI_ERROR_ARGUMENT, "{}: the residual overlaps another vector; it must lie apart", name);
    if (values != out && overlap(values, out, bytes))
      throw error(TUTTI_ERROR_ARGUMENT, "{}: values and out overlap; they must be the same address or lie apart", name);
    check_room(pairs, name);
    SparseTask task;
    task.values = values;
    task.residual = residual;
    task.estimated = select->estimated != 0;
    task.out = out;
    task.pairs = pairs;
    task.report = report;
    return std::make_unique<SparseAllreduce>(communicator, call, task);
  });
}

int sparse_allreduce(const tutti_pairs* in, std::size_t count, tutti_type type, std::uint64_t keep, void* out,
                     tutti_pairs* pairs, tutti_sparse_report* report, tutti_comm* comm, tutti_request** request) {
  return run(comm, request, [&](Communicator& communicator) {
    const std::string name = "sparse-allreduce";
    need(in, "in");
    Call call = make_call(Kind::allreduce, count, type, Sparse::pairs, name);
    call.sparse.global = keep != 0;
    call.sparse.keep = keep;
    if (keep > count)
      throw error(TUTTI_ERROR_ARGUMENT, "{}: keep is {}, of {} elements; at most {} is right", name, keep, count,
                  count);
    check_given(*in, call, name);
    if (out) check_on_host(out, name);
    check_room(pairs, name);
    SparseTask task;
    task.given = {in->indices, in->values, in->count};
    task.out = out;
    task.pairs = pairs;
    task.report = report;
    return std::make_unique<SparseAllreduce>(communicator, call, task);
  });
}

int sparse_broadcast(tutti_pairs* pairs, std::size_t count, tutti_type type, int root, void* vector,
                     tutti_sparse_report* report, tutti_comm* comm, tutti_request** request) {
  return run(comm, request, [&](Communicator& communicator) {
    const std::string name = "sparse-broadcast";
    Call call = make_call(Kind::broadcast, count, type, Sparse::pairs, name);
    call.root = root;
    if (root < 0 || root >= communicator.size())
      throw error(TUTTI_ERROR_ARGUMENT, "{}: root {} is not one of the ranks 0 to {}", name, root,
                  communicator.size() - 1);
    if (root == communicator.rank()) {
      need(pairs, "pairs");
      check_given(*pairs, call, name);
    } else {
      check_room(pairs, name);
    }
    if (vector) check_on_host(vector, name);
    return std::make_unique<SparseBroadcast>(communicator, call, pairs, vector, report);
  });
}

// A nonblocking form needs somewhere to put its request.
int checked_request(tutti_comm* comm, tutti_request** request, auto call) {
  const int wrong = guarded(comm, [&] { need(request, "request"); });
  return wrong != TUTTI_OK ? wrong : call();
}

}  // namespace

extern "C" {

TUTTI_API int tutti_topk_allreduce(const void* values, size_t count, tutti_type type, const tutti_topk* select,
                                   void* residual, void* out, tutti_pairs* pairs, tutti_sparse_report* report,
                                   tutti_comm* comm) {
  return topk_allreduce(values, count, type, select, residual, out, pairs, report, comm, nullptr);
}
TUTTI_API int tutti_sparse_allreduce(const tutti_pairs* in, size_t count, tutti_type type, uint64_t keep, void* out,
                                     tutti_pairs* pairs, tutti_sparse_report* report, tutti_comm* comm) {
  return sparse_allreduce(in, count, type, keep, out, pairs, report, comm, nullptr);
}
TUTTI_API int tutti_sparse_broadcast(tutti_pairs* pairs, size_t count, tutti_type type, int root, void* vector,
                                     tutti_sparse_report* report, tutti_comm* comm) {
  return sparse_broadcast(pairs, count, type, root, vector, report, comm, nullptr);
}

TUTTI_API int tutti_itopk_allreduce(const void* values, size_t count, tutti_type type, const tutti_topk* select,
                                    void* residual, void* out, tutti_pairs* pairs, tutti_sparse_report* report,
                                    tutti_comm* comm, tutti_request** request) {
  return checked_request(comm, request, [&] {
    return topk_allreduce(values, count, type, select, residual, out, pairs, report, comm, request);
  });
}
TUTTI_API int tutti_isparse_allreduce(const tutti_pairs* in, size_t count, tutti_type type, uint64_t keep, void* out,
                                      tutti_pairs* pairs, tutti_sparse_report* report, tutti_comm* comm,
                                      tutti_request** request) {
  return checked_request(comm, request,
                         [&] { return sparse_allreduce(in, count, type, keep, out, pairs, report, comm, request); });
}
TUTTI_API int tutti_isparse_broadcast(tutti_pairs* pairs, size_t count, tutti_type type, int root, void* vector,
                                      tutti_sparse_report* report, tutti_comm* comm, tutti_request** request) {
  return checked_request(comm, request,
                         [&] { return sparse_broadcast(pairs, count, type, root, vector, report, comm, request); });
}

}  // extern "C"
