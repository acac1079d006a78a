// The kernels of sparse and quantised payloads beside their bound, in interleaved rounds of one run: the selection of
// the top 1 % beside one pass that reads the same memory (with a residual: reads both and writes one), a merge beside a
// copy of the bytes that it reads, pack and unpack beside a copy of the numbers. Prints medians and ratios.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "lib/payload/block_code.hpp"
#include "lib/payload/sparse_selection.hpp"

namespace {

using namespace tutti;
constexpr std::uint64_t count = 16 << 20;  // float32: 64 MiB
constexpr std::uint64_t share = 100;       // one element of so many is selected

struct Measured {
  std::string name;
  std::function<void()> call;
  std::size_t base = 0;  // the bound's place in the list; its own for a bound
  std::vector<double> ms;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::vector<float> gaussian(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> number;
  std::vector<float> values(count);
  for (float& value : values) value = number(random);
  return values;
}

float read_all(const std::vector<float>& values) {
  float lanes[64] = {};  // so many that additions do not wait for one another
  for (std::uint64_t i = 0; i < count; i += 64)
    for (std::uint64_t lane = 0; lane < 64; ++lane) lanes[lane] += values[i + lane];
  return lanes[0] + lanes[63];
}

void add_all(std::vector<float>& to, const std::vector<float>& values) {
  for (std::uint64_t i = 0; i < count; ++i) to[i] += values[i];
}

void measure(std::vector<Measured>& all) {
  constexpr int rounds = 21;
  for (int round = 0; round < rounds; ++round)
    for (Measured& each : all) {
      const auto begin = std::chrono::steady_clock::now();
      each.call();
      each.ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
  for (const Measured& each : all)
    fmt::print("{:<44}{:9.3f} ms  {:6.2f} times its bound, {}\n", each.name, median(each.ms),
               median(each.ms) / median(all[each.base].ms), all[each.base].name);
}

}  // namespace

int main() {
  const SparseKernels& kernels = sparse_kernels(TUTTI_FLOAT32, 4, count);
  const std::vector<float> values = gaussian(1), others = gaussian(2);
  std::vector<float> residual(count), sums(count), copied(count);
  SelectionRoom room;
  Pairs selected(4, 4), left(4, 4), right(4, 4), merged(4, 4);
  select_top(kernels, values.data(), nullptr, count, {count / share, 0, false}, left, room);
  select_top(kernels, others.data(), nullptr, count, {count / share, 0, false}, right, room);
  merged.reserve(left.count() + right.count());
  std::vector<std::byte> pairs((left.count() + right.count()) * 8), pairs_copy(pairs.size());
  volatile float kept = 0;

  std::vector<Measured> all;
  all.push_back({"one reading pass over 64 MiB", [&] { kept = read_all(values); }, 0, {}});
  all.push_back({"top 1 %",
                 [&] {
                   select_top(kernels, values.data(), nullptr, count, {count / share, 0, false}, selected, room);
                 },
                 0,
                 {}});
  all.push_back({"top 1 %, estimated",
                 [&] {
                   select_top(kernels, values.data(), nullptr, count, {count / share, 0, true}, selected, room);
                 },
                 0,
                 {}});
  all.push_back({"one pass a += b", [&] { add_all(sums, values); }, 3, {}});
  all.push_back(
      {"top 1 % with residual",
       [&] {
         select_top(kernels, values.data(), residual.data(), count, {count / share, 0, false}, selected, room);
       },
       3,
       {}});
  all.push_back(
      {"copy of two streams of 1 %", [&] { std::memcpy(pairs_copy.data(), pairs.data(), pairs.size()); }, 5, {}});
  all.push_back({"merge of two streams of 1 %",
                 [&] { merged.set_count(kernels.merge(merged.indices(), merged.values(), left.view(), right.view())); },
                 5,
                 {}});
  all.push_back({"copy of 64 MiB", [&] { std::memcpy(copied.data(), values.data(), count * 4); }, 7, {}});
  const BlockKernels blocks = block_kernels(TUTTI_FLOAT32);
  std::vector<std::byte> codes[2];
  for (const bool four : {false, true}) {
    BlockCode code;
    code.format = four ? BlockFormat::int4 : BlockFormat::int8;
    std::vector<std::byte>& to = codes[four];
    to.resize(count / code.block * code.bytes());
    const char* name = four ? "4" : "8";
    all.push_back({fmt::format("pack to {} bits", name),
                   [&, code] { blocks.encode(to.data(), values.data(), count, code, {}); },
                   7,
                   {}});
    all.push_back({fmt::format("unpack from {} bits", name),
                   [&, code] { blocks.decode(copied.data(), to.data(), count, code, 1); },
                   7,
                   {}});
  }
  measure(all);
}
