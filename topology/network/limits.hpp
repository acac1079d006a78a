// What no description of a network may exceed, so that neither a number nor a small file can exhaust memory, time or 64
// bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tutti {

inline constexpr std::int64_t most_hosts = std::int64_t{1} << 24;
inline constexpr std::int64_t most_switches = std::int64_t{1} << 24;
inline constexpr std::int64_t most_links = std::int64_t{1} << 36;
inline constexpr std::int64_t most_interfaces = 64;  // of one host
inline constexpr std::size_t most_bytes_of_a_file = std::size_t{64} << 20;

}  // namespace tutti
