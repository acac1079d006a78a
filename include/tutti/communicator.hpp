// SPDX-License-Identifier: BSD-3-Clause
//
// The definitions behind tutti.hpp, where each function is documented: make the shape, call the C interface.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "shapes.hpp"
#include "tutti.hpp"

namespace tutti::inline v0 {

// ---- start and end -----------------------------------------------------------------------------------

inline Communicator::Communicator(tutti_comm* handle) : handle_(handle) {
  if (handle_ == nullptr) return;
  detail::check(tutti_comm_rank(handle_, &rank_));
  detail::check(tutti_comm_size(handle_, &size_));
}

inline Communicator Communicator::from_env() {
  tutti_comm* handle = nullptr;
  detail::check(tutti_init_from_env(&handle));
  return Communicator(handle);
}

template <KeyValueStore S>
Communicator Communicator::from_store(S& store, int rank, int size) {
  detail::StoreBridge bridge(store);
  const tutti_store_functions functions = bridge.functions();
  tutti_comm* handle = nullptr;
  const int result = tutti_init_from_store(&functions, rank, size, &handle);
  if (result != TUTTI_OK) bridge.rethrow();
  detail::check(result);
  return Communicator(handle);
}

inline std::vector<Communicator> Communicator::threads(int size) {
  std::vector<tutti_comm*> handles(size > 0 ? static_cast<std::size_t>(size) : 0);
  detail::check(tutti_init_threads(size, handles.data()));
  std::vector<Communicator> ranks;
  ranks.reserve(handles.size());
  for (tutti_comm* handle : handles) ranks.emplace_back(handle);
  return ranks;
}

inline Communicator Communicator::split(int color, int key) {
  tutti_comm* part = nullptr;
  detail::check(tutti_comm_split(handle_, color, key, &part));
  return Communicator(part);
}

inline Communicator Communicator::duplicate() {
  tutti_comm* copy = nullptr;
  detail::check(tutti_comm_duplicate(handle_, &copy));
  return Communicator(copy);
}

inline Communicator Communicator::shrink() {
  tutti_comm* survivors = nullptr;
  detail::check(tutti_comm_shrink(handle_, &survivors));
  return Communicator(survivors);
}

template <Element T, Combines<T> Op>
std::string Communicator::choice(const std::string& collective, std::size_t count, const Op& op, bool in_place) {
  std::array<char, 4096> text{};  // longer than any explanation of one choice
  detail::check(tutti_comm_choice(handle_, collective.c_str(), count, type_of<T>, op.code(), in_place ? 1 : 0,
                                  text.data(), text.size()));
  return text.data();
}

// ---- collectives -------------------------------------------------------------------------------------

template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out>
void Communicator::allreduce(In&& in, Out&& out, const Op& op) {
  const detail::Shape shape = detail::equal_shape("allreduce", in, out);
  detail::check(tutti_allreduce(shape.in, shape.out, shape.count, shape.type, op.code(), handle_));
}

template <OutputBuffer InOut, Combines<detail::Value<InOut>> Op>
void Communicator::allreduce(InOut&& inout, const Op& op) {
  const detail::Shape shape = detail::same_shape(inout);
  detail::check(tutti_allreduce(shape.in, shape.out, shape.count, shape.type, op.code(), handle_));
}

template <Element T, Combines<T> Op>
T Communicator::allreduce(T value, const Op& op) {
  detail::check(tutti_allreduce(&value, &value, 1, type_of<T>, op.code(), handle_));
  return value;
}

template <std::ranges::input_range Inputs, OutputBuffer Out, Combines<detail::Value<Out>> Op>
requires SameElements<std::ranges::range_reference_t<Inputs>, Out>
void Communicator::reproducible_allreduce(Inputs&& inputs, Out&& out, const Op& op) {
  std::vector<const void*> vectors;
  for (auto&& input : inputs) vectors.push_back(detail::equal_shape("reproducible_allreduce", input, out).in);
  const detail::Shape shape = detail::same_shape(out);
  detail::check(tutti_reproducible_allreduce(vectors.data(), vectors.size(), shape.out, shape.count, shape.type,
                                             op.code(), handle_));
}

namespace detail {

inline void fill_sizes(tutti_quantisation& how, tutti_report* report) {
  how.bytes = sizeof how;
  if (report != nullptr) report->bytes = sizeof *report;
}

}  // namespace detail

template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out>
void Communicator::quantised_allreduce(In&& in, Out&& out, const Op& op, tutti_quantisation how, tutti_report* report) {
  const detail::Shape shape = detail::equal_shape("quantised_allreduce", in, out);
  detail::fill_sizes(how, report);
  detail::check(
      tutti_quantised_allreduce(shape.in, shape.out, shape.count, shape.type, op.code(), &how, handle_, report));
}

template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out>
void Communicator::quantised_reduce_scatter(In&& in, Out&& out, const Op& op, tutti_quantisation how,
                                            tutti_report* report) {
  const detail::Shape shape = detail::reduce_scatter_shape("quantised_reduce_scatter", in, out, size_);
  detail::fill_sizes(how, report);
  detail::check(
      tutti_quantised_reduce_scatter(shape.in, shape.out, shape.count, shape.type, op.code(), &how, handle_, report));
}

template <InputBuffer In, OutputBuffer Out>
requires SameElements<In, Out>
void Communicator::quantised_allgather(In&& in, Out&& out, tutti_quantisation how, tutti_report* report) {
  const detail::Shape shape = detail::allgather_shape("quantised_allgather", in, out, size_);
  detail::fill_sizes(how, report);
  detail::check(tutti_quantised_allgather(shape.in, shape.out, shape.count, shape.type, &how, handle_, report));
}

template <OutputBuffer InOut>
void Communicator::quantised_broadcast(InOut&& inout, int root, tutti_quantisation how, tutti_report* report) {
  const detail::Shape shape = detail::same_shape(inout);
  detail::fill_sizes(how, report);
  detail::check(tutti_quantised_broadcast(shape.out, shape.count, shape.type, root, &how, handle_, report));
}

template <OutputBuffer InOut>
void Communicator::broadcast(InOut&& inout, int root) {
  const detail::Shape shape = detail::same_shape(inout);
  detail::check(tutti_broadcast(shape.out, shape.count, shape.type, root, handle_));
}

template <Element T>
T Communicator::broadcast(T value, int root) {
  detail::check(tutti_broadcast(&value, 1, type_of<T>, root, handle_));
  return value;
}

template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out>
void Communicator::reduce(In&& in, Out&& out, const Op& op, int root) {
  const detail::Shape shape = detail::reduce_shape("reduce", in, out, rank_ == root);
  detail::check(tutti_reduce(shape.in, shape.out, shape.count, shape.type, op.code(), root, handle_));
}

template <OutputBuffer InOut, Combines<detail::Value<InOut>> Op>
void Communicator::reduce(InOut&& inout, const Op& op, int root) {
  const detail::Shape shape = detail::reduce_in_place_shape(inout, rank_ == root);
  detail::check(tutti_reduce(shape.in, shape.out, shape.count, shape.type, op.code(), root, handle_));
}

template <InputBuffer In, OutputBuffer Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out>
void Communicator::reduce_scatter(In&& in, Out&& out, const Op& op) {
  const detail::Shape shape = detail::reduce_scatter_shape("reduce_scatter", in, out, size_);
  detail::check(tutti_reduce_scatter(shape.in, shape.out, shape.count, shape.type, op.code(), handle_));
}

template <OutputBuffer InOut, Combines<detail::Value<InOut>> Op>
std::span<detail::Value<InOut>> Communicator::reduce_scatter(InOut&& inout, const Op& op) {
  const detail::Shape shape = detail::blocks_shape("reduce_scatter", inout, size_);
  detail::check(tutti_reduce_scatter(shape.in, shape.out, shape.count, shape.type, op.code(), handle_));
  return {static_cast<detail::Value<InOut>*>(shape.out), shape.count};
}

template <InputBuffer In, OutputBuffer Out>
requires SameElements<In, Out>
void Communicator::allgather(In&& in, Out&& out) {
  const detail::Shape shape = detail::allgather_shape("allgather", in, out, size_);
  detail::check(tutti_allgather(shape.in, shape.out, shape.count, shape.type, handle_));
}

template <OutputBuffer InOut>
void Communicator::allgather(InOut&& inout) {
  const detail::Shape shape = detail::blocks_shape("allgather", inout, size_);
  detail::check(tutti_allgather(shape.in, shape.out, shape.count, shape.type, handle_));
}

template <InputBuffer In, OutputBuffer Out>
requires SameElements<In, Out>
void Communicator::alltoall(In&& in, Out&& out) {
  const detail::Shape shape = detail::alltoall_shape("alltoall", in, out, size_);
  detail::check(tutti_alltoall(shape.in, shape.out, shape.count, shape.type, handle_));
}

template <OutputBuffer InOut>
void Communicator::alltoall(InOut&& inout) {
  const detail::Shape shape = detail::blocks_shape("alltoall", inout, size_);
  detail::check(tutti_alltoall(shape.in, shape.out, shape.count, shape.type, handle_));
}

// ---- nonblocking -------------------------------------------------------------------------------------

template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out> Request Communicator::iallreduce(In&& in, Out&& out, const Op& op) {
  const detail::Shape shape = detail::equal_shape("iallreduce", in, out);
  tutti_request* request = nullptr;
  detail::check(tutti_iallreduce(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return Request(request);
}

template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
Request Communicator::iallreduce(InOut&& inout, const Op& op) {
  const detail::Shape shape = detail::same_shape(inout);
  tutti_request* request = nullptr;
  detail::check(tutti_iallreduce(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return Request(request);
}

template <LastingOutput InOut>
Request Communicator::ibroadcast(InOut&& inout, int root) {
  const detail::Shape shape = detail::same_shape(inout);
  tutti_request* request = nullptr;
  detail::check(tutti_ibroadcast(shape.out, shape.count, shape.type, root, handle_, &request));
  return Request(request);
}

template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out> Request Communicator::ireduce(In&& in, Out&& out, const Op& op, int root) {
  const detail::Shape shape = detail::reduce_shape("ireduce", in, out, rank_ == root);
  tutti_request* request = nullptr;
  detail::check(tutti_ireduce(shape.in, shape.out, shape.count, shape.type, op.code(), root, handle_, &request));
  return Request(request);
}

template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
Request Communicator::ireduce(InOut&& inout, const Op& op, int root) {
  const detail::Shape shape = detail::reduce_in_place_shape(inout, rank_ == root);
  tutti_request* request = nullptr;
  detail::check(tutti_ireduce(shape.in, shape.out, shape.count, shape.type, op.code(), root, handle_, &request));
  return Request(request);
}

template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out> Request Communicator::ireduce_scatter(In&& in, Out&& out, const Op& op) {
  const detail::Shape shape = detail::reduce_scatter_shape("ireduce_scatter", in, out, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_ireduce_scatter(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return Request(request);
}

template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
Request Communicator::ireduce_scatter(InOut&& inout, const Op& op) {
  const detail::Shape shape = detail::blocks_shape("ireduce_scatter", inout, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_ireduce_scatter(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return Request(request);
}

template <LastingInput In, LastingOutput Out>
requires SameElements<In, Out> Request Communicator::iallgather(In&& in, Out&& out) {
  const detail::Shape shape = detail::allgather_shape("iallgather", in, out, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_iallgather(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return Request(request);
}

template <LastingOutput InOut>
Request Communicator::iallgather(InOut&& inout) {
  const detail::Shape shape = detail::blocks_shape("iallgather", inout, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_iallgather(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return Request(request);
}

template <LastingInput In, LastingOutput Out>
requires SameElements<In, Out> Request Communicator::ialltoall(In&& in, Out&& out) {
  const detail::Shape shape = detail::alltoall_shape("ialltoall", in, out, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_ialltoall(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return Request(request);
}

template <LastingOutput InOut>
Request Communicator::ialltoall(InOut&& inout) {
  const detail::Shape shape = detail::blocks_shape("ialltoall", inout, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_ialltoall(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return Request(request);
}

inline Request Communicator::ibarrier() {
  tutti_request* request = nullptr;
  detail::check(tutti_ibarrier(handle_, &request));
  return Request(request);
}

// ---- persistent --------------------------------------------------------------------------------------

template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out> PersistentRequest Communicator::allreduce_init(In&& in, Out&& out, const Op& op) {
  const detail::Shape shape = detail::equal_shape("allreduce_init", in, out);
  tutti_request* request = nullptr;
  detail::check(tutti_allreduce_init(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return PersistentRequest(request);
}

template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
PersistentRequest Communicator::allreduce_init(InOut&& inout, const Op& op) {
  const detail::Shape shape = detail::same_shape(inout);
  tutti_request* request = nullptr;
  detail::check(tutti_allreduce_init(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return PersistentRequest(request);
}

template <LastingOutput InOut>
PersistentRequest Communicator::broadcast_init(InOut&& inout, int root) {
  const detail::Shape shape = detail::same_shape(inout);
  tutti_request* request = nullptr;
  detail::check(tutti_broadcast_init(shape.out, shape.count, shape.type, root, handle_, &request));
  return PersistentRequest(request);
}

template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out> PersistentRequest Communicator::reduce_init(In&& in, Out&& out, const Op& op, int root) {
  const detail::Shape shape = detail::reduce_shape("reduce_init", in, out, rank_ == root);
  tutti_request* request = nullptr;
  detail::check(tutti_reduce_init(shape.in, shape.out, shape.count, shape.type, op.code(), root, handle_, &request));
  return PersistentRequest(request);
}

template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
PersistentRequest Communicator::reduce_init(InOut&& inout, const Op& op, int root) {
  const detail::Shape shape = detail::reduce_in_place_shape(inout, rank_ == root);
  tutti_request* request = nullptr;
  detail::check(tutti_reduce_init(shape.in, shape.out, shape.count, shape.type, op.code(), root, handle_, &request));
  return PersistentRequest(request);
}

template <LastingInput In, LastingOutput Out, Combines<detail::Value<In>> Op>
requires SameElements<In, Out> PersistentRequest Communicator::reduce_scatter_init(In&& in, Out&& out, const Op& op) {
  const detail::Shape shape = detail::reduce_scatter_shape("reduce_scatter_init", in, out, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_reduce_scatter_init(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return PersistentRequest(request);
}

template <LastingOutput InOut, Combines<detail::Value<InOut>> Op>
PersistentRequest Communicator::reduce_scatter_init(InOut&& inout, const Op& op) {
  const detail::Shape shape = detail::blocks_shape("reduce_scatter_init", inout, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_reduce_scatter_init(shape.in, shape.out, shape.count, shape.type, op.code(), handle_, &request));
  return PersistentRequest(request);
}

template <LastingInput In, LastingOutput Out>
requires SameElements<In, Out> PersistentRequest Communicator::allgather_init(In&& in, Out&& out) {
  const detail::Shape shape = detail::allgather_shape("allgather_init", in, out, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_allgather_init(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return PersistentRequest(request);
}

template <LastingOutput InOut>
PersistentRequest Communicator::allgather_init(InOut&& inout) {
  const detail::Shape shape = detail::blocks_shape("allgather_init", inout, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_allgather_init(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return PersistentRequest(request);
}

template <LastingInput In, LastingOutput Out>
requires SameElements<In, Out> PersistentRequest Communicator::alltoall_init(In&& in, Out&& out) {
  const detail::Shape shape = detail::alltoall_shape("alltoall_init", in, out, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_alltoall_init(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return PersistentRequest(request);
}

template <LastingOutput InOut>
PersistentRequest Communicator::alltoall_init(InOut&& inout) {
  const detail::Shape shape = detail::blocks_shape("alltoall_init", inout, size_);
  tutti_request* request = nullptr;
  detail::check(tutti_alltoall_init(shape.in, shape.out, shape.count, shape.type, handle_, &request));
  return PersistentRequest(request);
}

inline PersistentRequest Communicator::barrier_init() {
  tutti_request* request = nullptr;
  detail::check(tutti_barrier_init(handle_, &request));
  return PersistentRequest(request);
}

}  // namespace tutti::inline v0
