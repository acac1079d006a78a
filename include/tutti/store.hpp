// SPDX-License-Identifier: BSD-3-Clause
//
// Starting over a store of the caller's own, in Tutti's C++ face: what it must do, and the bridge to the
// function table of the C interface.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "tutti.h"

namespace tutti::inline v0 {

// put publishes a value under a key; get returns the value of a key, which all ranks may read after the fence
// that followed its put; fence returns on each rank after all have entered it. Errors are exceptions. All are
// called by the thread that starts the communicator, while it starts, and not afterwards.
template <class S>
concept KeyValueStore = requires(S& store, std::string_view key, std::span<const std::byte> value) {
  store.put(key, value);
  { store.get(key) } -> std::convertible_to<std::vector<std::byte>>;
  store.fence();
};

namespace detail {

// No exception may cross the C interface: it is kept here, and thrown on when the call has returned.
template <KeyValueStore S>
class StoreBridge {
 public:
  explicit StoreBridge(S& store) : store_(store) {}

  tutti_store_functions functions() { return {&put, &get, &fence, this}; }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  template <class Call>
  int guarded(Call call) noexcept {
    try {
      return call();
    } catch (...) {
      if (!exception_) exception_ = std::current_exception();
      return TUTTI_ERROR_START;
    }
  }

  static int put(void* context, const char* key, const void* value, std::size_t bytes) {
    auto& self = *static_cast<StoreBridge*>(context);
    return self.guarded([&] {
      self.store_.put(std::string_view(key), std::span(static_cast<const std::byte*>(value), bytes));
      return 0;
    });
  }
  static int get(void* context, const char* key, void* value, std::size_t* bytes) {
    auto& self = *static_cast<StoreBridge*>(context);
    return self.guarded([&] {
      const std::vector<std::byte> found = self.store_.get(std::string_view(key));
      if (found.size() > *bytes) {
        throw Failure(TUTTI_ERROR_START, "the store's value of key " + std::string(key) + " has " +
                                             std::to_string(found.size()) + " bytes, more than the " +
                                             std::to_string(*bytes) + " that a value may have");
      }
      if (!found.empty()) std::memcpy(value, found.data(), found.size());
      *bytes = found.size();
      return 0;
    });
  }
  static int fence(void* context) {
    auto& self = *static_cast<StoreBridge*>(context);
    return self.guarded([&] {
      self.store_.fence();
      return 0;
    });
  }

  S& store_;
  std::exception_ptr exception_;
};

}  // namespace detail
}  // namespace tutti::inline v0
