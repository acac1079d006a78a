// Ring (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009).
// Each block crosses each link once in the reduce-scatter and once in the allgather, between neighbours only.
//   allreduce  2(p-1) a + 2(p-1)/p n b + (p-1)/p n g
// A reduce is the reduce-scatter and a binomial gather.
// Contributions meet in ring order, so operations must commute. Any number of ranks.
#include "algorithms/pieces.hpp"

namespace tutti {

void ring_reduce_scatter(View& v) {
  for (int s = 0; s < v.size() - 1; ++s) {
    v.send(v.rank() + 1, v.block(v.rank() - s - 1));
    v.recv_reduce(v.rank() - 1, v.block(v.rank() - s - 2));
  }
}

void ring_allgather(View& v) {
  for (int s = 0; s < v.size() - 1; ++s) {
    v.send(v.rank() + 1, v.block(v.rank() - s));
    v.recv(v.rank() - 1, v.block(v.rank() - s - 1));
  }
}

std::vector<Round> ring_rounds(std::int64_t size, bool combining) {
  if (size == 1) return {};
  return {{Pattern::shift, 1, 1, {1, size}, {combining ? 1 : 0, size}, size - 1}};
}

namespace {

void allreduce_steps(View& v, std::int64_t) {
  ring_reduce_scatter(v);
  ring_allgather(v);
}
std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  return joined(ring_rounds(size, true), ring_rounds(size, false));
}
void reduce_steps(View& v, std::int64_t) {
  ring_reduce_scatter(v);
  binomial_gather(v);
}
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t) {
  return joined(ring_rounds(size, true), gather_rounds(size));
}
std::int64_t combines(std::int64_t size, std::int64_t) { return size - 1; }

constexpr std::string_view paper = "Patarasuk and Yuan, 2009";

}  // namespace

extern const Algorithm ring_for_allreduce{
    Kind::allreduce,   "ring",    paper,           "2(p-1) a + 2(p-1)/p n b + (p-1)/p n g",
    no_parameter,      false,     &one_block_each, &allreduce_steps,
    &allreduce_rounds, &combines, &never};

extern const Algorithm ring_for_reduce_scatter{Kind::reduce_scatter,
                                               "ring",
                                               paper,
                                               "(p-1) a + (p-1)/p n b + (p-1)/p n g",
                                               no_parameter,
                                               false,
                                               &one_block_each,
                                               [](View& v, std::int64_t) { ring_reduce_scatter(v); },
                                               [](std::int64_t size, std::int64_t) { return ring_rounds(size, true); },
                                               &combines,
                                               &never};

extern const Algorithm ring_for_allgather{Kind::allgather,
                                          "ring",
                                          paper,
                                          "(p-1) a + (p-1)/p n b",
                                          no_parameter,
                                          true,
                                          &one_block_each,
                                          [](View& v, std::int64_t) { ring_allgather(v); },
                                          [](std::int64_t size, std::int64_t) { return ring_rounds(size, false); },
                                          &no_combine,
                                          &never};

extern const Algorithm ring_for_reduce{
    Kind::reduce,   "ring",    paper,           "(p-1+L) a + 2(p-1)/p n b + (p-1)/p n g",
    no_parameter,   false,     &one_block_each, &reduce_steps,
    &reduce_rounds, &combines, &never};

}  // namespace tutti
