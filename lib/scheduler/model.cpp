// See model.hpp.
#include "scheduler/model.hpp"

#include <algorithm>
#include <limits>

namespace tutti {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

Terms sum(const Terms& left, const Terms& right) {
  return {add(left.latency, right.latency), add(left.bandwidth, right.bandwidth),
          add(left.congestion, right.congestion), add(left.combine, right.combine), add(left.switches, right.switches)};
}

// Ranks that take turns on one core; 1 where each has its own.
std::int64_t ranks_per_core(const Machine& machine) {
  const std::int64_t cores = std::max(machine.cores, 1);
  return std::max<std::int64_t>(1, (machine.ranks + cores - 1) / cores);
}

// What one window costs: `path` until its result is there, `busy` of that the time in which the busiest rank
// can do nothing else. `turns` and `busy_turns` are the dependent rounds of each, which cost context switches.
struct WindowCost {
  Terms path;
  Terms busy;
  std::int64_t turns = 0;
  std::int64_t busy_turns = 0;
};

// The messages of a round, with what of them crosses nodes.
struct Messages {
  std::int64_t each = 0;  // bytes
  std::int64_t inside = 0;
  std::int64_t crossing = 0;
  std::int64_t hops = 1;
  std::int64_t flight = 0;  // until the last of them is there
};

Messages messages_of(const Traffic& traffic, const Machine& machine, std::int64_t moved) {
  const Round& round = traffic.round;
  Messages messages;
  messages.each = scale(moved, 1, std::max<std::int64_t>(round.messages, 1));
  messages.crossing = machine.network.described() ? traffic.crossing : 0;
  messages.inside = round.messages - messages.crossing;
  const bool crosses = messages.crossing > 0;
  const std::uint64_t limit = crosses ? machine.network.inline_bytes : machine.inline_bytes;
  messages.hops = static_cast<std::uint64_t>(messages.each) > limit ? 2 : 1;
  messages.flight = scale(crosses ? machine.network.hop_ps : machine.hop_ps, messages.hops);
  return messages;
}

// What the busiest rank itself does in a round.
Terms own_work(const Traffic& traffic, const Messages& messages, const Machine& machine, std::int64_t bytes,
               std::int64_t moved, bool in_cache) {
  const std::int64_t combined = scale(bytes, traffic.round.combined.part, traffic.round.combined.whole);
  const std::int64_t byte_rate = machine.byte_ps_1024 + (in_cache ? 0 : machine.copy_ps_1024);
  const std::int64_t software = add(scale(machine.message_ps, add(messages.inside, messages.inside)),
                                    scale(machine.network.message_ps, add(messages.crossing, messages.crossing)));
  const std::int64_t inside =
      messages.crossing == 0 ? moved : scale(moved, messages.inside, std::max<std::int64_t>(traffic.round.messages, 1));
  return {software, scale(inside, byte_rate, 1024), 0, scale(combined, machine.combine_ps_1024, 1024), 0};
}

// The NICs of the busiest node carry `through` messages; one rank's own are among them, and it waits for the others'.
Terms on_network(const Messages& messages, const Machine& machine, std::int64_t through, std::int64_t times) {
  if (messages.crossing == 0) return {};
  const std::int64_t own = std::min(scale(messages.crossing, times), through);
  const auto time = [&](std::int64_t count) {
    return add(scale(machine.network.gap_ps, count),
               scale(scale(messages.each, count), machine.network.byte_ps_1024, 1024));
  };
  return {0, time(own), time(through - own), 0, 0};
}

// A tree's repeated round passes from level to level: a rank takes part in one of its times, and on the way to
// the result the others of its core are idle. In all other patterns every rank is at work all the time.
void add_round(const Traffic& traffic, const Machine& machine, std::int64_t bytes, bool in_cache, WindowCost& cost) {
  const Round& round = traffic.round;
  const std::int64_t moved = scale(bytes, round.bytes.part, round.bytes.whole);
  const Messages messages = messages_of(traffic, machine, moved);
  const Terms work = own_work(traffic, messages, machine, bytes, moved, in_cache);
  const bool tree = is_tree(round.pattern);
  const std::int64_t shared = ranks_per_core(machine);
  Terms once = times(work, shared);
  // In a tree few ranks have messages at one time, but the bytes of all pass through the same cores.
  if (tree) once.latency = work.latency;
  once.latency = add(once.latency, messages.flight);
  once = sum(once, on_network(messages, machine, traffic.through, 1));

  const std::int64_t own_times = tree ? 1 : round.times;
  cost.path = sum(cost.path, times(once, round.times));
  cost.busy = sum(cost.busy, times(times(work, shared), own_times));
  cost.busy = sum(cost.busy, on_network(messages, machine, traffic.through_in_all, own_times));
  cost.turns = add(cost.turns, scale(messages.hops, round.times));
  cost.busy_turns = add(cost.busy_turns, scale(messages.hops, own_times));
}

WindowCost window_cost(std::span<const Traffic> rounds, const Machine& machine, std::int64_t bytes, bool in_cache) {
  WindowCost cost;
  for (const Traffic& round : rounds) add_round(round, machine, bytes, in_cache, cost);
  return cost;
}

// More ranks than cores: each dependent round waits until all ranks of a core have had their turn. Windows in flight
// share the turns.
std::int64_t switching(const WindowCost& cost, const Machine& machine, const Pipeline& pipeline) {
  const std::int64_t shared = ranks_per_core(machine);
  if (shared == 1) return 0;
  const std::int64_t further = (pipeline.windows - 1) / pipeline.in_flight;
  return scale(scale(machine.switch_ps, shared), add(cost.turns, scale(cost.busy_turns, further)));
}

}  // namespace

std::int64_t add(std::int64_t left, std::int64_t right) { return left > largest - right ? largest : left + right; }

std::int64_t scale(std::int64_t value, std::int64_t factor, std::int64_t divisor) {
  const Wide exact = static_cast<Wide>(value) * factor / divisor;
  return exact > largest ? largest : static_cast<std::int64_t>(exact);
}

Terms times(const Terms& terms, std::int64_t factor, std::int64_t divisor) {
  return {scale(terms.latency, factor, divisor), scale(terms.bandwidth, factor, divisor),
          scale(terms.congestion, factor, divisor), scale(terms.combine, factor, divisor),
          scale(terms.switches, factor, divisor)};
}

Terms predict(std::span<const Round> rounds, const Machine& machine, const Pipeline& pipeline) {
  std::vector<Traffic> inside;
  for (const Round& round : rounds) inside.push_back({.round = round});
  return predict(std::span<const Traffic>(inside), machine, pipeline);
}

Terms predict(std::span<const Traffic> rounds, const Machine& machine, const Pipeline& pipeline) {
  const auto cache = static_cast<std::int64_t>(std::min<std::uint64_t>(machine.cache_bytes, largest));
  const std::int64_t window = std::min(pipeline.window_bytes, pipeline.bytes);
  const bool in_cache = scale(window, std::min(pipeline.in_flight, pipeline.windows)) <= cache;

  const WindowCost first = window_cost(rounds, machine, window, in_cache);
  Terms terms = first.path;
  if (pipeline.windows > 1) {
    // The further windows follow at the pace of the busiest rank, or, with few in flight, of the way through.
    const std::int64_t further = pipeline.windows - 1;
    const std::int64_t left = pipeline.bytes - scale(window, further);
    terms = sum(terms, times(first.busy, further - 1));
    terms = sum(terms, window_cost(rounds, machine, left, in_cache).busy);
    const std::int64_t pace = first.path.total() / pipeline.in_flight;
    const std::int64_t gap = std::max<std::int64_t>(0, pace - first.busy.total());
    terms.latency = add(terms.latency, scale(gap, further));
  }
  // Whatever runs, input and result of a vector that fits into no cache come from memory and go there once.
  if (pipeline.bytes > cache)
    terms.bandwidth =
        add(terms.bandwidth, scale(scale(pipeline.bytes, machine.copy_ps_1024, 1024), ranks_per_core(machine)));
  terms.switches = switching(first, machine, pipeline);
  return terms;
}

}  // namespace tutti
