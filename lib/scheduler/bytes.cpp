// See bytes.hpp.
#include "scheduler/bytes.hpp"

#include <bit>
#include <charconv>
#include <limits>

#include "error.hpp"

namespace tutti {
namespace {

constexpr std::string_view suffixes = "KMG";
constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::uint64_t parse_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const auto place = suffix.size() == 1 ? suffixes.find(suffix[0]) : std::string_view::npos;
  if (failure == std::errc::invalid_argument || (!suffix.empty() && place == std::string_view::npos))
    throw error(TUTTI_ERROR_ARGUMENT, "\"{}\" is not a size; right would be digits, then nothing, K, M or G: \"256K\"",
                text);
  const int shift = suffix.empty() ? 0 : 10 * (static_cast<int>(place) + 1);
  if (failure != std::errc{} || number > (most >> shift))
    throw error(TUTTI_ERROR_ARGUMENT, "the size {} is beyond 2^63 - 1 bytes", text);
  return number << shift;
}

std::string format_bytes(std::uint64_t bytes) {
  for (int unit = 3; unit > 0 && bytes != 0; --unit) {
    const int shift = 10 * unit;
    if (std::countr_zero(bytes) >= shift)
      return fmt::format("{}{}", bytes >> shift, suffixes[static_cast<std::size_t>(unit - 1)]);
  }
  return fmt::format("{}", bytes);
}

}  // namespace tutti
