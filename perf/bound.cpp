// What no library can avoid. A bound is the sum of the copy and the pass, and never less than one cache-line hop, or
// than the context switches where ranks share cores.
#include "perf/bound.hpp"

#include <algorithm>
#include <map>

#include "perf/lossy.hpp"

namespace tutti::perf {
namespace {

// Below this, the flags that hand the bytes over would weigh more than the bytes, and a message that carries its flag
// in the same line avoids them: then only the hop is certain.
constexpr std::uint64_t least_pass_bytes = 4096;
constexpr std::uint64_t windows[] = {1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10};
// Small vectors need small windows, so that the receiver can load while the sender still writes; large ones do not.
constexpr std::uint64_t large_window = 16 << 10;

struct Needs {
  std::string copy;  // the part, or empty
  std::uint64_t copy_bytes = 0;
  std::uint64_t pass_bytes = 0;
};

Needs needs_of(const Options& o, std::uint64_t n) {
  const auto p = static_cast<std::uint64_t>(o.ranks);
  const std::uint64_t others = n / p * (p - 1);  // (p-1)/p n
  // The sums that lose something are shown beside the bound of the dense one.
  if (o.collective == "allreduce" || is_lossy(o.collective))
    return {o.in_place && p > 1 ? "" : "copy-all", n, 2 * others};
  if (o.collective == "broadcast") return {p > 1 ? "copy-from-root" : "", n, 0};
  if (o.collective == "reduce") return {o.in_place && p > 1 ? "" : "copy-root", n, others};
  if (o.collective == "reduce-scatter") return {"copy-all", n / p, others};
  if (o.collective == "allgather") return {"copy-all", o.in_place ? others : n, 0};
  if (o.collective == "alltoall") return {"copy-all", o.in_place ? others : n, 0};
  return {};
}

// A rank that shares its core must get it once to enter and, unless it was the last to enter, once more to leave. In a
// batch it enters the next call when it leaves the last one; one that only sends or only receives may run ahead.
double switches_per_call(const std::string& collective, int ranks, std::size_t cores, unsigned batch) {
  const double others = static_cast<double>((static_cast<std::size_t>(ranks) + cores - 1) / cores - 1);
  const bool one_way = collective == "broadcast" || collective == "reduce";
  if (one_way) return batch > 1 ? 0 : others;
  return batch > 1 ? others : 2 * others;
}

}  // namespace

std::vector<BoundPart> bound_parts(const Options& options, const Cell& cell, bool more_ranks_than_cores) {
  std::vector<BoundPart> parts;
  const Needs needs = needs_of(options, cell.bytes);
  if (!needs.copy.empty() && needs.copy_bytes > 0)
    for (const char* stores : {"plain", "streaming"}) parts.push_back({needs.copy, stores, needs.copy_bytes});
  if (needs.pass_bytes >= least_pass_bytes) {
    for (const std::uint64_t window : windows)
      if (window <= needs.pass_bytes && window >= std::min(needs.pass_bytes / 16, large_window))
        parts.push_back({"pass", std::to_string(window), needs.pass_bytes});
  }
  if (options.ranks > 1) parts.push_back({more_ranks_than_cores ? "switch" : "hop", "", 0});
  return parts;
}

double bound_us(const Options& options, std::size_t cores, unsigned batch, std::span<const Series> parts) {
  std::map<std::string, double> fastest;
  for (const Series& series : parts) {
    if (series.us.empty()) continue;
    const double us = summarise(series.us).median;
    const auto [at, fresh] = fastest.try_emplace(series.part, us);
    if (!fresh) at->second = std::min(at->second, us);
  }
  double moved = 0, least = 0;
  for (const auto& [part, us] : fastest) {
    if (part == "hop")
      least = us / 2;  // there and back
    else if (part == "switch")
      least = us / 2 * switches_per_call(options.collective, options.ranks, cores, batch);
    else
      moved += us;
  }
  return std::max(moved, least);
}

}  // namespace tutti::perf
