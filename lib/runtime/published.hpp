// A value that one rank writes while others read it, without a lock: each word of it is atomic. What a reader gets is
// whole if the counter that guards the value is the same after load() as before; else it is a mix, worth nothing.
//
// Words are stored with release and loaded with acquire, so a change of the counter before store() is seen by whoever
// sees a new word, and the second look at the counter cannot be made before load(). On x86 both cost nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tutti {

template <class T>
class Published {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::size_t count = (sizeof(T) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);

 public:
  void store(const T& value) {
    std::array<std::uint64_t, count> words{};
    std::memcpy(words.data(), &value, sizeof value);
    for (std::size_t i = 0; i < count; ++i) words_[i].store(words[i], std::memory_order_release);
  }
  T load() const {
    std::array<std::uint64_t, count> words;
    for (std::size_t i = 0; i < count; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    T value;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);
    return value;
  }

 private:
  std::atomic<std::uint64_t> words_[count];
};

}  // namespace tutti
