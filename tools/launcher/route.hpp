// Which of this machine's addresses another host reaches it at.
#pragma once

#include <string>

namespace tutti {

// The address from which the kernel would send to that host; this host's name where the other's is none that can be
// resolved here (a name that the agent alone knows).
std::string address_towards(const std::string& host);

}  // namespace tutti
