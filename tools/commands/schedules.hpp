// What `tutti schedule` and `tutti verify` share: algorithms as users name them, lists of sizes, all ranks' schedules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "algorithms/hierarchy.hpp"

namespace tutti {

struct Chosen {
  const Algorithm* algorithm = nullptr;
  std::int64_t parameter = 0;
  std::vector<Layer> layers = {};  // of a hierarchy
};

// The same with the windows that a vector is cut into, as the text states them.
struct ChosenRun : Chosen {
  std::optional<std::uint64_t> window_bytes = {};
  std::optional<int> in_flight = {};
};

// "chain(window=64K, in-flight=2)", and the texts of chosen_algorithms but `all`. Throws TUTTI_ERROR_ARGUMENT.
ChosenRun chosen_run(Kind kind, const std::string& text);

// "ring", "knomial(k=3)", "lanes(inner=ring, outer=circulant)", or "all" of a collective, each with its own parameter's
// default. Throws TUTTI_ERROR_ARGUMENT.
std::vector<Chosen> chosen_algorithms(Kind kind, const std::string& text);

// Hierarchies of both forms, over so many levels of groups (1 or 2), such that each way to run inside and each
// algorithm across comes up.
std::vector<Chosen> all_hierarchies(Kind kind, int levels);

// "3,1,4,2": the ranks of each node; "8x4": eight nodes of four; "3,1/4,2": the same nodes in two groups, a level more.
// `placement`: block, cyclic or random. Throws TUTTI_ERROR_ARGUMENT.
ShapePtr parse_nodes(const std::string& nodes, const std::string& placement);

// "8", "1-64", "2,4,100-128". Throws TUTTI_ERROR_ARGUMENT for anything else and for no ranks at all.
std::vector<int> parse_ranks(const std::string& text);

// As the texts above.
std::string full_name(const Chosen& chosen);

// The schedules of all ranks; `key.position` is ignored. Throws TUTTI_ERROR_ARGUMENT where they would not fit into
// memory.
std::vector<Schedule> schedules_of_all(ScheduleKey key);

}  // namespace tutti
