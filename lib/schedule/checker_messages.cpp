// Pairs each send with its receive, in program order, and compares what they carry.
#include <algorithm>

#include "schedule/checker_parts.hpp"

namespace tutti::checking {

namespace {

// A rank's sends (or receives) by peer and then by program order.
struct End {
  std::int32_t peer;
  std::int32_t step;
  auto operator<=>(const End&) const = default;
};

std::vector<std::vector<End>> sorted_ends(std::span<const Schedule> schedules, bool sends) {
  std::vector<std::vector<End>> ends(schedules.size());
  for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
    const std::vector<Step>& steps = schedules[rank].steps;
    for (std::size_t at = 0; at < steps.size(); ++at)
      if (sends ? steps[at].kind == StepKind::send : is_receive(steps[at]))
        ends[rank].push_back({steps[at].peer, static_cast<std::int32_t>(at)});
    std::sort(ends[rank].begin(), ends[rank].end());
  }
  return ends;
}

std::span<const End> of_peer(const std::vector<End>& ends, std::int32_t peer) {
  const auto first = std::lower_bound(ends.begin(), ends.end(), End{peer, 0});
  const auto last = std::lower_bound(first, ends.end(), End{peer + 1, 0});
  return {first, last};
}

// The blocks of a step in message order, whatever the places that cut them into parts.
Blocks blocks_of(const Schedule& schedule, const Step& step) {
  Blocks blocks;
  for (const Part& part : schedule.parts_of(step)) blocks.add(part.blocks);
  return blocks;
}

void compare(const Schedule& sender, End send, const Schedule& receiver, End recv, std::int32_t turn) {
  const Step& from = sender.steps[static_cast<std::size_t>(send.step)];
  const Step& to = receiver.steps[static_cast<std::size_t>(recv.step)];
  const auto at = static_cast<std::size_t>(send.step);
  if (from.match != turn || to.match != turn)
    throw flaw(sender, at, "it is message {} to rank {}, numbered {} by the sender and {} by the receiver", turn,
               receiver.rank, from.match, to.match);
  if (blocks_of(sender, from) != blocks_of(receiver, to))
    throw flaw(sender, at, "its receive at rank {}, step {} takes other blocks: {}", receiver.rank, recv.step,
               describe(receiver, static_cast<std::size_t>(recv.step)));
}

}  // namespace

Pairs match_messages(std::span<const Schedule> schedules) {
  const auto sends = sorted_ends(schedules, true), recvs = sorted_ends(schedules, false);
  Pairs pairs(schedules.size());
  for (std::size_t rank = 0; rank < schedules.size(); ++rank) pairs[rank].assign(schedules[rank].steps.size(), -1);
  for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
    for (auto first = sends[rank].begin(); first != sends[rank].end();) {
      const auto peer = static_cast<std::size_t>(first->peer);
      const std::span<const End> out = of_peer(sends[rank], first->peer);
      const std::span<const End> in = of_peer(recvs[peer], static_cast<std::int32_t>(rank));
      for (std::size_t turn = 0; turn < out.size(); ++turn) {
        if (turn >= in.size())
          throw flaw(schedules[rank], static_cast<std::size_t>(out[turn].step), "rank {} has no receive for it", peer);
        compare(schedules[rank], out[turn], schedules[peer], in[turn], static_cast<std::int32_t>(turn));
        pairs[rank][static_cast<std::size_t>(out[turn].step)] = in[turn].step;
        pairs[peer][static_cast<std::size_t>(in[turn].step)] = out[turn].step;
      }
      first += static_cast<std::ptrdiff_t>(out.size());
    }
  }
  for (std::size_t rank = 0; rank < schedules.size(); ++rank)
    for (const End& end : recvs[rank])
      if (pairs[rank][static_cast<std::size_t>(end.step)] < 0)
        throw flaw(schedules[rank], static_cast<std::size_t>(end.step), "rank {} has no send for it", end.peer);
  return pairs;
}

}  // namespace tutti::checking
