// One-shot: everybody sends everything to everybody, and each rank folds all contributions in rank order in one
// pass. One round, so the least latency for small vectors; the volume grows with p, so for those alone.
//   allreduce  a + (p-1) n b + (p-1) n g
// Every rank evaluates the same fold: the same bits everywhere, and operations need not commute. Any number of ranks.
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void all_to_all(View& v, std::int64_t) {
  if (v.size() == 1) return;
  std::vector<Held> arrived(static_cast<std::size_t>(v.size()));
  const Held own = v.here(v.all());
  arrived[static_cast<std::size_t>(v.rank())] = own;
  for (int q = 1; q < v.size(); ++q) {
    v.send(v.rank() + q, own);
    arrived[static_cast<std::size_t>((v.rank() - q + v.size()) % v.size())] = v.recv_aside(v.rank() - q, v.all());
  }
  v.fold(arrived, v.all());
}

void broadcast_steps(View& v, std::int64_t) {
  if (v.rank() != 0) return v.recv(0, v.all());
  for (int q = 1; q < v.size(); ++q) v.send(q, v.all());
}

// The root alone folds, in rank order.
void reduce_steps(View& v, std::int64_t) {
  if (v.size() == 1) return;
  if (v.rank() != v.root()) return v.send(v.root(), v.all());
  std::vector<Held> arrived;
  for (int q = 0; q < v.size(); ++q) arrived.push_back(q == v.rank() ? v.here(v.all()) : v.recv_aside(q, v.all()));
  v.fold(arrived, v.all());
}

// The root is the busiest: it sends to, or hears from, everybody.
template <std::int64_t combining>
std::vector<Round> star_rounds(std::int64_t size, std::int64_t) {
  if (size == 1) return {};
  return {{Pattern::tree, 1, size - 1, {size - 1, 1}, {combining * (size - 1), 1}, 1}};
}

std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  if (size == 1) return {};
  return {{Pattern::direct, size - 1, size - 1, {size - 1, 1}, {size - 1, 1}, 1}};
}

std::int64_t combines(std::int64_t size, std::int64_t) { return size > 1 ? 1 : 0; }

std::vector<Round> barrier_rounds(std::int64_t size, std::int64_t) {
  if (size == 1) return {};
  return {{Pattern::direct, size - 1, size - 1, {0, 1}, {0, 1}, 1}};
}

constexpr std::string_view origin = "folklore; all to all in one round";

}  // namespace

extern const Algorithm one_shot_for_allreduce{Kind::allreduce,   "one-shot", origin,     "a + (p-1) n b + (p-1) n g",
                                              no_parameter,      true,       &one_block, &all_to_all,
                                              &allreduce_rounds, &combines,  &never};

extern const Algorithm one_shot_for_barrier{Kind::barrier,   "one-shot",  origin,     "a",
                                            no_parameter,    true,        &one_block, &all_to_all,
                                            &barrier_rounds, &no_combine, &never};

extern const Algorithm one_shot_for_broadcast{Kind::broadcast, "one-shot",  origin,     "a + (p-1) n b",
                                              no_parameter,    true,        &one_block, &broadcast_steps,
                                              &star_rounds<0>, &no_combine, &never};

extern const Algorithm one_shot_for_reduce{Kind::reduce,    "one-shot", origin,     "a + (p-1) n b + (p-1) n g",
                                           no_parameter,    true,       &one_block, &reduce_steps,
                                           &star_rounds<1>, &combines,  &never};

}  // namespace tutti
