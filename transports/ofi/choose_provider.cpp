// From a wish to one provider, domain and address of libfabric, or to a list of what there is.
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "bootstrap/log.hpp"
#include "error.hpp"
#include "transports/ofi/ofi_wire.hpp"

namespace tutti::ofi {

namespace {

constexpr std::uint32_t interface_version = FI_VERSION(1, 17);
constexpr int basic_registration = 1;  // FI_MR_BASIC, a name that libfabric 2 calls deprecated

// What an endpoint of ours needs and what it can live with.
Info hints_for(Registration registration) {
  Info hints(Functions::get().new_info());
  if (!hints) throw std::bad_alloc();
  hints->caps = FI_TAGGED;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->domain_attr->av_type = FI_AV_TABLE;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;
  if (registration == Registration::always) hints->domain_attr->mr_mode = basic_registration;
  return hints;
}

std::string provider_of(const fi_info& info) { return info.fabric_attr->prov_name; }
std::string domain_of(const fi_info& info) { return info.domain_attr->name ? info.domain_attr->name : ""; }

const sockaddr* source_of(const fi_info& info) {
  const bool is_internet = info.addr_format == FI_SOCKADDR_IN || info.addr_format == FI_SOCKADDR_IN6;
  return is_internet && info.src_addr ? static_cast<const sockaddr*>(info.src_addr) : nullptr;
}

// The interface that bears the address of `info`; the domain's name where it has none.
std::string interface_of(const fi_info& info) {
  const sockaddr* source = source_of(info);
  ifaddrs* all = nullptr;
  if (source == nullptr || getifaddrs(&all) != 0) return domain_of(info);
  std::string found = domain_of(info);
  for (const ifaddrs* each = all; each; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != source->sa_family) continue;
    const bool same = source->sa_family == AF_INET
                          ? reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr.s_addr ==
                                reinterpret_cast<const sockaddr_in*>(source)->sin_addr.s_addr
                          : std::memcmp(&reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr,
                                        &reinterpret_cast<const sockaddr_in6*>(source)->sin6_addr, 16) == 0;
    if (same) {
      found = each->ifa_name;
      break;
    }
  }
  freeifaddrs(all);
  return found;
}

bool provider_fits(const fi_info& info, const std::string& wished) {
  if (wished.empty()) return true;
  const std::string provider = provider_of(info);
  return provider == wished || provider == wished + ";ofi_rxm" || provider == wished + ";ofi_rxd";
}

bool interface_fits(const fi_info& info, const std::vector<std::string>& wished) {
  return wished.empty() || std::find(wished.begin(), wished.end(), interface_of(info)) != wished.end() ||
         std::find(wished.begin(), wished.end(), domain_of(info)) != wished.end();
}

// Addresses of the host's networks before those that reach nobody else.
int preference(const fi_info& info, const std::vector<std::string>& avoided) {
  const sockaddr* source = source_of(info);
  if (source == nullptr) return 0;
  if (!avoided.empty() && std::find(avoided.begin(), avoided.end(), interface_of(info)) != avoided.end()) return 4;
  if (source->sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in*>(source)->sin_addr.s_addr) >> 24) == 127 ? 3 : 0;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(source)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) ? 3 : IN6_IS_ADDR_LINKLOCAL(&address) ? 2 : 1;
}

std::string listed(const fi_info* all) {
  std::set<std::string> there;
  for (const fi_info* info = all; info; info = info->next)
    there.insert(fmt::format("{} on {}", provider_of(*info), interface_of(*info)));
  return there.empty() ? "nothing" : fmt::format("{}", fmt::join(there, ", "));
}

}  // namespace

Info choose_provider(const NetworkWish& wish, Registration registration) {
  const Functions& functions = Functions::get();
  const Info hints = hints_for(registration);
  fi_info* answer = nullptr;
  const int failure = functions.getinfo(interface_version, nullptr, nullptr, 0, hints.get(), &answer);
  const Info all(answer);
  if (failure && failure != -FI_ENODATA)
    throw error(TUTTI_ERROR_START, "libfabric: fi_getinfo fails: {}", functions.explain(failure));
  const fi_info* best = nullptr;
  for (const fi_info* info = all.get(); info; info = info->next) {
    if (!provider_fits(*info, wish.provider) || !interface_fits(*info, wish.interfaces)) continue;
    if ((info->ep_attr->mem_tag_format >> (tagged::tag_bits - 1)) == 0) continue;
    if (best == nullptr || preference(*info, wish.avoided) < preference(*best, wish.avoided)) best = info;
  }
  if (best == nullptr)
    throw error(TUTTI_ERROR_START,
                "libfabric {}.{} offers no tagged messages for {} on {}; it has: {} (TUTTI_TRANSPORT=ofi:PROVIDER, "
                "TUTTI_INTERFACE)",
                FI_MAJOR(functions.version()), FI_MINOR(functions.version()),
                wish.provider.empty() ? "any provider" : "provider '" + wish.provider + "'",
                wish.interfaces.empty() ? "any interface" : fmt::format("{}", fmt::join(wish.interfaces, ", ")),
                listed(all.get()));
  Info chosen(functions.dupinfo(best));
  if (!chosen) throw std::bad_alloc();
  log(LogLevel::info, "libfabric: provider {} on interface {}", provider_of(*chosen), interface_of(*chosen));
  return chosen;
}

}  // namespace tutti::ofi
