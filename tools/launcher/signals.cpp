// See signals.hpp.
#include "tools/launcher/signals.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace tutti {

Signals::Signals() {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT}) {
    sigaddset(&taken, number);
  }
  sigprocmask(SIG_BLOCK, &taken, &before_);
  signal(SIGPIPE, SIG_IGN);
  descriptor_ = FileDescriptor(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor_) throw error(TUTTI_ERROR_SYSTEM, "run: signalfd failed: {}", std::strerror(errno));
}

Signals::~Signals() {
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<signalfd_siginfo> Signals::next() {
  signalfd_siginfo info{};
  if (read(descriptor_.number(), &info, sizeof info) != sizeof info) return std::nullopt;
  return info;
}

std::string signal_text(int number) { return fmt::format("signal {} ({})", number, strsignal(number)); }

}  // namespace tutti
