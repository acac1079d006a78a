// Rates and times of descriptions: a number, a space, a unit, such as "200 Gb/s" and "300 ns".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tutti {

// Bytes per second; "9.375 GB/s". Throws Error(TUTTI_ERROR_ARGUMENT): `where`, then what would be right.
std::int64_t parse_bandwidth(std::string_view text, const std::string& where);
// Picoseconds; "1.2 us".
std::int64_t parse_time(std::string_view text, const std::string& where);

// As people write it: "25 GB/s", "300 ns".
std::string bandwidth_text(std::int64_t bytes_per_second);
std::string time_text(std::int64_t picoseconds);

}  // namespace tutti
