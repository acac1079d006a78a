// Rounds on a shape; see traffic.hpp.
#include "scheduler/traffic.hpp"

#include <algorithm>

#include "algorithms/excess.hpp"
#include "algorithms/walk.hpp"
#include "scheduler/model.hpp"

namespace tutti {
namespace {

// Messages of a rank, or of a node, that leave it and that come to it.
struct Ways {
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t more() const { return std::max(out, in); }
};

class Counting {
 public:
  Counting(const Round& round, const Shape& shape) : round_(round), shape_(shape), ranks_(shape.ranks()) {}

  // Fills what of the round crosses.
  void count(Traffic& traffic) const {
    const int step = std::max(1, static_cast<int>(std::int64_t{shape_.groups()} * usual_size() / most_looked_at));
    for (int node = 0; node < shape_.groups(); node += step) {
      Ways all;
      for (int place = 0; place < shape_.size_of(node); ++place) {
        const Ways own = of_rank(shape_.member(node, place));
        traffic.crossing = std::max(traffic.crossing, own.more());
        all.out += own.out;
        all.in += own.in;
      }
      traffic.through = std::max(traffic.through, all.more());
    }
    traffic.crossing = std::min(traffic.crossing, round_.messages);
    traffic.through_in_all = scale(traffic.through, repeats_in_all() ? 1 : round_.times);
  }

  // A tree's round that is repeated, such as a chain's: all its repetitions together are counted as one round.
  bool repeats_in_all() const { return round_.pattern == Pattern::tree && round_.times > 1; }

  // How many of the messages of a chain cross nodes, of `times`.
  std::int64_t crossing_times() const {
    const std::int64_t looked = std::min<std::int64_t>(round_.times, most_looked_at);
    std::int64_t crossing = 0;
    for (std::int64_t i = 0; i < looked; ++i) {
      const std::int64_t rank = i * round_.times / looked;
      crossing += crosses(rank, (rank + round_.distance) % ranks_) ? 1 : 0;
    }
    return scale(crossing, round_.times, looked);
  }

 private:
  std::int64_t usual_size() const { return (ranks_ + shape_.groups() - 1) / shape_.groups(); }

  bool crosses(std::int64_t rank, std::int64_t peer) const {
    return shape_.group_of(static_cast<int>(rank)) != shape_.group_of(static_cast<int>(peer));
  }

  Ways of_rank(int rank) const {
    switch (round_.pattern) {
      case Pattern::shift:
        return of_shift(rank);
      case Pattern::exchange:
        return of_exchange(rank);
      case Pattern::alternating:
        return of_alternating(rank);
      case Pattern::alternating_tree:
        return of_alternating_tree(rank);
      case Pattern::tree:
        return repeats_in_all() ? of_shift(rank) : of_tree(rank);
      case Pattern::direct: {
        // To everybody, or in turn to some: as many of them are elsewhere as of all.
        const std::int64_t elsewhere = ranks_ - shape_.size_of(shape_.group_of(rank));
        const std::int64_t others = std::max<std::int64_t>(ranks_ - 1, 1);
        const std::int64_t messages = (elsewhere * std::min(round_.messages, others) + others - 1) / others;
        return {messages, messages};
      }
    }
    return {};
  }

  // Some ranks may be guests of their neighbours: then places exchange.
  Ways of_exchange(std::int64_t rank) const {
    const Excess excess = round_.places > 0 ? Excess(ranks_, round_.places) : Excess(ranks_);
    const std::int64_t place = excess.place_of(rank), group = round_.messages + 1;
    if (place < 0) return {};
    const std::int64_t digit = place / round_.distance % group;
    std::int64_t messages = 0;
    for (std::int64_t i = 1; i < group; ++i) {
      const std::int64_t other = place + ((digit + i) % group - digit) * round_.distance;
      messages += other < excess.places && crosses(rank, excess.position_of(other)) ? 1 : 0;
    }
    return {messages, messages};
  }

  Ways of_alternating(std::int64_t rank) const {
    const Excess excess(ranks_);
    const std::int64_t place = excess.place_of(rank);
    if (place < 0 || excess.places == 1) return {};
    const std::int64_t partner = alternating_partner(place, round_.distance, excess.places);
    const std::int64_t messages = crosses(rank, excess.position_of(partner)) ? 1 : 0;
    return {messages, messages};
  }

  // Those whose paths end here, or before, take part.
  Ways of_alternating_tree(std::int64_t rank) const {
    const std::int64_t place = Excess(ranks_).place_of(rank);
    if (place < 0) return {};
    std::int64_t order = 0;
    while (alternating_distance(order) != round_.distance) ++order;
    const std::int64_t left =
        Walk(Excess(ranks_).places, Walk::Order::far_first).path(place) % (std::int64_t{2} << order);
    if (left == 0) return {of_alternating(rank).out, 0};
    return {0, left == std::int64_t{1} << order ? of_alternating(rank).in : 0};
  }

  Ways of_shift(std::int64_t rank) const {
    Ways ways;
    const std::int64_t messages = std::min<std::int64_t>(round_.messages, ranks_ - 1);
    for (std::int64_t i = 1; i <= messages; ++i) {
      const std::int64_t distance = i * round_.distance % ranks_;
      ways.out += crosses(rank, (rank + distance) % ranks_) ? 1 : 0;
      ways.in += crosses(rank, (rank - distance + ranks_) % ranks_) ? 1 : 0;
    }
    return ways;
  }

  // Every (messages + 1)-th rank at this distance sends to the next ones at this distance; the way back is the mirror.
  Ways of_tree(std::int64_t rank) const {
    Ways ways;
    const std::int64_t arity = round_.messages + 1;
    if (rank % round_.distance != 0) return ways;
    const std::int64_t digit = rank / round_.distance % arity;
    if (digit != 0) {
      ways.in = crosses(rank, rank - digit * round_.distance) ? 1 : 0;
      return ways;
    }
    if (round_.messages > most_looked_at) return of_star(rank);
    for (std::int64_t i = 1; i < arity && rank + i * round_.distance < ranks_; ++i)
      ways.out += crosses(rank, rank + i * round_.distance) ? 1 : 0;
    return ways;
  }

  // One rank that sends to very many: all of them but those of its own node.
  Ways of_star(std::int64_t rank) const {
    const int node = shape_.group_of(static_cast<int>(rank));
    std::int64_t near = 0;
    for (int place = 0; place < shape_.size_of(node); ++place) {
      const std::int64_t other = shape_.member(node, place);
      near += other > rank && (other - rank) % round_.distance == 0 ? 1 : 0;
    }
    return {std::max<std::int64_t>(0, std::min((ranks_ - 1 - rank) / round_.distance, round_.messages) - near), 0};
  }

  const Round& round_;
  const Shape& shape_;
  const std::int64_t ranks_;
};

void add_flat(const Round& round, const Shape& shape, std::vector<Traffic>& list) {
  Traffic traffic{.round = round};
  const Counting counting(round, shape);
  counting.count(traffic);
  if (!counting.repeats_in_all() || traffic.crossing == 0) {
    list.push_back(traffic);
    return;
  }
  // The hops inside nodes and those between them, each as often as they come.
  Traffic inside{.round = round};
  traffic.round.times = counting.crossing_times();
  traffic.through = round.messages;
  inside.round.times -= traffic.round.times;
  if (inside.round.times > 0) list.push_back(inside);
  list.push_back(traffic);
}

// A phase of a hierarchy: all or nothing of it crosses.
void add_phase(const Phase& phase, std::vector<Traffic>& list) {
  for (const Round& each : phase.rounds) {
    Traffic traffic{.round = each};
    const auto of_whole = [&](Share share, std::int64_t streams) {
      return Share{scale(share.part, scale(phase.share.part, streams)), scale(share.whole, phase.share.whole)};
    };
    traffic.round.messages = scale(each.messages, phase.streams);
    traffic.round.bytes = of_whole(each.bytes, phase.streams);
    traffic.round.combined = of_whole(each.combined, phase.streams);
    if (phase.across) {
      const bool passes = each.pattern == Pattern::tree && each.times > 1;
      traffic.crossing = traffic.round.messages;
      traffic.through = scale(each.messages, std::max(phase.of_group, phase.streams));
      traffic.through_in_all = scale(traffic.through, passes ? 1 : each.times);
    }
    list.push_back(traffic);
  }
}

}  // namespace

std::vector<Traffic> traffic_of(const Hierarchy& hierarchy, const Shape* shape) {
  std::vector<Traffic> list;
  if (hierarchy.layers.empty()) {
    for (const Round& round : hierarchy.across.algorithm->rounds(hierarchy.size, hierarchy.across.parameter)) {
      if (shape == nullptr || shape->groups() == 1)
        list.push_back({.round = round});
      else
        add_flat(round, *shape, list);
    }
    return list;
  }
  for (const Phase& phase : phases_of(hierarchy)) add_phase(phase, list);
  return list;
}

}  // namespace tutti
