// SPDX-License-Identifier: BSD-3-Clause
//
// What a training costs: time, and bytes through a network interface, while it is not paused.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace training {

class Stopwatch {
 public:
  void start() { begin_ = std::chrono::steady_clock::now(); }
  void stop() { total_ += std::chrono::steady_clock::now() - begin_; }
  double seconds() const { return total_.count(); }

 private:
  std::chrono::steady_clock::time_point begin_;
  std::chrono::duration<double> total_{};
};

class Meter {
 public:
  // `interface`: whose bytes are counted, or empty. Throws std::runtime_error if there is none of that name.
  explicit Meter(std::string interface);

  void start();
  void stop();
  double seconds() const { return watch_.seconds(); }
  // That this host has sent, headers included.
  std::uint64_t sent_bytes() const { return sent_; }

 private:
  std::uint64_t sent_so_far() const;

  std::string interface_;
  Stopwatch watch_;
  std::uint64_t sent_at_start_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace training
