// See wishes.hpp.
#include "transports/router/wishes.hpp"

#include <algorithm>
#include <array>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"
#include "error.hpp"
#include "nearest.hpp"
#include "transports/networks.hpp"

namespace tutti {

namespace {

constexpr std::array<std::string_view, 3> known = {"shm", "ofi", "ucx"};

std::unique_ptr<Transport> make_network(const TransportWish& wish, int rank, int size,
                                        const std::vector<std::string>& avoided) {
  for (const NetworkTransport& network : networks())
    if (network.name == wish.transport)
      return network.make(rank, size, {wish.detail, environment_list("TUTTI_INTERFACE"), avoided});
  throw error(TUTTI_ERROR_UNSUPPORTED, "this build of Tutti is without the transport {}", wish.transport);
}

}  // namespace

std::vector<TransportWish> parse_transports(const std::vector<std::string>& list, std::string_view source) {
  std::vector<TransportWish> wishes;
  for (const std::string& text : list) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    TransportWish wish{text.substr(0, colon), colon < text.size() ? text.substr(colon + 1) : ""};
    if (std::find(known.begin(), known.end(), wish.transport) == known.end())
      throw error(TUTTI_ERROR_ARGUMENT,
                  "{}: there is no transport \"{}\"; did you mean {}? Known between processes: shm, ofi, ofi:PROVIDER "
                  "(such as ofi:tcp), ucx, ucx:TRANSPORTS (such as ucx:tcp)",
                  source, text, nearest_name(wish.transport, known));
    if (wish.transport == "shm" && colon < text.size())
      throw error(TUTTI_ERROR_ARGUMENT, "{}: \"{}\" is wrong: shm has no kinds; write shm", source, text);
    if (colon + 1 == text.size())
      throw error(TUTTI_ERROR_ARGUMENT, "{}: \"{}\" is wrong: nothing stands behind the colon; write {} or {}:tcp",
                  source, text, wish.transport, wish.transport);
    if (std::find(wishes.begin(), wishes.end(), wish) == wishes.end()) wishes.push_back(std::move(wish));
  }
  return wishes;
}

std::vector<TransportWish> transports_from_environment() {
  std::vector<TransportWish> wishes = parse_transports(environment_list("TUTTI_TRANSPORT"), "TUTTI_TRANSPORT");
  const std::string provider = environment_text("TUTTI_OFI_PROVIDER").value_or("");
  for (TransportWish& wish : wishes)
    if (wish.transport == "ofi" && wish.detail.empty()) wish.detail = provider;
  if (wishes.empty() && !provider.empty()) wishes = {{"shm", ""}, {"ofi", provider}};
  return wishes;
}

bool wishes_shm(const std::vector<TransportWish>& wishes) {
  return wishes.empty() ||
         std::any_of(wishes.begin(), wishes.end(), [](const TransportWish& wish) { return wish.transport == "shm"; });
}

std::vector<std::unique_ptr<Transport>> make_networks(const std::vector<TransportWish>& wishes, int rank, int size,
                                                      const std::vector<std::string>& avoided) {
  // Without a list, one network is enough, and each costs memory and time to start.
  const bool any = wishes.empty();
  std::vector<TransportWish> asked = wishes;
  if (any)
    for (const NetworkTransport& network : networks()) asked.push_back({std::string(network.name), ""});
  std::vector<std::unique_ptr<Transport>> made;
  std::string missing;
  for (const TransportWish& wish : asked) {
    if (wish.transport == "shm" || (any && !made.empty())) continue;
    try {
      made.push_back(make_network(wish, rank, size, avoided));
    } catch (const Error& failure) {
      log(LogLevel::info, "transport {} cannot be had: {}", wish.transport, failure.what());
      missing += fmt::format("{}{}: {}", missing.empty() ? "" : "; ", wish.transport, failure.what());
    }
  }
  if (made.empty())
    throw error(TUTTI_ERROR_START, "no network transport can be had, and ranks must be reached over one: {}",
                !missing.empty() ? missing
                : any            ? "this build of Tutti has none"
                                 : "TUTTI_TRANSPORT lists none; add ofi or ucx to it");
  return made;
}

}  // namespace tutti
