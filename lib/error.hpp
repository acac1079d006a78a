// The one exception of the library: a code of the C interface and a message that says what was wrong,
// where, and what would be right. Thrown on the way in or out of a call, never in the hot loop.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tutti/tutti.h"

namespace tutti {

class Error : public std::runtime_error {
 public:
  Error(tutti_result code, const std::string& message) : std::runtime_error(message), code_(code) {}
  tutti_result code() const noexcept { return code_; }

 private:
  tutti_result code_;
};

// throw error(TUTTI_ERROR_ARGUMENT, "root {} is not one of the {} ranks", root, size);
template <class... Args>
Error error(tutti_result code, fmt::format_string<Args...> format, Args&&... args) {
  return Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tutti
