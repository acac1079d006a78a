// See parted_store.hpp.
#include "bootstrap/parted_store.hpp"

#include <charconv>

#include "bootstrap/store_board.hpp"

namespace tutti {
namespace {

constexpr std::size_t length_digits = 8;

std::string part_key(std::string_view key, std::size_t part) {
  auto name = fmt::format("{}#{}", key, part);
  check_store_key(name);
  return name;
}

}  // namespace

Error PartedStore::torn(std::string_view key) const {
  return error(TUTTI_ERROR_START, "{} returned for key \"{}\" what no rank had put", source_, key);
}

void PartedStore::put(std::string_view key, std::string_view value) {
  check_store_key(key);
  check_store_value(key, value);
  const std::size_t first_part = room_ - length_digits;
  put_part(std::string(key),
           fmt::format("{:0{}}", value.size(), length_digits) + std::string(value.substr(0, first_part)));
  std::size_t part = 1;
  for (std::size_t begin = first_part; begin < value.size(); begin += room_) {
    put_part(part_key(key, part++), value.substr(begin, room_));
  }
}

std::string PartedStore::get(std::string_view key, std::chrono::milliseconds limit) {
  check_store_key(key);
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  std::string value = get_part(std::string(key), deadline);
  std::size_t bytes = 0;
  const bool long_enough = value.size() >= length_digits;
  const char* const digits_end = value.data() + (long_enough ? length_digits : 0);
  const auto [end, failure] = std::from_chars(value.data(), digits_end, bytes);
  if (!long_enough || failure != std::errc{} || end != digits_end || bytes > longest_value) throw torn(key);
  value.erase(0, length_digits);
  for (std::size_t part = 1; value.size() < bytes; ++part) {
    const std::string more = get_part(part_key(key, part), deadline);
    if (more.empty()) throw torn(key);
    value += more;
  }
  if (value.size() != bytes) throw torn(key);
  return value;
}

std::string PartedStore::compare_and_put(std::string_view key, std::optional<std::string_view>, std::string_view) {
  throw error(TUTTI_ERROR_UNSUPPORTED, "{}: it cannot compare and put (key \"{}\")", source_, key);
}

}  // namespace tutti
