// An exchange: what each rank has for each other goes there, in one stage, where the lengths came out of an earlier
// stage and both sides of a message know them. It is a schedule like any other, built for these lengths: the tests
// prove it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/plan.hpp"

namespace tutti {

// Bytes of a buffer, from its beginning.
struct Region {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// By peer: what goes there, out of the input, and what comes from there, into the output. Regions of one pair of ranks
// have the same lengths on both sides, in the same order.
struct Exchange {
  explicit Exchange(int size) : send(static_cast<std::size_t>(size)), receive(static_cast<std::size_t>(size)) {}
  std::vector<std::vector<Region>> send;
  std::vector<std::vector<Region>> receive;
};

// The steps of one rank that sends so many messages to each peer and receives so many from each. Message m from rank a
// to rank b is block (a * size + b) * stride + m. Peers are met in rotation, and a message out and one in take turns:
// of all ranks' oldest open steps, the first in that order always has its other half open, so it cannot lock.
Schedule exchange_schedule(int rank, const std::vector<std::uint64_t>& sends,
                           const std::vector<std::uint64_t>& receives, std::int64_t stride);

// Bound to bytes; no message is longer than `most_message`. `choice` says on whose behalf it runs.
std::unique_ptr<Plan> make_exchange_plan(const Call& call, const Choice& choice, int rank, const Exchange& exchange,
                                         std::uint64_t most_message);

std::uint64_t sent_bytes(const Exchange& exchange);

}  // namespace tutti
