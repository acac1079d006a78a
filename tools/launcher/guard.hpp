// A small process beside the launcher that ends the ranks, and all that they started, if the launcher is killed. The
// kernel ends a rank by itself then (PR_SET_PDEATHSIG), but not the children of a rank that is a shell script.
#pragma once

#include <sys/types.h>

#include "bootstrap/file_descriptor.hpp"

namespace tutti {

class Guard {
 public:
  // Forks; to be called before there are other threads.
  Guard();
  // Lets the guard go without ending anything.
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  void watch(pid_t group);

 private:
  FileDescriptor writing_;
  pid_t pid_ = -1;
};

}  // namespace tutti
