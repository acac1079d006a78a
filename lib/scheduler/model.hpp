// The time of one schedule, run over windows: LogGP with a machine's costs. docs/choosing.md derives it.
#pragma once

#include <cstdint>
#include <span>

#include "algorithms/algorithm.hpp"
#include "scheduler/machine.hpp"
#include "scheduler/traffic.hpp"

namespace tutti {

// Arithmetic that ends at the largest number: 106 days in picoseconds, 8 EiB in bytes. Operands are not negative.
std::int64_t add(std::int64_t left, std::int64_t right);
std::int64_t scale(std::int64_t value, std::int64_t factor, std::int64_t divisor = 1);

struct Terms {
  std::int64_t latency = 0;
  std::int64_t bandwidth = 0;
  std::int64_t congestion = 0;  // while other ranks of the node use its NICs
  std::int64_t combine = 0;
  std::int64_t switches = 0;

  std::int64_t total() const { return add(add(latency, bandwidth), add(congestion, add(combine, switches))); }
};

Terms times(const Terms& terms, std::int64_t factor, std::int64_t divisor = 1);

// How a vector of `bytes` runs: windows of `window_bytes`, the last one with what is left.
struct Pipeline {
  std::int64_t bytes = 0;
  std::int64_t window_bytes = 0;
  std::int64_t windows = 1;
  std::int64_t in_flight = 1;
};

Terms predict(std::span<const Traffic> rounds, const Machine& machine, const Pipeline& pipeline);

// The same where all ranks share a node.
Terms predict(std::span<const Round> rounds, const Machine& machine, const Pipeline& pipeline);

}  // namespace tutti
