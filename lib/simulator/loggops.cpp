// See loggops.hpp.
#include "simulator/loggops.hpp"

#include <charconv>

#include "scheduler/bytes.hpp"
#include "simulator/engine-inl.hpp"

namespace tutti::simulation {

namespace {

constexpr double ps_per_ns = 1000;
constexpr double ps_per_s = 1e12;

class LogGopsEngine final : public Engine<LogGopsEngine> {
 public:
  LogGopsEngine(const Programs& programs, const LogGops& network, const Settings& settings, Trace* trace,
                const Seats* seats)
      : Engine(programs, settings, trace),
        seats_(seats),
        latency_(std::llround(network.L_ns * ps_per_ns)),
        overhead_(std::llround(network.o_ns * ps_per_ns)),
        gap_(std::llround(network.g_ns * ps_per_ns)) {
    for (std::size_t at = 0; at < costs(); ++at) {
      const std::int64_t bytes = bytes_of(at);
      const auto further = [&](double ns_per_byte) {
        return std::llround(static_cast<double>(std::max<std::int64_t>(bytes - 1, 0)) * ns_per_byte * ps_per_ns);
      };
      const std::int64_t gap = further(network.G_ns);
      messages_.push_back({overhead_ + further(network.O_ns), overhead_ + gap, gap_ + gap, bytes > network.S_bytes});
    }
  }

  static bool settle() { return false; }
  static void handle_own(const Event&) {}

  void match(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) { wait(strand, slot, step, Task::receive); }

  void start_send(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
    const std::uint32_t window = slot_of(strand, slot).window;
    const Bound& bound = bound_of(strand, step);
    const std::uint32_t index = strand_of(strand).rank;
    const auto [message, latency] = on_way(index, strand_of(bound.peer).rank, cost_of(strand, step, window));
    Rank& rank = rank_of(strand);
    rank.processor_free = noise_.end_of(index, now(), message.processor);
    rank.send_free = now() + message.gap;
    note(Activity::send, strand, slot, step, rank.processor_free);
    push(noise_.end_of(index, now(), overhead_) + latency, arrived, bound.peer, bound.partner, window);
    push_own(rank, rank.processor_free, message.rendezvous ? parted : done, strand, step, slot);
  }

  void start_receive(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
    const std::uint32_t window = slot_of(strand, slot).window;
    const Bound& bound = bound_of(strand, step);
    const auto [message, latency] =
        on_way(strand_of(bound.peer).rank, strand_of(strand).rank, cost_of(strand, step, window));
    Rank& rank = rank_of(strand);
    rank.processor_free =
        std::max(noise_.end_of(strand_of(strand).rank, now(), message.processor), now() + message.arriving);
    rank.receive_free = now() + message.gap;
    note(Activity::receive, strand, slot, step, rank.processor_free);
    push_own(rank, rank.processor_free, received, strand, step, slot);
    if (!message.rendezvous) return;
    push(now(), released, bound.peer, bound.partner, window);
  }

 private:
  // Costs of a message by its size.
  struct Message {
    std::int64_t processor = 0;  // o + (s-1)O
    std::int64_t arriving = 0;   // o + (s-1)G
    std::int64_t gap = 0;        // g + (s-1)G
    bool rendezvous = false;
  };
  struct OnWay {
    Message message;
    std::int64_t latency = 0;
  };

  OnWay on_way(std::uint32_t from, std::uint32_t to, std::size_t cost) {
    OnWay way{messages_[cost], latency_};
    if (seats_ == nullptr) return way;
    route(*seats_, from, to, route_);
    if (route_.empty()) return way;
    std::int64_t slowest = std::numeric_limits<std::int64_t>::max();
    way.latency = 0;
    for (const std::int64_t id : route_) {
      const Network::Link link = seats_->network->link(id);
      way.latency += link.latency_ps;
      slowest = std::min(slowest, link.bytes_per_second);
    }
    const auto further = static_cast<double>(std::max<std::int64_t>(bytes_of(cost) - 1, 0));
    const std::int64_t gap = std::llround(further * (ps_per_s / static_cast<double>(slowest)));
    way.message.arriving = overhead_ + gap;
    way.message.gap = gap_ + gap;
    return way;
  }

  const Seats* const seats_;
  std::vector<std::int64_t> route_;
  const std::int64_t latency_;
  const std::int64_t overhead_;
  const std::int64_t gap_;
  std::vector<Message> messages_;
};

double parse_number(std::string_view text, std::string_view whole, char name) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 1e12)
    throw error(TUTTI_ERROR_ARGUMENT, "--loggops {}: {} is \"{}\"; right would be a number from 0 to 1e12", whole, name,
                text);
  return value;
}

}  // namespace

LogGops parse_loggops(std::string_view text) {
  constexpr std::string_view names = "LogGOS";
  std::array<std::string_view, names.size()> fields;
  std::size_t count = 0, begin = 0;
  for (; begin <= text.size(); ++count) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (count < fields.size()) fields[count] = text.substr(begin, end - begin);
    begin = end + 1;
  }
  if (count != fields.size())
    throw error(TUTTI_ERROR_ARGUMENT,
                "--loggops {}: {} numbers, right would be six: L,o,g,G,O,S in ns, ns per byte and bytes, such as "
                "3700,200,5,0.04,0,256K",
                text, count);
  std::array<double, names.size() - 1> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = parse_number(fields[i], text, names[i]);
  return {numbers[0], numbers[1], numbers[2],
          numbers[3], numbers[4], static_cast<std::int64_t>(parse_bytes(fields.back()))};
}

Outcome simulate(const Programs& programs, const LogGops& network, const Settings& settings, Trace* trace,
                 const Seats* seats) {
  return LogGopsEngine(programs, network, settings, trace, seats).run();
}

}  // namespace tutti::simulation
