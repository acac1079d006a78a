// What Send and Receive remember of a message on its way through shared memory: their `state` and `detail`.
#pragma once

#include <cstdint>

#include "transports/shm/layout.hpp"

namespace tutti::shm {

inline constexpr std::uint64_t slot_filled = 2;  // Send::state: detail names a slot whose line is still to be pushed
inline constexpr std::uint64_t exposing = 3;     // ... detail names an exposure whose line is still to be pushed
inline constexpr std::uint64_t exposed = 4;      // ... detail names an exposure that the receiver has not copied yet
inline constexpr std::uint64_t granted = 5;      // ... the receive is posted; it takes a slot
inline constexpr std::uint64_t announced = 1;    // Receive::state: the sender knows, where it must
inline constexpr std::uint64_t in_line = 2;      // Receive::state: the lease is the mailbox's own storage
inline constexpr std::uint64_t in_slot = 3;      // ... a slot of the sender, detail says which
inline constexpr std::uint64_t in_place = 5;     // ... the caller's landing
inline constexpr std::uint64_t in_heap = 4;      // ... an early message's copy, detail is its address

// From here on one copy by the kernel is faster than two through a slot; below, the call costs more.
inline constexpr std::size_t least_exposed = 8 * 1024;

inline constexpr std::uint64_t flag_of(std::uint32_t use, shm::ExposureState state) {
  return std::uint64_t{use} << 2 | static_cast<std::uint64_t>(state);
}

// Send::detail: which slot or exposure, which of the slot's readers, and the how-many-th use of it.
inline constexpr std::uint64_t detail_of(std::uint32_t use, std::uint64_t reader, std::uint64_t slot) {
  return std::uint64_t{use} << 32 | reader << 16 | slot;
}
inline std::uint64_t slot_of(std::uint64_t detail) { return detail & 0xffffu; }
inline std::uint64_t reader_of(std::uint64_t detail) { return detail >> 16 & 0xffffu; }
inline std::uint32_t use_of(std::uint64_t detail) { return static_cast<std::uint32_t>(detail >> 32); }

}  // namespace tutti::shm
