// Slurm's way to write many host names in short: "nid[001-003,7],login" is nid001, nid002, nid003, nid7 and login. Used
// for SLURM_STEP_NODELIST.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tutti {

// Several brackets in one name multiply, the last one fastest. Throws tutti::Error(TUTTI_ERROR_ARGUMENT) naming
// `source`, the list and the place where it is wrong, also for a list of more than 1,048,576 hosts.
std::vector<std::string> expand_hosts(std::string_view list, std::string_view source);

}  // namespace tutti
