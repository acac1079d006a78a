// See meeting_at_rank_0.hpp.
#include "bootstrap/meeting_at_rank_0.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "bootstrap/environment.hpp"
#include "bootstrap/held_stores.hpp"
#include "bootstrap/secret_meeting.hpp"
#include "bootstrap/tcp_store.hpp"
#include "error.hpp"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds left_until(Deadline deadline) {
  return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()));
}

void join_with_secret_file(Identity& identity, const StoreAddress& address, const std::string& path) {
  const Secret secret = Secret::read(path);
  const auto reached_at = identity.rank == 0 ? hold_store(address, identity.size, [&] { return secret; }) : address;
  identity.store = std::make_unique<TcpStore>(reached_at, secret, identity.rank, identity.size, start_timeout());
}

// Waits for the secret that rank 0 leaves. One that is refused was left by an earlier job that died, and is read again.
std::unique_ptr<Store> join_by_meeting(const Identity& identity, const StoreAddress& address, Deadline deadline) {
  const SecretMeeting meeting(address.port);
  while (true) {
    const bool last = Clock::now() >= deadline;
    if (const auto secret = meeting.find()) {
      try {
        auto store = std::make_unique<TcpStore>(address, *secret, identity.rank, identity.size, left_until(deadline));
        remember_secret(address, *secret);
        return store;
      } catch (const SecretRefused&) {
        if (last) throw;
      }
    } else if (last) {
      throw error(
          TUTTI_ERROR_START,
          "rank {} of {}: rank 0 left no secret in {} within {} s (TUTTI_START_TIMEOUT); is it running on this host, "
          "as the same user?",
          identity.rank, identity.size, meeting.path(), static_cast<double>(start_timeout().count()) / 1000);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void join_with_own_secret(Identity& identity, const StoreAddress& address) {
  const Deadline deadline = Clock::now() + start_timeout();
  const auto known = remembered_secret(address);
  SecretMeeting meeting(address.port);
  if (identity.rank == 0) {
    const Secret secret = known ? *known : Secret::random();
    const auto reached_at = hold_store(address, identity.size, [&] {
      meeting.leave(secret);
      return secret;
    });
    remember_secret(address, secret);
    identity.store = std::make_unique<TcpStore>(reached_at, secret, 0, identity.size, left_until(deadline));
  } else if (known) {
    identity.store = std::make_unique<TcpStore>(address, *known, identity.rank, identity.size, left_until(deadline));
  } else {
    identity.store = join_by_meeting(identity, address, deadline);
  }
  if (known) return;
  try {
    identity.store->fence("tutti/secret", left_until(deadline));
  } catch (const Error&) {
    if (identity.rank == 0) meeting.remove();
    throw;
  }
  if (identity.rank == 0) meeting.remove();
}

}  // namespace

void meet_at_rank_0(Identity& identity, const StoreAddress& address, std::string_view several_hosts) {
  if (const auto path = environment_text("TUTTI_SECRET_FILE")) {
    join_with_secret_file(identity, address, *path);
  } else if (several_hosts.empty()) {
    join_with_own_secret(identity, address);
  } else {
    throw error(
        TUTTI_ERROR_ARGUMENT,
        "the ranks run on several hosts ({}), so TUTTI_SECRET_FILE is required: a file with the same random bytes on "
        "each host, mode 0600, such as `head -c 32 /dev/urandom | base64` makes",
        several_hosts);
  }
}

}  // namespace tutti
