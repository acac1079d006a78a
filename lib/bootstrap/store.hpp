// How ranks find each other before any transport exists: a small key-value store that all of them reach.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tutti {

// Values are bytes (at most 1 MiB), keys and fence names printable and shorter than 128 bytes. All calls throw
// tutti::Error(TUTTI_ERROR_START) naming the store's address, the key and what it waited for; a key or
// value outside these limits is TUTTI_ERROR_ARGUMENT. A store may be used by several threads of its rank.
class Store {
 public:
  static constexpr std::size_t longest_key = 127;                     // bytes
  static constexpr std::size_t longest_value = std::size_t{1} << 20;  // bytes

  virtual ~Store() = default;
  virtual void put(std::string_view key, std::string_view value) = 0;
  // Waits until the key exists, at most `limit`.
  virtual std::string get(std::string_view key, std::chrono::milliseconds limit) = 0;
  // Returns on each rank after all ranks of the job have entered the fence of this name; the error names
  // ranks that are missing. A name may be used again once its fence is passed.
  virtual void fence(std::string_view name, std::chrono::milliseconds limit) = 0;
  // Sets key to `desired` if its value is `expected` (nullopt: if it does not exist); returns the value that
  // is there afterwards. Only where compares() is true, else TUTTI_ERROR_UNSUPPORTED.
  virtual std::string compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                                      std::string_view desired) = 0;
  // False for a store over the caller's put, get and fence: these cannot be made to compare.
  virtual bool compares() const noexcept { return true; }
  // Whether get() waits for a key that nobody has put yet, and may be called as long as the store lives. Otherwise a
  // key is read only after a fence that followed its put, and only while ranks join.
  virtual bool lasts() const noexcept { return false; }
};

// What a rank must know to begin.
struct Identity {
  int rank = 0;
  int size = 1;
  std::unique_ptr<Store> store;
  std::string how;  // "TUTTI_* variables", "torchrun": for messages and `tutti info`
};

}  // namespace tutti
