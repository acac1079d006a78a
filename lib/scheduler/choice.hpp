// The choice: the fastest candidate by the time model, or what an override forces. Strict: what is forced and
// cannot run is an error that names the reason, never another algorithm. The answer depends on the question, the
// machine and the overrides alone, in whole numbers, so ranks that agree on those agree on the choice.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/candidates.hpp"
#include "scheduler/overrides.hpp"

namespace tutti {

struct Choice {
  const Algorithm* algorithm = nullptr;
  std::int64_t parameter = 0;
  std::uint64_t window_bytes = 0;  // of the whole vector, for one run of the schedule; see cut()
  std::uint64_t windows = 1;
  int in_flight = 1;  // windows
  std::int64_t predicted_ps = 0;
  bool forced = false;
  std::vector<Layer> layers = {};  // of a hierarchy, the finest first; `algorithm` runs across them
  std::string reason;              // "fastest of 9 candidates", or which override decided
};

// Throws TUTTI_ERROR_UNSUPPORTED where what is forced cannot run (naming who forced it and why not), or nothing can.
// Costs microseconds: the caller keeps the answer.
Choice choose(const Question& question, const Machine& machine, const Overrides& overrides);

// For a stage of an encoded call, whose vector is one window of the call: what `like` has, where that is for the same
// collective and forced, else the fastest.
Choice choose_whole(const Question& question, const Machine& machine, const Choice& like);

// "two-shot(window=256K, in-flight=4)", in the overrides' grammar. The window of a vector that is not cut is left out.
std::string text(const Choice& choice);
std::string text(const Candidate& candidate);

// A table for people: each candidate with its predicted time, term by term, the fastest first, then why others cannot
// run; above it what is chosen and who decided. A forced choice that cannot run is told as such, not thrown.
std::string explain(const Question& question, const Machine& machine, const Overrides& overrides);

}  // namespace tutti
