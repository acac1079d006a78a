// The set-up of a measurement, so that somebody else can repeat it: machine, system, binding, versions, method.
#pragma once

#include <nlohmann/json.hpp>

#include "perf/options.hpp"
#include "perf/plans.hpp"

namespace tutti::perf {

// Everything that is known before the jobs start; their versions and command lines are added by the run.
nlohmann::json describe_setup(const Options& options, const Machine& machine);

}  // namespace tutti::perf
