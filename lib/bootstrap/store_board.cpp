// See store_board.hpp.
#include "bootstrap/store_board.hpp"

#include <algorithm>

#include "bootstrap/store.hpp"
#include "error.hpp"

namespace tutti {

void check_store_key(std::string_view key) {
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char letter) { return letter >= ' ' && letter <= '~'; });
  if (!key.empty() && key.size() <= Store::longest_key && printable) return;
  throw error(TUTTI_ERROR_ARGUMENT, "a store's key must be 1 to {} printable ASCII characters; this one of {} is not",
              Store::longest_key, key.size());
}

void check_store_value(std::string_view key, std::string_view value) {
  if (value.size() <= Store::longest_value) return;
  throw error(TUTTI_ERROR_ARGUMENT,
              "the value of the store's key \"{}\" has {} bytes, more than the {} that a store takes", key,
              value.size(), Store::longest_value);
}

std::string rank_list(const std::vector<int>& ranks, int size) {
  constexpr std::size_t most = 16;  // ranks by name; more make no line for people
  std::string text = ranks.size() == 1 ? "rank" : "ranks";
  for (std::size_t i = 0; i < std::min(ranks.size(), most); ++i)
    text += fmt::format("{}{}", i == 0 ? " " : ", ", ranks[i]);
  if (ranks.size() > most) text += fmt::format(", ..., {} ({} in all)", ranks.back(), ranks.size());
  return fmt::format("{} of {}", text, size);
}

void StoreBoard::put(std::string_view key, std::string_view value) {
  const auto old = values_.find(key);
  const std::size_t freed = old == values_.end() ? 0 : old->first.size() + old->second.size();
  const std::size_t bytes = bytes_ - freed + key.size() + value.size();
  if (bytes > most_bytes) throw error(TUTTI_ERROR_MEMORY, "the store is full: it holds {} bytes", bytes_);
  bytes_ = bytes;
  if (old == values_.end()) {
    values_.emplace(key, value);
  } else {
    old->second = value;
  }
}

const std::string* StoreBoard::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

const std::string& StoreBoard::compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                                               std::string_view desired) {
  static const std::string nothing;
  const std::string* present = find(key);
  const bool equal = expected ? present != nullptr && *present == *expected : present == nullptr;
  if (equal) put(key, desired);
  present = find(key);
  return present == nullptr ? nothing : *present;
}

std::uint64_t StoreBoard::enter(std::string_view name, int rank) {
  Fence& fence = fences_.try_emplace(std::string(name)).first->second;
  if (fence.entered.empty()) fence.entered.resize(static_cast<std::size_t>(size_));
  const std::uint64_t ticket = fence.times_passed;
  const auto place = static_cast<std::size_t>(rank);
  if (!fence.entered[place]) ++fence.count;
  fence.entered[place] = true;
  if (fence.count == size_) {
    fence.times_passed++;
    fence.count = 0;
    fence.entered.clear();
  }
  return ticket;
}

bool StoreBoard::passed(std::string_view name, std::uint64_t ticket) const {
  const auto fence = fences_.find(name);
  return fence != fences_.end() && fence->second.times_passed > ticket;
}

bool StoreBoard::has_entered(std::string_view name, int rank) const {
  const auto fence = fences_.find(name);
  return fence != fences_.end() && !fence->second.entered.empty() &&
         fence->second.entered[static_cast<std::size_t>(rank)];
}

std::vector<int> StoreBoard::missing(std::string_view name) const {
  std::vector<int> ranks;
  for (int rank = 0; rank < size_; ++rank) {
    if (!has_entered(name, rank)) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace tutti
