// Peers, what arrives, credits and sleeping; see tagged.hpp.
#include "transports/tagged/tagged.hpp"

#include <poll.h>
#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

#include "error.hpp"

namespace tutti::tagged {

namespace {

// Posted at all times for short messages; what comes faster than they are posted again waits in the library.
constexpr std::size_t posted_short = 32;
// From so many short messages without a receive on, each is copied to memory of its own size.
constexpr std::size_t held_short = 128;
// No rank has as many receives posted for one peer.
constexpr std::size_t most_readies = 1 << 20;
constexpr std::chrono::milliseconds retry_after(1);
constexpr std::chrono::seconds longest_farewell(1);

std::uint32_t random_key() {
  if (sodium_init() < 0) throw error(TUTTI_ERROR_START, "libsodium finds no source of random numbers");
  return randombytes_random();
}

}  // namespace

TaggedTransport::TaggedTransport(int rank, int size, std::unique_ptr<Wire> wire)
    : rank_(rank),
      size_(size),
      key_(random_key()),
      wire_(std::move(wire)),
      parcels_(*wire_, sizeof(Header) + inline_bytes),
      missing_short_(posted_short) {
  post_short();
}

TaggedTransport::~TaggedTransport() {
  // What was said to be sent is sent, where the peer takes it.
  const auto limit = std::chrono::steady_clock::now() + longest_farewell;
  while ((sends_under_way_ > 0 || !queueing_.empty()) && std::chrono::steady_clock::now() < limit) progress();
  parcels_.withdraw_receives();
  wire_->close();
}

std::string TaggedTransport::address() const { return fmt::format("{:08x} {}", key_, wire_->address()); }

void TaggedTransport::connect(int rank, std::string_view address) {
  if (rank < 0 || rank >= size_)
    throw error(TUTTI_ERROR_START, "{}: rank {} is none of the {} ranks", name(), rank, size_);
  Peer& peer = peer_of(rank);
  if (peer.connected) return;
  const std::size_t space = address.find(' ');
  const auto [end, failure] =
      std::from_chars(address.data(), address.data() + std::min(space, address.size()), peer.key, 16);
  if (space != 8 || failure != std::errc() || end != address.data() + space)
    throw error(TUTTI_ERROR_START, "'{}' of rank {} is not an address of the transport {}: another version?", address,
                rank, name());
  peer.destination = wire_->connect(peer, rank, address.substr(space + 1));
  peer.connected = true;
  if (peer.first_queued) flush(peer);
}

// ---- hot path: from here to wait() nothing locks or logs, and memory is allocated only where a pool or a list grows
// to its final size ----

Peer& TaggedTransport::peer_of(int rank) {
  if (last_peer_ && last_peer_->rank == rank) return *last_peer_;
  std::unique_ptr<Peer>& peer = peers_[rank];
  if (!peer) {
    peer = std::make_unique<Peer>();
    peer->rank = rank;
  }
  last_peer_ = peer.get();
  return *peer;
}

TaggedTransport::Channel& TaggedTransport::channel(std::uint32_t number) {
  if (number >= channels_.size()) channels_.resize(number + 1);
  return channels_[number];
}

void TaggedTransport::post_short() {
  for (; missing_short_ > 0; --missing_short_) {
    Parcel& parcel = parcels_.take_short();
    parcel.tag = 0;
    parcel.with_library = true;
    parcel.owned = false;
    if (wire_->receive(parcel)) continue;
    parcels_.give_back(parcel);
    return;
  }
}

void TaggedTransport::progress() {
  wire_->progress(*this);
  if (missing_short_ > 0) post_short();
  if (queueing_.empty()) [[likely]]
    return;
  for (std::size_t i = 0; i < queueing_.size(); ++i) flush(*queueing_[i]);
  std::erase_if(queueing_, [](const Peer* peer) { return peer->first_queued == nullptr; });
}

// Gives a parcel to the library now, or behind what waits for the same peer.
void TaggedTransport::submit(Peer& peer, Parcel& parcel) {
  parcel.peer = &peer;
  parcel.is_send = true;
  parcel.with_library = true;
  if (peer.first_queued == nullptr && peer.connected && !peer.lost) {
    const Sent how = wire_->send(peer.destination, parcel);
    if (how == Sent::done) return ended(parcel);
    if (how == Sent::pending) {
      ++sends_under_way_;
      return;
    }
  }
  parcel.with_library = false;
  if (peer.lost) return drop(parcel);
  parcel.queued = true;
  const bool first = peer.first_queued == nullptr;
  (first ? peer.first_queued : peer.last_queued->next) = &parcel;
  peer.last_queued = &parcel;
  if (first && std::find(queueing_.begin(), queueing_.end(), &peer) == queueing_.end()) queueing_.push_back(&peer);
}

void TaggedTransport::flush(Peer& peer) {
  while (peer.first_queued && peer.connected) {
    Parcel& parcel = *peer.first_queued;
    parcel.with_library = true;
    const Sent how = wire_->send(peer.destination, parcel);
    parcel.with_library = how == Sent::pending;
    if (how == Sent::later) return;
    if (how == Sent::pending) ++sends_under_way_;
    news_ = true;
    peer.first_queued = parcel.next;
    parcel.next = nullptr;
    parcel.queued = false;
    if (how == Sent::done) ended(parcel);
  }
}

// It will never be done.
void TaggedTransport::drop(Parcel& parcel) {
  parcel.with_library = false;
  parcel.queued = false;
  parcel.next = nullptr;
  if (!parcel.owned) parcels_.give_back(parcel);
}

// The request or list that had the parcel has it no longer.
void TaggedTransport::disown(Parcel& parcel) {
  parcel.owned = false;
  if (!parcel.with_library && !parcel.queued) parcels_.give_back(parcel);
}

// The library has it no longer.
void TaggedTransport::ended(Parcel& parcel) {
  parcel.with_library = false;
  parcel.done = true;
  if (!parcel.owned) parcels_.give_back(parcel);
}

void TaggedTransport::sent(Parcel& parcel) {
  --sends_under_way_;
  news_ = true;
  ended(parcel);
}

void TaggedTransport::withdrawn(Parcel& parcel) { drop(parcel); }

void TaggedTransport::failed(Parcel& parcel, const std::string& reason) {
  news_ = true;
  if (parcel.is_send) {
    --sends_under_way_;
    lost(*parcel.peer, reason);
    return drop(parcel);
  }
  if (parcel.slot == 0) ++missing_short_;
  if (parcel.slot != 0 && parcel.peer) lost(*parcel.peer, reason);
  drop(parcel);
}

void TaggedTransport::lost(Peer& peer, const std::string& reason) {
  if (peer.lost) return;
  news_ = true;
  lost_.push_back({peer.rank, reason});
  cut_off(peer);
}

void TaggedTransport::forget(int rank) {
  const auto peer = peers_.find(rank);
  if (peer != peers_.end() && !peer->second->lost) cut_off(*peer->second);
}

// Nothing is sent to it any more.
void TaggedTransport::cut_off(Peer& peer) {
  peer.lost = true;
  std::erase_if(questions_, [&](const Question& question) { return question.peer == &peer; });
  while (Parcel* parcel = peer.first_queued) {
    peer.first_queued = parcel->next;
    drop(*parcel);
  }
  // Nobody will answer what was withdrawn.
  std::vector<Parcel*> abandoned;
  for (Parcel* parcel : peer.posted)
    if (parcel->abandoned) abandoned.push_back(parcel);
  for (Parcel* parcel : abandoned) {
    std::erase(peer.posted, parcel);
    if (parcel->with_library) wire_->withdraw(*parcel);
    disown(*parcel);
  }
}

void TaggedTransport::received(Parcel& parcel, std::size_t bytes) {
  news_ = true;
  parcel.bytes = bytes;
  if (parcel.slot != 0) {
    Peer& peer = *parcel.peer;
    parcel.with_library = false;
    parcel.done = true;
    std::erase(peer.posted, &parcel);
    if (!parcel.owned) return parcels_.give_back(parcel);
    if (parcel.abandoned) take_message(peer, parcel);
    return;
  }
  ++missing_short_;
  parcel.with_library = false;
  Header header;
  // What comes from outside is not trusted: what was not meant for this rank, or is none of ours, is dropped.
  if (bytes >= sizeof header) std::memcpy(&header, parcel.data, sizeof header);
  if (bytes < sizeof header || header.key != key_ || header.source < 0 || header.source >= size_ ||
      header.source == rank_ || (header.kind == Kind::data && header.bytes != bytes - sizeof header))
    return parcels_.give_back(parcel);
  Peer& peer = peer_of(header.source);
  if (header.kind != Kind::data) {
    parcels_.give_back(parcel);
    return hear(peer, header);
  }
  parcel.owned = true;
  parcel.done = true;
  parcel.match = header.match;
  parcel.check = header.check;
  parcel.bytes = header.bytes;
  if (parcels_.short_in_use() <= held_short) return take_message(peer, parcel);
  Parcel& copy = parcels_.take(sizeof header + header.bytes);
  std::memcpy(copy.data, parcel.data, sizeof header + header.bytes);
  copy.done = true;
  copy.match = parcel.match;
  copy.check = parcel.check;
  copy.bytes = parcel.bytes;
  parcels_.give_back(parcel);
  take_message(peer, copy);
}

void TaggedTransport::take_message(Peer& peer, Parcel& parcel) {
  peer.arrived.push_back(&parcel);
  ++early_messages;
}

void TaggedTransport::write_header(Peer& peer, Parcel& parcel, Kind kind, std::uint64_t match, std::uint32_t check,
                                   std::size_t bytes, std::uint32_t slot) const {
  const Header header{match, check, peer.key, rank_, static_cast<std::uint32_t>(bytes), slot, kind};
  std::memcpy(parcel.data, &header, sizeof header);
  parcel.tag = 0;
}

// A message of the transport's own.
void TaggedTransport::say(Peer& peer, Kind kind, std::uint64_t match, std::uint32_t check, std::uint32_t bytes,
                          std::uint32_t slot) {
  if (peer.lost) return;
  Parcel& parcel = parcels_.take(sizeof(Header));
  write_header(peer, parcel, kind, match, check, bytes, slot);
  parcel.bytes = sizeof(Header);
  parcel.owned = false;
  submit(peer, parcel);
}

void TaggedTransport::hear(Peer& peer, const Header& header) {
  const std::uint32_t number = channel_of(header.match), sequence = sequence_of(header.match);
  switch (header.kind) {
    case Kind::ready:
      if (peer.readies.size() < most_readies)
        peer.readies.push_back({header.match, header.check, header.bytes, header.slot, false, false});
      break;
    case Kind::withdraw:
      if (Peer::Ready* ready = ready_of_slot(peer, header.slot)) {
        ready->withdrawn = true;
        if (ready->reserved) break;
        remove(peer, ready);
        say(peer, Kind::withdrawn, header.match, 0, 0, header.slot);
      }
      break;
    case Kind::withdrawn: {
      auto parcel = std::find_if(peer.posted.begin(), peer.posted.end(),
                                 [&](const Parcel* each) { return each->slot == header.slot && each->abandoned; });
      if (parcel == peer.posted.end()) break;
      Parcel& withdrawn_one = **parcel;
      peer.posted.erase(parcel);
      if (withdrawn_one.with_library) wire_->withdraw(withdrawn_one);
      disown(withdrawn_one);
      break;
    }
    case Kind::misfit:
      accept_misfit(peer, header);
      break;
    case Kind::ask:
      questions_.push_back({&peer, number, sequence});
      answer_questions();
      break;
    case Kind::credit:
      for (Peer::Opened& known : peer.opened)
        if (known.channel == number) known.sequence = sequence, known.asked = false;
      break;
    case Kind::data:
      break;
  }
}

// The sender has another message than the one that is expected here, and keeps it.
void TaggedTransport::accept_misfit(Peer& peer, const Header& header) {
  auto found = std::find_if(peer.posted.begin(), peer.posted.end(),
                            [&](const Parcel* each) { return each->slot == header.slot; });
  if (found == peer.posted.end()) return;
  Parcel& parcel = **found;
  peer.posted.erase(found);
  if (parcel.with_library) wire_->withdraw(parcel);
  parcel.misfit = true;
  parcel.done = true;
  parcel.bytes = header.bytes;
  parcel.check = header.check;
  if (parcel.abandoned) take_message(peer, parcel);
}

void TaggedTransport::open(std::uint32_t number, std::uint32_t sequence) {
  Channel& mine = channel(number);
  const std::int32_t step = ahead(sequence, mine.opened);
  mine.opened = sequence;
  // A channel that is given out again begins anew, for what is known of the others too.
  if (step < 0 || step > static_cast<std::int32_t>(early_operations)) begin_anew(number, sequence);
  if (!questions_.empty()) answer_questions();
}

void TaggedTransport::begin_anew(std::uint32_t number, std::uint32_t sequence) {
  channel(number).begun = sequence;
  for (auto& [rank, peer] : peers_)
    std::erase_if(peer->opened, [&](const Peer::Opened& known) { return known.channel == number; });
}

void TaggedTransport::answer_questions() {
  for (std::size_t i = 0; i < questions_.size();) {
    const Question question = questions_[i];
    const std::uint32_t opened = channel(question.channel).opened;
    if (ahead(opened, question.sequence) < 0) {
      ++i;
      continue;
    }
    questions_[i] = questions_.back();
    questions_.pop_back();
    say(*question.peer, Kind::credit, make_match(question.channel, opened, 0, 0), 0, 0, 0);
  }
}

// ---- end of the hot path ----

bool TaggedTransport::stray(std::uint32_t number, std::uint32_t oldest, int& rank, Tag& tag) {
  for (int look = 0; look < 2; ++look) {
    for (auto& [each, peer] : peers_) {
      auto found = std::find_if(peer->arrived.begin(), peer->arrived.end(), [&](const Parcel* parcel) {
        return channel_of(parcel->match) == number && ahead(sequence_of(parcel->match), oldest) < 0;
      });
      if (found == peer->arrived.end()) continue;
      rank = each;
      tag = {(*found)->match, (*found)->check};
      Parcel& parcel = **found;
      peer->arrived.erase(found);
      --early_messages;
      disown(parcel);
      return true;
    }
    if (look == 0) progress();
  }
  return false;
}

std::optional<Unreachable> TaggedTransport::unreachable() {
  progress();
  if (lost_.empty()) return std::nullopt;
  Unreachable first = std::move(lost_.front());
  lost_.erase(lost_.begin());
  return first;
}

bool TaggedTransport::ready_to_sleep() {
  // What a poll for one request has brought may be for another, which was asked before.
  if (news_ || !queueing_.empty() || missing_short_ > 0) {
    news_ = false;
    return false;
  }
  return wire_->ready_to_sleep();
}

void TaggedTransport::wait(std::chrono::microseconds limit) {
  if (news_) {
    news_ = false;
    return;
  }
  const bool retries = !queueing_.empty() || missing_short_ > 0 || !wire_->can_sleep();
  if (retries && limit > retry_after) limit = retry_after;
  pollfd event{wire_->descriptor(), POLLIN, 0};
  if (event.fd >= 0 && !wire_->ready_to_sleep()) return;
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(limit).count();
  const timespec time{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  ppoll(&event, event.fd >= 0 ? 1 : 0, &time, nullptr);
}

}  // namespace tutti::tagged
