// Chain: everybody hands the vector on to the next. Run on successive windows it is the pipelined chain, which for huge
// vectors loads each link just once.
//   broadcast  (p-2+c) (a + n b/c) in c windows;   reduce: + n g/c for each
// In rank order the ranks on both sides of the root form a chain of their own towards it. Any number of ranks, any
// root.
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void broadcast_steps(View& v, std::int64_t) {
  if (v.rank() > 0) v.recv(v.rank() - 1, v.all());
  if (v.rank() + 1 < v.size()) v.send(v.rank() + 1, v.all());
}

void reduce_steps(View& v, std::int64_t) {
  if (v.rank() >= v.root() && v.rank() + 1 < v.size()) v.recv_reduce(v.rank() + 1, v.all());
  if (v.rank() <= v.root() && v.rank() > 0) v.recv_reduce(v.rank() - 1, v.all(), Side::left);
  if (v.rank() > v.root()) v.send(v.rank() - 1, v.all());
  if (v.rank() < v.root()) v.send(v.rank() + 1, v.all());
}

template <std::int64_t combining>
std::vector<Round> rounds(std::int64_t size, std::int64_t) {
  if (size == 1) return {};
  return {{Pattern::tree, 1, 1, {1, 1}, {combining, 1}, size - 1}};
}

std::int64_t combines(std::int64_t size, std::int64_t) { return size - 1; }

constexpr std::string_view origin = "folklore; pipelined by windows";

}  // namespace

extern const Algorithm chain_for_broadcast{Kind::broadcast, "chain",     origin,     "(p-2+c) (a + n b/c) in c windows",
                                           no_parameter,    true,        &one_block, &broadcast_steps,
                                           &rounds<0>,      &no_combine, &never};

extern const Algorithm chain_for_reduce{Kind::reduce, "chain",   origin,     "(p-2+c) (a + n b/c + n g/c) in c windows",
                                        no_parameter, true,      &one_block, &reduce_steps,
                                        &rounds<1>,   &combines, &never};

}  // namespace tutti
