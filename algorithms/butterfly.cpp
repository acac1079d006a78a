// Butterflies on the walk of Swing and Bine: at each step partners divide what both still have to combine, or join what
// both have; see walk.hpp.
#include <algorithm>

#include "algorithms/excess.hpp"
#include "algorithms/walk.hpp"

namespace tutti {

namespace {

struct Exchange {
  std::int64_t partner;  // a position
  Blocks mine;
  Blocks theirs;
};

// The same blocks from low to high, so that neighbours join: the order in which both ends of a message name them.
Blocks ascending(const Blocks& blocks) {
  std::vector<Interval> list(blocks.begin(), blocks.end());
  std::sort(list.begin(), list.end(), [](Interval a, Interval b) { return a.begin < b.begin; });
  Blocks sorted;
  for (Interval interval : list) sorted.add(interval);
  return sorted;
}

// The parts of all places that one reaches by the last steps, and of their guests. Seen from any even place the walk
// looks the same, and from any odd one like its mirror image.
Blocks reached(const View& v, const Excess& excess, const Walk& walk, std::int64_t from, std::int64_t count) {
  Blocks blocks;
  for (std::int64_t path = 0; path < count; ++path) {
    const std::int64_t place = alternating_partner(from, walk.end_of(path), excess.places);
    const std::int64_t position = excess.position_of(place);
    blocks.add(v.blocks(position, excess.position_of(place + 1) - position));
  }
  return ascending(blocks);
}

std::vector<Exchange> exchanges(const View& v, const Excess& excess, std::int64_t me, Walk::Order order) {
  const Walk walk(excess.places, order);
  std::vector<Exchange> list;
  for (std::int64_t step = 0; step < walk.steps(); ++step) {
    const std::int64_t half = excess.places >> (step + 1), partner = walk.partner(me, step);
    list.push_back(
        {excess.position_of(partner), reached(v, excess, walk, me, half), reached(v, excess, walk, partner, half)});
  }
  return list;
}

}  // namespace

void butterfly_reduce_scatter(View& v, Walk::Order order) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) {
    v.send(v.rank() - 1, ascending(v.all()));
    v.recv(v.rank() - 1, v.block(v.rank()));
    return;
  }
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, ascending(v.all()));
  for (const Exchange& exchange : exchanges(v, excess, me, order)) {
    v.send(exchange.partner, exchange.theirs);
    v.recv_reduce(exchange.partner, exchange.mine);
  }
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.block(v.rank() + 1));
}

void butterfly_allgather(View& v, Walk::Order order) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  const std::int64_t guest = me < 0 ? v.rank() : v.rank() + 1;
  Blocks others = v.blocks(0, guest);  // what a guest has not got itself
  others.add(v.blocks(guest + 1, v.size() - guest - 1));
  others = ascending(others);
  if (me < 0) {
    v.send(v.rank() - 1, v.block(v.rank()));
    v.recv(v.rank() - 1, others);
    return;
  }
  if (excess.has_guest(me)) v.recv(guest, v.block(guest));
  std::vector<Exchange> list = exchanges(v, excess, me, order);
  std::reverse(list.begin(), list.end());
  for (const Exchange& exchange : list) {
    v.send(exchange.partner, exchange.mine);
    v.recv(exchange.partner, exchange.theirs);
  }
  if (excess.has_guest(me)) v.send(guest, others);
}

}  // namespace tutti
