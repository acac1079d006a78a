// See exchange.hpp.
#include "runtime/exchange.hpp"

#include <algorithm>

namespace tutti {
namespace {

// From here on a message is copied rather than placed by its sender: larger ones are better streamed from slots.
constexpr std::uint64_t most_placed = 4u << 20;

// Regions cut into messages.
std::vector<Region> messages(const std::vector<Region>& regions, std::uint64_t most) {
  std::vector<Region> list;
  for (const Region& region : regions)
    for (std::uint64_t at = 0; at < region.bytes; at += most)
      list.push_back({region.offset + at, std::min(most, region.bytes - at)});
  return list;
}

std::vector<std::vector<Region>> messages_by_peer(const std::vector<std::vector<Region>>& regions, std::uint64_t most) {
  std::vector<std::vector<Region>> all;
  for (const auto& each : regions) all.push_back(messages(each, most));
  return all;
}

std::vector<std::uint64_t> counts(const std::vector<std::vector<Region>>& all) {
  std::vector<std::uint64_t> list;
  for (const auto& each : all) list.push_back(each.size());
  return list;
}

}  // namespace

Schedule exchange_schedule(int rank, const std::vector<std::uint64_t>& sends,
                           const std::vector<std::uint64_t>& receives, std::int64_t stride) {
  const auto size = static_cast<int>(sends.size());
  Schedule schedule;
  schedule.name = "exchange";
  schedule.rank = rank;
  schedule.size = size;
  schedule.blocks = std::int64_t{size} * size * stride;
  const auto add = [&](StepKind kind, int peer, std::uint64_t message) {
    const int from = kind == StepKind::send ? rank : peer, to = kind == StepKind::send ? peer : rank;
    const std::int64_t block = (std::int64_t{from} * size + to) * stride + static_cast<std::int64_t>(message);
    Step step;
    step.kind = kind;
    step.peer = peer;
    step.match = static_cast<std::int32_t>(message);
    step.first_part = static_cast<std::int32_t>(schedule.parts.size());
    step.part_count = 1;
    schedule.parts.push_back({{block, block + 1}, {Space::input, 0}, {Space::output, 0}});
    schedule.steps.push_back(step);
  };
  for (int distance = 1; distance < size; ++distance) {
    const int to = (rank + distance) % size, from = (rank - distance + size) % size;
    const std::uint64_t out = sends[static_cast<std::size_t>(to)], in = receives[static_cast<std::size_t>(from)];
    for (std::uint64_t message = 0; message < std::max(out, in); ++message) {
      if (message < out) add(StepKind::send, to, message);
      if (message < in) add(StepKind::recv, from, message);
    }
  }
  return schedule;
}

std::unique_ptr<Plan> make_exchange_plan(const Call& call, const Choice& choice, int rank, const Exchange& exchange,
                                         std::uint64_t most_message) {
  const auto out = messages_by_peer(exchange.send, most_message);
  const auto in = messages_by_peer(exchange.receive, most_message);
  const Schedule schedule = exchange_schedule(rank, counts(out), counts(in), 1);
  auto plan = std::make_unique<Plan>();
  plan->call = call;
  plan->size = schedule.size;
  plan->choice = choice;
  Program program;
  for (const Step& step : schedule.steps) {
    const bool sends = step.kind == StepKind::send;
    const Region& region =
        (sends ? out : in)[static_cast<std::size_t>(step.peer)][static_cast<std::size_t>(step.match)];
    PlanStep bound{.kind = step.kind};
    bound.peer = step.peer;
    bound.message = static_cast<std::uint32_t>(step.match);
    bound.first_run = static_cast<std::uint32_t>(program.runs.size());
    bound.run_count = 1;
    bound.bytes = region.bytes;
    bound.direct = !sends && region.bytes < most_placed;
    program.runs.push_back({{base_input, region.offset}, {base_output, region.offset}, region.bytes});
    program.steps.push_back(bound);
  }
  PlanStage& stage = plan->stages.emplace_back();
  stage.choice = choice;
  stage.full = std::move(program);
  stage.last = stage.full;
  return plan;
}

std::uint64_t sent_bytes(const Exchange& exchange) {
  std::uint64_t sum = 0;
  for (const auto& regions : exchange.send)
    for (const Region& region : regions) sum += region.bytes;
  return sum;
}

}  // namespace tutti
