// The transport over libfabric: reliable datagram endpoints (FI_EP_RDM) with tagged messages, whatever provider offers
// them. Throws Error(TUTTI_ERROR_START) that lists what is there where the library, the provider or the interface is
// not.
#pragma once

#include <memory>

#include "transports/network_wish.hpp"
#include "transports/transport.hpp"

namespace tutti {

std::unique_ptr<Transport> make_ofi_transport(int rank, int size, const NetworkWish& wish);

}  // namespace tutti
