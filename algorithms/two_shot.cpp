// Two-shot, or direct: each rank owns one block, gets it from everybody, folds it in rank order in one pass, and
// sends the result to everybody. Two rounds and minimal volume: the large vectors of a node's shared memory.
//   allreduce  2a + 2(p-1)/p n b + (p-1)/p n g, with p-1 messages in each round
// A fold in rank order needs no commuting operation and has depth 1, as quantised sums ask. Any number of ranks.
#include "algorithms/pieces.hpp"

namespace tutti {

void direct_reduce_scatter(View& v) {
  if (v.size() == 1) return;
  std::vector<Held> arrived(static_cast<std::size_t>(v.size()));
  arrived[static_cast<std::size_t>(v.rank())] = v.here(v.block(v.rank()));
  for (int q = 1; q < v.size(); ++q) {
    v.send(v.rank() + q, v.block(v.rank() + q));
    arrived[static_cast<std::size_t>((v.rank() - q + v.size()) % v.size())] =
        v.recv_aside(v.rank() - q, v.block(v.rank()));
  }
  v.fold(arrived, v.block(v.rank()));
}

void direct_allgather(View& v) {
  for (int q = 1; q < v.size(); ++q) {
    v.send(v.rank() + q, v.block(v.rank()));
    v.recv(v.rank() - q, v.block(v.rank() - q));
  }
}

std::vector<Round> direct_rounds(std::int64_t size, bool combining) {
  if (size == 1) return {};
  return {{Pattern::direct, size - 1, size - 1, {size - 1, size}, {combining ? size - 1 : 0, size}, 1}};
}

namespace {

void allreduce_steps(View& v, std::int64_t) {
  direct_reduce_scatter(v);
  direct_allgather(v);
}
std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  return joined(direct_rounds(size, true), direct_rounds(size, false));
}
// Each owner sends its block straight to the root, which may be any rank.
void reduce_steps(View& v, std::int64_t) {
  direct_reduce_scatter(v);
  if (v.rank() != v.root()) return v.send(v.root(), v.block(v.rank()));
  for (int q = 1; q < v.size(); ++q) v.recv(v.rank() + q, v.block(v.rank() + q));
}
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t) {
  if (size == 1) return {};
  return joined(direct_rounds(size, true), {{Pattern::tree, 1, size - 1, {size - 1, size}, {0, 1}, 1}});
}
std::int64_t combines(std::int64_t size, std::int64_t) { return size > 1 ? 1 : 0; }

constexpr std::string_view origin = "folklore; direct reduce-scatter, then direct allgather";

}  // namespace

extern const Algorithm two_shot_for_allreduce{
    Kind::allreduce,   "two-shot", origin,          "2a + 2(p-1)/p n b + (p-1)/p n g",
    no_parameter,      true,       &one_block_each, &allreduce_steps,
    &allreduce_rounds, &combines,  &never};

extern const Algorithm one_shot_for_reduce_scatter{
    Kind::reduce_scatter,
    "one-shot",
    origin,
    "a + (p-1)/p n b + (p-1)/p n g",
    no_parameter,
    true,
    &one_block_each,
    [](View& v, std::int64_t) { direct_reduce_scatter(v); },
    [](std::int64_t size, std::int64_t) { return direct_rounds(size, true); },
    &combines,
    &never};

extern const Algorithm one_shot_for_allgather{
    Kind::allgather,
    "one-shot",
    origin,
    "a + (p-1)/p n b",
    no_parameter,
    true,
    &one_block_each,
    [](View& v, std::int64_t) { direct_allgather(v); },
    [](std::int64_t size, std::int64_t) { return direct_rounds(size, false); },
    &no_combine,
    &never};

extern const Algorithm two_shot_for_reduce{
    Kind::reduce,   "two-shot", origin,          "2a + 2(p-1)/p n b + (p-1)/p n g",
    no_parameter,   true,       &one_block_each, &reduce_steps,
    &reduce_rounds, &combines,  &never};

}  // namespace tutti
