// See hosts.hpp.
#include "tools/launcher/hosts.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "bootstrap/slurm_hosts.hpp"
#include "error.hpp"

namespace tutti {
namespace {

constexpr int most_slots = 65536;

int slots_of(std::string_view text, std::string_view list, std::string_view source) {
  int slots = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), slots);
  if (failure == std::errc{} && end == text.data() + text.size() && slots >= 1 && slots <= most_slots) return slots;
  throw error(TUTTI_ERROR_ARGUMENT, "run: {} \"{}\": \"{}\" is no number of slots from 1 to {}, as in h1:2,h2:2",
              source, list, text, most_slots);
}

// At the commas that stand outside brackets.
std::vector<std::string_view> parts_of(std::string_view list) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at <= list.size(); ++at) {
    if (at < list.size() && list[at] == '[') ++depth;
    if (at < list.size() && list[at] == ']') --depth;
    if (at < list.size() && (list[at] != ',' || depth > 0)) continue;
    parts.push_back(list.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts;
}

}  // namespace

std::vector<JobHost> deal_ranks(std::string_view list, int ranks, std::string_view source) {
  std::vector<JobHost> hosts;
  for (const auto part : parts_of(list)) {
    const auto colon = part.find(':');
    const int slots = colon == std::string_view::npos ? 0 : slots_of(part.substr(colon + 1), list, source);
    for (auto& name : expand_hosts(part.substr(0, colon), source)) {
      // It becomes an argument of the agent, which must not take it for an option.
      if (name.starts_with('-'))
        throw error(TUTTI_ERROR_ARGUMENT, "run: {} \"{}\": a host's name does not begin with \"-\"", source, list);
      hosts.push_back({std::move(name), slots, 0, 0});
    }
  }
  const auto count = static_cast<int>(hosts.size());
  const bool said = std::any_of(hosts.begin(), hosts.end(), [](const JobHost& host) { return host.slots > 0; });
  const int slots = std::accumulate(hosts.begin(), hosts.end(), 0,
                                    [](int sum, const JobHost& host) { return sum + std::max(host.slots, 1); });
  if (said && slots < ranks) {
    throw error(TUTTI_ERROR_ARGUMENT,
                "run: {} \"{}\" has {} slots, fewer than the {} ranks: give the hosts more, as in h1:{}", source, list,
                slots, ranks, (ranks + count - 1) / count);
  }
  int next = 0;
  for (int i = 0; i < count; ++i) {
    auto& host = hosts[static_cast<std::size_t>(i)];
    const int room = said ? std::max(host.slots, 1) : ranks / count + (i < ranks % count ? 1 : 0);
    host.first = next;
    host.ranks = std::min(room, ranks - next);
    next += host.ranks;
  }
  std::erase_if(hosts, [](const JobHost& host) { return host.ranks == 0; });
  return hosts;
}

}  // namespace tutti
