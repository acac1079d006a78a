// The grammar of sizes: "8:64M" is every power of two from 8 B to 64 MiB, "1K,5000,3M" a list; K = 1024.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tutti::perf {

// Throws Error(TUTTI_ERROR_ARGUMENT) that quotes the part that cannot be read and shows what would be right. The sizes
// come back in rising order, each once.
std::vector<std::uint64_t> parse_sizes(std::string_view text);

// "8 B", "64 KiB", "3.5 MiB".
std::string size_text(std::uint64_t bytes);

}  // namespace tutti::perf
