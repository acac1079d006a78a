// See rank_process.hpp.
#include "tools/launcher/rank_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "bootstrap/file_descriptor.hpp"
#include "error.hpp"

namespace tutti {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// In the child, between fork and exec: system calls alone, since another thread of the launcher may have held any lock.
[[noreturn]] void become(const RankProcess& rank, char* const* arguments, char* const* environment, pid_t launcher,
                         int report) {
  // If the launcher died before the first line took effect, nobody would tell us.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != launcher) _exit(1);
  if (rank.own_group) setpgid(0, 0);
  if (rank.mask != nullptr) sched_setaffinity(0, sizeof *rank.mask, rank.mask->data());
  if (rank.input >= 0) dup2(rank.input, STDIN_FILENO);
  if (rank.output >= 0) dup2(rank.output, STDOUT_FILENO);
  if (rank.error >= 0) dup2(rank.error, STDERR_FILENO);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &rank.signals, nullptr);
  execvpe(arguments[0], arguments, environment);
  const int reason = errno;
  [[maybe_unused]] const ssize_t told = write(report, &reason, sizeof reason);
  _exit(127);
}

}  // namespace

pid_t start(const RankProcess& rank) {
  const auto arguments = pointers(rank.command);
  const auto environment = pointers(rank.environment);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw error(TUTTI_ERROR_SYSTEM, "run: pipe2 failed: {}", std::strerror(errno));
  const FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  const pid_t launcher = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw error(TUTTI_ERROR_SYSTEM, "run: fork failed: {}", std::strerror(errno));
  if (pid == 0) become(rank, arguments.data(), environment.data(), launcher, writing.number());
  if (rank.own_group) setpgid(pid, pid);  // whoever comes first: both sides rely on it
  writing.reset();
  // The pipe closes at a successful exec; else it holds the reason.
  int reason = 0;
  ssize_t got = 0;
  while ((got = read(reading.number(), &reason, sizeof reason)) < 0 && errno == EINTR) continue;
  if (got == sizeof reason) {
    waitpid(pid, nullptr, 0);
    throw error(TUTTI_ERROR_ARGUMENT, "run: cannot start \"{}\": {}; give a program in PATH, or a path to one",
                rank.command.front(), std::strerror(reason));
  }
  return pid;
}

}  // namespace tutti
