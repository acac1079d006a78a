// A mutex that is given to those who want it in the order in which they came. A thread that polls a network has it
// nearly always, and would have an unfair one again before a thread that it woke begins to run: another thread's call
// would begin late by seconds, or never where the polling one waits for what that call brings about.
#pragma once

#include <atomic>
#include <cstdint>

namespace tutti {

class FairMutex {
 public:
  void lock() {
    const std::uint32_t turn = next_.fetch_add(1, std::memory_order_relaxed);
    for (std::uint32_t now = serving_.load(std::memory_order_acquire); now != turn;
         now = serving_.load(std::memory_order_acquire))
      serving_.wait(now, std::memory_order_acquire);
  }
  void unlock() {
    serving_.fetch_add(1, std::memory_order_release);
    serving_.notify_all();
  }
  // For who has it: another thread waits for it.
  bool is_wanted() const {
    return next_.load(std::memory_order_relaxed) - serving_.load(std::memory_order_relaxed) > 1;
  }

 private:
  std::atomic<std::uint32_t> next_{0};
  std::atomic<std::uint32_t> serving_{0};
};

}  // namespace tutti
