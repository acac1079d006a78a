// The stores that this process holds for its jobs, as rank 0, and the secrets it was told. They stay until the process
// ends: other ranks may still read after this one is through, and a second communicator of the same environment
// meets at the same port, with a secret whose file is gone by then. Beside these, only the connections to a launcher's
// PMIx or PMI server are global.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "bootstrap/secret.hpp"
#include "bootstrap/socket.hpp"

namespace tutti {

// Listens at `address` and serves, unless this process does so already; returns how to reach it from here. `secret` is
// asked for only after the port is ours.
StoreAddress hold_store(const StoreAddress& address, int size, const std::function<Secret()>& secret);

std::optional<Secret> remembered_secret(const StoreAddress& address);
void remember_secret(const StoreAddress& address, const Secret& secret);

}  // namespace tutti
