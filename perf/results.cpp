// The forms in which results are kept: JSON, CSV and raw samples.
#include "perf/results.hpp"

#include <ostream>

#include "perf/cluster.hpp"
#include "perf/lossy.hpp"

namespace tutti::perf {
namespace {

std::string transport_of(bool ours, const Options& options) {
  if (!ours) return "default";
  if (!options.transport.empty()) return options.transport;
  return hosts_for(options.ranks) == 1 ? "shm" : "chosen";
}

nlohmann::json row_of(const Results& results, const CellResult& cell, const Series& series) {
  const Options& o = results.options;
  const Summary summary = summarise(series.us);
  std::string version;
  for (const PeerFacts& facts : results.jobs)
    if (facts.name == series.library) version = facts.version;
  const bool ours = is_ours(series);
  nlohmann::json row = {
      {"collective", series.collective},
      {"bytes", cell.cell.bytes},
      {"library", series.library},
      {"version", version},
      {"algorithm", ours && !series.algorithm.empty() ? nlohmann::json(series.algorithm) : nlohmann::json(nullptr)},
      {"parameters", series.parameters},
      {"chosen", ours && series.chosen},
      {"transport", transport_of(ours, o)},
      {"ranks", o.ranks},
      {"hosts", hosts_for(results.options.ranks)},
      {"type", o.type},
      {"op", reduces(o.collective) ? nlohmann::json(o.op) : nlohmann::json(nullptr)},
      {"in_place", o.in_place},
      {"nonblocking", o.nonblocking},
      {"median_us", summary.median},
      {"low_us", summary.interval.low},
      {"high_us", summary.interval.high},
      {"p99_us", summary.p99},
      {"p99_low_us", summary.p99_low},
      {"p99_high_us", summary.p99_high ? nlohmann::json(*summary.p99_high) : nlohmann::json(nullptr)},
      {"samples", summary.samples},
      {"missed_starts", series.missed},
      {"batch", series.batch},
      {"cpu_us", series.cpu_us},
      {"bound_us", cell.bound_us},
      {"correct", series.correct}};
  row["joules"] = series.joules ? nlohmann::json(*series.joules) : nlohmann::json(nullptr);
  if (is_lossy(o.collective)) add_loss(row, o, series);
  if (const auto overlap = overlap_percent(series)) row["overlap_percent"] = *overlap;
  if (!series.complaint.empty()) row["complaint"] = series.complaint;
  return row;
}

bool has_samples(const Series& series) { return !series.us.empty(); }

}  // namespace

bool is_ours(const Series& series) { return series.library == "tutti"; }

const Series* best_peer(const CellResult& cell) {
  const Series* best = nullptr;
  double best_us = 0;
  for (const Series& series : cell.libraries) {
    if (is_ours(series) || series.us.empty()) continue;
    const double us = summarise(series.us).median;
    if (!best || us < best_us) {
      best = &series;
      best_us = us;
    }
  }
  return best;
}

nlohmann::json to_json(const Results& results) {
  nlohmann::json all = {{"setup", results.setup}, {"results", nlohmann::json::array()}};
  all["bound_parts"] = nlohmann::json::array();
  all["not_run"] = nlohmann::json::array();
  for (const CellResult& cell : results.cells) {
    for (const Series& series : cell.libraries) {
      if (has_samples(series))
        all["results"].push_back(row_of(results, cell, series));
      else
        all["not_run"].push_back({{"bytes", cell.cell.bytes},
                                  {"library", series.library},
                                  {"algorithm", series.algorithm},
                                  {"why", series.complaint}});
    }
    for (const Series& part : cell.parts) {
      if (!has_samples(part)) continue;
      const Summary summary = summarise(part.us);
      all["bound_parts"].push_back({{"bytes", cell.cell.bytes},
                                    {"part", part.part},
                                    {"variant", part.algorithm},
                                    {"median_us", summary.median},
                                    {"low_us", summary.interval.low},
                                    {"high_us", summary.interval.high},
                                    {"samples", summary.samples}});
    }
  }
  return all;
}

void write_csv(std::ostream& out, const Results& results) {
  constexpr const char* columns[] = {"collective",   "bytes",           "library",       "version", "algorithm",
                                     "chosen",       "transport",       "ranks",         "hosts",   "type",
                                     "op",           "in_place",        "median_us",     "low_us",  "high_us",
                                     "p99_us",       "samples",         "batch",         "cpu_us",  "bound_us",
                                     "correct",      "overlap_percent", "joules",        "density", "bits",
                                     "distribution", "wire_bytes",      "max_abs_error", "nrmse",   "snr_db"};
  for (std::size_t i = 0; i < std::size(columns); ++i) out << (i ? "," : "") << columns[i];
  out << '\n';
  for (const CellResult& cell : results.cells) {
    for (const Series& series : cell.libraries) {
      if (!has_samples(series)) continue;
      const nlohmann::json row = row_of(results, cell, series);
      for (std::size_t i = 0; i < std::size(columns); ++i)
        out << (i ? "," : "") << (row.contains(columns[i]) && !row[columns[i]].is_null() ? row[columns[i]].dump() : "");
      out << '\n';
    }
  }
}

void write_raw(std::ostream& out, const Results& results) {
  for (const CellResult& cell : results.cells) {
    for (const auto* list : {&cell.libraries, &cell.parts}) {
      for (const Series& series : *list) {
        if (!has_samples(series)) continue;
        out << nlohmann::json{{"collective", series.collective},
                              {"density", series.density},
                              {"bits", series.bits},
                              {"bytes", cell.cell.bytes},
                              {"library", series.library},
                              {"algorithm", series.algorithm},
                              {"chosen", series.chosen},
                              {"part", series.part},
                              {"batch", series.batch},
                              {"missed_starts", series.missed},
                              {"launch", series.launch},
                              {"us", series.us},
                              {"compute_us", series.compute_us},
                              {"overlapped_us", series.overlapped_us}}
                   .dump()
            << '\n';
      }
    }
  }
}

}  // namespace tutti::perf
