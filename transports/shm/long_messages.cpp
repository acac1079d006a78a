// Messages that do not fit into a mailbox: through slots of the sender, each with a bit for every message that lies in
// it, or copied once by the receiver out of the sender's own buffer, which the sender exposes.
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "error.hpp"
#include "transports/shm/shm.hpp"
#include "transports/shm/states.hpp"

namespace tutti {

using namespace shm;

// Takes a free exposure for the buffer; false where there is none.
bool ShmTransport::expose(Peer& peer, Send& send) {
  for (std::uint32_t i = 0; i < exposures; ++i) {
    std::atomic<std::uint64_t>& flag = exposures_[i].flag;
    if ((flag.load(std::memory_order_acquire) & 3) != static_cast<std::uint64_t>(ExposureState::free)) continue;
    take_call(peer, find_call(peer, send.tag.match));
    flag.store(flag_of(++exposure_uses_, ExposureState::offered), std::memory_order_relaxed);
    send.detail = detail_of(exposure_uses_, 0, i);
    send.state = exposing;
    return true;
  }
  return false;
}

// True once the receiver has its copy (state 0) or asks for a slot instead (state granted).
bool ShmTransport::exposed_goes_on(Peer& peer, Send& send) {
  const std::uint64_t index = slot_of(send.detail);
  if (send.state == exposing) {
    const Exposed where{reinterpret_cast<std::uintptr_t>(send.pieces.front().address),
                        static_cast<std::uint32_t>(index), use_of(send.detail)};
    if (!push(peer, send.tag, LineKind::exposed, static_cast<std::uint32_t>(send.bytes), &where, sizeof where))
      return false;
    send.state = exposed;
  }
  std::atomic<std::uint64_t>& flag = exposures_[index].flag;
  const std::uint64_t value = flag.load(std::memory_order_acquire);
  const auto state = static_cast<ExposureState>(value & 3);
  // Once it is free, another send of this rank may have taken it before this one looks.
  if (state == ExposureState::free || value >> 2 != use_of(send.detail)) {
    send.state = 0;
    return true;
  }
  if (state != ExposureState::refused) return false;
  flag.store(0, std::memory_order_relaxed);
  send.state = granted;
  return true;
}

// Copies the message out of the sender's memory. False where the system refuses: it then comes through a slot.
bool ShmTransport::copy_exposed(Peer& peer, Receive& receive, const Exposed& where) {
  if (where.exposure >= exposures)
    throw error(TUTTI_ERROR_INTERNAL, "rank {} exposed a message as number {} of {}", receive.peer, where.exposure,
                exposures);
  std::atomic<std::uint64_t>& flag = peer.remote_exposures[where.exposure].flag;
  std::uint64_t expected = flag_of(where.use, ExposureState::offered);
  if (!flag.compare_exchange_strong(expected, flag_of(where.use, ExposureState::reading))) return false;
  // What does not fit the call is not read; the caller sees by hash and length that it does not.
  const bool fits = receive.check == receive.tag.check && receive.bytes_arrived == receive.bytes && receive.landing;
  bool copied = true;
  for (std::size_t done = 0; fits && copied && done < receive.bytes;) {
    const iovec here{static_cast<std::byte*>(receive.landing) + done, receive.bytes - done};
    const iovec there{reinterpret_cast<void*>(where.address + done), receive.bytes - done};
    const ssize_t got = process_vm_readv(peer.remote_head->process, &here, 1, &there, 1, 0);
    copied = got > 0;
    if (copied) done += static_cast<std::size_t>(got);
  }
  if (!copied) peer.may_read = false;
  flag.store(copied ? 0 : flag_of(where.use, ExposureState::refused), std::memory_order_release);
  if (peer.remote_head->asleep.load(std::memory_order_relaxed)) wake(peer.remote_head);
  if (!copied) return false;
  receive.address = receive.landing;
  receive.state = in_place;
  receive.scarce = false;
  return true;
}

void* ShmTransport::reserve(Send& send) {
  if (send.bytes <= layout_.inline_bytes()) return nullptr;
  const std::int64_t slot = free_slot();
  if (slot < 0) return nullptr;
  if (send.state != granted) {
    Peer& peer = peers_[static_cast<std::size_t>(send.peer)];
    const Peer::Call* call = find_call(peer, send.tag.match);
    if (call == nullptr) return nullptr;
    take_call(peer, call);
  }
  slot_heads_[slot].readers.store(1, std::memory_order_relaxed);
  slot_readers_[static_cast<std::size_t>(slot)][0] = send.peer;
  send.detail = detail_of(++slot_uses_[static_cast<std::size_t>(slot)], 0, static_cast<std::uint64_t>(slot));
  return slots_ + static_cast<std::size_t>(slot) * layout_.slot_bytes;
}

void ShmTransport::commit(Send& send) { send.state = slot_filled; }

// One more reader for a slot that others still read: its bytes are there, and it cannot be given to another message.
bool ShmTransport::share(Send& send, const Send& earlier) {
  if (earlier.state != slot_filled || send.bytes != earlier.bytes) return false;
  const std::uint64_t slot = slot_of(earlier.detail);
  if (slot_uses_[slot] != use_of(earlier.detail)) return false;
  std::atomic<std::uint64_t>& readers = slot_heads_[slot].readers;
  std::uint64_t bits = readers.load(std::memory_order_relaxed);
  Peer& peer = peers_[static_cast<std::size_t>(send.peer)];
  const Peer::Call* call = find_call(peer, send.tag.match);
  if (call == nullptr) return false;
  do {
    if (bits == 0 || ~bits == 0) return false;
  } while (!readers.compare_exchange_weak(bits, bits | (bits + 1), std::memory_order_relaxed));
  take_call(peer, call);
  const auto reader = static_cast<std::uint32_t>(std::countr_one(bits));
  slot_readers_[slot][reader] = send.peer;
  send.detail = detail_of(use_of(earlier.detail), reader, slot);
  send.state = slot_filled;
  return true;
}

// The lowest free one: it is the likeliest to be in the caches still.
std::int64_t ShmTransport::free_slot() {
  for (std::size_t slot = 0; slot < layout_.slots; ++slot)
    if (slot_heads_[slot].readers.load(std::memory_order_acquire) == 0) return static_cast<std::int64_t>(slot);
  return -1;
}

void ShmTransport::lease_slot(Peer& peer, Receive& receive, std::uint64_t where) {
  const std::uint64_t slot = where & 0xffffffffu;
  if (slot >= layout_.slots || where >> 32 >= most_readers || receive.bytes_arrived > layout_.slot_bytes)
    throw error(TUTTI_ERROR_INTERNAL, "rank {} sent a message in slot {} of {}, {} bytes", receive.peer, slot,
                layout_.slots, receive.bytes_arrived);
  receive.address = peer.remote_slots + slot * layout_.slot_bytes;
  receive.state = in_slot;
  receive.detail = where;
  receive.scarce = false;
}

void ShmTransport::release_slot(Peer& peer, std::uint64_t where) {
  peer.remote_slot_heads[where & 0xffffffffu].readers.fetch_and(~(std::uint64_t{1} << (where >> 32 & 63)),
                                                                std::memory_order_release);
}

// A slot that was filled for a message which is not announced. It may be another's by now where the peer has died.
void ShmTransport::give_up_slot(const Send& send) {
  const std::uint64_t slot = slot_of(send.detail), reader = reader_of(send.detail);
  if (slot_uses_[slot] == use_of(send.detail) && slot_readers_[slot][reader] == send.peer)
    slot_heads_[slot].readers.fetch_and(~(std::uint64_t{1} << reader), std::memory_order_relaxed);
}

void ShmTransport::forget(int rank) {
  Peer& peer = peers_[static_cast<std::size_t>(rank)];
  peer.forgotten = true;
  peer.calls.clear();
  for (std::size_t slot = 0; slot < layout_.slots; ++slot)
    for (std::uint32_t reader = 0; reader < most_readers; ++reader)
      if (slot_readers_[slot][reader] == rank && (slot_heads_[slot].readers.load() >> reader & 1))
        slot_heads_[slot].readers.fetch_and(~(std::uint64_t{1} << reader));
}

void ShmTransport::cancel(Send& send) {
  // Nobody but this rank reads the pieces; a slot that was filled and not announced is free again.
  if (send.state == slot_filled) give_up_slot(send);
  if (send.state == exposing || send.state == exposed) {
    // Withdrawn, unless the receiver is copying just now: that takes microseconds, or it died there.
    std::atomic<std::uint64_t>& flag = exposures_[slot_of(send.detail)].flag;
    std::uint64_t offered = flag_of(use_of(send.detail), ExposureState::offered);
    const std::uint64_t reading = flag_of(use_of(send.detail), ExposureState::reading);
    if (!flag.compare_exchange_strong(offered, 0))
      for (int tries = 0; tries < 10000 && flag.load() == reading; ++tries) usleep(10);
    if (flag.load() >> 2 == use_of(send.detail)) flag.store(0);
  }
  send.state = 0;
}

}  // namespace tutti
