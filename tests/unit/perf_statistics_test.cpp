// What tutti-perf says of its samples: intervals by order statistics, the rule for ratios, tests of equality.
#include <cmath>
#include <numeric>
#include <random>

#include "perf/statistics.hpp"
#include "tests/catch.hpp"

using namespace tutti::perf;

namespace {

std::vector<double> one_to(int n) {
  std::vector<double> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 1.0);
  return values;
}

Summary with_interval(double median, double low, double high) {
  Summary summary;
  summary.median = median;
  summary.interval = {low, high};
  summary.samples = 100;
  return summary;
}

}  // namespace

TEST_CASE("the interval of the median lies at the published order statistics") {
  // floor((100 - 2.5758 * 10) / 2) = 37 and ceil(1 + (100 + 2.5758 * 10) / 2) = 64
  const Summary summary = summarise(one_to(100));
  CHECK(summary.median == 50.5);
  CHECK(summary.interval.low == 37);
  CHECK(summary.interval.high == 64);
  CHECK(summarise(one_to(101)).median == 51);
}

TEST_CASE("too few samples for an interval give the whole range, and never end the sampling") {
  const Summary ten = summarise({5, 5, 5, 5, 5, 5, 5, 5, 5, 5});
  CHECK(ten.interval.low == 5);
  CHECK_FALSE(interval_within(ten, 0.05));
  const Summary eleven = summarise(std::vector<double>(11, 5.0));
  CHECK(interval_within(eleven, 0.05));
  const Summary wide = summarise(one_to(11));
  CHECK(wide.interval.low == 1);
  CHECK(wide.interval.high == 11);
  CHECK_FALSE(interval_within(wide, 0.05));
}

TEST_CASE("the interval holds the true median in 99 % of measurements, of a skewed distribution too") {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> draw(1.0);
  int held = 0;
  constexpr int measurements = 4000;
  for (int i = 0; i < measurements; ++i) {
    std::vector<double> samples(60);
    for (double& sample : samples) sample = draw(random);
    const Interval interval = summarise(samples).interval;
    held += interval.low <= std::log(2.0) && std::log(2.0) <= interval.high;
  }
  CHECK(held >= measurements * 0.985);
  CHECK(held < measurements);  // an interval that always holds is too wide to say anything
}

TEST_CASE("a tail is bounded from above only where there are enough samples") {
  CHECK(summarise(one_to(1000)).p99 == 990);
  CHECK(summarise(one_to(1000)).p99_low == 981);
  CHECK(summarise(one_to(1000)).p99_high.value() == 1000);
  CHECK_FALSE(summarise(one_to(100)).p99_high.has_value());
  CHECK(summarise(one_to(100)).p99 == 99);
}

TEST_CASE("no sample is removed, however far out") {
  std::vector<double> samples(99, 1.0);
  samples.push_back(1e9);
  CHECK(summarise(samples).samples == 100);
  CHECK(summarise(samples).median == 1);
}

TEST_CASE("a ratio is one where the intervals overlap, and peer over ours where they do not") {
  CHECK(ratio(with_interval(10, 9, 11), with_interval(20, 19, 21)) == 2.0);
  CHECK(ratio(with_interval(20, 19, 21), with_interval(10, 9, 11)) == 0.5);
  CHECK(ratio(with_interval(10, 9, 15), with_interval(20, 15, 21)) == 1.0);
  CHECK(ratio(with_interval(10, 5, 30), with_interval(20, 19, 21)) == 1.0);
}

TEST_CASE("the geometric mean of a ratio and its inverse is one") {
  const std::vector<double> ratios = {4.0, 0.25};
  CHECK(geometric_mean(ratios) == Approx(1.0));
  const std::vector<double> more = {1.0, 2.0, 4.0};
  CHECK(geometric_mean(more) == Approx(2.0));
}

TEST_CASE("the rank-sum test gives the value of the normal approximation") {
  // Rank sum 15, mean 27.5, variance 22.917: z = 2.611.
  const std::vector<double> low = {1, 2, 3, 4, 5}, high = {6, 7, 8, 9, 10};
  CHECK(rank_sum_probability(low, high) == Approx(0.009023).epsilon(0.001));
  CHECK(rank_sum_probability(high, low) == Approx(0.009023).epsilon(0.001));
}

TEST_CASE("the rank-sum test finds nothing between equal samples and everything between distant ones") {
  const std::vector<double> same(50, 3.0);
  CHECK(rank_sum_probability(same, same) == 1.0);
  CHECK(rank_sum_probability(one_to(100), one_to(100)) == Approx(1.0));
  std::vector<double> far = one_to(100);
  for (double& value : far) value += 1000;
  CHECK(rank_sum_probability(one_to(100), far) < 1e-9);
}
