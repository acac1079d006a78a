// A job on this machine: its ranks, the store where they meet, their output and their end. Or the part of a job over
// several hosts that runs here.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace tutti {

enum class Binding { automatic, core, none };

// What the launcher of a job over several hosts has told the part of it that runs on this one.
struct JobPart {
  int first = 0;       // number in the job of the first rank here
  int size = 1;        // ranks of the whole job
  std::string store;   // what TUTTI_STORE is
  std::string secret;  // of the job
  int orders = -1;     // descriptor of lines "signal 15" and "end"; its end is the launcher's end
};

struct JobOptions {
  int ranks = 1;
  std::vector<std::string> command;  // the program and its arguments
  bool label = true;                 // begin each line of output with its rank
  Binding binding = Binding::automatic;
  std::chrono::milliseconds grace{5000};  // between SIGTERM and SIGKILL
  std::optional<JobPart> part;            // none: the whole job runs here
};

// Runs the job to its end. True if every rank ended with status 0; else stderr says which failed first. Throws
// tutti::Error(TUTTI_ERROR_ARGUMENT) if the program cannot be started or bound. May be called once in a process, by its
// only thread.
bool run_job(const JobOptions& options);

}  // namespace tutti
