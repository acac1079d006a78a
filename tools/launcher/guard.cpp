// See guard.hpp.
#include "tools/launcher/guard.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "error.hpp"

namespace tutti {
namespace {

constexpr pid_t all_is_well = 0;

// Reads groups until the launcher says that all is well, or is gone.
[[noreturn]] void guard(int reading) {
  setsid();  // the terminal's signals are not for us
  prctl(PR_SET_NAME, "tutti-guard");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  if (reading > 0) close_range(0, static_cast<unsigned>(reading) - 1, 0);
  close_range(static_cast<unsigned>(reading) + 1, ~0U, 0);
  std::vector<pid_t> groups;
  while (true) {
    pid_t group = 0;
    const ssize_t got = read(reading, &group, sizeof group);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof group) break;
    if (group == all_is_well) _exit(0);
    groups.push_back(group);
  }
  for (const pid_t group : groups) kill(-group, SIGKILL);
  _exit(1);
}

}  // namespace

Guard::Guard() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw error(TUTTI_ERROR_SYSTEM, "run: pipe2 failed: {}", std::strerror(errno));
  const FileDescriptor reading(ends[0]);
  writing_ = FileDescriptor(ends[1]);
  pid_ = fork();
  if (pid_ < 0) throw error(TUTTI_ERROR_SYSTEM, "run: fork failed: {}", std::strerror(errno));
  if (pid_ == 0) {
    writing_.reset();
    guard(reading.number());
  }
}

Guard::~Guard() {
  watch(all_is_well);
  waitpid(pid_, nullptr, 0);
}

void Guard::watch(pid_t group) {
  // A guard that somebody killed leaves the kernel's own protection.
  [[maybe_unused]] const ssize_t told = write(writing_.number(), &group, sizeof group);
}

}  // namespace tutti
