// The described network as a fluid: each message on its way is a flow over the links of its route, and flows share
// links max-min fairly (as in SimGrid's CM02: Velho, Schnorr, Casanova and Legrand, On the validity of flow-level TCP
// network models for grid and cloud simulations, 2013).
//
// A message is sent when its step may begin, and holds its sender's processor for the overhead. A message of more than
// `eager_bytes` then waits until its receive is posted. For the sum of its links' latencies nothing arrives, then its
// bytes flow. When the last one is there the sender's step ends, and the receiver's, after its overhead. Messages
// inside a host cross no link: they take the time of shared memory, however many there are.
#pragma once

#include "simulator/programs.hpp"
#include "simulator/settings.hpp"
#include "topology/network/seats.hpp"

namespace tutti::simulation {

struct FlowSettings {
  std::int64_t overhead_ps = 0;  // of the processor, for a message at either end
  std::int64_t eager_bytes = 0;  // a larger message leaves only when its receive is posted
  std::int64_t inside_ps = 0;    // latency of a message inside a host
  double inside_ps_per_byte = 0;
  bool by_latency = false;  // a flow's share falls with its latency, as TCP's and SimGrid's does; else all are equal
};

// Messages that flow mode takes: it needs about a microsecond for each, and more where many compete.
inline constexpr std::int64_t most_flow_messages = 20'000'000;

// `trace`: null, or what receives an entry for all that happens.
Outcome simulate(const Programs& programs, const Seats& seats, const FlowSettings& flows, const Settings& settings,
                 Trace* trace = nullptr);

}  // namespace tutti::simulation
