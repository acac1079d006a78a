// Sends and receives: how a request goes from one state to the next; see tagged.hpp. All of it is hot path.
#include <algorithm>
#include <cstring>

#include "transports/tagged/tagged.hpp"

namespace tutti::tagged {

namespace {

constexpr std::uint64_t under_way = 1;  // Send::state: the parcel of detail is with the library or before it
constexpr std::uint64_t reserved = 2;   // ... is being written for a ready receive
constexpr std::uint64_t written = 3;    // ... is to be sent
constexpr std::uint64_t waiting = 1;    // Receive::state
constexpr std::uint64_t posted = 2;     // ... memory for a long message is announced, detail its parcel
constexpr std::uint64_t leased = 3;     // ... detail is the parcel that has arrived

// A short message that the library has not passed on stays with its send for so long, so that a rank does not leave an
// operation while a connection is being made; then it is on its way all the same.
constexpr std::chrono::milliseconds patience(500);
constexpr std::uint32_t polls_per_look = 64;

std::uint64_t detail_of(Parcel& parcel) { return reinterpret_cast<std::uintptr_t>(&parcel); }
Parcel& parcel_of(std::uint64_t detail) { return *reinterpret_cast<Parcel*>(static_cast<std::uintptr_t>(detail)); }

bool waited_long(Parcel& parcel) {
  return ++parcel.polls % polls_per_look == 0 && Clock::now() - parcel.since >= patience;
}

void gather(std::byte* out, const Send& send) {
  for (const Piece& piece : send.pieces) {
    if (piece.bytes) std::memcpy(out, piece.address, piece.bytes);
    out += piece.bytes;
  }
}

}  // namespace

// ---- sends ----

// Whether the receiver is near enough; asks it in time for where it is.
bool TaggedTransport::may_send_early(Peer& peer, std::uint64_t match) {
  const std::uint32_t number = channel_of(match), sequence = sequence_of(match);
  auto known = std::find_if(peer.opened.begin(), peer.opened.end(),
                            [&](const Peer::Opened& each) { return each.channel == number; });
  if (known == peer.opened.end()) known = peer.opened.insert(known, {number, channel(number).begun, false});
  constexpr auto most = static_cast<std::int32_t>(early_operations);
  const std::int32_t distance = ahead(sequence, known->sequence);
  if (distance > most / 2 && !known->asked) {
    known->asked = true;
    const std::uint32_t wanted = known->sequence + early_operations / 2;
    const std::uint32_t least = sequence - early_operations;
    say(peer, Kind::ask, make_match(number, ahead(least, wanted) > 0 ? least : wanted, 0, 0), 0, 0, 0);
  }
  return distance <= most;
}

bool TaggedTransport::send_short(Peer& peer, Send& send) {
  if (peer.lost) return false;
  if (!may_send_early(peer, send.tag.match)) {
    progress();
    return false;
  }
  Parcel& parcel = parcels_.take_short();
  write_header(peer, parcel, Kind::data, send.tag.match, send.tag.check, send.bytes, 0);
  parcel.bytes = sizeof(Header) + send.bytes;
  gather(parcel.data + sizeof(Header), send);
  submit(peer, parcel);
  if (parcel.done) {
    disown(parcel);
    return true;
  }
  parcel.polls = 0;
  parcel.since = Clock::now();
  send.state = under_way;
  send.detail = detail_of(parcel);
  return false;
}

bool TaggedTransport::send_goes_on(Send& send) {
  Parcel& parcel = parcel_of(send.detail);
  const bool is_short = send.bytes <= inline_bytes;
  if (!parcel.done) progress();
  if (!parcel.done && !(is_short && waited_long(parcel))) return false;
  disown(parcel);
  return true;
}

Peer::Ready* TaggedTransport::ready_of_slot(Peer& peer, std::uint32_t slot) {
  auto found = std::find_if(peer.readies.begin(), peer.readies.end(),
                            [&](const Peer::Ready& each) { return each.slot == slot; });
  return found == peer.readies.end() ? nullptr : &*found;
}

void TaggedTransport::remove(Peer& peer, Peer::Ready* ready) {
  peer.readies.erase(peer.readies.begin() + (ready - peer.readies.data()));
}

// The peer's oldest posted receive of this tag that no send has taken.
Peer::Ready* TaggedTransport::find_ready(Peer& peer, std::uint64_t match) {
  auto found = std::find_if(peer.readies.begin(), peer.readies.end(),
                            [&](const Peer::Ready& each) { return each.match == match && !each.reserved; });
  return found == peer.readies.end() ? nullptr : &*found;
}

Peer::Ready* TaggedTransport::awaited_ready(Peer& peer, std::uint64_t match) {
  if (Peer::Ready* ready = find_ready(peer, match)) return ready;
  progress();
  return find_ready(peer, match);
}

bool TaggedTransport::send_long(Peer& peer, Send& send) {
  Parcel* parcel = nullptr;
  if (send.state == written) {
    parcel = &parcel_of(send.detail);
    if (Peer::Ready* ready = ready_of_slot(peer, parcel->slot)) remove(peer, ready);
  } else {
    Peer::Ready* found = awaited_ready(peer, send.tag.match);
    if (found == nullptr) return false;
    const Peer::Ready ready = *found;
    remove(peer, found);
    if (ready.bytes != send.bytes || ready.check != send.tag.check) {
      say(peer, Kind::misfit, send.tag.match, send.tag.check, static_cast<std::uint32_t>(send.bytes), ready.slot);
      return true;
    }
    parcel = &parcels_.take(send.bytes);
    parcel->slot = ready.slot;
    parcel->bytes = send.bytes;
    gather(parcel->data, send);
  }
  parcel->tag = std::uint64_t{1} << 32 | parcel->slot;
  send.state = under_way;
  send.detail = detail_of(*parcel);
  submit(peer, *parcel);
  if (!parcel->done) return false;
  disown(*parcel);
  return true;
}

bool TaggedTransport::send(Send& send) {
  if (send.state == under_way) return send_goes_on(send);
  Peer& peer = peer_of(send.peer);
  return send.bytes <= inline_bytes ? send_short(peer, send) : send_long(peer, send);
}

void* TaggedTransport::reserve(Send& send) {
  if (send.bytes <= inline_bytes) return nullptr;
  Peer& peer = peer_of(send.peer);
  Peer::Ready* ready = awaited_ready(peer, send.tag.match);
  if (ready == nullptr || ready->bytes != send.bytes || ready->check != send.tag.check) return nullptr;
  ready->reserved = true;
  Parcel& parcel = parcels_.take(send.bytes);
  parcel.slot = ready->slot;
  parcel.match = send.tag.match;
  parcel.bytes = send.bytes;
  send.state = reserved;
  send.detail = detail_of(parcel);
  return parcel.data;
}

void TaggedTransport::commit(Send& send) { send.state = written; }

void TaggedTransport::cancel(Send& send) {
  if (send.state == reserved || send.state == written) {
    Peer& peer = peer_of(send.peer);
    Parcel& parcel = parcel_of(send.detail);
    if (Peer::Ready* ready = ready_of_slot(peer, parcel.slot)) {
      ready->reserved = false;
      if (ready->withdrawn) {
        remove(peer, ready);
        say(peer, Kind::withdrawn, parcel.match, 0, 0, parcel.slot);
      }
    }
    disown(parcel);
  } else if (send.state == under_way) {
    // The library reads the parcel, not the caller's pieces; what is on its way may arrive.
    disown(parcel_of(send.detail));
  }
  send.state = 0;
}

// ---- receives ----

bool TaggedTransport::post_long(Peer& peer, Receive& receive) {
  Parcel& parcel = parcels_.take(receive.bytes);
  if (++next_slot_ == 0) ++next_slot_;
  parcel.slot = next_slot_;
  parcel.tag = std::uint64_t{1} << 32 | parcel.slot;
  parcel.peer = &peer;
  parcel.match = receive.tag.match;
  parcel.check = receive.tag.check;
  parcel.with_library = true;
  if (!wire_->receive(parcel)) {
    parcel.with_library = false;
    disown(parcel);
    return false;
  }
  peer.posted.push_back(&parcel);
  receive.state = posted;
  receive.detail = detail_of(parcel);
  say(peer, Kind::ready, receive.tag.match, receive.tag.check, static_cast<std::uint32_t>(receive.bytes), parcel.slot);
  return true;
}

void TaggedTransport::lease(Receive& receive, Parcel& parcel) {
  receive.address = parcel.data + (parcel.slot == 0 ? sizeof(Header) : 0);
  receive.bytes_arrived = parcel.bytes;
  receive.check = parcel.check;
  receive.scarce = false;
  receive.state = leased;
  receive.detail = detail_of(parcel);
}

// A message that came without a receive.
bool TaggedTransport::take_arrived(Peer& peer, Receive& receive) {
  for (std::size_t i = 0; i < peer.arrived.size(); ++i) {
    Parcel& parcel = *peer.arrived[i];
    if (parcel.match != receive.tag.match) continue;
    peer.arrived.erase(peer.arrived.begin() + static_cast<std::ptrdiff_t>(i));
    --early_messages;
    if (receive.state == posted) abandon(peer, parcel_of(receive.detail));
    lease(receive, parcel);
    return true;
  }
  return false;
}

bool TaggedTransport::arrived(Peer& peer, Receive& receive) {
  if (receive.state == posted && parcel_of(receive.detail).done) {
    lease(receive, parcel_of(receive.detail));
    return true;
  }
  return !peer.arrived.empty() && take_arrived(peer, receive);
}

bool TaggedTransport::receive(Receive& receive) {
  Peer& peer = peer_of(receive.peer);
  if (arrived(peer, receive)) return true;
  if (receive.state == 0) {
    if (receive.bytes <= inline_bytes)
      receive.state = waiting;
    else if (!post_long(peer, receive))
      return false;
  }
  progress();
  return arrived(peer, receive);
}

void TaggedTransport::release(Receive& receive) {
  if (receive.state == leased) disown(parcel_of(receive.detail));
  receive.state = 0;
  receive.address = nullptr;
}

// The posted memory of a receive that wants no message any more. The sender is asked for it: a message that is on its
// way already arrives as one without a receive.
void TaggedTransport::abandon(Peer& peer, Parcel& parcel) {
  parcel.abandoned = true;
  if (peer.lost) {
    std::erase(peer.posted, &parcel);
    if (parcel.with_library) wire_->withdraw(parcel);
    disown(parcel);
    return;
  }
  say(peer, Kind::withdraw, parcel.match, 0, 0, parcel.slot);
}

void TaggedTransport::cancel(Receive& receive) {
  if (receive.state == leased) {
    release(receive);
  } else if (receive.state == posted) {
    Peer& peer = peer_of(receive.peer);
    Parcel& parcel = parcel_of(receive.detail);
    if (parcel.done)
      take_message(peer, parcel);  // it stays for who comes later
    else
      abandon(peer, parcel);
  }
  receive.state = 0;
}

}  // namespace tutti::tagged
