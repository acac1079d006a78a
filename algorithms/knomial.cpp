// k-nomial tree: the digits of a position to the base k say where it hangs; each round has up to k-1 messages to one
// rank. Fewer rounds than a binomial tree where several messages at once cost little: shared memory, many ports.
//   broadcast  ceil(log_k p) (k-1) (a + n b) through one port;   reduce: + n g for each;   allreduce: both
// Subtrees are intervals of ranks combined from left to right, so operations need not commute. Any number of ranks; in
// rank order any root, by one message more where it is not rank 0.
#include <algorithm>

#include "algorithms/pieces.hpp"

namespace tutti {

void knomial_reduce(View& v, std::int64_t k) {
  const std::int64_t me = v.rank();
  for (std::int64_t distance = 1; distance < v.size(); distance *= k) {
    const std::int64_t digit = me / distance % k;
    if (digit != 0) return v.send(me - digit * distance, v.all());
    for (std::int64_t i = 1; i < k && me + i * distance < v.size(); ++i) v.recv_reduce(me + i * distance, v.all());
  }
}

void knomial_broadcast(View& v, std::int64_t k) {
  const std::int64_t me = v.rank();
  std::int64_t distance = 1;
  while (distance < v.size() && me / distance % k == 0) distance *= k;
  if (me != 0) v.recv(me - me / distance % k * distance, v.all());
  for (distance /= k; distance > 0; distance /= k)
    for (std::int64_t i = 1; i < k && me + i * distance < v.size(); ++i) v.send(me + i * distance, v.all());
}

std::vector<Round> knomial_rounds(std::int64_t size, std::int64_t k, bool combining, std::int64_t bytes) {
  std::vector<Round> rounds;
  for (std::int64_t distance = 1; distance < size; distance *= k) {
    const std::int64_t messages = std::min(k - 1, (size - 1) / distance);
    rounds.push_back(
        {Pattern::tree, distance, messages, {messages * bytes, 1}, {combining ? messages * bytes : 0, 1}, 1});
  }
  if (!combining) std::reverse(rounds.begin(), rounds.end());
  return rounds;
}

namespace {

void reduce_steps(View& v, std::int64_t k) {
  knomial_reduce(v, k);
  move_to_root(v);
}
void allreduce_steps(View& v, std::int64_t k) {
  knomial_reduce(v, k);
  knomial_broadcast(v, k);
}
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t k) { return knomial_rounds(size, k, true); }
std::vector<Round> broadcast_rounds(std::int64_t size, std::int64_t k) { return knomial_rounds(size, k, false); }
std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t k) {
  return joined(reduce_rounds(size, k), broadcast_rounds(size, k));
}
std::vector<Round> barrier_rounds(std::int64_t size, std::int64_t k) {
  return joined(knomial_rounds(size, k, true, 0), knomial_rounds(size, k, false, 0));
}
// The top combines with each of its children in turn.
std::int64_t combines(std::int64_t size, std::int64_t k) {
  std::int64_t sum = 0;
  for (const Round& round : reduce_rounds(size, k)) sum += round.messages;
  return sum;
}

constexpr std::string_view origin = "folklore; k-nomial tree";
constexpr Parameter k_ary{"k", 4, 2, 64};

}  // namespace

extern const Algorithm knomial_for_allreduce{Kind::allreduce,
                                             "knomial",
                                             origin,
                                             "2 ceil(log_k p) (k-1) (a + n b) + ceil(log_k p) (k-1) n g",
                                             k_ary,
                                             true,
                                             &one_block,
                                             &allreduce_steps,
                                             &allreduce_rounds,
                                             &combines,
                                             &never};

extern const Algorithm knomial_for_broadcast{Kind::broadcast,
                                             "knomial",
                                             origin,
                                             "ceil(log_k p) (k-1) (a + n b)",
                                             k_ary,
                                             true,
                                             &one_block,
                                             &knomial_broadcast,
                                             &broadcast_rounds,
                                             &no_combine,
                                             &never};

extern const Algorithm knomial_for_reduce{Kind::reduce,   "knomial", origin,     "ceil(log_k p) (k-1) (a + n b + n g)",
                                          k_ary,          true,      &one_block, &reduce_steps,
                                          &reduce_rounds, &combines, &never};

extern const Algorithm knomial_for_barrier{Kind::barrier,   "knomial",   origin,     "2 ceil(log_k p) (k-1) a",
                                           k_ary,           true,        &one_block, &allreduce_steps,
                                           &barrier_rounds, &no_combine, &never};

}  // namespace tutti
