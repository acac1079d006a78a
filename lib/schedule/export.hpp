// Schedules for people and for other programs: readable text, Graphviz DOT, and GOAL, the input of LogGOPSim.
#pragma once

#include <span>
#include <string>

#include "schedule/schedule.hpp"

namespace tutti {

// One step, such as "recv_reduce from 3: blocks 4-7 (input -> output)".
std::string describe(const Schedule& schedule, std::size_t step);

// One rank, a line for each step, with the steps that it waits for.
std::string to_text(const Schedule& schedule);

// The steps of the given ranks as a graph: solid edges are waits, dashed ones are messages. A message whose other
// end is not among the given ranks has no edge.
std::string to_dot(std::span<const Schedule> schedules);

// All ranks in LogGOPSim's syntax; every block has `bytes_per_block` bytes. Copies and combines are `calc` with their
// bytes as the duration in ns: the simulated machine combines one byte in a nanosecond.
std::string to_goal(std::span<const Schedule> schedules, std::int64_t bytes_per_block);

}  // namespace tutti
