// The network transports of this build: one line each. Whether this machine can give one shows when it is made.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transports/transport.hpp"

namespace tutti {

struct NetworkTransport {
  std::string_view name;  // as TUTTI_TRANSPORT calls it
  // `detail` is what stands behind the colon, empty for any; `interfaces` those that may be used, empty for all. Throws
  // TUTTI_ERROR_START or _ARGUMENT, saying what is missing on this machine.
  std::unique_ptr<Transport> (*make)(int rank, int size, const std::string& detail,
                                     const std::vector<std::string>& interfaces);
};

// In the order in which they are tried where the user has not said which.
std::span<const NetworkTransport> networks();

}  // namespace tutti
