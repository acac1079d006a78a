// SPDX-License-Identifier: BSD-3-Clause
//
// Operations in flight, in Tutti's C++ face. A request must end before its communicator does, and the buffers
// it was given belong to the library until then.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <ranges>
#include <utility>

#include "failure.hpp"
#include "tutti.h"

namespace tutti::inline v0 {

// One nonblocking operation. Its destructor waits; an error is then lost here, and met again in the next call
// on the communicator.
class [[nodiscard]] Request {
 public:
  Request() = default;
  // Takes over a request of the C interface.
  explicit Request(tutti_request* handle) noexcept : handle_(handle) {}
  Request(Request&& other) noexcept : handle_(other.release()) {}
  Request& operator=(Request&& other) noexcept {
    if (this != &other) {
      tutti_wait(release());
      handle_ = other.release();
    }
    return *this;
  }
  ~Request() { tutti_wait(handle_); }

  // Returns when the operation is complete; throws its error. Complete requests may be waited for again.
  void wait() { detail::check(tutti_wait(release())); }

  // Makes progress and says whether the operation is complete; throws its error.
  bool test() {
    if (handle_ == nullptr) return true;
    int done = 0;
    const int result = tutti_test(handle_, &done);
    if (done != 0 || result != TUTTI_OK) handle_ = nullptr;
    detail::check(result);
    return done != 0;
  }

  // False once it is complete, or was moved from.
  bool active() const noexcept { return handle_ != nullptr; }
  // Gives the request of the C interface away, to be waited for there.
  tutti_request* release() noexcept { return std::exchange(handle_, nullptr); }

 private:
  tutti_request* handle_ = nullptr;
};

// An operation that is prepared once and started many times; between two starts it must be complete.
class [[nodiscard]] PersistentRequest {
 public:
  PersistentRequest() = default;
  explicit PersistentRequest(tutti_request* handle) noexcept : handle_(handle) {}
  PersistentRequest(PersistentRequest&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), active_(std::exchange(other.active_, false)) {}
  PersistentRequest& operator=(PersistentRequest&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(active_, other.active_);
    return *this;
  }
  ~PersistentRequest() {
    if (active_) tutti_wait(handle_);
    tutti_request_free(handle_);
  }

  void start() {
    detail::check(tutti_start(handle_));
    active_ = true;
  }
  void wait() {
    if (std::exchange(active_, false)) detail::check(tutti_wait(handle_));
  }
  bool test() {
    if (!active_) return true;
    int done = 0;
    const int result = tutti_test(handle_, &done);
    if (done != 0 || result != TUTTI_OK) active_ = false;
    detail::check(result);
    return done != 0;
  }
  // Started, and not seen complete yet.
  bool active() const noexcept { return active_; }

 private:
  tutti_request* handle_ = nullptr;
  bool active_ = false;
};

// Waits for all of them; throws the first error after all have ended.
template <std::ranges::input_range Requests>
requires std::same_as<std::ranges::range_reference_t<Requests>, Request&> void wait_all(Requests&& requests) {
  std::optional<Failure> first;
  std::array<tutti_request*, 64> batch;  // enough to make calls rare, small enough for the stack
  std::size_t used = 0;
  const auto wait_batch = [&] {
    const int result = tutti_wait_all(std::exchange(used, 0), batch.data());
    if (result != TUTTI_OK && !first) first.emplace(static_cast<tutti_result>(result), tutti_error_message(nullptr));
  };
  for (Request& request : requests) {
    if (!request.active()) continue;
    batch[used++] = request.release();
    if (used == batch.size()) wait_batch();
  }
  if (used != 0) wait_batch();
  if (first) throw *first;
}

}  // namespace tutti::inline v0
