// The network transports of this build: one line each. Whether this machine can give one shows when it is made.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "transports/network_wish.hpp"
#include "transports/transport.hpp"

namespace tutti {

struct NetworkTransport {
  std::string_view name;  // as TUTTI_TRANSPORT calls it
  // Throws TUTTI_ERROR_START or _ARGUMENT, saying what is missing on this machine.
  std::unique_ptr<Transport> (*make)(int rank, int size, const NetworkWish& wish);
};

// In the order in which they are tried where the user has not said which.
std::span<const NetworkTransport> networks();

}  // namespace tutti
