// The machine as the time model sees it: a few costs, whole picoseconds, the same on all ranks. Constants that
// were measured (tuning.hpp) take the place of the described ones; whatever their source, they are agreed upon when a
// job starts, and from then on every rank computes the same choice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "algorithms/algorithm.hpp"

namespace tutti {

// The network between nodes, as a rank sees it. What is not described (hop 0) costs what a node's own memory costs.
struct NetworkCosts {
  std::int64_t hop_ps = 0;         // of a message on wires and switches
  std::int64_t message_ps = 0;     // software cost of a message, on each of its two sides
  std::int64_t gap_ps = 0;         // between two messages into or out of a node, however short; its ranks share it
  std::int64_t byte_ps_1024 = 0;   // 1,024 bytes into or out of a node; all ranks of the node share it
  std::uint64_t inline_bytes = 0;  // a larger message needs its receive posted first: one more hop
  bool described() const { return hop_ps > 0; }
};

// What the model says of an algorithm, or of a hierarchy by its form, is multiplied by a measured constant.
struct Correction {
  Kind kind = Kind::allreduce;
  std::string name;                 // of the algorithm, or "lanes" or "leader"
  std::int64_t factor_1024 = 1024;  // 1,024: as predicted
};

struct Machine {
  int ranks = 1;                     // that share the cores below
  int cores = 1;                     // that these ranks may run on, together
  std::int64_t hop_ps = 0;           // until a cache line written by one core has been seen by another
  std::int64_t message_ps = 0;       // software cost of a message, on each of its two sides
  std::int64_t byte_ps_1024 = 0;     // 1,024 bytes from core to core through slots: written and read
  std::int64_t copy_ps_1024 = 0;     // more for 1,024 bytes that are in no cache: read, and a result written
  std::int64_t combine_ps_1024 = 0;  // 1,024 bytes combined
  std::int64_t switch_ps = 0;        // a context switch
  std::uint64_t inline_bytes = 0;    // a larger message needs its receive posted first: one more hop
  std::uint64_t max_message = 0;     // the transport's largest message; 0: none
  std::uint64_t cache_bytes = 0;     // that one rank's windows in flight may fill and still be found in cache
  NetworkCosts network = {};         // where ranks sit on several nodes
  std::vector<Correction> corrections = {};
  std::string constants = {};  // the file of measured constants; empty: they are described

  std::int64_t correction_1024(Kind kind, std::string_view name) const;
};

// Shared memory as described, not measured.
Machine described_machine(int ranks, int cores);
// A network of 10 Gbit/s over sockets, as described, not measured.
NetworkCosts described_network();

}  // namespace tutti
