// One case of the agreement test: fills the buffers, calls, and looks at every byte afterwards.
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <stdexcept>

#include "tests/processes/agreement_values.hpp"

namespace tutti::testing {

using test::Bytes;

namespace {

constexpr std::size_t guard = 64;  // bytes before and behind each buffer that nobody may touch
constexpr unsigned char guard_byte = 0xa5, unwritten = 0x5a;

// Memory between guards, at an odd multiple of the element, as callers have it.
class Buffer {
 public:
  Buffer(std::size_t bytes, std::size_t element)
      : bytes_(bytes),
        offset_(guard + element),
        total_(bytes + 2 * offset_),
        memory_(std::make_unique_for_overwrite<unsigned char[]>(total_)) {
    std::memset(memory_.get(), guard_byte, offset_);
    std::memset(memory_.get() + offset_ + bytes_, guard_byte, offset_);
  }
  unsigned char* data() { return memory_.get() + offset_; }
  std::size_t bytes() const { return bytes_; }
  bool is_guarded() const {
    const auto is_guard = [](unsigned char byte) { return byte == guard_byte; };
    const unsigned char *begin = memory_.get(), *end = begin + offset_ + bytes_;
    return std::all_of(begin, begin + offset_, is_guard) && std::all_of(end, end + offset_, is_guard);
  }

 private:
  std::size_t bytes_, offset_, total_;
  std::unique_ptr<unsigned char[]> memory_;
};

// Every rank has the same bits.
void compare_digests(Rank& rank, const unsigned char* found, std::size_t bytes) {
  std::uint64_t digest = bytes;
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; i += sizeof word) {
    std::memcpy(&word, found + i, std::min(sizeof word, bytes - i));
    digest = (digest ^ word) * 0xff51afd7ed558ccdu;
    digest ^= digest >> 32;
  }
  std::vector<std::uint64_t> digests(static_cast<std::size_t>(rank.size));
  call(tutti_allgather(&digest, digests.data(), 1, TUTTI_UINT64, rank.control), "the exchange of digests");
  for (std::uint64_t other : digests) demand(other == digest, "ranks have different bits of one result");
}

// ---- the call ----

struct Buffers {
  const void* in = nullptr;
  void* out = nullptr;
};

int start_call(const Case& c, const Shape& shape, const Buffers& at, Rank& rank, tutti_request** request) {
  const bool persistent = c.form == Form::persistent;
  const tutti_op op = c.combine == Combine::built_in    ? c.op
                      : c.combine == Combine::any_order ? rank.any_order
                                                        : rank.rank_order;
  tutti_comm* comm = rank.comm;
  const std::size_t count = shape.block;
  switch (c.algorithm->kind) {
    case Kind::allreduce:
      if (!request) return tutti_allreduce(at.in, at.out, count, c.type, op, comm);
      return (persistent ? tutti_allreduce_init : tutti_iallreduce)(at.in, at.out, count, c.type, op, comm, request);
    case Kind::broadcast:
      if (!request) return tutti_broadcast(at.out, count, c.type, c.root, comm);
      return (persistent ? tutti_broadcast_init : tutti_ibroadcast)(at.out, count, c.type, c.root, comm, request);
    case Kind::reduce:
      if (!request) return tutti_reduce(at.in, at.out, count, c.type, op, c.root, comm);
      return (persistent ? tutti_reduce_init : tutti_ireduce)(at.in, at.out, count, c.type, op, c.root, comm, request);
    case Kind::reduce_scatter:
      if (!request) return tutti_reduce_scatter(at.in, at.out, count, c.type, op, comm);
      return (persistent ? tutti_reduce_scatter_init : tutti_ireduce_scatter)(at.in, at.out, count, c.type, op, comm,
                                                                              request);
    case Kind::allgather:
      if (!request) return tutti_allgather(at.in, at.out, count, c.type, comm);
      return (persistent ? tutti_allgather_init : tutti_iallgather)(at.in, at.out, count, c.type, comm, request);
    case Kind::alltoall:
      if (!request) return tutti_alltoall(at.in, at.out, count, c.type, comm);
      return (persistent ? tutti_alltoall_init : tutti_ialltoall)(at.in, at.out, count, c.type, comm, request);
    case Kind::barrier:
      if (!request) return tutti_barrier(comm);
      return (persistent ? tutti_barrier_init : tutti_ibarrier)(comm, request);
  }
  throw std::logic_error("no such collective");
}

// Where a vector lies before the call, and what must lie where afterwards.
class Trial {
 public:
  Trial(const Case& c, Rank& rank)
      : c_(c),
        rank_(rank),
        shape_(c),
        kind_(c.algorithm->kind),
        own_(static_cast<std::size_t>(rank.rank)),
        shared_(c.in_place || kind_ == Kind::broadcast),
        has_result_(kind_ != Kind::reduce || c.root == rank.rank),
        patterns_(patterns_of(c, shape_)),
        in_((shared_ ? std::max(shape_.in, shape_.out) : shape_.in) * shape_.element, shape_.element),
        out_((shared_ ? 0 : shape_.out) * shape_.element, shape_.element) {}

  Buffers fill() {
    std::memset(in_.data(), unwritten, in_.bytes());
    std::memset(out_.data(), unwritten, out_.bytes());
    if (kind_ != Kind::broadcast || rank_.rank == c_.root)
      repeat(own_input(), shape_.in * shape_.element, patterns_[own_]);
    unsigned char* const result = shared_ ? in_.data() : out_.data();
    // A rank without a result may leave the output out.
    const bool named = has_result_ || own_ % 2 == 0;
    const bool in_place_here = shared_ && has_result_;
    return {in_place_here ? in_.data() : own_input(), named ? (has_result_ ? result : spare_.data()) : nullptr};
  }

  void check() {
    const std::size_t element = shape_.element, block = shape_.block;
    demand(in_.is_guarded() && out_.is_guarded(), "bytes beside a buffer were written");
    demand(std::all_of(spare_.begin(), spare_.end(), [](unsigned char byte) { return byte == unwritten; }),
           "the output of a rank that is not the root was written");
    if (shape_.in == 0) return;
    if (!shared_ || !has_result_)
      compare(in_.data(), shape_.in * element, patterns_[own_], 0, element, "the input was changed");
    const unsigned char* result = shared_ ? in_.data() : out_.data();
    if (kind_ == Kind::broadcast)
      compare(result, block * element, patterns_[static_cast<std::size_t>(c_.root)], 0, element, "the result");
    if (kind_ == Kind::allgather)
      for (std::size_t other = 0; other < patterns_.size(); ++other)
        compare(result + other * block * element, block * element, patterns_[other], 0, element,
                fmt::format("the block of rank {}", other));
    if (kind_ == Kind::alltoall)
      for (std::size_t other = 0; other < patterns_.size(); ++other)
        compare(result + other * block * element, block * element, patterns_[other], own_ * block * element, element,
                fmt::format("the block from rank {}", other));
    if (combines(kind_) && has_result_) check_combined(result);
    if (kind_ == Kind::reduce_scatter && shared_)
      for (std::size_t other = 1; other < patterns_.size(); ++other)
        if (other != own_)
          compare(in_.data() + other * block * element, block * element, patterns_[own_], other * block * element,
                  element, fmt::format("the block of rank {}, which was to stay as it was", other));
  }

 private:
  unsigned char* own_input() {
    const bool at_own_place = shared_ && kind_ == Kind::allgather;
    return in_.data() + (at_own_place ? own_ * shape_.block * shape_.element : 0);
  }

  void check_combined(const unsigned char* result) {
    const std::size_t first = kind_ == Kind::reduce_scatter ? own_ * shape_.block : 0;
    if (c_.values == Values::exact)
      compare(result, shape_.block * shape_.element, combined(c_, patterns_), first * shape_.element, shape_.element,
              "the result");
    else
      compare_bounded(c_, result, shape_.block, patterns_, first, shape_);
    if (kind_ == Kind::allreduce) compare_digests(rank_, result, shape_.block * shape_.element);
  }

  const Case& c_;
  Rank& rank_;
  Shape shape_;
  Kind kind_;
  std::size_t own_;
  bool shared_, has_result_;
  std::vector<Bytes> patterns_;
  Buffer in_, out_;
  Bytes spare_ = Bytes(64, unwritten);
};

}  // namespace

void call(int result, const std::string& what) {
  if (result != TUTTI_OK)
    throw std::runtime_error(fmt::format("{}: {}: {}", what, tutti_result_name(result), tutti_error_message(nullptr)));
}

void demand(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

void run_case(const Case& c, Rank& rank) {
  try {
    call(tutti_comm_set_algorithm(rank.comm, setting(c).c_str()), "tutti_comm_set_algorithm");
    Trial trial(c, rank);
    const Shape shape(c);
    tutti_request* request = nullptr;
    tutti_request** wanted = c.form == Form::blocking ? nullptr : &request;
    int result = start_call(c, shape, trial.fill(), rank, wanted);
    if (c.form == Form::persistent && result == TUTTI_OK) result = tutti_start(request);
    if (must_be_refused(c)) {
      demand(result == TUTTI_ERROR_UNSUPPORTED, fmt::format("was not refused: {}", tutti_result_name(result)));
      if (c.form == Form::persistent) call(tutti_request_free(request), "tutti_request_free");
      return;
    }
    call(result, "the call");
    if (request) call(tutti_wait(request), "tutti_wait");
    trial.check();
    if (c.form != Form::persistent) return;
    trial.fill();
    call(tutti_start(request), "the second tutti_start");
    call(tutti_wait(request), "the second tutti_wait");
    trial.check();
    call(tutti_request_free(request), "tutti_request_free");
  } catch (const std::exception& wrong) {
    throw std::runtime_error(fmt::format("{}, on rank {}: {}", describe(c), rank.rank, wrong.what()));
  }
}

}  // namespace tutti::testing
