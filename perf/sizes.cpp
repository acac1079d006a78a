// The grammar of sizes.
#include "perf/sizes.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

#include "error.hpp"

namespace tutti::perf {
namespace {

[[noreturn]] void refuse(std::string_view part, std::string_view why) {
  throw error(TUTTI_ERROR_ARGUMENT,
              "size '{}' {}: sizes are like 8:64M (every power of two from 8 B to 64 MiB) or 1K,5000,3M (a list); K, M "
              "and G are powers of 1024",
              part, why);
}

std::uint64_t parse_size(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure == std::errc::result_out_of_range) refuse(text, "is too large");
  if (failure != std::errc()) refuse(text, "is not a number");
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::string_view units = "KMG";
  unsigned shift = 0;
  if (!unit.empty()) {
    const auto which = units.find(unit.front());
    if (unit.size() != 1 || which == std::string_view::npos) refuse(text, "has an unknown unit");
    shift = 10 * (static_cast<unsigned>(which) + 1);
  }
  if (number == 0) refuse(text, "is zero");
  if (number > (std::uint64_t{1} << 50) >> shift) refuse(text, "is too large");
  return number << shift;
}

void add_range(std::string_view text, std::size_t colon, std::vector<std::uint64_t>& sizes) {
  const std::uint64_t low = parse_size(text.substr(0, colon));
  const std::uint64_t high = parse_size(text.substr(colon + 1));
  if (low > high) refuse(text, "runs backwards");
  const std::size_t before = sizes.size();
  for (std::uint64_t size = std::bit_ceil(low); size <= high; size *= 2) sizes.push_back(size);
  if (sizes.size() == before) refuse(text, "holds no power of two");
}

}  // namespace

std::vector<std::uint64_t> parse_sizes(std::string_view text) {
  std::vector<std::uint64_t> sizes;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    if (part.empty()) refuse(text, "has an empty part");
    if (const auto colon = part.find(':'); colon != std::string_view::npos)
      add_range(part, colon, sizes);
    else
      sizes.push_back(parse_size(part));
    start = end + 1;
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g} {}", value, units[unit]);
}

}  // namespace tutti::perf
