// See router.hpp.
#include "transports/router/router.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "bootstrap/log.hpp"
#include "error.hpp"

namespace tutti {

namespace {

constexpr char between_offers = '|';  // stands in no address

struct Offer {
  std::string_view name;
  std::string_view address;
};

// The parts of an address.
std::vector<Offer> offers_in(std::string_view text) {
  std::vector<Offer> offers;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(between_offers), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos) offers.push_back({line.substr(0, blank), line.substr(blank + 1)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return offers;
}

std::string names_of(const std::vector<Offer>& offers) {
  std::string text;
  for (const Offer& offer : offers) text += fmt::format("{}{}", text.empty() ? "" : ", ", offer.name);
  return text.empty() ? "none" : text;
}

const Offer* find(const std::vector<Offer>& offers, std::string_view name) {
  const auto found = std::find_if(offers.begin(), offers.end(), [&](const Offer& offer) { return offer.name == name; });
  return found == offers.end() ? nullptr : &*found;
}

// With a part that has no descriptor to sleep on, each part is slept on for so long in turn.
constexpr std::chrono::microseconds turn{200};

}  // namespace

Router::Router(int rank, int size) : rank_(rank), routes_(static_cast<std::size_t>(size)) {}

void Router::add(std::unique_ptr<Transport> part) {
  const Traits traits = part->traits();
  if (parts_.empty()) {
    traits_ = traits;
  } else {
    traits_.inline_bytes = std::min(traits_.inline_bytes, traits.inline_bytes);
    traits_.max_message = std::min(traits_.max_message, traits.max_message);
    traits_.can_sleep = traits_.can_sleep && traits.can_sleep;
  }
  name_ += fmt::format("{}{}", name_.empty() ? "" : ",", part->name());
  parts_.push_back(std::move(part));
}

void Router::use_inside(std::unique_ptr<Transport> inside, const std::vector<int>& ranks) {
  inside_ = parts_.size();
  inside_ranks_ = ranks;
  for (std::size_t i = 0; i < ranks.size(); ++i)
    routes_[static_cast<std::size_t>(ranks[i])] = {static_cast<std::int32_t>(inside_), static_cast<std::int32_t>(i)};
  add(std::move(inside));
}

void Router::use_networks(std::vector<std::unique_ptr<Transport>> networks) {
  for (std::unique_ptr<Transport>& network : networks) add(std::move(network));
}

const char* Router::name_towards(int peer) const {
  const Route& route = routes_[static_cast<std::size_t>(peer)];
  return route.part == nowhere ? name() : parts_[static_cast<std::size_t>(route.part)]->name_towards(route.peer);
}

std::string Router::address() const {
  std::string text;
  for (std::size_t part = 0; part < parts_.size(); ++part)
    if (part != inside_)
      text += fmt::format("{}{} {}", text.empty() ? "" : std::string(1, between_offers), parts_[part]->name(),
                          parts_[part]->address());
  return text;
}

// The lower rank's order of preference decides, so that both sides choose alike.
void Router::connect(int peer, std::string_view address) {
  const std::string own = address.empty() ? std::string() : this->address();
  const std::vector<Offer> ours = offers_in(own), theirs = offers_in(address);
  for (const Offer& offer : rank_ < peer ? ours : theirs) {
    const Offer* other = find(theirs, offer.name);
    if (!other || !find(ours, offer.name)) continue;
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      if (part == inside_ || parts_[part]->name() != offer.name) continue;
      parts_[part]->connect(peer, other->address);
      routes_[static_cast<std::size_t>(peer)] = {static_cast<std::int32_t>(part), peer};
      log(LogLevel::info, "rank {} is reached over {}", peer, offer.name);
      return;
    }
  }
  throw error(TUTTI_ERROR_START,
              "ranks {} and {} have no transport in common: rank {} has {} towards it, rank {} has {}; set "
              "TUTTI_TRANSPORT alike on both",
              rank_, peer, rank_, names_of(ours), peer, names_of(theirs));
}

Transport& Router::resolve(int peer) {
  connect(peer, lookup_(peer));
  return *parts_[static_cast<std::size_t>(routes_[static_cast<std::size_t>(peer)].part)];
}

template <class Message>
class Router::Towards {
 public:
  Towards(Router& router, Message& message) : message_(message), peer_(message.peer) {
    const auto index = static_cast<std::size_t>(peer_);
    const Route route = router.routes_[index];
    if (route.part == nowhere) [[unlikely]] {
      transport_ = &router.resolve(peer_);
      return;
    }
    transport_ = router.parts_[static_cast<std::size_t>(route.part)].get();
    message_.peer = route.peer;
  }
  ~Towards() { message_.peer = peer_; }
  Towards(const Towards&) = delete;
  Towards& operator=(const Towards&) = delete;
  Transport* operator->() const { return transport_; }

 private:
  Message& message_;
  int peer_;
  Transport* transport_ = nullptr;
};

// ---- hot path: no allocation, lock, system call or log once a peer is connected ----

inline void Router::count_early() {
  std::size_t early = 0;
  for (const auto& part : parts_) early += part->early_messages;
  early_messages = early;
}

void Router::open(std::uint32_t channel, std::uint32_t sequence) {
  for (const auto& part : parts_) part->open(channel, sequence);
}

bool Router::send(Send& send) {
  const bool done = Towards<Send>(*this, send)->send(send);
  count_early();
  return done;
}

void* Router::reserve(Send& send) { return Towards<Send>(*this, send)->reserve(send); }
void Router::commit(Send& send) { Towards<Send>(*this, send)->commit(send); }

bool Router::share(Send& send, const Send& earlier) {
  const Route one = routes_[static_cast<std::size_t>(send.peer)],
              other = routes_[static_cast<std::size_t>(earlier.peer)];
  if (one.part == nowhere || one.part != other.part) return false;
  return Towards<Send>(*this, send)->share(send, earlier);
}

bool Router::receive(Receive& receive) {
  const bool arrived = Towards<Receive>(*this, receive)->receive(receive);
  count_early();
  return arrived;
}

void Router::release(Receive& receive) { Towards<Receive>(*this, receive)->release(receive); }

// ---- end of the hot path ----

// What was never sent to a peer without a route has nothing to withdraw.
void Router::cancel(Send& send) {
  if (routes_[static_cast<std::size_t>(send.peer)].part == nowhere)
    send.state = 0;
  else
    Towards<Send>(*this, send)->cancel(send);
}

void Router::cancel(Receive& receive) {
  if (routes_[static_cast<std::size_t>(receive.peer)].part == nowhere)
    receive.state = 0;
  else
    Towards<Receive>(*this, receive)->cancel(receive);
}

bool Router::stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) {
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    if (!parts_[part]->stray(channel, oldest, peer, tag)) continue;
    peer = from_part(part, peer);
    count_early();
    return true;
  }
  count_early();
  return false;
}

void Router::forget(int peer) {
  const Route route = routes_[static_cast<std::size_t>(peer)];
  if (route.part != nowhere) parts_[static_cast<std::size_t>(route.part)]->forget(route.peer);
}

std::optional<Unreachable> Router::unreachable() {
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    auto lost = parts_[part]->unreachable();
    if (!lost) continue;
    lost->peer = from_part(part, lost->peer);
    return lost;
  }
  return std::nullopt;
}

// Parts with a descriptor are slept on together; one without takes turns with them.
void Router::wait(std::chrono::microseconds limit) {
  std::vector<pollfd> descriptors;
  std::vector<Transport*> others;
  for (const auto& part : parts_) {
    const int descriptor = part->descriptor();
    if (descriptor < 0) {
      others.push_back(part.get());
    } else if (part->ready_to_sleep()) {
      descriptors.push_back({descriptor, POLLIN, 0});
    } else {
      return;
    }
  }
  const std::size_t sleepers = others.size() + (descriptors.empty() ? 0 : 1);
  if (sleepers > 1) limit = std::min(limit, turn);
  next_to_sleep_ = (next_to_sleep_ + 1) % std::max<std::size_t>(sleepers, 1);
  if (next_to_sleep_ < others.size()) return others[next_to_sleep_]->wait(limit);
  const timespec time{limit.count() / 1000000, limit.count() % 1000000 * 1000};
  ppoll(descriptors.data(), descriptors.size(), &time, nullptr);
}

}  // namespace tutti
