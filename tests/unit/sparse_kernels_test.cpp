// The kernels of sparse streams and the top-k selection against scalar references, on every SIMD target.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "lib/error.hpp"
#include "lib/payload/simd_targets.hpp"
#include "lib/payload/sparse_selection.hpp"
#include "tests/catch.hpp"
// After simd_targets.hpp:
#include "hwy/targets.h"

namespace tutti::test {
namespace {

void force_target(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

template <class Body>
void on_every_target(Body body) {
  for (const std::int64_t target : {HWY_AVX3, HWY_AVX2, HWY_NEON, HWY_EMU128}) {
    if ((hwy::SupportedTargets() & HWY_TARGETS & target) == 0 && (HWY_TARGETS & HWY_EMU128 & target) == 0) continue;
    force_target(target);
    body();
    force_target(0);
  }
}

template <class Value>
tutti_type type_of() {
  return sizeof(Value) == 4 ? TUTTI_FLOAT32 : TUTTI_FLOAT64;
}

template <class Value>
auto magnitude(Value value) {
  using Bits = std::conditional_t<sizeof(Value) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(value) & ~(Bits{1} << (8 * sizeof(Value) - 1));
}

template <class Value>
bool same_bits(const Value& a, const Value& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

template <class Value, class Index>
struct Stream {
  std::vector<Index> indices;
  std::vector<Value> values;
  PairsView view() const { return {indices.data(), values.data(), indices.size()}; }
  bool operator==(const Stream& other) const {
    return indices == other.indices && std::equal(values.begin(), values.end(), other.values.begin(), same_bits<Value>);
  }
};

template <class Value, class Index>
Stream<Value, Index> stream_of(const Pairs& pairs) {
  Stream<Value, Index> stream;
  const auto* indices = static_cast<const Index*>(pairs.indices());
  const auto* values = static_cast<const Value*>(pairs.values());
  stream.indices.assign(indices, indices + pairs.count());
  stream.values.assign(values, values + pairs.count());
  return stream;
}

template <class Value, class Index>
Stream<Value, Index> random_stream(std::mt19937_64& random, std::uint64_t length, double density) {
  Stream<Value, Index> stream;
  for (std::uint64_t i = 0; i < length; ++i)
    if (std::uniform_real_distribution<>(0, 1)(random) < density) {
      stream.indices.push_back(static_cast<Index>(i));
      stream.values.push_back(static_cast<Value>(std::normal_distribution<>()(random)));
    }
  return stream;
}

// The k largest, the lower index first among equals, by sorting everything.
template <class Value, class Index>
Stream<Value, Index> sorted_top(const std::vector<Value>& values, std::uint64_t k, std::uint64_t bucket) {
  Stream<Value, Index> top;
  for (std::uint64_t first = 0; first < values.size(); first += bucket) {
    std::vector<std::uint64_t> order;
    for (std::uint64_t i = first; i < std::min<std::uint64_t>(first + bucket, values.size()); ++i)
      if (magnitude(values[i]) != 0) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return magnitude(values[a]) > magnitude(values[b]); });
    order.resize(std::min<std::uint64_t>(k, order.size()));
    std::sort(order.begin(), order.end());
    for (const std::uint64_t i : order) {
      top.indices.push_back(static_cast<Index>(i));
      top.values.push_back(values[i]);
    }
  }
  return top;
}

enum class Data { uniform, few_values, heavy_tail, clustered, special, zeros };

template <class Value>
std::vector<Value> data(Data kind, std::uint64_t count, std::mt19937_64& random) {
  std::vector<Value> values(count);
  std::uniform_real_distribution<> uniform(-1, 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const double drawn = uniform(random);
    double value = drawn;
    if (kind == Data::few_values) value = std::round(drawn * 3);
    if (kind == Data::heavy_tail) value = 1 / (drawn + 1e-9);
    if (kind == Data::clustered) value = i > count - count / 64 - 1 ? 100 * drawn : drawn * 1e-3;
    if (kind == Data::zeros) value = i % 1000 == 7 ? drawn : 0;
    values[i] = static_cast<Value>(value);
    if (kind == Data::special && i % 97 == 3) values[i] = std::numeric_limits<Value>::quiet_NaN();
    if (kind == Data::special && i % 61 == 5) values[i] = -std::numeric_limits<Value>::infinity();
    if (kind == Data::special && i % 13 == 1) values[i] = -Value{0};
    if (kind == Data::special && i % 17 == 1) values[i] = std::numeric_limits<Value>::denorm_min();
  }
  return values;
}

template <class Value, class Index>
void check_selection(Data kind, std::uint64_t count, std::uint64_t k, std::uint64_t bucket, bool with_residual) {
  INFO("data " << static_cast<int>(kind) << ", count " << count << ", k " << k << ", bucket " << bucket << ", residual "
               << with_residual);
  std::mt19937_64 random(count * 31 + k);
  const SparseKernels& kernels = sparse_kernels(type_of<Value>(), sizeof(Index), count);
  const std::vector<Value> values = data<Value>(kind, count, random);
  std::vector<Value> residual = data<Value>(Data::uniform, with_residual ? count : 0, random);
  std::vector<Value> sums = values;
  for (std::uint64_t i = 0; i < residual.size(); ++i) sums[i] += residual[i];
  const auto expected = sorted_top<Value, Index>(sums, k, bucket ? bucket : std::max<std::uint64_t>(count, 1));
  Pairs out(sizeof(Index), sizeof(Value));
  SelectionRoom room;
  select_top(kernels, values.data(), with_residual ? residual.data() : nullptr, count, {k, bucket, false}, out, room);
  REQUIRE(stream_of<Value, Index>(out) == expected);
  if (!with_residual) return;
  for (const Index index : expected.indices) sums[index] = 0;
  REQUIRE(std::equal(sums.begin(), sums.end(), residual.begin(), same_bits<Value>));
}

}  // namespace

TEMPLATE_TEST_CASE("the sum of two streams has each index once, and both operands where both have it", "",
                   (std::pair<float, std::uint32_t>), (std::pair<float, std::uint64_t>),
                   (std::pair<double, std::uint32_t>), (std::pair<double, std::uint64_t>)) {
  using Value = typename TestType::first_type;
  using Index = typename TestType::second_type;
  const SparseKernels& kernels = sparse_kernels(type_of<Value>(), sizeof(Index), 3000);
  std::mt19937_64 random(5);
  for (const double left_density : {0.0, 0.001, 0.3, 1.0})
    for (const double right_density : {0.0, 0.02, 1.0}) {
      const auto left = random_stream<Value, Index>(random, 3000, left_density);
      const auto right = random_stream<Value, Index>(random, 3000, right_density);
      std::map<Index, Value> sum;
      for (std::size_t i = 0; i < left.indices.size(); ++i) sum[left.indices[i]] = left.values[i];
      for (std::size_t i = 0; i < right.indices.size(); ++i) {
        const auto found = sum.find(right.indices[i]);
        if (found == sum.end())
          sum[right.indices[i]] = right.values[i];
        else
          found->second += right.values[i];
      }
      Pairs out(sizeof(Index), sizeof(Value));
      out.reserve(left.indices.size() + right.indices.size());
      out.set_count(kernels.merge(out.indices(), out.values(), left.view(), right.view()));
      const auto merged = stream_of<Value, Index>(out);
      REQUIRE(merged.indices.size() == sum.size());
      std::size_t at = 0;
      for (const auto& [index, value] : sum) {
        REQUIRE(merged.indices[at] == index);
        REQUIRE(same_bits(merged.values[at++], value));
      }
    }
}

TEST_CASE("pairs and dense vectors turn into each other, and zeros fall out") {
  const SparseKernels& kernels = sparse_kernels(TUTTI_FLOAT32, 4, 1000);
  std::mt19937_64 random(6);
  auto stream = random_stream<float, std::uint32_t>(random, 1000, 0.1);
  stream.values[3] = 0;
  stream.values[5] = -0.0f;
  std::vector<float> dense(1000, 0);
  kernels.scatter(dense.data(), 0, stream.view());
  kernels.scatter_add(dense.data(), 0, stream.view());
  for (std::size_t i = 0; i < stream.indices.size(); ++i) REQUIRE(dense[stream.indices[i]] == 2 * stream.values[i]);
  Pairs back(4, 4);
  back.reserve(1000);
  back.set_count(kernels.collect(dense.data(), nullptr, 1000, 1, 0, back.indices(), back.values()));
  REQUIRE(back.count() == stream.indices.size() - 2);
  auto kept = stream;
  const std::uint64_t left = kernels.drop_zeros(kept.indices.data(), kept.values.data(), kept.indices.size());
  REQUIRE(left == back.count());
  REQUIRE(std::equal(kept.indices.begin(), kept.indices.begin() + static_cast<std::ptrdiff_t>(left),
                     static_cast<const std::uint32_t*>(back.indices())));
  REQUIRE(kernels.find(kept.indices.data(), left, kept.indices[7]) == 7);
  REQUIRE(kernels.find(kept.indices.data(), left, 1000) == left);
}

TEMPLATE_TEST_CASE("the k largest are selected, the lower index first, whatever the data", "", float, double) {
  on_every_target([] {
    for (const Data kind :
         {Data::uniform, Data::few_values, Data::heavy_tail, Data::clustered, Data::special, Data::zeros})
      for (const std::uint64_t count : {0u, 1u, 15u, 64u, 1000u, 12000u})
        for (const std::uint64_t k : {std::uint64_t{0}, std::uint64_t{1}, count / 100, count / 10, count})
          for (const bool residual : {false, true}) {
            check_selection<TestType, std::uint32_t>(kind, count, k, 0, residual);
            if (count == 1000u) check_selection<TestType, std::uint64_t>(kind, count, k, 0, residual);
          }
  });
}

TEST_CASE("a long vector is selected from the same, when the sample misjudges too") {
  for (const Data kind : {Data::uniform, Data::few_values, Data::clustered, Data::zeros})
    for (const std::uint64_t k : {100u, 20000u}) check_selection<float, std::uint32_t>(kind, 700001, k, 0, k == 100);
}

TEST_CASE("every bucket gives its own k largest") {
  for (const Data kind : {Data::uniform, Data::few_values, Data::clustered, Data::special, Data::zeros})
    for (const std::uint64_t bucket : {1u, 16u, 512u, 5000u})
      for (const std::uint64_t k : {1u, 8u, 600u})
        check_selection<float, std::uint32_t>(kind, 20011, k, bucket, k == 8);
}

TEST_CASE("an estimated selection takes all above one threshold, about k of them") {
  std::mt19937_64 random(9);
  const auto values = data<float>(Data::heavy_tail, 1000000, random);
  const SparseKernels& kernels = sparse_kernels(TUTTI_FLOAT32, 4, values.size());
  Pairs out(4, 4);
  SelectionRoom room;
  select_top(kernels, values.data(), nullptr, values.size(), {10000, 0, true}, out, room);
  REQUIRE(out.count() >= 8000);
  REQUIRE(out.count() <= 12500);
  std::uint64_t above = 0;
  for (const float value : values) above += magnitude(value) >= room.threshold;
  REQUIRE(above == out.count());
}

TEST_CASE("usually one pass over the vector is enough, and never more than three") {
  std::mt19937_64 random(10);
  const SparseKernels& kernels = sparse_kernels(TUTTI_FLOAT32, 4, 1000000);
  for (const Data kind : {Data::uniform, Data::heavy_tail, Data::few_values, Data::clustered, Data::zeros}) {
    const auto values = data<float>(kind, 1000000, random);
    Pairs out(4, 4);
    SelectionRoom room;
    select_top(kernels, values.data(), nullptr, values.size(), {10000, 0, false}, out, room);
    REQUIRE(room.passes <= (kind == Data::zeros ? 3 : 1));
    REQUIRE(out.room() < 200000);  // candidates are thinned out on the way
  }
}

TEST_CASE("magnitudes are counted by bins") {
  const SparseKernels& kernels = sparse_kernels(TUTTI_FLOAT32, 4, 10);
  const std::vector<float> values = {1.0f, -1.0f, 1.5f, 2.0f, 4.0f, 0.5f};
  std::vector<std::uint64_t> bins(2);
  kernels.histogram(values.data(), values.size(), magnitude(1.0f), 23, bins);  // octaves
  REQUIRE(bins == std::vector<std::uint64_t>{3, 1});
  REQUIRE(kernels.rank_magnitude(values.data(), values.size(), 2) == magnitude(2.0f));
  REQUIRE(kernels.rank_magnitude(values.data(), values.size(), 6) == magnitude(0.5f));
  REQUIRE(kernels.count_above(values.data(), values.size(), magnitude(1.0f)) == 3);
}

TEST_CASE("indices that are not sorted, repeat or are out of range are refused with their place") {
  const SparseKernels& kernels = sparse_kernels(TUTTI_FLOAT32, 4, 100);
  const auto refusal = [&](std::vector<std::uint32_t> indices) -> std::string {
    try {
      check_indices(kernels, indices.data(), indices.size(), 100, "tutti_sparse_allreduce");
    } catch (const Error& wrong) {
      return wrong.what();
    }
    return "";
  };
  REQUIRE(refusal({0, 1, 99}).empty());
  REQUIRE(refusal({}).empty());
  REQUIRE(refusal({3, 100}).find("indices[1] is 100, out of range") != std::string::npos);
  REQUIRE(refusal({3, 5, 5}).find("indices[2] repeats 5") != std::string::npos);
  REQUIRE(refusal({3, 9, 5}).find("indices[2] is 5, after 9") != std::string::npos);
  REQUIRE_THROWS_AS(sparse_kernels(TUTTI_INT32, 4, 1), Error);
  REQUIRE_THROWS_AS(sparse_kernels(TUTTI_FLOAT32, 2, 1), Error);
  REQUIRE_THROWS_AS(sparse_kernels(TUTTI_FLOAT32, 4, (std::uint64_t{1} << 32) + 1), Error);
}

}  // namespace tutti::test
