// One measured job: the driver ranks of one library, started together, alive for the whole call and asleep unless they
// are asked something.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "perf/driver/protocol.h"
}

namespace tutti::perf {

// How to start a job. Each command becomes one process: a launcher that starts all ranks, or the ranks themselves.
struct JobPlan {
  std::string name;
  std::vector<std::vector<std::string>> commands;
  std::vector<std::pair<std::string, std::string>> environment;
  int ranks = 0;
  bool more_ranks_than_cores = false;
  std::uint64_t buffer_bytes = 0;
  bool is_bound = false;        // its shared page also holds the slots and the root's vector
  bool keeps_launcher = false;  // the variables of a launcher around tutti-perf belong to this job
  std::string socket_name;      // where the ranks find tutti-perf
};

// "A=1 mpiexec -n 2 ...", as a user would type it.
std::string command_text(const JobPlan& plan);

// One sample: the maxima over the ranks, in nanoseconds after the common start.
struct Sample {
  std::int64_t entered = 0;
  std::int64_t left = 0;
};

class Job {
 public:
  // Starts the job and waits until every rank has reported. Throws Error(TUTTI_ERROR_START) with what the job printed.
  explicit Job(JobPlan plan);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Asks all ranks and returns their answers in rank order. Throws Error(TUTTI_ERROR_SYSTEM) where a rank is gone or
  // silent.
  std::vector<perf_reply> ask(perf_request request);
  // What the last PERF_TIME brought.
  std::vector<Sample> samples(std::size_t count) const;

  const JobPlan& plan() const { return plan_; }
  const std::string& version() const { return version_; }
  // Everything the job has printed so far.
  std::string output() const;

 private:
  void listen();
  void spawn(const std::vector<std::string>& command);
  void accept_ranks();
  void welcome(int rank);
  void end_processes();
  [[noreturn]] void fail_to_start(const std::string& why);

  JobPlan plan_;
  std::string version_;
  int listener_ = -1;
  int output_ = -1;
  int page_fd_ = -1;
  char* page_ = nullptr;
  std::size_t page_bytes_ = 0;
  std::vector<int> sockets_;  // by rank
  std::vector<pid_t> children_;
  std::uint64_t turns_ = 0;
};

}  // namespace tutti::perf
