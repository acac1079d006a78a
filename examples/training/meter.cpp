// SPDX-License-Identifier: BSD-3-Clause
#include "meter.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace training {

Meter::Meter(std::string interface) : interface_(std::move(interface)) { sent_so_far(); }

void Meter::start() {
  sent_at_start_ = sent_so_far();
  watch_.start();
}

void Meter::stop() {
  watch_.stop();
  sent_ += sent_so_far() - sent_at_start_;
}

// The kernel's table of this process's network namespace: a name, eight columns of what was received, then what was
// sent, bytes first.
std::uint64_t Meter::sent_so_far() const {
  if (interface_.empty()) return 0;
  std::ifstream table("/proc/self/net/dev");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string name;
    std::uint64_t number = 0;
    if (!std::getline(fields >> std::ws, name, ':') || name != interface_) continue;
    for (int column = 0; column < 9; ++column) fields >> number;
    return number;
  }
  throw std::runtime_error("there is no network interface \"" + interface_ + "\" here");
}

}  // namespace training
