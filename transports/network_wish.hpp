// What a job may say about the network that a transport is to use.
#pragma once

#include <string>
#include <vector>

namespace tutti {

struct NetworkWish {
  // What follows the colon in TUTTI_TRANSPORT: a provider of libfabric ("tcp" means the RDM endpoint over it,
  // "tcp;ofi_rxm" in libfabric 1.x) or transports of UCX ("tcp"). Empty: the library's own choice.
  std::string provider;
  // Network interfaces that may be used ("eth0"), from TUTTI_INTERFACE. Empty: all.
  std::vector<std::string> interfaces;
  // Those that are known to reach no other host: taken only where nothing else is left, or where they are named.
  std::vector<std::string> avoided{};
};

}  // namespace tutti
