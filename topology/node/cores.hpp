// Which cores a process may use, as hwloc sees it: affinity and cgroup limits included.
#pragma once

#include <string>
#include <vector>

namespace tutti {

// The processing units this process may run on, as a list such as "0-3,8"; hwloc's own syntax.
std::string allowed_cores();
// How many different ones several such lists hold. Unreadable lists count as nothing.
int count_cores(const std::vector<std::string>& lists);

}  // namespace tutti
