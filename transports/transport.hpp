// What a transport is: it moves bytes between two ranks and knows nothing of collectives.
//
// Contract, held by tests/unit/transport_conformance.hpp for every transport:
//  - Messages of one pair with the same tag arrive in the order in which they were sent.
//  - A message may be held back until its own receive is posted, never because another message of the
//    pair is unread. At most `inline_bytes` travel without a posted receive, and then only for operations
//    at most `early_operations` beyond the last one that the receiver has opened on that channel, so that a
//    sender cannot flood a slow rank.
//  - A received message is a lease: bytes that stay where they are until they are released.
//  - Nothing here blocks, except wait(). No call throws in good weather.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tutti {

// Matching bits, and a hash of the sender's call that matching ignores and the completion reports.
struct Tag {
  std::uint64_t match = 0;
  std::uint32_t check = 0;
};

// The layout of the matching bits: channel 16, sequence 24, window 10, message 14. A channel is one
// communicator (or one persistent operation); the sequence counts its operations.
inline constexpr std::uint32_t sequence_bits = 24;
inline constexpr std::uint32_t sequence_mask = (1u << sequence_bits) - 1;
inline constexpr std::uint32_t window_tags = 1u << 10;
inline constexpr std::uint64_t make_match(std::uint32_t channel, std::uint32_t sequence, std::uint32_t window,
                                          std::uint32_t message) {
  return std::uint64_t{channel & 0xffffu} << 48 | std::uint64_t{sequence & sequence_mask} << 24 |
         std::uint64_t{window % window_tags} << 14 | (message & 0x3fffu);
}
inline constexpr std::uint32_t channel_of(std::uint64_t match) { return static_cast<std::uint32_t>(match >> 48); }
inline constexpr std::uint32_t sequence_of(std::uint64_t match) {
  return static_cast<std::uint32_t>(match >> 24) & sequence_mask;
}
inline constexpr std::uint32_t early_operations = 64;

// Some bytes of the sender; a message is a list of them.
struct Piece {
  const void* address = nullptr;
  std::size_t bytes = 0;
};

// A send in progress. The caller fills the first group; the rest is the transport's.
struct Send {
  int peer = 0;
  Tag tag;
  std::span<const Piece> pieces;
  std::size_t bytes = 0;

  std::uint64_t state = 0;  // 0: not started
  std::uint64_t detail = 0;
};

// A receive in progress. After receive() has returned true, `address` holds `bytes_arrived` bytes until
// release(), and `check` is the sender's.
struct Receive {
  int peer = 0;
  Tag tag;
  std::size_t bytes = 0;  // expected; decides whether the receive must be announced to the sender
  // Where the bytes may be put, if the transport likes; `address` then says so. What comes with another length or
  // another check than expected need not be read at all.
  void* landing = nullptr;

  const void* address = nullptr;
  std::size_t bytes_arrived = 0;
  std::uint32_t check = 0;
  bool scarce = false;  // the lease holds something that the sender needs back soon: copy it rather than keep it long

  std::uint64_t state = 0;  // 0: not started
  std::uint64_t detail = 0;
};

// A peer that the system says can no longer be reached.
struct Unreachable {
  int peer = -1;
  std::string reason;  // "connection reset by peer"
};

struct Traits {
  std::size_t inline_bytes = 0;  // at most so many travel without a posted receive
  std::size_t max_message = 0;   // largest message; longer vectors are cut into windows
  bool can_sleep = false;        // wait() truly sleeps
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual const char* name() const = 0;
  virtual Traits traits() const = 0;
  // What moves the bytes to and from this peer, where a transport is made of several.
  virtual const char* name_towards(int peer) const {
    (void)peer;
    return name();
  }

  // What another rank needs to reach this one: printable, shorter than 4096 bytes.
  virtual std::string address() const = 0;
  // Reaches a peer; throws Error(TUTTI_ERROR_START) saying what is in the way.
  virtual void connect(int peer, std::string_view address) = 0;

  // Says that this rank has begun the operation `sequence` on `channel`, and all before it.
  virtual void open(std::uint32_t channel, std::uint32_t sequence) = 0;

  // Starts a send or goes on with it. True once the pieces may be changed again; not to be called after that.
  virtual bool send(Send& send) = 0;
  // Room to write a message of send.bytes in place of pieces, or nullptr where that is not possible now
  // (send() later is). commit() sends what was written.
  virtual void* reserve(Send& send) = 0;
  virtual void commit(Send& send) = 0;
  // Lets `send` carry the bytes that `earlier`, a complete send of the same bytes, has laid out: true where they
  // are still there and the peer takes them, and send() then goes on. Otherwise the bytes are copied anew.
  virtual bool share(Send& send, const Send& earlier) {
    (void)send;
    (void)earlier;
    return false;
  }

  // Posts a receive or polls it. True once it has arrived.
  virtual bool receive(Receive& receive) = 0;
  virtual void release(Receive& receive) = 0;

  // Withdraws what is not complete; afterwards no peer touches the sender's pieces any more.
  virtual void cancel(Send& send) = 0;
  virtual void cancel(Receive& receive) = 0;

  // An old message, of an operation that this rank has finished, that nobody will receive: how a mismatch shows
  // itself to a rank that had already left. True and the tag if there is one; it is then removed.
  virtual bool stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) = 0;

  // Messages that came before their receive was posted. While it is 0 there is no stray.
  std::size_t early_messages = 0;

  // The peer is dead: what it held of this rank's is free again, and nothing is sent to it any more.
  virtual void forget(int peer) { (void)peer; }
  // Asked by a waiter without progress: a peer that was lost since the last question, each one once.
  virtual std::optional<Unreachable> unreachable() { return std::nullopt; }

  // Sleeps until something may have arrived, at most `limit`.
  virtual void wait(std::chrono::microseconds limit) = 0;
  // For who sleeps on several transports at once: a descriptor that becomes readable once something may have arrived,
  // -1 where there is none; and whether one may sleep on it now (what has arrived unseen forbids it).
  virtual int descriptor() { return -1; }
  virtual bool ready_to_sleep() { return false; }
};

}  // namespace tutti
