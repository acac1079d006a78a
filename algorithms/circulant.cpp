// Circulant reduce-scatter and allgather (Traeff, "Optimal, non-pipelined reduce-scatter and allreduce
// algorithms", arXiv 2410.14234): ceil(log2 p) rounds and minimal volume for every p, one message a round.
//   allreduce  2L a + 2(p-1)/p n b + (p-1)/p n g,   L = ceil(log2 p)
// A reduce is the reduce-scatter and a binomial gather.
// Contributions meet in circulant order, so operations must commute. Any number of ranks.
#include <algorithm>

#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

struct Halving {
  std::int64_t half;
  std::int64_t full;
};

// p = full, then half = ceil(full / 2) becomes the next full, down to 1.
std::vector<Halving> halvings(std::int64_t size) {
  std::vector<Halving> list;
  for (std::int64_t full = size; full > 1; full = (full + 1) / 2) list.push_back({(full + 1) / 2, full});
  return list;
}

}  // namespace

void circulant_reduce_scatter(View& v) {
  for (auto [half, full] : halvings(v.size())) {
    v.send(v.rank() + half, v.blocks(v.rank() + half, full - half));
    v.recv_reduce(v.rank() - half, v.blocks(v.rank(), full - half));
  }
}

void circulant_allgather(View& v) {
  auto list = halvings(v.size());
  std::reverse(list.begin(), list.end());
  for (auto [half, full] : list) {
    v.send(v.rank() - half, v.blocks(v.rank(), full - half));
    v.recv(v.rank() + half, v.blocks(v.rank() + half, full - half));
  }
}

std::vector<Round> circulant_rounds(std::int64_t size, bool combining) {
  std::vector<Round> rounds;
  for (auto [half, full] : halvings(size)) {
    const std::int64_t moved = full - half;
    rounds.push_back({Pattern::shift, half, 1, {moved, size}, {combining ? moved : 0, size}, 1});
  }
  if (!combining) std::reverse(rounds.begin(), rounds.end());
  return rounds;
}

namespace {

void allreduce_steps(View& v, std::int64_t) {
  circulant_reduce_scatter(v);
  circulant_allgather(v);
}
std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  return joined(circulant_rounds(size, true), circulant_rounds(size, false));
}
void reduce_steps(View& v, std::int64_t) {
  circulant_reduce_scatter(v);
  binomial_gather(v);
}
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t) {
  return joined(circulant_rounds(size, true), gather_rounds(size));
}
std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }

constexpr std::string_view paper = "Traeff, arXiv 2410.14234";

}  // namespace

extern const Algorithm circulant_for_allreduce{
    Kind::allreduce,   "circulant", paper,           "2L a + 2(p-1)/p n b + (p-1)/p n g",
    no_parameter,      false,       &one_block_each, &allreduce_steps,
    &allreduce_rounds, &combines,   &never};

extern const Algorithm circulant_for_reduce_scatter{
    Kind::reduce_scatter,
    "circulant",
    paper,
    "L a + (p-1)/p n b + (p-1)/p n g",
    no_parameter,
    false,
    &one_block_each,
    [](View& v, std::int64_t) { circulant_reduce_scatter(v); },
    [](std::int64_t size, std::int64_t) { return circulant_rounds(size, true); },
    &combines,
    &never};

extern const Algorithm circulant_for_allgather{
    Kind::allgather,
    "circulant",
    paper,
    "L a + (p-1)/p n b",
    no_parameter,
    true,
    &one_block_each,
    [](View& v, std::int64_t) { circulant_allgather(v); },
    [](std::int64_t size, std::int64_t) { return circulant_rounds(size, false); },
    &no_combine,
    &never};

extern const Algorithm circulant_for_reduce{
    Kind::reduce,   "circulant", paper,           "2L a + 2(p-1)/p n b + (p-1)/p n g",
    no_parameter,   false,       &one_block_each, &reduce_steps,
    &reduce_rounds, &combines,   &never};

}  // namespace tutti
