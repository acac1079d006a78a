// What every fuzz target does with a network that was read: the routes and names of it must be there too.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "error.hpp"
#include "topology/network/network.hpp"

namespace tutti {

inline void exercise(const Network& network) {
  std::vector<std::int64_t> path;
  const std::int64_t step = network.hosts() / 7 + 1;
  for (std::int64_t from = 0; from < network.hosts(); from += step)
    for (std::int64_t to = network.hosts() - 1; to >= 0; to -= step) {
      path.clear();
      // A torus may be a million switches long: such routes are right, but too slow to be asked for here.
      if (network.switches() <= 65536) network.route(from, to, static_cast<std::uint64_t>(from), path);
      std::int64_t here = from;
      for (const std::int64_t id : path) {
        if (id < 0 || id >= network.links() || network.ends(id).from != here) std::abort();
        here = network.ends(id).to;
      }
      if (!path.empty() && here != to) std::abort();
    }
  if (network.find_host(network.host_name(network.hosts() - 1)) != network.hosts() - 1) std::abort();
  network.link_name(network.links() - 1);
}

// Runs `read` on a text: anything is right but a crash, and an error is one of bad input.
template <class Read>
int run_on(const std::uint8_t* data, std::size_t size, Read read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error& failure) {
    if (failure.code() != TUTTI_ERROR_ARGUMENT || failure.what()[0] == '\0') std::abort();
  }
  return 0;
}

}  // namespace tutti
