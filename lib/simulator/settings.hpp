// What both modes of the simulator are told, and what they tell.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "simulator/noise.hpp"
#include "simulator/trace.hpp"

namespace tutti::simulation {

struct Settings {
  double combine_ps_per_byte = 0;  // to combine an arriving byte, or one of each further source of a fold
  double copy_ps_per_byte = 0;     // to copy a byte where a schedule says so
  NoiseSettings noise;
  std::vector<std::pair<int, std::int64_t>> stragglers;  // a rank, and by how many ps later than the others it starts
};

struct Outcome {
  std::int64_t time_ps = 0;               // until the last rank had finished
  std::vector<std::int64_t> finished_ps;  // by rank
  std::int64_t messages = 0;
  std::int64_t bytes = 0;   // of all messages
  std::int64_t events = 0;  // sends and receives of messages
};

}  // namespace tutti::simulation
