// Sizes as people write them: "256K" is 262,144. K, M and G are 2^10, 2^20 and 2^30 bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tutti {

// "0", "5000", "256K", "3M", "1G". Throws TUTTI_ERROR_ARGUMENT for anything else, and beyond 2^63 - 1.
std::uint64_t parse_bytes(std::string_view text);

// The shortest form that parse_bytes reads back as the same number.
std::string format_bytes(std::uint64_t bytes);

}  // namespace tutti
