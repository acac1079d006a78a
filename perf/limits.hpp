// `tutti-perf bounds`: the limits of this machine, measured.
#pragma once

#include "perf/options.hpp"

namespace tutti::perf {

// Measures and prints the limits for as many ranks and the sizes of `options`; writes JSON where that asks for it.
// Returns the exit status.
int show_limits(Options options);

}  // namespace tutti::perf
