// LogGOPS (Hoefler, Schneider and Lumsdaine, LogGOPSim, 2010): a network without congestion, described by six numbers.
//   L  latency            o  processor time of a message, at either end     O  of each further byte
//   g  gap between messages of one interface                                G  gap for each further byte
//   S  a larger message is sent by rendezvous: its sender's step ends when it is matched, not before
// A message of s bytes that is sent at t holds the sender's processor until t + o + (s-1)O and its interface until
// t + g + (s-1)G; it is at the receiver at t + o + L. From when it is there, its receive is posted and processor and
// interface are free, say at u, it holds the processor until u + o + max((s-1)O, (s-1)G), when the receive ends, and
// the interface until u + g + (s-1)G.
#pragma once

#include <string_view>

#include "simulator/programs.hpp"
#include "simulator/settings.hpp"
#include "topology/network/seats.hpp"

namespace tutti::simulation {

struct LogGops {
  double L_ns = 0;
  double o_ns = 0;
  double g_ns = 0;
  double G_ns = 0;  // per byte
  double O_ns = 0;  // per byte
  std::int64_t S_bytes = 0;
};

// "L,o,g,G,O,S" in ns, ns per byte and bytes, such as "3700,200,5,0.04,0,256K". Throws TUTTI_ERROR_ARGUMENT.
LogGops parse_loggops(std::string_view text);

// `trace`: null, or what receives an entry for all that happens.
// With `seats`, L and G of a message are those of its route: the sum of its latencies, and its slowest link. What
// `network` says of them then holds inside hosts.
Outcome simulate(const Programs& programs, const LogGops& network, const Settings& settings, Trace* trace = nullptr,
                 const Seats* seats = nullptr);

}  // namespace tutti::simulation
