// See noise.hpp.
#include "simulator/noise.hpp"

#include <cmath>

#include "error.hpp"

namespace tutti::simulation {

namespace {

// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers on every machine.
std::uint64_t random_of(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t value = seed + (index + 1) * 0x9e3779b97f4a7c15U;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
  value = (value ^ value >> 27) * 0x94d049bb133111ebU;
  return value ^ value >> 31;
}

double uniform(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(random_of(seed, index) >> 11) * 0x1p-53;
}

}  // namespace

Noise::Noise(const NoiseSettings& settings, int ranks)
    : quiet_(settings.slowdown == 0 && settings.period_ps == 0),
      period_(settings.period_ps),
      length_(settings.length_ps) {
  if (!(settings.slowdown >= 0) || settings.slowdown > 1e6)
    throw error(TUTTI_ERROR_ARGUMENT, "noise: a slowdown of {} is out of range, it is from 0 to 1e6",
                settings.slowdown);
  if (period_ < 0 || length_ < 0 || (period_ == 0 ? length_ != 0 : length_ >= period_))
    throw error(TUTTI_ERROR_ARGUMENT,
                "noise: an interrupt of {} ps every {} ps leaves no time to work; it must be shorter than its period",
                length_, period_);
  if (quiet_) return;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto index = static_cast<std::uint64_t>(rank);
    factors_.push_back(1 + settings.slowdown * uniform(settings.seed, 2 * index));
    phases_.push_back(static_cast<std::int64_t>(static_cast<double>(period_) * uniform(settings.seed, 2 * index + 1)));
  }
}

std::int64_t Noise::noisy_end_of(std::uint32_t rank, std::int64_t start, std::int64_t work) const {
  if (work == 0) return start;
  std::int64_t left = std::llround(static_cast<double>(work) * factors_[rank]);
  if (period_ == 0) return start + left;
  // Before the first interrupt there was the end of a period; counting begins there.
  const std::int64_t within = (start - phases_[rank] + period_) % period_;
  const std::int64_t lost = within < length_ ? length_ - within : 0;  // waits for the end of this interrupt
  const std::int64_t until_next = period_ - within - lost;
  if (left <= until_next) return start + lost + left;
  left -= until_next;
  const std::int64_t work_of_period = period_ - length_;
  const std::int64_t whole = (left - 1) / work_of_period;
  return start + lost + until_next + whole * period_ + length_ + (left - whole * work_of_period);
}

}  // namespace tutti::simulation
