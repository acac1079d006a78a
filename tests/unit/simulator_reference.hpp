// A second opinion on LogGOPS: tasks with what they require, tried again and again by brute force. It shares nothing
// with the simulator but the rules, and reads LogGOPSim's GOAL as well as our schedules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schedule/schedule.hpp"

namespace tutti::testing {

struct PlainTask {
  enum class Kind { send, recv, calc } kind = Kind::calc;
  int rank = 0;
  int peer = -1;
  int tag = 0;
  int window = 0;
  int order = 0;  // in the program
  std::int64_t bytes = 0;
  std::int64_t duration_ps = 0;  // calc
  std::vector<int> requires_;    // indices
};

struct PlainNetwork {  // LogGOPS in ps, ps per byte, bytes
  std::int64_t L = 0, o = 0, g = 0, G = 0, O = 0, S = 0;
};

struct PlainJob {
  int ranks = 1;
  int in_flight = 1;  // windows that a rank has open; one opens when another has closed
  std::vector<PlainTask> tasks;
  std::vector<std::int64_t> starts;  // by rank, ps; empty: 0
};

// When each rank's last task was over; -1 everywhere where some task never ends.
std::vector<std::int64_t> run_plainly(const PlainJob& job, const PlainNetwork& network);

// The schedules of all ranks run on windows of so many bytes (reduce-scatter and allgather: of each rank's block).
PlainJob job_of(const std::vector<Schedule>& schedules, const std::vector<std::int64_t>& windows, int in_flight,
                bool sliced, std::int64_t combine_ps, std::int64_t copy_ps);

// LogGOPSim's syntax, one window. Throws std::runtime_error with the line that it does not understand.
PlainJob read_goal(const std::string& text);

}  // namespace tutti::testing
