// What an algorithm says of itself: its steps, where it can run, and its rounds for the time model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedule/shape.hpp"
#include "schedule/view.hpp"

namespace tutti {

enum class Kind : std::uint8_t { allreduce, broadcast, reduce, reduce_scatter, allgather, barrier, alltoall };

std::string_view kind_name(Kind kind);  // "reduce-scatter"

// Those whose vector is equal blocks of ranks, and a count that of one block.
constexpr bool is_sliced(Kind kind) {
  return kind == Kind::reduce_scatter || kind == Kind::allgather || kind == Kind::alltoall;
}
// An alltoall writes the block from a rank to where the one for this rank was: in place it runs from a copy.
constexpr bool runs_in_place(Kind kind) { return kind != Kind::alltoall; }

// Who sends to whom in a round, seen by positions: what the network description will route.
enum class Pattern : std::uint8_t {
  shift,             // rank -> rank + distance, all at once
  exchange,          // each of a group of messages + 1 places at `distance` <-> its others; rank xor distance for one
  alternating,       // even place <-> odd place at `distance` up the ring, which may be negative (walk.hpp)
  tree,              // some ranks to ranks at `distance`; the others are idle
  alternating_tree,  // some places to partners at `distance`, which is even places up and odd ones down
  direct,            // every rank to `distance` others at once
};

// Most ranks are idle at a time.
constexpr bool is_tree(Pattern pattern) { return pattern == Pattern::tree || pattern == Pattern::alternating_tree; }

// A share of the whole vector, exact: part / whole.
struct Share {
  std::int64_t part = 0;
  std::int64_t whole = 1;
};

// One round as the time model sees it, for the busiest rank, `times` over.
struct Round {
  Pattern pattern = Pattern::shift;
  std::int64_t distance = 1;
  std::int64_t messages = 1;  // sent (or received, the larger) by the busiest rank
  Share bytes;                // that this rank sends or receives, the larger, all messages of the round together
  Share combined;             // that this rank combines
  std::int64_t times = 1;
  std::int64_t places = 0;  // exchange: so many act, and others are guests of their neighbours; 0: a power of two does
};

// The one number an algorithm may take, such as knomial's k.
struct Parameter {
  std::string_view name;  // empty: takes none
  std::int64_t fallback = 0;
  std::int64_t least = 0;
  std::int64_t most = 0;
};

struct Algorithm {
  Kind kind;
  std::string_view name;    // "recursive-doubling", as interfaces.md lists them
  std::string_view source;  // the paper
  std::string_view cost;    // the formula, in a, b, g, n, p, as text
  Parameter parameter;
  bool keeps_order;  // combines in rank order, so operations that do not commute may use it
  // Blocks of the whole vector for p ranks; 0: one for each rank (reduce-scatter and allgather always; an alltoall too,
  // whose vector is that of one rank: its schedules name p^2 blocks, s * p + d from s to d).
  std::int64_t (*blocks)(std::int64_t size, std::int64_t parameter);
  // One rank's steps. For broadcast and reduce the root is position 0 of the view, except where `ordered`
  // is asked for: positions are then ranks and `root` tells.
  void (*build)(View& view, std::int64_t parameter);
  std::vector<Round> (*rounds)(std::int64_t size, std::int64_t parameter);
  // How many combines follow one another on the longest way of a contribution (quantised sums ask for 1).
  std::int64_t (*depth)(std::int64_t size, std::int64_t parameter);
  // Why it cannot run on so many ranks; empty where it can.
  std::string (*refuses)(std::int64_t size, std::int64_t parameter);
};

// All algorithms; one line each in catalogue.cpp.
std::span<const Algorithm> catalogue();
// Throws TUTTI_ERROR_ARGUMENT, listing the names that the collective has.
const Algorithm& find_algorithm(Kind kind, std::string_view name);
// "allreduce" and so on; throws TUTTI_ERROR_ARGUMENT, listing the names.
Kind parse_kind(std::string_view name);

// How the groups of a hierarchy speak to each other; see hierarchy.hpp.
enum class Form : std::uint8_t { leader, lanes };

// An algorithm with its parameter.
struct Stage {
  const Algorithm* algorithm = nullptr;
  std::int64_t parameter = 0;
  bool operator==(const Stage&) const = default;
};

// One level of a hierarchy: what runs inside each group, before and after the groups speak to each other. A stage
// without an algorithm has nothing to do, or does what the form alone says.
struct Layer {
  Form form = Form::leader;
  std::string_view inner;  // the name by which both stages go
  Stage before;
  Stage after;
  bool operator==(const Layer&) const = default;
};

// What a schedule depends on, and nothing else.
struct ScheduleKey {
  const Algorithm* algorithm = nullptr;
  std::int64_t parameter = 0;
  int size = 1;
  int position = 0;  // the rank, counted from the root where the collective has one
  bool in_place = false;
  bool ordered = false;  // operations that do not commute: position is then the rank, and `root` counts
  int root = 0;
  // A hierarchy: levels of groups, the finest first; `algorithm` runs across the coarsest. The position is then the
  // rank, and `root` counts, whatever the operation.
  std::vector<Layer> layers = {};
  ShapePtr shape = nullptr;
  bool operator==(const ScheduleKey& other) const;
};

// For ScheduleCache<ScheduleKey, ScheduleKeyHash>.
struct ScheduleKeyHash {
  std::size_t operator()(const ScheduleKey& key) const;
};

// States the collective of the key and builds the schedule of one rank. Throws TUTTI_ERROR_UNSUPPORTED where the
// algorithm refuses, with its reason.
Collective collective_of(const ScheduleKey& key);
Schedule build_schedule(const ScheduleKey& key);
// Lets the algorithm of a key speak to a builder of the caller's own, which stands for one rank of this collective. The
// key has passed collective_of.
void speak(const ScheduleKey& key, const Collective& collective, Builder& builder);

}  // namespace tutti
