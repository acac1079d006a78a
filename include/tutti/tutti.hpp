// SPDX-License-Identifier: BSD-3-Clause
//
// Tutti's C++20 face: collective operations between processes, on spans, with types and shapes checked.
//
//   auto world = tutti::Communicator::from_env();
//   std::vector<float> gradient = ...;
//   world.allreduce(gradient, tutti::avg);                         // in place
//   world.allreduce(std::span(in), std::span(out), tutti::sum);    // out of place
//   double error = world.allreduce(local_error, tutti::max);       // one value
//   auto request = world.iallreduce(gradient, tutti::sum);         // nonblocking
//   ...
//   request.wait();
//
// It is a header over the C interface (link with -ltutti, no other dependency). tutti.h says what every
// collective means, which ranks must agree on what, and what threads may do; this page says what C++ adds:
//
// Buffers are contiguous ranges: std::span, std::vector, std::array, C arrays. Their element types are those
// of elements.hpp and their operations those of operations.hpp; a wrong pair does not compile. Lengths are
// checked against each other before anything is sent.
//
// Errors are thrown as tutti::Failure (failure.hpp): a code of tutti.h and a message. Each call can throw what
// tutti.h lists for it; TUTTI_ERROR_ARGUMENT leaves the communicator usable, so does TUTTI_ERROR_UNSUPPORTED.
//
// Ownership: Communicator, Request, PersistentRequest and UserOperation end with their scope and are moved, not
// copied. Requests must end before their communicator, and outlive neither their buffers nor their operation.
#pragma once

#include <cstddef>
#include <cstring>
#include <exception>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "elements.hpp"
#include "failure.hpp"
#include "operations.hpp"
#include "request.hpp"
#include "store.hpp"
#include "tutti.h"

namespace tutti::inline v0 {

namespace detail {

template <class R>
using Value = std::ranges::range_value_t<R>;

}  // namespace detail

// A buffer that is read: contiguous elements.
template <class R>
concept InputBuffer = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> && Element<detail::Value<R>>;
// A buffer that is written.
template <class R>
concept OutputBuffer = InputBuffer<R> && !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>;
// A buffer that may stay with the library after the call: an lvalue or a span, not a temporary container.
template <class R>
concept LastingInput = InputBuffer<R> && std::ranges::borrowed_range<R>;
template <class R>
concept LastingOutput = OutputBuffer<R> && std::ranges::borrowed_range<R>;
// Two buffers of one element type.
template <class In, class Out>
concept SameElements = std::same_as<detail::Value<In>, detail::Value<Out>>;

// A group of ranks, 0 to size() - 1, that call collectives together.
class Communicator {
 public:
  // Joins the job that the environment describes (`tutti run`, torchrun, ...). Collective. Throws START when the
  // ranks do not find each other, ARGUMENT for half a set of variables.
  static Communicator from_env();
  // Joins over a store of the caller's own; store.hpp says what it must do. An exception that leaves the store
  // is thrown on from here. Collective.
  template <KeyValueStore S>
  static Communicator from_store(S& store, int rank, int size);
  // `size` ranks in this process: element r is rank r's, each to be used by a thread of its own.
  static std::vector<Communicator> threads(int size);

  // Takes over a communicator of the C interface; null gives an empty one.
  explicit Communicator(tutti_comm* handle = nullptr);
  Communicator(Communicator&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), rank_(other.rank_), size_(other.size_) {}
  Communicator& operator=(Communicator&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(rank_, other.rank_);
    std::swap(size_, other.size_);
    return *this;
  }
  // Says goodbye and waits for nobody.
  ~Communicator() { tutti_comm_free(handle_); }

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  // False for a communicator that is empty: moved from, or a split that this rank had no part in.
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  // The communicator of the C interface, still owned by this object.
  tutti_comm* get() const noexcept { return handle_; }

  // Ranks of equal color form a new communicator, ordered by (key, old rank); a negative color takes no part
  // and gets an empty one. Collective.
  Communicator split(int color, int key = 0);
  // The same ranks again, whose calls match nobody else's. Collective.
  Communicator duplicate();
  // After DEAD: the survivors, who must all call it.
  Communicator shrink();
  // Ends all waits on it, here and on all other ranks, with ABORTED.
  void abort(const std::string& reason) { detail::check(tutti_comm_abort(handle_, reason.c_str())); }

  // Forces algorithms, in the grammar of TUTTI_ALGORITHM; "" ends it. All ranks must set the same.
  void set_algorithm(const std::string& spec) { detail::check(tutti_comm_set_algorithm(handle_, spec.c_str())); }
  // Which algorithm such a call would run, and why: world.choice<float>("allreduce", 1024, tutti::sum).
  template <Element T, Combines<T> Op = BuiltIn<TUTTI_SUM>>
  std::string choice(const std::string& collective, std::size_t count, const Op& op = {}, bool in_place = false);
  // Makes the bits of floating sums and averages independent of algorithm, order and machine, or ends that. All ranks
  // must set the same.
  void set_reproducible(bool on) { detail::check(tutti_comm_set_reproducible(handle_, on ? 1 : 0)); }
  // Starts or ends a thread that progresses nonblocking operations.
  void progress_thread(bool on) { detail::check(tutti_comm_progress_thread(handle_, on ? 1 : 0)); }

  // ---- collectives -----------------------------------------------------------------------------------
  // Each throws ARGUMENT when lengths do not fit; MISMATCH, DEAD, LATE and ABORTED poison the communicator.

  // out[i] = the combination of all ranks' in[i], on every rank. Equal lengths on all ranks.
  template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out>
  void allreduce(In&& in, Out&& out, const Op& op);
  template <OutputBuffer InOut, Combines<detail::Value<InOut>> Op>
  void allreduce(InOut&& inout, const Op& op);
  // The combination of all ranks' values.
  template <Element T, Combines<T> Op>
  [[nodiscard]] T allreduce(T value, const Op& op);

  // The sum or average of several vectors of each rank (a range of buffers as long as `out`), with bits that depend on
  // the multiset of all summands alone. `out` may be one of them.
  template <std::ranges::input_range Inputs, OutputBuffer Out, Combines<detail::Value<Out>> Op>
  requires SameElements<std::ranges::range_reference_t<Inputs>, Out>
  void reproducible_allreduce(Inputs&& inputs, Out&& out, const Op& op);

  // The collectives for numbers that travel in few bits: tutti_quantisation and tutti_report of tutti.h say how, what
  // it cost and what it lost. Their fields `bytes` are filled in here.
  template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out>
  void quantised_allreduce(In&& in, Out&& out, const Op& op, tutti_quantisation how, tutti_report* report = nullptr);
  template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out>
  void quantised_reduce_scatter(In&& in, Out&& out, const Op& op, tutti_quantisation how,
                                tutti_report* report = nullptr);
  template <InputBuffer In, OutputBuffer Out>
  requires SameElements<In, Out>
  void quantised_allgather(In&& in, Out&& out, tutti_quantisation how, tutti_report* report = nullptr);
  template <OutputBuffer InOut>
  void quantised_broadcast(InOut&& inout, int root, tutti_quantisation how, tutti_report* report = nullptr);

  // The root's elements, on every rank.
  template <OutputBuffer InOut>
  void broadcast(InOut&& inout, int root = 0);
  template <Element T>
  [[nodiscard]] T broadcast(T value, int root = 0);

  // allreduce for the root alone. Other ranks' `out` is not touched and may be empty.
  template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out>
  void reduce(In&& in, Out&& out, const Op& op, int root = 0);
  // In place at the root; only read elsewhere.
  template <OutputBuffer InOut, Combines<detail::Value<InOut>> Op>
  void reduce(InOut&& inout, const Op& op, int root = 0);

  // `in` holds size() blocks of out.size() elements; rank r gets the combination of all r-th blocks.
  template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out>
  void reduce_scatter(In&& in, Out&& out, const Op& op);
  // In place: the result lies at the beginning of `inout`, which is returned. What was there is lost.
  template <OutputBuffer InOut, Combines<detail::Value<InOut>> Op>
  std::span<detail::Value<InOut>> reduce_scatter(InOut&& inout, const Op& op);

  // out.size() == size() * in.size(): rank r's elements at position r * in.size(), on every rank.
  template <InputBuffer In, OutputBuffer Out>
  requires SameElements<In, Out>
  void allgather(In&& in, Out&& out);
  // In place: this rank's block already lies at its position.
  template <OutputBuffer InOut>
  void allgather(InOut&& inout);

  // The r-th of `size` equal blocks of `in` goes to rank r, the r-th block of `out` comes from it.
  template <InputBuffer In, OutputBuffer Out>
  requires SameElements<In, Out>
  void alltoall(In&& in, Out&& out);
  // In place: from a copy, which is made at each call.
  template <OutputBuffer InOut>
  void alltoall(InOut&& inout);

  // Returns after all ranks have entered it.
  void barrier() { detail::check(tutti_barrier(handle_)); }

  // ---- nonblocking -----------------------------------------------------------------------------------
  // The same, returning at once; buffers and operations must outlive the request.

  template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out> Request iallreduce(In&& in, Out&& out, const Op& op);
  template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
  Request iallreduce(InOut&& inout, const Op& op);
  template <LastingOutput InOut>
  Request ibroadcast(InOut&& inout, int root = 0);
  template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out> Request ireduce(In&& in, Out&& out, const Op& op, int root = 0);
  template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
  Request ireduce(InOut&& inout, const Op& op, int root = 0);
  template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out> Request ireduce_scatter(In&& in, Out&& out, const Op& op);
  template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
  Request ireduce_scatter(InOut&& inout, const Op& op);
  template <LastingInput In, LastingOutput Out>
  requires SameElements<In, Out> Request iallgather(In&& in, Out&& out);
  template <LastingOutput InOut>
  Request iallgather(InOut&& inout);
  template <LastingInput In, LastingOutput Out>
  requires SameElements<In, Out> Request ialltoall(In&& in, Out&& out);
  template <LastingOutput InOut>
  Request ialltoall(InOut&& inout);
  Request ibarrier();

  // ---- persistent ------------------------------------------------------------------------------------
  // Prepared once, started many times. All ranks prepare them in the same order and may start them in
  // different orders.

  template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out> PersistentRequest allreduce_init(In&& in, Out&& out, const Op& op);
  template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
  PersistentRequest allreduce_init(InOut&& inout, const Op& op);
  template <LastingOutput InOut>
  PersistentRequest broadcast_init(InOut&& inout, int root = 0);
  template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out> PersistentRequest reduce_init(In&& in, Out&& out, const Op& op, int root = 0);
  template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
  PersistentRequest reduce_init(InOut&& inout, const Op& op, int root = 0);
  template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
  requires SameElements<In, Out> PersistentRequest reduce_scatter_init(In&& in, Out&& out, const Op& op);
  template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
  PersistentRequest reduce_scatter_init(InOut&& inout, const Op& op);
  template <LastingInput In, LastingOutput Out>
  requires SameElements<In, Out> PersistentRequest allgather_init(In&& in, Out&& out);
  template <LastingOutput InOut>
  PersistentRequest allgather_init(InOut&& inout);
  template <LastingInput In, LastingOutput Out>
  requires SameElements<In, Out> PersistentRequest alltoall_init(In&& in, Out&& out);
  template <LastingOutput InOut>
  PersistentRequest alltoall_init(InOut&& inout);
  PersistentRequest barrier_init();

 private:
  tutti_comm* handle_ = nullptr;
  int rank_ = 0;
  int size_ = 0;
};

// "major.minor.patch" of the library that runs.
inline std::string_view version() { return tutti_version(); }

}  // namespace tutti::inline v0

#include "communicator.hpp"
