// Interfaces that reach no other host although they look as if they did: bridges of containers and virtual machines,
// which bear the same address on every host. A job that speaks over one of them speaks to itself.
#pragma once

#include <string>
#include <vector>

namespace tutti {

// Addresses that hosts bear which differ in others. Hosts with all addresses alike are one host: a job that plays
// several nodes on it, or containers that share its network.
std::vector<std::string> private_addresses(const std::vector<std::vector<std::string>>& hosts);

// This host's interfaces that bear one of them.
std::vector<std::string> interfaces_with(const std::vector<std::string>& addresses);

}  // namespace tutti
