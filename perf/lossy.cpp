// See lossy.hpp. A row for each call of ours and of a peer; its speed stands beside its bytes and its error.
#include "perf/lossy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "algorithms/algorithm.hpp"
#include "error.hpp"
#include "perf/sizes.hpp"
#include "scheduler/sparse_choice.hpp"

extern "C" {
#include "perf/driver/distribution.h"
}

namespace tutti::perf {
namespace {

constexpr const char* topk = "topk-allreduce";
constexpr const char* quantised = "quantised-allreduce";
constexpr const char* reproducible = "reproducible-allreduce";
constexpr const char* dense = "allreduce";

std::vector<std::string> algorithm_names(const std::string& collective) {
  std::vector<std::string> names;
  if (collective == topk) {
    for (const Algorithm& algorithm : sparse_algorithms())
      if (algorithm.name != "ok-topk") names.emplace_back(algorithm.name);  // of the other meaning
  } else {
    for (const Algorithm& algorithm : catalogue())
      if (algorithm.kind == Kind::allreduce) names.emplace_back(algorithm.name);
  }
  return names;
}

std::vector<std::string> forced_algorithms(const Options& options) {
  if (options.algorithm != "all") return {options.algorithm};
  std::vector<std::string> names = algorithm_names(options.collective);
  names.insert(names.begin(), "");
  return names;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  return std::isinf(value) ? "inf" : fmt::format("{:.3g}", value);
}

std::string time_of(const Summary& summary) {
  return fmt::format("{:.5g} [{:.5g}, {:.5g}]", summary.median, summary.interval.low, summary.interval.high);
}

std::string setting_of(const Series& series) {
  if (series.collective == topk) return fmt::format("top {:g} %", 100 * series.density);
  if (series.collective == quantised) return fmt::format("{} bits", series.bits);
  return series.collective == reproducible ? "reproducible" : "dense";
}

const Series* our_dense(const CellResult& cell) {
  for (const Series& series : cell.libraries)
    if (is_ours(series) && series.collective == dense && !series.us.empty()) return &series;
  return nullptr;
}

std::string faster_than(const Series& series, const Series* base) {
  if (!base || base == &series || series.us.empty()) return "-";
  return fmt::format("{:.2f}x", ratio(summarise(series.us), summarise(base->us)));
}

using Row = std::vector<std::string>;

Row row_of(const CellResult& cell, const Series& series) {
  const std::string name = is_ours(series) ? series.algorithm + series.parameters : "";
  Row row = {size_text(cell.cell.bytes), series.library, setting_of(series), name.empty() ? "-" : name};
  if (series.us.empty()) {
    row.resize(13, "-");
    row[4] = "not run";
    return row;
  }
  const Series* base = our_dense(cell);
  row.push_back(time_of(summarise(series.us)) + (series.batch > 1 ? "*" : "") + (series.correct ? "" : " WRONG"));
  row.push_back(faster_than(series, base));
  row.push_back(is_ours(series) ? faster_than(series, best_peer(cell)) : "-");
  row.push_back(series.wire_bytes ? size_text(series.wire_bytes) : "-");
  row.push_back(
      series.wire_bytes && base && base->wire_bytes
          ? fmt::format("{:.2f}x", static_cast<double>(base->wire_bytes) / static_cast<double>(series.wire_bytes))
          : "-");
  row.push_back(number(series.loss.max_abs_error));
  row.push_back(number(series.loss.nrmse));
  row.push_back(number(series.loss.snr_db));
  row.push_back(fmt::format("{:.5g}", series.cpu_us));
  return row;
}

}  // namespace

bool is_lossy(const std::string& collective) {
  return collective == topk || collective == quantised || collective == reproducible;
}

void check_lossy(const Options& o) {
  if (!is_lossy(o.collective)) {
    if (!o.densities.empty() || !o.bits.empty() || !o.distribution.empty() || o.dense_result)
      throw error(TUTTI_ERROR_ARGUMENT,
                  "--density, --bits, --distribution and --dense-result are for {}, {} and {}; {} has no such setting",
                  topk, quantised, reproducible, o.collective);
    return;
  }
  if (o.densities.empty() == (o.collective == topk))
    throw error(TUTTI_ERROR_ARGUMENT, "{}",
                o.collective == topk ? "topk-allreduce needs --density, such as 0.01 or 0.001,0.01,0.2"
                                     : "--density is for topk-allreduce alone");
  if (o.bits.empty() == (o.collective == quantised))
    throw error(TUTTI_ERROR_ARGUMENT, "{}",
                o.collective == quantised ? "quantised-allreduce needs --bits: 8, 4, 2, 16 (bfloat16), or several"
                                          : "--bits is for quantised-allreduce alone");
  if (o.dense_result && o.collective != topk)
    throw error(TUTTI_ERROR_ARGUMENT, "--dense-result is for topk-allreduce alone");
  for (const double density : o.densities)
    if (!(density >= 0 && density <= 1))
      throw error(TUTTI_ERROR_ARGUMENT, "--density {}: a share from 0 to 1 is selected", density);
  for (const int bits : o.bits)
    if (bits != 2 && bits != 4 && bits != 8 && bits != 16)
      throw error(TUTTI_ERROR_ARGUMENT, "--bits {}: a number travels in 8, 4, 2 or 16 (bfloat16) bits", bits);
  if (o.type != "float32" && o.type != "float64")
    throw error(TUTTI_ERROR_ARGUMENT, "{} is measured with float32 or float64, not with {}", o.collective, o.type);
  if (o.op != "sum") throw error(TUTTI_ERROR_ARGUMENT, "{} is measured with --op sum, not {}", o.collective, o.op);
  if (o.in_place || o.nonblocking)
    throw error(TUTTI_ERROR_ARGUMENT, "--{} is not for {}: its inputs are kept, to tell the error, and its calls block",
                o.in_place ? "in-place" : "nonblocking", o.collective);
  if (!o.algorithm.empty() && o.algorithm != "all") {
    const std::vector<std::string> names = algorithm_names(o.collective);
    if (std::find(names.begin(), names.end(), o.algorithm.substr(0, o.algorithm.find('('))) == names.end())
      throw error(TUTTI_ERROR_ARGUMENT, "{} has no algorithm '{}'; it has {}", o.collective, o.algorithm,
                  fmt::join(names, ", "));
  }
  char reason[PERF_TEXT_ROOM] = "";
  distribution* opened = distribution_open(o.distribution.c_str(), reason, sizeof reason);
  if (!opened) throw Error(TUTTI_ERROR_ARGUMENT, reason);
  distribution_close(opened);
}

std::vector<OurCall> lossy_calls(const Options& options) {
  std::vector<OurCall> settings;
  for (const double density : options.densities) settings.push_back({options.collective, "", density, 0});
  for (const int bits : options.bits) settings.push_back({options.collective, "", 0, bits});
  if (options.collective == reproducible) settings.push_back({options.collective, "", 0, 0});
  std::vector<OurCall> calls;
  for (const OurCall& setting : settings)
    for (const std::string& forced : forced_algorithms(options)) {
      calls.push_back(setting);
      calls.back().forced = forced;
    }
  calls.push_back({dense, "", 0, 0});
  return calls;
}

void add_loss(nlohmann::json& row, const Options& options, const Series& series) {
  const auto unless = [](bool absent, auto value) { return absent ? nlohmann::json(nullptr) : nlohmann::json(value); };
  row["density"] = unless(series.collective != topk, series.density);
  row["bits"] = unless(series.collective != quantised, series.bits);
  row["distribution"] = options.distribution;
  row["dense_result"] = series.collective != topk || options.dense_result;
  row["wire_bytes"] = unless(series.wire_bytes == 0, series.wire_bytes);
  row["max_abs_error"] = series.loss.max_abs_error;
  row["nrmse"] = series.loss.nrmse;
  row["snr_db"] = series.loss.snr_db;  // null in JSON where there is no error at all
}

std::string lossy_table_text(const Results& results) {
  const Options& o = results.options;
  std::vector<Row> rows = {{"bytes", "library", "call", "algorithm", "time", "than dense", "than peer", "wire", "fewer",
                            "max error", "NRMSE", "SNR dB", "CPU us"}};
  std::string complaints;
  for (const CellResult& cell : results.cells)
    for (const Series& series : cell.libraries) {
      rows.push_back(row_of(cell, series));
      if (!series.complaint.empty())
        complaints += fmt::format("{} {} {} {}: {}\n", size_text(cell.cell.bytes), series.library, setting_of(series),
                                  series.algorithm, series.complaint);
    }
  std::string text = fmt::format(
      "{} of {}, {} inputs, {} ranks on {} cores{}. Microseconds of one call: median of the slowest rank after a "
      "common\n"
      "start [99 % interval]; how many times faster than our dense allreduce and than the best peer's; bytes that all\n"
      "ranks sent, and how many times fewer than dense; errors against the exact sum of all inputs\n\n",
      o.collective, o.type, o.distribution, o.ranks, results.setup.at("cores").get<std::size_t>(),
      o.collective != topk ? ""
      : o.dense_result     ? ", dense result"
                           : ", sparse result, residual kept");
  return text + aligned(rows) + (complaints.empty() ? "" : "\n" + complaints);
}

}  // namespace tutti::perf
