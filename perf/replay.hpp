// `tutti-perf replay F`: measures again what a result file holds and says whether the distributions agree.
#pragma once

#include <string>

namespace tutti::perf {

// Returns the exit status: 0 if every cell agrees, 1 if one does not.
int replay(const std::string& file, const std::string& raw_file);

}  // namespace tutti::perf
