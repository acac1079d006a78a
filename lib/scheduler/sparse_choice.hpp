// The choice among the algorithms of a sparse allreduce: predicted from the density, the fill-in that independent
// positions would give, and the machine's constants, in whole numbers, beside the dense allreduce of the same vector.
// What can be forced stands in TUTTI_ALGORITHM as "topk-allreduce=split-sparse; sparse-allreduce@1M-=dense".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/choice.hpp"

namespace tutti {

// recursive-doubling, split-sparse, split-dense, ok-topk, dense. They are composites: the catalogue's schedules, and
// exchanges whose lengths come out of earlier stages. Their builders are not set.
std::span<const Algorithm> sparse_algorithms();
const Algorithm& sparse_algorithm(std::string_view name);

// One call, as far as the choice depends on it. Equal on all ranks.
struct SparseQuestion {
  bool top_k = true;    // topk-allreduce, or sparse-allreduce
  bool global = false;  // the result is the k largest of the sum
  std::uint64_t count = 0;
  std::uint32_t value_bytes = 4;
  std::uint32_t index_bytes = 4;
  std::uint64_t pairs = 0;  // the most that any rank brings
  std::uint64_t k = 0;      // of the result, where it is global
  int size = 1;
};

// The entries of TUTTI_ALGORITHM that are about sparse calls.
class SparseOverrides {
 public:
  struct Entry {
    bool top_k = true;
    std::uint64_t low = 0;
    std::uint64_t high = no_limit;  // exclusive, of the dense vector's bytes
    const Algorithm* algorithm = nullptr;
    std::size_t column = 1;
    std::string text;
  };

  // Takes its entries out of `text` and leaves blanks, so that columns stay, for the parser of the others. Throws
  // TUTTI_ERROR_ARGUMENT as that one does.
  static SparseOverrides take(std::string& text, std::string_view origin);
  const Entry* find(bool top_k, std::uint64_t bytes) const;
  const std::string& origin() const { return origin_; }

 private:
  std::vector<Entry> entries_;
  std::string origin_;
};

// How many positions so many ranks together have, out of `count`, where each has `pairs` at independent places.
std::uint64_t expected_union(std::uint64_t count, std::uint64_t pairs, std::int64_t ranks);

// `forced` may be null. `dense` are the overrides of the dense allreduce. Throws TUTTI_ERROR_UNSUPPORTED where what is
// forced cannot run.
Choice choose_sparse(const SparseQuestion& question, const Machine& machine, const SparseOverrides& forced,
                     const Overrides& dense);
// A table for people: each candidate with its predicted time, and who decided.
std::string explain_sparse(const SparseQuestion& question, const Machine& machine, const SparseOverrides& forced,
                           const Overrides& dense);

}  // namespace tutti
