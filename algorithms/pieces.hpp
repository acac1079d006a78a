// The halves that several algorithms share. Each takes a view in which position i is to own part i.
#pragma once

#include "algorithms/algorithm.hpp"
#include "algorithms/arithmetic.hpp"

namespace tutti {

// Ring: p - 1 rounds to the neighbour (ring.cpp).
void ring_reduce_scatter(View& v);
void ring_allgather(View& v);
// Circulant: ceil(log2 p) rounds for every p (circulant.cpp).
void circulant_reduce_scatter(View& v);
void circulant_allgather(View& v);
// Direct: one round, everybody to everybody; the reduce-scatter folds in rank order (two_shot.cpp).
void direct_reduce_scatter(View& v);
void direct_allgather(View& v);

// k-nomial trees with position 0 at the top; what a subtree holds is an interval of ranks (knomial.cpp).
void knomial_reduce(View& v, std::int64_t k);
void knomial_broadcast(View& v, std::int64_t k);
// Binomial trees from and to position 0, whose subtrees own the parts of their positions (scatter.cpp).
void binomial_scatter(View& v);
void binomial_gather(View& v);
// In rank order the root need not be position 0, where most trees end: hands the whole vector on to it.
void move_to_root(View& v);

std::vector<Round> ring_rounds(std::int64_t size, bool combining);
std::vector<Round> circulant_rounds(std::int64_t size, bool combining);
std::vector<Round> direct_rounds(std::int64_t size, bool combining);
// `bytes`: 0 for the tokens of a barrier.
std::vector<Round> knomial_rounds(std::int64_t size, std::int64_t k, bool combining, std::int64_t bytes = 1);
std::vector<Round> scatter_rounds(std::int64_t size);
std::vector<Round> gather_rounds(std::int64_t size);

inline std::vector<Round> joined(std::vector<Round> first, const std::vector<Round>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

// What most algorithms say.
inline constexpr Parameter no_parameter{};
inline std::int64_t one_block(std::int64_t, std::int64_t) { return 1; }
inline std::int64_t one_block_each(std::int64_t, std::int64_t) { return 0; }
inline std::int64_t no_combine(std::int64_t, std::int64_t) { return 0; }
inline std::string never(std::int64_t, std::int64_t) { return {}; }

}  // namespace tutti
