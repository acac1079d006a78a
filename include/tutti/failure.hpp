// SPDX-License-Identifier: BSD-3-Clause
//
// The exception of Tutti's C++ face, and the one place where a code of the C interface becomes one.
#pragma once

#include <stdexcept>
#include <string>

#include "tutti.h"

// The face lives in an inline namespace, so that its symbols can never be taken for those of the library
// itself, which a statically linked program holds too.
namespace tutti::inline v0 {

// What every function of the face throws. what() says what was wrong, where, and what would be right.
class Failure : public std::runtime_error {
 public:
  Failure(tutti_result code, const std::string& message) : std::runtime_error(message), code_(code) {}

  // TUTTI_ERROR_ARGUMENT, TUTTI_ERROR_DEAD, ...: tutti.h lists what each means. After ARGUMENT and
  // UNSUPPORTED the communicator stays usable.
  tutti_result code() const noexcept { return code_; }

 private:
  tutti_result code_;
};

namespace detail {

inline void check(int result) {
  if (result != TUTTI_OK) [[unlikely]] {
    throw Failure(static_cast<tutti_result>(result), tutti_error_message(nullptr));
  }
}

[[noreturn]] inline void refuse(const std::string& message) { throw Failure(TUTTI_ERROR_ARGUMENT, message); }

}  // namespace detail
}  // namespace tutti::inline v0
