// See private_interfaces.hpp.
#include "runtime/private_interfaces.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace tutti {

std::vector<std::string> private_addresses(const std::vector<std::vector<std::string>>& hosts) {
  std::map<std::string, const std::vector<std::string>*> bearer;
  std::set<std::string> found;
  for (const std::vector<std::string>& host : hosts)
    for (const std::string& address : host) {
      const auto [first, is_new] = bearer.emplace(address, &host);
      if (!is_new && *first->second != host) found.insert(address);
    }
  return {found.begin(), found.end()};
}

std::vector<std::string> interfaces_with(const std::vector<std::string>& addresses) {
  ifaddrs* list = nullptr;
  if (addresses.empty() || getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list, &freeifaddrs);
  std::vector<std::string> found;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    char name[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr, name, sizeof name);
    if (std::find(addresses.begin(), addresses.end(), name) != addresses.end()) found.emplace_back(each->ifa_name);
  }
  return found;
}

}  // namespace tutti
