// See flow.hpp.
#include "simulator/flow.hpp"

#include "simulator/engine-inl.hpp"
#include "simulator/fair_sharing.hpp"

namespace tutti::simulation {

namespace {

constexpr double ps_per_s = 1e12;

class FlowEngine final : public Engine<FlowEngine> {
 public:
  FlowEngine(const Programs& programs, const Seats& seats, const FlowSettings& flows, const Settings& settings,
             Trace* trace)
      : Engine(programs, settings, trace), seats_(seats), costs_of_flows_(flows) {}

  // All that begins and ends at one instant is shared out at once.
  bool settle() {
    for (const std::uint32_t flow : sharing_.settle()) {
      const std::uint32_t index = message_of_[flow];
      Message& message = messages_[index];
      const double rate = sharing_.rate(flow);
      message.left = std::max(0.0, message.left - message.rate * static_cast<double>(now() - message.since));
      message.since = now();
      message.rate = rate;
      message.end = now() + rounded_up(message.left / rate);
      // Later than told: the event that is on its way will see it. Earlier: another is needed.
      if (message.told > message.end) tell(index);
    }
    return false;
  }

  void match(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
    const std::uint32_t window = slot_of(strand, slot).window;
    if (bytes_of(cost_of(strand, step, window)) <= costs_of_flows_.eager_bytes)
      return wait(strand, slot, step, Task::receive);
    const Bound& bound = bound_of(strand, step);
    leave(bound.peer, bound.partner, window);
  }

  void start_send(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
    Rank& rank = rank_of(strand);
    rank.processor_free = noise_.end_of(strand_of(strand).rank, now(), costs_of_flows_.overhead_ps);
    push_own(rank, rank.processor_free, handed_over, strand, step, slot_of(strand, slot).window);
  }

  void start_receive(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
    Rank& rank = rank_of(strand);
    rank.processor_free = noise_.end_of(strand_of(strand).rank, now(), costs_of_flows_.overhead_ps);
    push_own(rank, rank.processor_free, received, strand, step, slot);
  }

  void handle_own(const Event& event) {
    switch (static_cast<std::uint32_t>(event.kind)) {
      case handed_over:
        hand_over(event.subject, event.step, event.window);
        return ask_to_look(strand_of(event.subject).rank);
      case underway:
        return set_out(event.subject);
      default:
        return over(event.subject, event.step);
    }
  }

 private:
  static constexpr Kind handed_over = first_of_mode;                      // the processor has done its part of a send
  static constexpr auto underway = static_cast<Kind>(first_of_mode + 1);  // its latency has passed
  static constexpr auto landed = static_cast<Kind>(first_of_mode + 2);    // its last byte, unless that was put off

  struct Message {
    std::int64_t begin = 0;
    std::int64_t since = 0;           // `left` counts from here
    std::int64_t end = end_of_time;   // at the present rate
    std::int64_t told = end_of_time;  // the earliest event to come
    double left = 0;                  // bytes
    double rate = 0;                  // bytes per ps
    double weight = 1;
    std::uint32_t strand = 0;  // that sends it
    std::uint32_t step = 0;
    std::uint32_t window = 0;
    std::uint32_t turn = 0;  // of this place in the array; events of earlier ones are void
    std::uint32_t flow = none;
    std::vector<std::uint32_t> path;
  };
  struct KnownLink {
    std::uint32_t number = 0;  // in sharing_
    std::int64_t latency_ps = 0;
  };

  // Flows that began together end together although their rates were summed up in different orders: ends fall on a grid
  // of 1/4096 to 1/2048 of the time left.
  static std::int64_t rounded_up(double ps) {
    if (ps > static_cast<double>(end_of_time))
      throw error(TUTTI_ERROR_ARGUMENT, "the simulated time goes beyond 53 days; fewer bytes would be right");
    return std::max<std::int64_t>(1, std::llround(std::ceil(ps)));
  }
  std::int64_t on_grid(std::int64_t time) const {
    constexpr int bits = 11;
    const auto left = static_cast<std::uint64_t>(time - now());
    const auto width = static_cast<int>(std::bit_width(left));
    if (width <= bits) return time;
    const std::int64_t grid = std::int64_t{1} << (width - bits - 1);
    return (time + grid - 1) / grid * grid;
  }

  void tell(std::uint32_t index) {
    Message& message = messages_[index];
    message.end = on_grid(message.end);
    message.told = message.end;
    push(message.end, landed, index, message.turn);
  }

  void hand_over(std::uint32_t strand, std::uint32_t step, std::uint32_t window) {
    if (bytes_of(cost_of(strand, step, window)) <= costs_of_flows_.eager_bytes) return leave(strand, step, window);
    const Bound& bound = bound_of(strand, step);
    push(now(), arrived, bound.peer, bound.partner, window);  // the receiver knows of it
  }

  // The message begins its way.
  void leave(std::uint32_t strand, std::uint32_t step, std::uint32_t window) {
    std::uint32_t index = static_cast<std::uint32_t>(messages_.size());
    if (free_.empty()) {
      messages_.push_back({});
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Message& message = messages_[index];
    message.begin = now();
    message.end = message.told = end_of_time;
    message.rate = 0;
    message.left = static_cast<double>(bytes_of(cost_of(strand, step, window)));
    message.strand = strand;
    message.step = step;
    message.window = window;
    message.flow = none;
    route(seats_, strand_of(strand).rank, strand_of(bound_of(strand, step).peer).rank, route_);
    if (route_.empty()) {
      message.end = now() + costs_of_flows_.inside_ps + std::llround(message.left * costs_of_flows_.inside_ps_per_byte);
      message.told = message.end;
      return push(message.end, landed, index, message.turn);
    }
    message.path.clear();
    std::int64_t latency = 0;
    for (const std::int64_t id : route_) {
      const KnownLink& link = known(id);
      message.path.push_back(link.number);
      latency += link.latency_ps;
    }
    message.weight = costs_of_flows_.by_latency && latency > 0 ? 1 / static_cast<double>(latency) : 1;
    push(now() + latency, underway, index, message.turn);
  }

  const KnownLink& known(std::int64_t id) {
    const auto [found, is_new] = links_.try_emplace(id);
    if (is_new) {
      const Network::Link link = seats_.network->link(id);
      found->second = {sharing_.add_link(static_cast<double>(link.bytes_per_second) / ps_per_s), link.latency_ps};
    }
    return found->second;
  }

  void set_out(std::uint32_t index) {
    Message& message = messages_[index];
    if (message.left == 0) return end(index);
    message.since = now();
    message.flow = sharing_.begin(message.path, message.weight);
    if (message_of_.size() <= message.flow) message_of_.resize(message.flow + 1);
    message_of_[message.flow] = index;
  }

  void over(std::uint32_t index, std::uint32_t turn) {
    Message& message = messages_[index];
    if (message.turn != turn || message.told != now()) return;
    if (message.end > now()) return tell(index);
    end(index);
  }

  void end(std::uint32_t index) {
    Message& message = messages_[index];
    if (message.flow != none) sharing_.end(message.flow);
    ++message.turn;
    free_.push_back(index);
    note_message(message.begin, message.strand, message.step, message.window);
    const Bound& bound = bound_of(message.strand, message.step);
    push(now(), done, message.strand, message.step, slot_with(message.strand, message.window));
    if (bytes_of(cost_of(message.strand, message.step, message.window)) <= costs_of_flows_.eager_bytes)
      return push(now(), arrived, bound.peer, bound.partner, message.window);
    wait(bound.peer, slot_with(bound.peer, message.window), bound.partner, Task::receive);
    ask_to_look(strand_of(bound.peer).rank);
  }

  const Seats& seats_;
  const FlowSettings costs_of_flows_;
  FairSharing sharing_;
  std::unordered_map<std::int64_t, KnownLink> links_;
  std::vector<std::uint32_t> message_of_;  // by flow
  std::vector<Message> messages_;
  std::vector<std::uint32_t> free_;
  std::vector<std::int64_t> route_;
};

}  // namespace

Outcome simulate(const Programs& programs, const Seats& seats, const FlowSettings& flows, const Settings& settings,
                 Trace* trace) {
  if (seats.host.size() < static_cast<std::size_t>(programs.ranks()))
    throw error(TUTTI_ERROR_ARGUMENT, "{} ranks, and seats for {}", programs.ranks(), seats.host.size());
  return FlowEngine(programs, seats, flows, settings, trace).run();
}

}  // namespace tutti::simulation
