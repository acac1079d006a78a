// What could run a call, and how long the time model says that it would take. The formula stands in
// docs/choosing.md. All times are whole picoseconds and saturate instead of overflowing, so that every rank gets
// the same numbers from the same question.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/hierarchy.hpp"
#include "scheduler/machine.hpp"

namespace tutti {

// One call, as far as the choice depends on it. Equal on all ranks.
struct Question {
  Kind kind = Kind::allreduce;
  std::uint64_t count =
      0;  // elements of the whole vector; for reduce-scatter, allgather and alltoall of all blocks together
  std::uint32_t element_bytes = 1;
  int size = 1;                   // ranks
  bool ordered = false;           // the operation does not commute
  ShapePtr shape = nullptr;       // where ranks sit on several nodes
  std::uint64_t most_window = 0;  // bytes; 0: any. An encoded payload keeps the elements of a window in the cache
  std::int64_t most_depth = 0;    // combines on the way of a contribution, each of which would round again; 0: any
  std::string payload{};          // what travels, in words; empty where it is the caller's elements
};

// Bytes of the whole vector. Throws TUTTI_ERROR_ARGUMENT for no rank, and beyond 2^63 - 1 bytes.
std::uint64_t bytes_of(const Question& question);

// How a vector is cut. One run of the schedule handles a window: the next `stride_bytes` of the vector, divided into
// `blocks` blocks of `block_bytes`, a whole number of cache lines, the last of them shorter or empty. In reduce-scatter
// and allgather it handles the next `stride_bytes` of each rank's block. The last window takes what is left.
struct Cut {
  std::int64_t blocks = 1;
  std::uint64_t block_bytes = 0;
  std::uint64_t stride_bytes = 0;
  std::uint64_t windows = 1;
};
Cut cut(const Question& question, const Algorithm& algorithm, std::int64_t parameter, std::uint64_t window_bytes);

struct Candidate {
  const Algorithm* algorithm = nullptr;
  std::int64_t parameter = 0;
  std::uint64_t window_bytes = 0;  // of the whole vector, for one run of the schedule
  std::uint64_t windows = 1;
  int in_flight = 1;
  std::vector<Layer> layers = {};  // of a hierarchy, the finest first; `algorithm` runs across them
  std::int64_t latency_ps = 0;     // hops and the software cost of messages
  std::int64_t bandwidth_ps = 0;   // bytes moved
  std::int64_t congestion_ps = 0;  // bytes of other ranks of the node on the same NICs
  std::int64_t combine_ps = 0;
  std::int64_t switches_ps = 0;  // context switches
  std::int64_t total_ps = 0;
  std::string refused;  // why it cannot run; empty where it can
};

// The best window and number in flight for an algorithm, or what is given. `refused` says why it cannot run so.
Candidate consider(const Question& question, const Machine& machine, const Algorithm& algorithm, std::int64_t parameter,
                   std::optional<std::uint64_t> window_bytes = {}, std::optional<int> in_flight = {});

// The values of its parameter that are worth a look for so many ranks; {0} where it has none.
std::vector<std::int64_t> parameters_of(const Algorithm& algorithm, int size);

// The same for a hierarchy on the question's shape.
Candidate consider(const Question& question, const Machine& machine, const std::vector<Layer>& layers,
                   const Stage& across, std::optional<std::uint64_t> window_bytes = {},
                   std::optional<int> in_flight = {});

// A hierarchy of which something may be left open.
struct OpenLayer {
  Form form = Form::leader;
  std::optional<Layer> inner;
};
struct OpenHierarchy {
  std::vector<OpenLayer> layers;
  std::vector<Stage> across;  // one of these; empty: any
};
// Those worth a look: of what may run inside and across, the few that are fastest for themselves, with each other.
// Where none can run, one that says why.
std::vector<Candidate> hierarchies(const Question& question, const Machine& machine, const OpenHierarchy& open,
                                   std::optional<std::uint64_t> window_bytes = {}, std::optional<int> in_flight = {});

// Hierarchies of all forms over the levels of the question's shape; none where all ranks share a node, or none does.
std::vector<Candidate> all_hierarchies(const Question& question, const Machine& machine);

// Every algorithm of the collective with every such parameter, in the order of the catalogue, then hierarchies where
// the ranks have a shape.
std::vector<Candidate> candidates(const Question& question, const Machine& machine);

}  // namespace tutti
