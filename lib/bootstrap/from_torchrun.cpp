// The identity from torchrun's RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. torchrun's agent holds MASTER_PORT
// itself, so rank 0 listens at TUTTI_PORT, or at the port after it.
#include <string>

#include "bootstrap/environment.hpp"
#include "bootstrap/from_environment.hpp"
#include "bootstrap/meeting_at_rank_0.hpp"
#include "error.hpp"

namespace tutti {
namespace {

StoreAddress store_address() {
  constexpr int last_port = 65535;
  const auto master_port = environment_integer("MASTER_PORT", 1, last_port).value();
  const auto port = environment_integer("TUTTI_PORT", 1, last_port).value_or(master_port + 1);
  if (port > last_port) {
    throw error(TUTTI_ERROR_ARGUMENT, "MASTER_PORT={} leaves no port after it for Tutti's store: set TUTTI_PORT",
                master_port);
  }
  return {environment_text("MASTER_ADDR").value(), static_cast<std::uint16_t>(port), false};
}

// torchrun says how many ranks each host has; without that, only an address that leads nowhere else is proof.
bool on_one_host(const Identity& identity, const std::string& host) {
  if (const auto local = environment_integer("LOCAL_WORLD_SIZE", 1)) return *local == identity.size;
  return identity.size == 1 || host == "localhost" || host.starts_with("127.") || host == "::1";
}

}  // namespace

std::optional<Identity> identify_from_torchrun() {
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    if (!environment_text(name)) return std::nullopt;
  }
  Identity identity;
  identity.how = "torchrun";
  identity.size = static_cast<int>(environment_integer("WORLD_SIZE", 1).value());
  identity.rank = static_cast<int>(environment_integer("RANK").value());
  if (identity.rank >= identity.size) {
    throw error(TUTTI_ERROR_ARGUMENT, "RANK={} is wrong: with WORLD_SIZE={} it must be from 0 to {}", identity.rank,
                identity.size, identity.size - 1);
  }
  const auto address = store_address();
  const auto several = fmt::format("LOCAL_WORLD_SIZE is not WORLD_SIZE={}", identity.size);
  meet_at_rank_0(identity, address, on_one_host(identity, address.host) ? "" : several);
  return identity;
}

}  // namespace tutti
