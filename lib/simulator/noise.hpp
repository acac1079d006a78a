// Processors that are not all equally fast: each rank's may be slower by a random factor of its own, and interrupted
// at a fixed period, as operating systems do (the fixed work or fixed time quantum benchmarks see such noise). The
// same seed gives the same noise.
#pragma once

#include <cstdint>
#include <vector>

namespace tutti::simulation {

struct NoiseSettings {
  double slowdown = 0;         // a rank's work takes 1 + x times as long, x uniform in [0, slowdown]
  std::int64_t period_ps = 0;  // 0: no interrupts
  std::int64_t length_ps = 0;  // of an interrupt; they begin at a random time within the first period
  std::uint64_t seed = 1;
};

class Noise {
 public:
  // Throws TUTTI_ERROR_ARGUMENT where an interrupt is as long as its period.
  Noise(const NoiseSettings& settings, int ranks);

  // When work of this length that begins at `start` ends.
  std::int64_t end_of(std::uint32_t rank, std::int64_t start, std::int64_t work) const {
    return quiet_ ? start + work : noisy_end_of(rank, start, work);
  }

 private:
  std::int64_t noisy_end_of(std::uint32_t rank, std::int64_t start, std::int64_t work) const;

  bool quiet_ = true;
  std::int64_t period_ = 0;
  std::int64_t length_ = 0;
  std::vector<double> factors_;       // by rank
  std::vector<std::int64_t> phases_;  // by rank: when its first interrupt begins
};

}  // namespace tutti::simulation
