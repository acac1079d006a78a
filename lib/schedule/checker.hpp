// The proof of a collective's schedules for one size; no lucky run, but every order that can happen:
//   messages    the k-th send from a to b meets the k-th receive of b from a, with the same blocks
//   no deadlock the graph of all starts and ends is acyclic, with synchronous sends and with each rank starting
//               at most `lookahead` steps beyond its oldest unfinished one
//   no race     two steps of a rank that touch the same storage, one writing, are ordered
//   result      every wanted block lies in the output with each contribution exactly once (a token: at least once)
//   same bits   all ranks evaluate the same expression for the same block, up to commutation
//   order       where the operation does not commute, contributions are combined in rank order
// Exactly once is shown by random 64-bit fingerprints, so a wrong schedule passes with a chance of about 2^-64.
#pragma once

#include <cstdint>
#include <span>

#include "schedule/collective.hpp"
#include "schedule/schedule.hpp"

namespace tutti {

// What the proof found on its way.
struct Proof {
  // Some combine must wait while its bytes have already arrived: with bounded slots and nowhere to put them aside,
  // the schedule would deadlock.
  bool needs_staging = false;
  std::int64_t depth = 0;   // combines that follow one another on the longest way of a contribution; a fold is one
  std::int64_t rounds = 0;  // messages that follow one another on the longest way of a contribution
};

// `schedules`: of all ranks, in rank order. Throws TUTTI_ERROR_INTERNAL saying which of the above does not hold, and at
// which rank, step and block.
Proof prove(const Collective& collective, std::span<const Schedule> schedules);

}  // namespace tutti
