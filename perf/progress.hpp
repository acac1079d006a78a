// One line on a terminal that says what is measured; nothing in a pipe.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace tutti::perf {

class ProgressLine {
 public:
  ProgressLine() : on_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() { show(""); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& text) const {
    if (on_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }

 private:
  bool on_;
};

}  // namespace tutti::perf
