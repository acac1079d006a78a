// The identity from TUTTI_RANK, TUTTI_SIZE, TUTTI_STORE and TUTTI_SECRET_FILE, set by `tutti run` or by hand.
#include <array>
#include <string>

#include "bootstrap/environment.hpp"
#include "bootstrap/from_environment.hpp"
#include "bootstrap/held_stores.hpp"
#include "bootstrap/tcp_store.hpp"
#include "error.hpp"

namespace tutti {
namespace {

constexpr std::array names = {"TUTTI_RANK", "TUTTI_SIZE", "TUTTI_STORE", "TUTTI_SECRET_FILE"};

// False if there is no set. The secret's file alone is none: other launchers take one too.
bool is_set_complete() {
  std::string present;
  std::string missing;
  bool begun = false;
  for (const auto* name : names) {
    const bool set = environment_text(name).has_value();
    begun |= set && name != names.back();
    auto& list = set ? present : missing;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  if (!begun) return false;
  if (missing.empty()) return true;
  throw error(TUTTI_ERROR_ARGUMENT, "half a set of variables: {} set, {} missing; set all four or none", present,
              missing);
}

}  // namespace

std::optional<Identity> identify_from_tutti_variables() {
  if (!is_set_complete()) return std::nullopt;
  Identity identity;
  identity.size = static_cast<int>(environment_integer("TUTTI_SIZE", 1).value());
  identity.rank = static_cast<int>(environment_integer("TUTTI_RANK").value());
  if (identity.rank >= identity.size) {
    throw error(TUTTI_ERROR_ARGUMENT, "TUTTI_RANK={} is wrong: with TUTTI_SIZE={} it must be from 0 to {}",
                identity.rank, identity.size, identity.size - 1);
  }
  const auto address = parse_store_address(environment_text("TUTTI_STORE").value(), "TUTTI_STORE");
  const Secret secret = Secret::read(environment_text("TUTTI_SECRET_FILE").value());
  const bool holds = identity.rank == 0 && !address.held_by_launcher;
  const auto reached_at = holds ? hold_store(address, identity.size, [&] { return secret; }) : address;
  identity.store = std::make_unique<TcpStore>(reached_at, secret, identity.rank, identity.size, start_timeout());
  identity.how = "TUTTI_* variables";
  return identity;
}

}  // namespace tutti
