// All algorithms. A new one is one new file and two lines here: its declaration and its place in the list.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "algorithms/algorithm.hpp"
#include "error.hpp"

namespace tutti {

extern const Algorithm ring_for_allreduce, recursive_doubling_for_allreduce, rabenseifner_for_allreduce,
    circulant_for_allreduce, one_shot_for_allreduce, two_shot_for_allreduce, knomial_for_allreduce,
    double_tree_for_allreduce, recursive_multiplying_for_allreduce, swing_for_allreduce, bine_for_allreduce;
extern const Algorithm circulant_for_broadcast, one_shot_for_broadcast, knomial_for_broadcast,
    double_tree_for_broadcast, binomial_for_broadcast, chain_for_broadcast, scatter_allgather_for_broadcast,
    scatter_circulant_for_broadcast, bine_for_broadcast;
extern const Algorithm ring_for_reduce, rabenseifner_for_reduce, circulant_for_reduce, one_shot_for_reduce,
    two_shot_for_reduce, knomial_for_reduce, double_tree_for_reduce, binomial_for_reduce, chain_for_reduce,
    bine_for_reduce;
extern const Algorithm ring_for_reduce_scatter, circulant_for_reduce_scatter, one_shot_for_reduce_scatter,
    recursive_halving_for_reduce_scatter, swing_for_reduce_scatter, bine_for_reduce_scatter;
extern const Algorithm ring_for_allgather, recursive_doubling_for_allgather, circulant_for_allgather,
    one_shot_for_allgather, swing_for_allgather, bine_for_allgather;
extern const Algorithm one_shot_for_barrier, knomial_for_barrier, dissemination_for_barrier;
extern const Algorithm direct_for_alltoall, bruck_for_alltoall;

namespace {

constexpr std::array<std::string_view, 7> kind_names = {"allreduce", "broadcast", "reduce",  "reduce-scatter",
                                                        "allgather", "barrier",   "alltoall"};

}  // namespace

std::span<const Algorithm> catalogue() {
  // Where the model sees no difference, the first stands: one-shot and two-shot let the transport place what arrives.
  // clang-format off
  static const Algorithm all[] = {
      one_shot_for_allreduce,
      two_shot_for_allreduce,
      ring_for_allreduce,
      recursive_doubling_for_allreduce,
      rabenseifner_for_allreduce,
      circulant_for_allreduce,
      knomial_for_allreduce,
      double_tree_for_allreduce,
      recursive_multiplying_for_allreduce,
      swing_for_allreduce,
      bine_for_allreduce,
      one_shot_for_broadcast,
      circulant_for_broadcast,
      knomial_for_broadcast,
      double_tree_for_broadcast,
      binomial_for_broadcast,
      chain_for_broadcast,
      scatter_allgather_for_broadcast,
      scatter_circulant_for_broadcast,
      bine_for_broadcast,
      one_shot_for_reduce,
      two_shot_for_reduce,
      ring_for_reduce,
      rabenseifner_for_reduce,
      circulant_for_reduce,
      knomial_for_reduce,
      double_tree_for_reduce,
      binomial_for_reduce,
      chain_for_reduce,
      bine_for_reduce,
      one_shot_for_reduce_scatter,
      ring_for_reduce_scatter,
      circulant_for_reduce_scatter,
      recursive_halving_for_reduce_scatter,
      swing_for_reduce_scatter,
      bine_for_reduce_scatter,
      one_shot_for_allgather,
      ring_for_allgather,
      recursive_doubling_for_allgather,
      circulant_for_allgather,
      swing_for_allgather,
      bine_for_allgather,
      one_shot_for_barrier,
      knomial_for_barrier,
      dissemination_for_barrier,
      direct_for_alltoall,
      bruck_for_alltoall,
  };
  // clang-format on
  return all;
}

std::string_view kind_name(Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

Kind parse_kind(std::string_view name) {
  for (std::size_t i = 0; i < kind_names.size(); ++i)
    if (kind_names[i] == name) return static_cast<Kind>(i);
  throw error(TUTTI_ERROR_ARGUMENT, "there is no collective '{}': it is one of {}", name, fmt::join(kind_names, ", "));
}

const Algorithm& find_algorithm(Kind kind, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Algorithm& algorithm : catalogue()) {
    if (algorithm.kind != kind) continue;
    if (algorithm.name == name) return algorithm;
    names.push_back(algorithm.name);
  }
  throw error(TUTTI_ERROR_ARGUMENT, "{} has no algorithm '{}': it has {}", kind_name(kind), name,
              fmt::join(names, ", "));
}

}  // namespace tutti
