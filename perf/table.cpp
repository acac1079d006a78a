// The table for people: a row for each size and algorithm of ours, beside the peers and the bound.
#include <fmt/format.h>

#include <algorithm>

#include "perf/lossy.hpp"
#include "perf/results.hpp"
#include "perf/sizes.hpp"

namespace tutti::perf {
namespace {

// Three digits and no more: the interval says how many of them hold.
std::string number(double us) {
  if (us <= 0) return "-";
  if (us < 10) return fmt::format("{:.3f}", us);
  if (us < 100) return fmt::format("{:.2f}", us);
  return fmt::format("{:.1f}", us);
}

std::string marks(const Series& series) {
  return std::string(series.batch > 1 ? "*" : "") + (series.correct ? "" : " WRONG");
}

std::string with_interval(const Series& series) {
  if (series.us.empty()) return "not run";
  const Summary s = summarise(series.us);
  return fmt::format("{} [{}, {}]{}", number(s.median), number(s.interval.low), number(s.interval.high), marks(series));
}

std::vector<std::string> peer_names(const Results& results) {
  std::vector<std::string> names;
  for (const CellResult& cell : results.cells)
    for (const Series& series : cell.libraries)
      if (!is_ours(series) && std::find(names.begin(), names.end(), series.library) == names.end())
        names.push_back(series.library);
  return names;
}

const Series* find(const CellResult& cell, const std::string& library) {
  for (const Series& series : cell.libraries)
    if (series.library == library) return &series;
  return nullptr;
}

using Row = std::vector<std::string>;

Row heading(const Results& results, const std::vector<std::string>& peers) {
  Row row = {"bytes", "tutti", "algorithm"};
  row.insert(row.end(), peers.begin(), peers.end());
  if (!peers.empty()) row.push_back("ratio");
  if (results.options.nonblocking) row.push_back("overlap");
  for (const char* name : {"CPU us", "bound", "of bound"}) row.emplace_back(name);
  return row;
}

Row row_of(const Results& results, const CellResult& cell, const Series& ours, const std::vector<std::string>& peers) {
  const Summary summary = summarise(ours.us);
  Row row = {results.options.collective == "barrier" ? "-" : size_text(cell.cell.bytes), with_interval(ours),
             ours.algorithm.empty() ? "-" : ours.algorithm + ours.parameters};
  for (const std::string& name : peers) {
    const Series* peer = find(cell, name);
    row.push_back(peer && !peer->us.empty() ? number(summarise(peer->us).median) + marks(*peer) : "not run");
  }
  const Series* best = best_peer(cell);
  if (!peers.empty())
    row.push_back(best && !ours.us.empty() ? fmt::format("{:.2f}x", ratio(summary, summarise(best->us))) : "-");
  if (results.options.nonblocking) {
    const auto overlap = overlap_percent(ours);
    row.push_back(overlap ? fmt::format("{:.0f} %", *overlap) : "-");
  }
  row.push_back(number(ours.cpu_us));
  row.push_back(number(cell.bound_us));
  row.push_back(ours.us.empty() || cell.bound_us <= 0 ? "-"
                                                      : fmt::format("{:.0f} %", 100 * cell.bound_us / summary.median));
  return row;
}

// Whether a row of ours stands for what a user gets: the scheduler's choice, or the one algorithm that was forced.
bool counts(const Results& results, const Series& series) {
  return is_ours(series) && !series.us.empty() && (series.chosen || results.options.algorithm != "all");
}

std::string mean_line(const Results& results, const std::string& name) {
  std::vector<double> ratios;
  for (const CellResult& cell : results.cells) {
    const Series* peer = name.empty() ? best_peer(cell) : find(cell, name);
    if (!peer || peer->us.empty()) continue;
    for (const Series& series : cell.libraries)
      if (counts(results, series)) ratios.push_back(ratio(summarise(series.us), summarise(peer->us)));
  }
  if (ratios.empty()) return "";
  return fmt::format("  {:<24}{:.2f}x, lowest {:.2f}x, {} cells\n", name.empty() ? "the best peer of a cell" : name,
                     geometric_mean(ratios), *std::min_element(ratios.begin(), ratios.end()), ratios.size());
}

std::string complaints(const Results& results) {
  std::string text;
  for (const CellResult& cell : results.cells)
    for (const Series& series : cell.libraries)
      if (!series.complaint.empty())
        text += fmt::format("{} {} {}: {}\n", size_text(cell.cell.bytes), series.library, series.algorithm,
                            series.complaint);
  return text;
}

}  // namespace

std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> width(rows.front().size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) text += fmt::format("{}{:>{}}", i ? "  " : "", row[i], width[i]);
    text += '\n';
  }
  return text;
}

std::string table_text(const Results& results) {
  const Options& o = results.options;
  if (is_lossy(o.collective)) return lossy_table_text(results);
  const std::vector<std::string> peers = peer_names(results);
  std::vector<Row> rows = {heading(results, peers)};
  bool batched = false;
  for (const CellResult& cell : results.cells)
    for (const Series& series : cell.libraries) {
      batched |= series.batch > 1;
      if (is_ours(series)) rows.push_back(row_of(results, cell, series, peers));
    }
  std::string text = fmt::format(
      "{}{}{}{}, {} ranks on {} cores. Microseconds of one call: median of the slowest rank after a common start [99 % "
      "interval]\n\n",
      o.nonblocking ? "nonblocking " : "", o.collective, o.collective == "barrier" ? "" : fmt::format(" of {}", o.type),
      reduces(o.collective) ? fmt::format(" with {}{}", o.op, o.in_place ? ", in place" : "") : "", o.ranks,
      results.setup.at("cores").get<std::size_t>());
  text += aligned(rows);
  if (batched) text += "\n* calls timed together in batches, since one is shorter than 2 us\n";
  if (!peers.empty()) {
    text += "\nGeometric mean of the ratios (peer's median / ours; 1.00x where intervals overlap) against\n";
    text += mean_line(results, "");
    for (const std::string& name : peers) text += mean_line(results, name);
  }
  const std::string wrong = complaints(results);
  return wrong.empty() ? text : text + "\n" + wrong;
}

}  // namespace tutti::perf
