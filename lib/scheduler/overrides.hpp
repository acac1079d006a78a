// Forced choices, as TUTTI_ALGORITHM and tutti_comm_set_algorithm write them:
//   allreduce=ring; broadcast@1M-=chain(window=256K, in-flight=4); reduce@4K-64K=knomial(k=4)
// collective@lo-hi=name(key=value, ...): bytes of the whole vector, lo inclusive, hi exclusive, either may be
// empty. Every algorithm takes `window` and `in-flight`, and its own parameter by its name in the catalogue.
// A hierarchy is a name too, of levels of groups from the finest on:
//   allreduce=lanes(inner=two-shot, outer=leader(inner=knomial(k=3), outer=circulant), window=1M)
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "algorithms/hierarchy.hpp"

namespace tutti {

inline constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
// Blocks are cut on cache lines, so no window can be shorter than one.
inline constexpr std::uint64_t least_window = 64;
// Memory and posted receives grow with the windows in flight; beyond this there is nothing left to overlap.
inline constexpr int most_in_flight = 64;

// A level of groups of a forced hierarchy.
struct ForcedLayer {
  Form form = Form::leader;
  std::optional<Layer> inner;  // not set: what runs inside is left to the time model
};

// The most levels of groups that a text may name: cores that share a cache, node, switch, group of switches.
inline constexpr std::size_t most_layers = 4;

// One forced choice. What is not set is left to the time model.
struct Override {
  Kind kind = Kind::allreduce;
  std::uint64_t low = 0;
  std::uint64_t high = no_limit;         // exclusive
  std::vector<ForcedLayer> layers;       // of a hierarchy, the finest first
  const Algorithm* algorithm = nullptr;  // across the coarsest groups; null, only with layers: any
  std::optional<std::int64_t> parameter;
  std::optional<std::uint64_t> window_bytes;
  std::optional<int> in_flight;
  std::size_t column = 1;  // where it begins in the text
  std::string text;        // as it was written
  std::string origin;      // the variable or call that it came from
};

class Overrides {
 public:
  Overrides() = default;

  // Throws TUTTI_ERROR_ARGUMENT with the origin, the column, what was wrong and what would be right. An empty text
  // forces nothing.
  static Overrides parse(std::string_view text, std::string_view origin);

  // What forces a call of so many bytes; null where nothing does.
  const Override* find(Kind kind, std::uint64_t bytes) const;

  bool empty() const { return entries_.empty(); }

 private:
  std::vector<Override> entries_;
};

}  // namespace tutti
