// What a call of tutti-perf was asked to do: checks, the cells it means, and its form in a result file.
#include "perf/options.hpp"

#include <algorithm>

#include "error.hpp"
#include "perf/lossy.hpp"
#include "perf/sizes.hpp"

extern "C" {
#include "perf/driver/data.h"
}

namespace tutti::perf {
namespace {

// A mistyped number should not start a thousand processes.
constexpr int most_ranks = 1024;

bool has_blocks(const std::string& collective) {
  return collective == "reduce-scatter" || collective == "allgather" || collective == "alltoall";
}

}  // namespace

bool reduces(const std::string& collective) {
  return collective == "allreduce" || collective == "reduce" || collective == "reduce-scatter" || is_lossy(collective);
}

void check(const Options& o) {
  if (std::find(std::begin(collectives), std::end(collectives), o.collective) == std::end(collectives))
    throw error(
        TUTTI_ERROR_ARGUMENT,
        "'{}' is not a collective that can be measured: allreduce, broadcast, barrier, reduce, "
        "reduce-scatter, allgather, alltoall, topk-allreduce, quantised-allreduce, reproducible-allreduce (or the "
        "commands bounds and replay)",
        o.collective);
  if (o.ranks < 1 || o.ranks > most_ranks)
    throw error(TUTTI_ERROR_ARGUMENT, "{} ranks cannot be measured: -n takes 1 to {}", o.ranks, most_ranks);
  char reason[PERF_TEXT_ROOM] = "";
  if (data_supported(o.collective.c_str(), o.type.c_str(), o.op.c_str(), reason, sizeof reason))
    throw Error(TUTTI_ERROR_ARGUMENT, reason);
  if (o.op == "avg" && !o.against.empty() && reduces(o.collective))
    throw error(TUTTI_ERROR_ARGUMENT, "MPI has no average: measure --op sum --against ..., or leave --against out");
  if (o.root < 0 || o.root >= o.ranks)
    throw error(TUTTI_ERROR_ARGUMENT, "root {} is not one of the {} ranks", o.root, o.ranks);
  if (o.in_place && (o.collective == "broadcast" || o.collective == "barrier"))
    throw error(TUTTI_ERROR_ARGUMENT, "--in-place has no meaning for {}, which has {} buffer", o.collective,
                o.collective == "barrier" ? "no" : "one");
  if (o.launches < 1) throw error(TUTTI_ERROR_ARGUMENT, "--launches {}: at least one launch is needed", o.launches);
  if (o.seconds <= 0) throw error(TUTTI_ERROR_ARGUMENT, "--seconds {}: the limit must be above zero", o.seconds);
  if (o.samples < 1) throw error(TUTTI_ERROR_ARGUMENT, "--samples {}: at least one sample is needed", o.samples);
  if (o.interval_share <= 0)
    throw error(TUTTI_ERROR_ARGUMENT, "--interval {}: the share of the median must be above zero", o.interval_share);
  check_lossy(o);
  cells_of(o);
}

std::vector<Cell> cells_of(const Options& o) {
  if (o.collective == "barrier") return {Cell{0, 0}};
  const std::uint64_t element = data_type_bytes(o.type.c_str());
  const std::uint64_t unit = has_blocks(o.collective) ? element * static_cast<std::uint64_t>(o.ranks) : element;
  std::vector<Cell> cells;
  for (const std::uint64_t bytes : parse_sizes(o.bytes)) {
    if (bytes % element != 0)
      throw error(TUTTI_ERROR_ARGUMENT, "{} B are no whole number of {} elements of {} B each", bytes, o.type, element);
    // Blocks are of one length, so the whole vector is rounded up to a multiple of the ranks; the rows say the true
    // bytes.
    const std::uint64_t count = has_blocks(o.collective) ? (bytes + unit - 1) / unit : bytes / element;
    const Cell cell{count * unit, count};
    if (cells.empty() || cells.back().bytes != cell.bytes) cells.push_back(cell);
  }
  return cells;
}

nlohmann::json to_json(const Options& o) {
  return {{"collective", o.collective},
          {"ranks", o.ranks},
          {"bytes", o.bytes},
          {"type", o.type},
          {"op", o.op},
          {"algorithm", o.algorithm},
          {"transport", o.transport},
          {"in_place", o.in_place},
          {"nonblocking", o.nonblocking},
          {"root", o.root},
          {"density", o.densities},
          {"bits", o.bits},
          {"distribution", o.distribution},
          {"dense_result", o.dense_result},
          {"against", o.against},
          {"launches", o.launches},
          {"seconds", o.seconds},
          {"samples", o.samples},
          {"interval_share", o.interval_share}};
}

Options options_from_json(const nlohmann::json& setup, const std::string& file) {
  try {
    const nlohmann::json& from = setup.at("options");
    Options o;
    from.at("collective").get_to(o.collective);
    from.at("ranks").get_to(o.ranks);
    from.at("bytes").get_to(o.bytes);
    from.at("type").get_to(o.type);
    from.at("op").get_to(o.op);
    from.at("algorithm").get_to(o.algorithm);
    from.at("transport").get_to(o.transport);
    from.at("in_place").get_to(o.in_place);
    from.at("nonblocking").get_to(o.nonblocking);
    from.at("root").get_to(o.root);
    o.densities = from.value("density", o.densities);  // absent in files of earlier versions
    o.bits = from.value("bits", o.bits);
    o.distribution = from.value("distribution", o.distribution);
    o.dense_result = from.value("dense_result", o.dense_result);
    from.at("against").get_to(o.against);
    from.at("launches").get_to(o.launches);
    from.at("seconds").get_to(o.seconds);
    from.at("samples").get_to(o.samples);
    from.at("interval_share").get_to(o.interval_share);
    return o;
  } catch (const nlohmann::json::exception& problem) {
    throw error(TUTTI_ERROR_ARGUMENT,
                "{} is not a file that tutti-perf --json wrote: its setup.options cannot be read ({})", file,
                problem.what());
  }
}

}  // namespace tutti::perf
