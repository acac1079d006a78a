// One call of tutti-perf: all jobs started, every cell measured in interleaved rounds, several launches.
#pragma once

#include "perf/launched.hpp"
#include "perf/results.hpp"

namespace tutti::perf {

// Measures what the options ask for; progress goes to standard error where that is a terminal. Throws tutti::Error.
// Where a launcher has started tutti-perf, `launched` is rank 0 of the job that is measured.
Results run_session(const Options& options, const std::optional<LaunchedRank>& launched = {});

// Prints the table and writes the files that were asked for. Returns the exit status: 1 where a result was wrong or a
// library that was asked for could not run.
int publish(const Results& results);

}  // namespace tutti::perf
