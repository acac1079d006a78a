// Rabenseifner ("Optimization of collective reduction operations", 2004): reduce-scatter by halving the vector, then
// allgather (or, to a root, gather) by doubling it again.
//   allreduce  2 lg p a + 2(p-1)/p n b + (p-1)/p n g; where p is no power of two 2a + 2n b + n g more
// Neighbours exchange the large halves first: what is combined is an interval of ranks, so operations need not commute,
// and in rank order most bytes stay near. Excess ranks fold into a neighbour. Any number of ranks.
#include "algorithms/excess.hpp"
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

// The exchanges of one place: with whom, and which blocks each of the two keeps.
struct Exchange {
  std::int64_t partner;
  Blocks mine;
  Blocks theirs;
};

std::vector<Exchange> exchanges(const View& v, const Excess& excess, std::int64_t me) {
  std::vector<Exchange> list;
  std::int64_t first = 0;
  for (std::int64_t distance = 1, half = excess.places / 2; half > 0; distance *= 2, half /= 2) {
    const bool upper = (me & distance) != 0;
    const Blocks low = v.blocks(first, half), high = v.blocks(first + half, half);
    list.push_back({me ^ distance, upper ? high : low, upper ? low : high});
    if (upper) first += half;
  }
  return list;
}

void halve(View& v, const Excess& excess, std::int64_t me) {
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, v.all());
  for (const Exchange& exchange : exchanges(v, excess, me)) {
    v.send(excess.position_of(exchange.partner), exchange.theirs);
    v.recv_reduce(excess.position_of(exchange.partner), exchange.mine,
                  exchange.partner < me ? Side::left : Side::right);
  }
}

void allreduce_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) {
    v.send(v.rank() - 1, v.all());
    v.recv(v.rank() - 1, v.all());
    return;
  }
  halve(v, excess, me);
  const std::vector<Exchange> list = exchanges(v, excess, me);
  for (auto exchange = list.rbegin(); exchange != list.rend(); ++exchange) {
    v.send(excess.position_of(exchange->partner), exchange->mine);
    v.recv(excess.position_of(exchange->partner), exchange->theirs);
  }
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.all());
}

// The gather goes back along the same exchanges: the upper place of each pair hands over and is done.
void reduce_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) v.send(v.rank() - 1, v.all());
  if (me >= 0) {
    halve(v, excess, me);
    const std::vector<Exchange> list = exchanges(v, excess, me);
    for (auto exchange = list.rbegin(); exchange != list.rend(); ++exchange) {
      if (exchange->partner < me) {
        v.send(excess.position_of(exchange->partner), exchange->mine);
        break;
      }
      v.recv(excess.position_of(exchange->partner), exchange->theirs);
    }
  }
  move_to_root(v);
}

std::vector<Round> rounds(std::int64_t size, Pattern back, bool to_guests) {
  const Excess excess(size);
  std::vector<Round> list;
  if (excess.guests > 0) list.push_back({Pattern::tree, 1, 1, {1, 1}, {1, 1}, 1});
  for (std::int64_t distance = 1; distance < excess.places; distance *= 2)
    list.push_back({Pattern::exchange, distance, 1, {1, 2 * distance}, {1, 2 * distance}, 1});
  for (std::int64_t distance = excess.places / 2; distance > 0; distance /= 2)
    list.push_back({back, distance, 1, {1, 2 * distance}, {0, 1}, 1});
  if (excess.guests > 0 && to_guests) list.push_back({Pattern::tree, 1, 1, {1, 1}, {0, 1}, 1});
  return list;
}

std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) { return rounds(size, Pattern::exchange, true); }
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t) { return rounds(size, Pattern::tree, false); }
std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }
std::int64_t places(std::int64_t size, std::int64_t) { return power_of_two_below(size); }

constexpr std::string_view paper = "Rabenseifner, 2004";

}  // namespace

extern const Algorithm rabenseifner_for_allreduce{
    Kind::allreduce,
    "rabenseifner",
    paper,
    "2 lg p a + 2(p-1)/p n b + (p-1)/p n g, and 2a + 2n b + n g more where p is no power of two",
    no_parameter,
    true,
    &places,
    &allreduce_steps,
    &allreduce_rounds,
    &combines,
    &never};

extern const Algorithm rabenseifner_for_reduce{
    Kind::reduce,   "rabenseifner",
    paper,          "2 lg p a + 2(p-1)/p n b + (p-1)/p n g, and a + n b + n g more where p is no power of two",
    no_parameter,   true,
    &places,        &reduce_steps,
    &reduce_rounds, &combines,
    &never};

}  // namespace tutti
