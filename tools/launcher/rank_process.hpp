// One rank: a process that runs the program, bound and named, and that does not outlive the launcher.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "tools/launcher/binding.hpp"

namespace tutti {

struct RankProcess {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=value
  const CpuMask* mask = nullptr;         // null: not bound
  int input = -1;                        // descriptors that become 0, 1 and 2; -1: the launcher's
  int output = -1;
  int error = -1;
  // A process group of its own, so that what it starts can be ended with it.
  bool own_group = true;
  sigset_t signals{};  // blocked when the program begins
};

// Throws tutti::Error(TUTTI_ERROR_ARGUMENT) if the program cannot be executed.
pid_t start(const RankProcess& rank);

}  // namespace tutti
