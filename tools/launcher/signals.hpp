// The launcher's signals, taken from a descriptor instead of interrupting it.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <optional>
#include <string>

#include "bootstrap/file_descriptor.hpp"

namespace tutti {

class Signals {
 public:
  // Blocks the signals that the launcher acts on, and ignores SIGPIPE.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const noexcept { return descriptor_.number(); }
  // What was blocked before: the ranks begin with this.
  const sigset_t& before() const noexcept { return before_; }
  std::optional<signalfd_siginfo> next();

 private:
  sigset_t before_{};
  FileDescriptor descriptor_;
};

// "signal 9 (Killed)"
std::string signal_text(int number);

}  // namespace tutti
