// Constants of the time model from measured calls. All calls of all algorithms, sizes and numbers of ranks share the
// constants; what an algorithm is off by in all its calls becomes its correction, one factor whatever the size. So an
// algorithm is never said to win at a size: the model goes on to decide, at sizes that nobody measured too.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scheduler/candidates.hpp"
#include "scheduler/tuning.hpp"

namespace tutti {

// A call of one candidate, and how long it took.
struct MeasuredCall {
  Question question;
  Machine machine;      // as described, with the network where the call crossed one
  std::string setting;  // "two-shot(window=256K, in-flight=4)"; a vector whose window it leaves out was not cut
  std::int64_t time_ps = 0;
};

struct Fit {
  Machine node;
  std::optional<NetworkCosts> network;  // where a call crossed one
  std::vector<Correction> corrections;
  std::size_t calls = 0;    // that the fit rests on
  double error_before = 0;  // median of |predicted / measured - 1|, with the described constants
  double error_after = 0;
};

// Calls whose setting the catalogue does not have, or cannot run, are left out. Throws TUTTI_ERROR_ARGUMENT where too
// few are left. `progress` is called with the share that is done, 0 to 1.
Fit fit_tuning(std::span<const MeasuredCall> calls, const std::function<void(double)>& progress = {});

}  // namespace tutti
