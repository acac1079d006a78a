// Meeting at a store that rank 0 holds, under launchers that bring no key-value space: torchrun and plain srun.
#pragma once

#include <string_view>

#include "bootstrap/socket.hpp"
#include "bootstrap/store.hpp"

namespace tutti {

// Rank 0 listens at `address`; the store goes into `identity`. The secret is in TUTTI_SECRET_FILE; on one host rank 0
// makes one without it. `several_hosts` says why the ranks are taken to run on several: for the error when they do and
// there is no secret file; empty if they run on one.
void meet_at_rank_0(Identity& identity, const StoreAddress& address, std::string_view several_hosts);

}  // namespace tutti
