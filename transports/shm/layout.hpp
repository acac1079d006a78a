// What lies in a rank's shared segment, and who writes it.
//
//   head      the rank's own words: is it asleep, and which operations it has opened
//   mailboxes one for each source: lines that the source writes, a ring of bytes for messages that are longer
//             than a line, and the credits that the rank gives back
//   exposures flags of long messages that the receiver copies straight out of the sender's buffer
//   slots     a fixed pool that belongs to the rank as a sender; receivers read them and give them back. Memory
//             does not grow with the square of the ranks, since only mailboxes are per pair, and those are small
//
// A line holds payload, tag, hash and stamp together, so that 8 bytes cost one cache-line hop. Its stamp is the
// line's position in the endless stream plus one: written last, never cleared, never repeated. Up to 1 KiB or so
// goes on in the lines behind, which neighbours' prefetching brings along; they leave their stamps as they are, so
// that no payload can be taken for one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tutti::shm {

inline constexpr std::size_t cache_line = 64;
inline constexpr std::size_t line_payload = 40;
inline constexpr std::size_t further_payload = 56;  // of a line that goes on
inline constexpr std::size_t most_lines = 21;       // of one message
inline constexpr std::size_t lines_payload = line_payload + (most_lines - 1) * further_payload;
inline constexpr std::size_t channels = 4096;  // communicators and persistent operations alive at one time

enum class LineKind : std::uint32_t {
  inside,   // the message lies in the payload of this line and, where that is too short, of the next ones
  bytes,    // the message lies in the ring of bytes; payload: its position
  slot,     // the message lies in a slot of the sender; payload: which, and which of its readers' bits << 32
  call,     // a posted receive: the sender of this tag may fill a slot, or expose its buffer where length is 1
  exposed,  // the message lies in the sender's buffer; payload: Exposed
};

// Where an exposed message lies. The flag's value is use << 2 | ExposureState.
struct Exposed {
  std::uint64_t address;
  std::uint32_t exposure;
  std::uint32_t use;
};
enum class ExposureState : std::uint64_t {
  free,     // the receiver has its copy, or nothing was exposed
  offered,  // to be copied
  refused,  // the system does not let the receiver read: send it through a slot
  reading,
};
inline constexpr std::size_t exposures = 64;

struct alignas(cache_line) Line {
  static std::uint64_t needed(std::size_t bytes) {
    return bytes <= line_payload ? 1 : 1 + (bytes - line_payload + further_payload - 1) / further_payload;
  }
  std::byte* further() { return reinterpret_cast<std::byte*>(this); }

  std::uint64_t match;
  std::uint32_t check;
  std::uint32_t kind : 3;
  std::uint32_t length : 29;
  std::byte payload[line_payload];
  std::atomic<std::uint64_t> stamp;
};
static_assert(sizeof(Line) == cache_line);

// Given back by the receiver, read by the sender when its own copy has run out.
struct alignas(cache_line) Credits {
  std::atomic<std::uint64_t> lines;
  std::atomic<std::uint64_t> bytes;
};

struct alignas(cache_line) Head {
  std::atomic<std::uint32_t> asleep;  // a futex: 1 while the rank sleeps
  std::int32_t process;
  std::byte padding[cache_line - 8];
  std::atomic<std::uint32_t> opened[channels];  // per channel: the newest operation begun, told every few
};

// A bit for each rank that has opened this segment: only their mailboxes can hold anything.
struct Visitors {
  std::atomic<std::uint64_t> bits;
};

struct alignas(cache_line) Exposure {
  std::atomic<std::uint64_t> flag;
};

struct alignas(cache_line) SlotHead {
  std::atomic<std::uint64_t> readers;  // a bit for each message that lies here and has not been released; 0: free
};
inline constexpr std::uint32_t most_readers = 64;

// Sizes, the same on all ranks of a node because they follow from the number of ranks alone.
struct Layout {
  std::size_t ranks;
  std::size_t lines;       // per mailbox, a power of two
  std::size_t ring_bytes;  // per mailbox, a power of two
  std::size_t slots;
  std::size_t slot_bytes;

  static Layout of(std::size_t ranks) {
    // Mailboxes of a rank take some 6 MiB at most: 40 KiB each up to 128 ranks, then less.
    const std::size_t ring = ranks <= 128 ? 32768 : ranks <= 512 ? 8192 : 4096;
    return {ranks, ranks <= 128 ? 128u : 64u, ring, 16, 256 * 1024};
  }
  std::size_t inline_bytes() const { return ring_bytes / 8; }
  std::size_t mailbox_bytes() const { return sizeof(Credits) + lines * sizeof(Line) + ring_bytes; }
  std::size_t visitors_bytes() const { return (ranks / 64 / 8 + 1) * cache_line; }
  std::size_t mailbox_offset(std::size_t source) const {
    return sizeof(Head) + visitors_bytes() + source * mailbox_bytes();
  }
  std::size_t exposures_offset() const { return mailbox_offset(ranks); }
  std::size_t slot_heads_offset() const { return exposures_offset() + exposures * sizeof(Exposure); }
  std::size_t slots_offset() const {
    constexpr std::size_t page = 4096;
    return (slot_heads_offset() + slots * sizeof(SlotHead) + page - 1) / page * page;
  }
  std::size_t total() const { return slots_offset() + slots * slot_bytes; }
};

}  // namespace tutti::shm
