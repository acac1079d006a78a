// The transport over UCX: tagged messages of UCP between workers. Throws Error(TUTTI_ERROR_START) that lists what is
// there where the library, the provider or the interface is not.
#pragma once

#include <memory>

#include "transports/network_wish.hpp"
#include "transports/transport.hpp"

namespace tutti {

std::unique_ptr<Transport> make_ucx_transport(int rank, int size, const NetworkWish& wish);

}  // namespace tutti
