// The statistics of tutti-perf: medians and tails with nonparametric confidence intervals, and when two figures may be
// said to differ. Nothing here assumes a distribution, and no sample is ever removed. After Hoefler and Belli,
// "Scientific Benchmarking of Parallel Computing Systems", SC15.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace tutti::perf {

// Two-sided 99 % of the normal distribution, to which the binomial distribution of ranks is approximated.
constexpr double z_99 = 2.5758293035489;
// Fewer samples have no 99 % interval of the median by order statistics.
constexpr std::size_t fewest_samples_for_interval = 11;

struct Interval {
  double low = 0;
  double high = 0;
};

struct Summary {
  double median = 0;
  Interval interval;  // 99 %, of the median; the whole range where there are fewer than 11 samples
  double p99 = 0;
  double p99_low = 0;
  std::optional<double> p99_high;  // nothing where the sample is too small to bound the tail from above
  std::size_t samples = 0;
};

inline double median_of_sorted(std::span<const double> sorted) {
  const std::size_t n = sorted.size();
  return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

// The 99 % interval of the median: the order statistics floor((n - z sqrt n)/2) and ceil(1 + (n + z sqrt n)/2), counted
// from one.
inline Interval median_interval_of_sorted(std::span<const double> sorted) {
  const std::size_t n = sorted.size();
  if (n < fewest_samples_for_interval) return {sorted.front(), sorted.back()};
  const double count = static_cast<double>(n);
  const double low = std::floor((count - z_99 * std::sqrt(count)) / 2);
  const double high = std::ceil(1 + (count + z_99 * std::sqrt(count)) / 2);
  return {sorted[static_cast<std::size_t>(low) - 1], sorted[std::min(static_cast<std::size_t>(high), n) - 1]};
}

// The q-quantile is the ceil(q n)-th smallest sample; its interval is that of a binomial count below it.
inline void tail_of_sorted(std::span<const double> sorted, double q, Summary& summary) {
  const double n = static_cast<double>(sorted.size());
  const double spread = z_99 * std::sqrt(n * q * (1 - q));
  const auto at = [&](double rank) { return sorted[static_cast<std::size_t>(std::clamp(rank, 1.0, n)) - 1]; };
  summary.p99 = at(std::ceil(n * q));
  summary.p99_low = at(std::floor(n * q - spread));
  const double high = std::ceil(1 + n * q + spread);
  if (high <= n) summary.p99_high = at(high);
}

inline Summary summarise(std::vector<double> samples) {
  Summary summary;
  summary.samples = samples.size();
  if (samples.empty()) return summary;
  std::sort(samples.begin(), samples.end());
  summary.median = median_of_sorted(samples);
  summary.interval = median_interval_of_sorted(samples);
  tail_of_sorted(samples, 0.99, summary);
  return summary;
}

// Whether the interval lies within `share` of the median on both sides: the rule to stop sampling.
inline bool interval_within(const Summary& summary, double share) {
  return summary.samples >= fewest_samples_for_interval && summary.interval.low >= summary.median * (1 - share) &&
         summary.interval.high <= summary.median * (1 + share);
}

inline bool overlap(const Interval& a, const Interval& b) { return a.low <= b.high && b.low <= a.high; }

// How many times faster `ours` is than `peer`; 1 where their intervals overlap, since then nothing was shown.
inline double ratio(const Summary& ours, const Summary& peer) {
  return overlap(ours.interval, peer.interval) ? 1.0 : peer.median / ours.median;
}

// The only mean of ratios that does not depend on which side is the base.
inline double geometric_mean(std::span<const double> values) {
  double logarithms = 0;
  for (double value : values) logarithms += std::log(value);
  return values.empty() ? 0 : std::exp(logarithms / static_cast<double>(values.size()));
}

// The probability of a rank sum at least as unequal as this one if both came from one distribution (Mann-Whitney,
// two-sided, normal approximation with the correction for ties): the two-sample form of the Kruskal-Wallis test.
inline double rank_sum_probability(std::span<const double> a, std::span<const double> b) {
  struct Value {
    double value;
    bool of_a;
  };
  std::vector<Value> all;
  for (double value : a) all.push_back({value, true});
  for (double value : b) all.push_back({value, false});
  if (a.empty() || b.empty()) return 1;
  std::sort(all.begin(), all.end(), [](const Value& x, const Value& y) { return x.value < y.value; });
  double rank_sum = 0, ties = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    while (end < all.size() && all[end].value == all[i].value) ++end;
    const double tied = static_cast<double>(end - i);
    const double rank = static_cast<double>(i + end + 1) / 2;
    for (std::size_t k = i; k < end; ++k) rank_sum += all[k].of_a ? rank : 0;
    ties += tied * tied * tied - tied;
    i = end;
  }
  const double n = static_cast<double>(a.size()), m = static_cast<double>(b.size()), total = n + m;
  const double mean = n * (total + 1) / 2;
  const double variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)));
  return variance > 0 ? std::erfc(std::abs(rank_sum - mean) / std::sqrt(2 * variance)) : 1;
}

}  // namespace tutti::perf
