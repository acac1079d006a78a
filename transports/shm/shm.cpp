// Mailboxes, what arrives in them, and sleeping; see layout.hpp for what lies where, and long_messages.cpp for slots.
#include "transports/shm/shm.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "error.hpp"
#include "transports/shm/states.hpp"

namespace tutti {

using namespace shm;

namespace {

// A line that is written next is best already ours when the time comes.
inline void fetch_for_writing(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

// A call to memcpy with unknown length costs more than a hop of such a message needs.
inline void copy_short(std::byte* out, const std::byte* in, std::size_t bytes) {
  auto move = [&](auto word, std::size_t at) {
    std::memcpy(&word, in + at, sizeof word);
    std::memcpy(out + at, &word, sizeof word);
  };
  if (bytes >= 8) {
    for (std::size_t at = 0; at + 8 <= bytes; at += 8) move(std::uint64_t{}, at);
    move(std::uint64_t{}, bytes - 8);
  } else if (bytes >= 4) {
    move(std::uint32_t{}, 0);
    move(std::uint32_t{}, bytes - 4);
  } else {
    for (std::size_t at = 0; at < bytes; ++at) out[at] = in[at];
  }
}

// Distance on the circle of sequence numbers: how far a is ahead of b.
inline std::int32_t ahead(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>((a - b) << (32 - sequence_bits)) >> (32 - sequence_bits);
}

long futex(std::atomic<std::uint32_t>* word, int operation, std::uint32_t value, const timespec* limit) {
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(word), operation, value, limit, nullptr, 0);
}

}  // namespace

ShmTransport::ShmTransport(int rank, int size, Sharing sharing)
    : rank_(rank),
      layout_(shm::Layout::of(static_cast<std::size_t>(size))),
      line_mask_(layout_.lines - 1),
      ring_mask_(layout_.ring_bytes - 1),
      segment_(Segment::create(layout_.total(), sharing)),
      head_(reinterpret_cast<shm::Head*>(segment_.data())),
      one_copy_(sharing == Sharing::between_processes),
      exposures_(reinterpret_cast<shm::Exposure*>(segment_.data() + layout_.exposures_offset())),
      slots_(segment_.data() + layout_.slots_offset()),
      slot_heads_(reinterpret_cast<shm::SlotHead*>(segment_.data() + layout_.slot_heads_offset())),
      slot_uses_(layout_.slots),
      slot_readers_(layout_.slots),
      peers_(static_cast<std::size_t>(size)) {
  head_->process = getpid();
  // Lets a sleeper make senders' stores visible without a fence on their side.
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
  for (int source = 0; source < size; ++source) {
    Peer& peer = peers_[static_cast<std::size_t>(source)];
    std::byte* mailbox = segment_.data() + layout_.mailbox_offset(static_cast<std::size_t>(source));
    peer.credits = reinterpret_cast<shm::Credits*>(mailbox);
    peer.lines = reinterpret_cast<Line*>(mailbox + sizeof(shm::Credits));
    peer.ring = mailbox + sizeof(shm::Credits) + layout_.lines * sizeof(Line);
  }
}

void ShmTransport::connect(int rank, std::string_view address) {
  Peer& peer = peers_[static_cast<std::size_t>(rank)];
  peer.segment = Segment::open(address);
  if (peer.segment.bytes() != layout_.total())
    throw error(TUTTI_ERROR_START, "rank {} has a shared segment of {} bytes where {} are right: another version?",
                rank, peer.segment.bytes(), layout_.total());
  std::byte* base = peer.segment.data();
  std::byte* mailbox = base + layout_.mailbox_offset(static_cast<std::size_t>(rank_));
  peer.remote_head = reinterpret_cast<shm::Head*>(base);
  peer.remote_credits = reinterpret_cast<shm::Credits*>(mailbox);
  peer.remote_lines = reinterpret_cast<Line*>(mailbox + sizeof(shm::Credits));
  peer.remote_ring = mailbox + sizeof(shm::Credits) + layout_.lines * sizeof(Line);
  peer.remote_exposures = reinterpret_cast<shm::Exposure*>(base + layout_.exposures_offset());
  peer.remote_slot_heads = reinterpret_cast<shm::SlotHead*>(base + layout_.slot_heads_offset());
  peer.remote_slots = base + layout_.slots_offset();
  visitor_word(base, rank_).fetch_or(std::uint64_t{1} << (rank_ % 64));
  peer.line_limit = layout_.lines;
  peer.ring_limit = layout_.ring_bytes;
}

// Connects a peer to whom something is sent for the first time; what it sends lies here already. False where it cannot
// be: the waiter then learns why.
bool ShmTransport::reach(int rank) {
  Peer& peer = peers_[static_cast<std::size_t>(rank)];
  if (peer.forgotten || !lookup_) return false;
  try {
    connect(rank, lookup_(rank));
    return true;
  } catch (const Error& failure) {
    peer.forgotten = true;  // what ended before it was ever needed will not come back
    lost_ = {rank, failure.what()};
    return false;
  }
}

std::atomic<std::uint64_t>& ShmTransport::visitor_word(std::byte* segment, int rank) const {
  return reinterpret_cast<shm::Visitors*>(segment + sizeof(shm::Head))[rank / 64].bits;
}

bool ShmTransport::has_visited(int rank) const {
  return visitor_word(segment_.data(), rank).load(std::memory_order_relaxed) >> (rank % 64) & 1;
}

std::optional<Unreachable> ShmTransport::unreachable() { return std::exchange(lost_, std::nullopt); }

// ---- hot path: no allocation, lock, system call or log from here to wake() once a peer is connected ----

void ShmTransport::open(std::uint32_t channel, std::uint32_t sequence) {
  // Every sixteenth is enough, since senders may be early by four times that.
  if (sequence % (early_operations / 4) == 0)
    head_->opened[channel % shm::channels].store(sequence, std::memory_order_relaxed);
}

inline bool ShmTransport::room_for_lines(Peer& peer, std::uint64_t count) {
  if (peer.next + count <= peer.line_limit) return true;
  peer.line_limit = peer.remote_credits->lines.load(std::memory_order_acquire) + layout_.lines;
  return peer.next + count <= peer.line_limit;
}

// Makes a message visible whose first line is `line`. If it had further ones, as many are fetched for the next message;
// a single line is not, since its reader polls that place and would only have to fetch it back.
inline void ShmTransport::finish_push(Peer& peer, Line& line, std::uint64_t count) {
  line.stamp.store(peer.next + 1, std::memory_order_release);
  peer.next += count;
  if (peer.remote_head->asleep.load(std::memory_order_relaxed)) [[unlikely]]
    wake(peer.remote_head);
  for (std::uint64_t i = 0; count > 1 && i < count; ++i)
    fetch_for_writing(&peer.remote_lines[(peer.next + i) & line_mask_]);
}

bool ShmTransport::push(Peer& peer, Tag tag, LineKind kind, std::uint32_t length, const void* payload,
                        std::size_t bytes) {
  if (!room_for_lines(peer, 1)) return false;
  Line& line = peer.remote_lines[peer.next & line_mask_];
  line.match = tag.match;
  line.check = tag.check;
  line.kind = static_cast<std::uint32_t>(kind) & 7u;
  line.length = length & 0x1fffffffu;
  copy_short(line.payload, static_cast<const std::byte*>(payload), bytes);
  finish_push(peer, line, 1);
  return true;
}

// A short message: in the line, and in those behind it where that is too short.
bool ShmTransport::push_lines(Peer& peer, const Send& send) {
  const auto length = static_cast<std::uint32_t>(send.bytes);
  if (send.bytes <= shm::line_payload && send.pieces.size() <= 1)
    return push(peer, send.tag, LineKind::inside, length, send.bytes ? send.pieces.front().address : nullptr,
                send.bytes);
  const std::uint64_t count = Line::needed(send.bytes);
  if (!room_for_lines(peer, count)) return false;
  Line& first = peer.remote_lines[peer.next & line_mask_];
  first.match = send.tag.match;
  first.check = send.tag.check;
  first.kind = static_cast<std::uint32_t>(LineKind::inside);
  first.length = length & 0x1fffffffu;
  std::byte* out = first.payload;
  std::size_t room = shm::line_payload;
  std::uint64_t line = 0;
  for (const Piece& piece : send.pieces) {
    const auto* in = static_cast<const std::byte*>(piece.address);
    for (std::size_t left = piece.bytes; left > 0;) {
      if (room == 0) {
        out = peer.remote_lines[(peer.next + ++line) & line_mask_].further();
        room = shm::further_payload;
      }
      const std::size_t bytes = std::min(left, room);
      if (bytes == shm::further_payload)
        std::memcpy(out, in, shm::further_payload);
      else
        copy_short(out, in, bytes);
      in += bytes;
      out += bytes;
      left -= bytes;
      room -= bytes;
    }
  }
  finish_push(peer, first, count);
  return true;
}

// A message of some kilobytes: in the ring of bytes.
bool ShmTransport::push_bytes(Peer& peer, const Send& send) {
  if (!room_for_lines(peer, 1)) return false;
  // Whole cache lines, and never around the end of the ring.
  const std::uint64_t taken = (send.bytes + shm::cache_line - 1) / shm::cache_line * shm::cache_line;
  std::uint64_t begin = peer.ring_next;
  const std::uint64_t left = layout_.ring_bytes - (begin & ring_mask_);
  if (left < taken) begin += left;
  if (begin + taken > peer.ring_limit) {
    peer.ring_limit = peer.remote_credits->bytes.load(std::memory_order_acquire) + layout_.ring_bytes;
    if (begin + taken > peer.ring_limit) return false;
  }
  std::byte* out = peer.remote_ring + (begin & ring_mask_);
  for (const Piece& piece : send.pieces) {
    if (piece.bytes) std::memcpy(out, piece.address, piece.bytes);
    out += piece.bytes;
  }
  peer.ring_next = begin + taken;
  return push(peer, send.tag, LineKind::bytes, static_cast<std::uint32_t>(send.bytes), &begin, sizeof begin);
}

bool ShmTransport::send(Send& send) {
  Peer& peer = peers_[static_cast<std::size_t>(send.peer)];
  if (peer.remote_head == nullptr && !reach(send.peer)) [[unlikely]]
    return false;
  if (send.bytes <= layout_.inline_bytes()) {
    const std::uint32_t opened =
        peer.remote_head->opened[channel_of(send.tag.match) % shm::channels].load(std::memory_order_relaxed);
    if (ahead(sequence_of(send.tag.match), opened) > static_cast<std::int32_t>(early_operations)) return false;
    return send.bytes <= shm::lines_payload ? push_lines(peer, send) : push_bytes(peer, send);
  }
  if (send.state == exposing || send.state == exposed) {
    if (!exposed_goes_on(peer, send)) return false;
    if (send.state == 0) return true;
  }
  if (send.state == 0) {
    const Peer::Call* call = find_call(peer, send.tag.match);
    if (call == nullptr) return false;
    if (call->takes_exposed && send.pieces.size() == 1 && expose(peer, send))
      return exposed_goes_on(peer, send) && send.state == 0;
  }
  if (send.state == 0 || send.state == granted) {
    auto* out = static_cast<std::byte*>(reserve(send));
    if (out == nullptr) return false;
    for (const Piece& piece : send.pieces) {
      if (piece.bytes) std::memcpy(out, piece.address, piece.bytes);
      out += piece.bytes;
    }
    commit(send);
  }
  const std::uint64_t where = reader_of(send.detail) << 32 | slot_of(send.detail);
  return push(peer, send.tag, LineKind::slot, static_cast<std::uint32_t>(send.bytes), &where, sizeof where);
}

// The peer's posted receive of this tag; null where it has not come.
const ShmTransport::Peer::Call* ShmTransport::find_call(Peer& peer, std::uint64_t match) {
  drain(peer);
  for (const Peer::Call& call : peer.calls)
    if (call.match == match) return &call;
  return nullptr;
}

inline bool ShmTransport::arrived(const Peer& peer) const {
  return !peer.held &&
         peer.lines[peer.position & line_mask_].stamp.load(std::memory_order_acquire) == peer.position + 1;
}

// Goes on to the next line; credits go back once in half a mailbox.
inline void ShmTransport::advance(Peer& peer) {
  const Line& line = peer.lines[peer.position & line_mask_];
  if (line.kind == static_cast<std::uint32_t>(LineKind::bytes)) {
    std::uint64_t begin;
    std::memcpy(&begin, line.payload, sizeof begin);
    peer.ring_taken = begin + (line.length + shm::cache_line - 1) / shm::cache_line * shm::cache_line;
    if (peer.ring_taken - peer.credits->bytes.load(std::memory_order_relaxed) >= layout_.ring_bytes / 2)
      peer.credits->bytes.store(peer.ring_taken, std::memory_order_release);
  }
  peer.position += line.kind == static_cast<std::uint32_t>(LineKind::inside) ? Line::needed(line.length) : 1;
  if (peer.position - peer.given_back >= layout_.lines / 2) {
    peer.given_back = peer.position;
    peer.credits->lines.store(peer.position, std::memory_order_release);
  }
}

// The message at the mailbox's head in one piece.
inline const std::byte* ShmTransport::gather(Peer& peer, std::uint32_t length) {
  Line& first = peer.lines[peer.position & line_mask_];
  if (length <= shm::line_payload) return first.payload;
  if (length > shm::lines_payload) throw error(TUTTI_ERROR_INTERNAL, "a message of {} bytes in mailbox lines", length);
  if (!peer.gathered) [[unlikely]]
    peer.gathered = std::make_unique<std::byte[]>(shm::lines_payload);
  std::byte* out = peer.gathered.get();
  std::memcpy(out, first.payload, shm::line_payload);
  out += shm::line_payload;
  const std::uint64_t count = Line::needed(length);
  for (std::uint64_t i = 1; i < count; ++i, out += shm::further_payload)
    std::memcpy(out, peer.lines[(peer.position + i) & line_mask_].further(), shm::further_payload);
  return peer.gathered.get();
}

// Moves the line at the mailbox's head to where it does not hold back what comes behind it.
void ShmTransport::set_aside(Peer& peer) {
  const Line& line = peer.lines[peer.position & line_mask_];
  const auto kind = static_cast<LineKind>(line.kind);
  if (kind == LineKind::call) {
    if (!peer.forgotten) peer.calls.push_back({line.match, line.length == 1});
  } else {
    Early early{{line.match, line.check}, kind, line.length, 0, {}, nullptr};
    std::uint64_t where = 0;
    std::memcpy(&where, line.payload, sizeof where);
    if (kind == LineKind::slot) {
      early.slot = where;
    } else if (kind == LineKind::exposed) {
      std::memcpy(&early.exposed, line.payload, sizeof early.exposed);
    } else {
      const std::byte* bytes = kind == LineKind::inside ? gather(peer, line.length) : peer.ring + (where & ring_mask_);
      early.bytes = std::make_unique_for_overwrite<std::byte[]>(line.length + 1u);
      std::memcpy(early.bytes.get(), bytes, line.length);
    }
    peer.early.push_back(std::move(early));
    ++early_messages;
  }
  advance(peer);
}

void ShmTransport::drain(Peer& peer) {
  while (arrived(peer)) set_aside(peer);
}

bool ShmTransport::take_early(Peer& peer, Receive& receive) {
  auto found = std::find_if(peer.early.begin(), peer.early.end(),
                            [&](const Early& early) { return early.tag.match == receive.tag.match; });
  if (found == peer.early.end()) return false;
  receive.bytes_arrived = found->length;
  receive.check = found->tag.check;
  if (found->kind == LineKind::exposed) {
    const shm::Exposed where = found->exposed;
    peer.early.erase(found);
    --early_messages;
    return copy_exposed(peer, receive, where);
  }
  if (found->kind == LineKind::slot) {
    lease_slot(peer, receive, found->slot);
  } else {
    receive.address = found->bytes.get();
    receive.detail = reinterpret_cast<std::uintptr_t>(found->bytes.release());
    receive.state = in_heap;
    receive.scarce = false;
  }
  peer.early.erase(found);
  --early_messages;
  return true;
}

bool ShmTransport::receive(Receive& receive) {
  Peer& peer = peers_[static_cast<std::size_t>(receive.peer)];
  if (receive.state == 0) {
    if (receive.bytes > layout_.inline_bytes()) {
      if (peer.remote_head == nullptr && !reach(receive.peer)) [[unlikely]]
        return false;
      const bool direct = one_copy_ && peer.may_read && receive.landing && receive.bytes >= least_exposed;
      if (!push(peer, receive.tag, LineKind::call, direct, nullptr, 0)) return false;
    }
    receive.state = announced;
  }
  if (!peer.early.empty() && take_early(peer, receive)) return true;
  while (arrived(peer)) {
    const Line& line = peer.lines[peer.position & line_mask_];
    const auto kind = static_cast<LineKind>(line.kind);
    if (line.match != receive.tag.match || kind == LineKind::call) {
      set_aside(peer);
      continue;
    }
    receive.bytes_arrived = line.length;
    receive.check = line.check;
    std::uint64_t where = 0;
    std::memcpy(&where, line.payload, sizeof where);
    if (kind == LineKind::exposed) {
      shm::Exposed exposed_where;
      std::memcpy(&exposed_where, line.payload, sizeof exposed_where);
      advance(peer);
      return copy_exposed(peer, receive, exposed_where);
    }
    if (kind == LineKind::slot) {
      lease_slot(peer, receive, where);
      advance(peer);
      return true;
    }
    receive.address = kind == LineKind::inside ? gather(peer, line.length) : peer.ring + (where & ring_mask_);
    receive.state = in_line;
    receive.scarce = true;
    peer.held = true;
    return true;
  }
  return false;
}

void ShmTransport::release(Receive& receive) {
  Peer& peer = peers_[static_cast<std::size_t>(receive.peer)];
  if (receive.state == in_line) {
    peer.held = false;
    advance(peer);
  } else if (receive.state == in_slot) {
    release_slot(peer, receive.detail);
    if (peer.remote_head->asleep.load(std::memory_order_relaxed)) [[unlikely]]
      wake(peer.remote_head);
  } else if (receive.state == in_heap) {
    delete[] reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(receive.detail));
  }
  receive.state = 0;
  receive.address = nullptr;
}

// ---- end of the hot path ----

void ShmTransport::cancel(Receive& receive) {
  if (receive.address != nullptr) release(receive);
  receive.state = 0;
}

bool ShmTransport::stray(std::uint32_t channel, std::uint32_t oldest, int& rank, Tag& tag) {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    if (!has_visited(static_cast<int>(i))) continue;
    drain(peer);
    auto found = std::find_if(peer.early.begin(), peer.early.end(), [&](const Early& early) {
      return channel_of(early.tag.match) == channel && ahead(sequence_of(early.tag.match), oldest) < 0;
    });
    if (found == peer.early.end()) continue;
    rank = static_cast<int>(i);
    tag = found->tag;
    if (found->kind == LineKind::slot && (found->slot & 0xffffffffu) < layout_.slots) release_slot(peer, found->slot);
    peer.early.erase(found);
    --early_messages;
    return true;
  }
  return false;
}

void ShmTransport::wake(shm::Head* head) {
  if (head->asleep.exchange(0, std::memory_order_relaxed)) futex(&head->asleep, FUTEX_WAKE, 1, nullptr);
}

void ShmTransport::wait(std::chrono::microseconds limit) {
  head_->asleep.store(1, std::memory_order_seq_cst);
  // After this, a sender either sees that we sleep, or we see its line.
  syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
  bool any = false;
  for (std::size_t i = 0; i < peers_.size() && !any; ++i) any = has_visited(static_cast<int>(i)) && arrived(peers_[i]);
  const timespec time{limit.count() / 1000000, limit.count() % 1000000 * 1000};
  if (!any) futex(&head_->asleep, FUTEX_WAIT, 1, &time);
  head_->asleep.store(0, std::memory_order_relaxed);
}

}  // namespace tutti
