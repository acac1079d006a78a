// What a store holds: values under keys, and fences that count who has arrived. In memory, bounded, without
// waiting and without locks; the stores of this folder add those.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

// Throws tutti::Error(TUTTI_ERROR_ARGUMENT) for a key or value that no store takes.
void check_store_key(std::string_view key);
void check_store_value(std::string_view key, std::string_view value);

// "rank 2 of 8", "ranks 2, 5 of 8", "ranks 0, 1, ..., 40 (41 in all) of 64".
std::string rank_list(const std::vector<int>& ranks, int size);

class StoreBoard {
 public:
  explicit StoreBoard(int size) : size_(size) {}

  int size() const noexcept { return size_; }
  // Throws tutti::Error(TUTTI_ERROR_MEMORY) if the board were to hold more than `most_bytes`.
  void put(std::string_view key, std::string_view value);
  const std::string* find(std::string_view key) const;
  const std::string& compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                                     std::string_view desired);

  // Marks the rank as arrived; returns the ticket with which passed() answers. Entering again before the fence
  // is passed changes nothing.
  std::uint64_t enter(std::string_view fence, int rank);
  bool passed(std::string_view fence, std::uint64_t ticket) const;
  bool has_entered(std::string_view fence, int rank) const;
  std::vector<int> missing(std::string_view fence) const;

  static constexpr std::size_t most_bytes = std::size_t{1} << 30;  // a job's addresses, a thousand times over

 private:
  struct Fence {
    std::uint64_t times_passed = 0;
    std::vector<bool> entered;
    int count = 0;
  };

  int size_;
  std::size_t bytes_ = 0;
  std::map<std::string, std::string, std::less<>> values_;
  std::map<std::string, Fence, std::less<>> fences_;
};

}  // namespace tutti
