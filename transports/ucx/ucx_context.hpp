// A context of UCX for what a job wishes, and what UCX finds on this machine.
#pragma once

#include <string>
#include <vector>

#include "transports/network_wish.hpp"
#include "transports/ucx/ucx_functions.hpp"

namespace tutti::ucx {

// Transports and devices, "tcp/eth0", that a context uses.
std::vector<std::string> resources(ucp_context_h context);

// Throws Error(TUTTI_ERROR_START) that lists what there is where the wish leaves no network.
ucp_context_h make_context(const NetworkWish& wish);

}  // namespace tutti::ucx
