// Measuring again. Two cells agree when the 99 % intervals of their medians overlap, or the medians differ by no more
// than the share to which the intervals were driven: with enough samples any two launches of one program differ
// significantly, and by nothing that matters. Where the raw samples of the first measurement are at hand, the rank-sum
// test's probability is shown beside it.
#include "perf/replay.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <tuple>

#include "error.hpp"
#include "perf/session.hpp"
#include "perf/sizes.hpp"

namespace tutti::perf {
namespace {

// bytes, library, algorithm, chosen, collective, density, bits
using Key = std::tuple<std::uint64_t, std::string, std::string, bool, std::string, double, int>;

// What a row of a result file or of raw samples is about; a density or bits are absent or null where they mean nothing.
template <class Type>
Type number_of(const nlohmann::json& row, const char* name) {
  const auto at = row.find(name);
  return at == row.end() || at->is_null() ? Type{} : at->get<Type>();
}
Key key_of(const nlohmann::json& row, const std::string& algorithm) {
  return {row.at("bytes"),
          row.at("library"),
          algorithm,
          row.at("chosen"),
          row.at("collective"),
          number_of<double>(row, "density"),
          number_of<int>(row, "bits")};
}

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw error(TUTTI_ERROR_ARGUMENT, "{} cannot be opened: replay takes a file that --json wrote", path);
  try {
    return nlohmann::json::parse(file);
  } catch (const nlohmann::json::exception& problem) {
    throw error(TUTTI_ERROR_ARGUMENT, "{} is not JSON: {}", path, problem.what());
  }
}

// What a peer's rows call its algorithm.
std::string algorithm_of(const nlohmann::json& row) {
  return row.at("algorithm").is_null() ? "" : row.at("algorithm").get<std::string>();
}

std::map<Key, std::vector<double>> read_raw(const std::string& path) {
  std::map<Key, std::vector<double>> samples;
  if (path.empty()) return samples;
  std::ifstream file(path);
  if (!file)
    throw error(TUTTI_ERROR_ARGUMENT, "{} cannot be opened: --raw takes the file of the first measurement", path);
  int number = 0;
  try {
    for (std::string line; std::getline(file, line);) {
      ++number;
      const nlohmann::json row = nlohmann::json::parse(line);
      if (!row.at("part").get<std::string>().empty()) continue;
      samples[key_of(row, row.at("algorithm"))] = row.at("us").get<std::vector<double>>();
    }
  } catch (const nlohmann::json::exception& problem) {
    throw error(TUTTI_ERROR_ARGUMENT, "{}, line {}: not a line that --raw wrote ({})", path, number, problem.what());
  }
  return samples;
}

struct Verdict {
  bool agrees = false;
  std::string text;
};

Verdict compare(const nlohmann::json& before, const Series& after, double share,
                const std::vector<double>* raw_before) {
  const Summary now = summarise(after.us);
  const double median = before.at("median_us");
  const Interval interval{before.at("low_us"), before.at("high_us")};
  const bool intervals = overlap(interval, now.interval);
  const double difference = now.median / median - 1;
  Verdict verdict;
  verdict.agrees = intervals || std::abs(difference) <= share;
  verdict.text = fmt::format("{:.3f} us -> {:.3f} us ({:+.1f} %), intervals {}", median, now.median, 100 * difference,
                             intervals ? "overlap" : "apart");
  if (raw_before) verdict.text += fmt::format(", rank-sum p = {:.3g}", rank_sum_probability(*raw_before, after.us));
  verdict.text += verdict.agrees ? ": agree" : ": DIFFER";
  return verdict;
}

const Series* find(const Results& results, const Key& key, bool any_algorithm) {
  for (const CellResult& cell : results.cells) {
    if (cell.cell.bytes != std::get<0>(key)) continue;
    for (const Series& series : cell.libraries)
      if (series.library == std::get<1>(key) && series.chosen == std::get<3>(key) &&
          series.collective == std::get<4>(key) && series.density == std::get<5>(key) &&
          series.bits == std::get<6>(key) && (any_algorithm || series.algorithm == std::get<2>(key)))
        return &series;
  }
  return nullptr;
}

}  // namespace

int replay(const std::string& file, const std::string& raw_file) {
  const nlohmann::json before = read_json(file);
  if (!before.is_object() || !before.contains("setup") || !before.contains("results"))
    throw error(TUTTI_ERROR_ARGUMENT, "{} holds no setup and results: replay takes a file that --json wrote", file);
  const Options options = options_from_json(before["setup"], file);
  const auto raw = read_raw(raw_file);
  const Results after = run_session(options);
  int agreed = 0, cells = 0;
  for (const nlohmann::json& row : before["results"]) {
    const Key key = key_of(row, algorithm_of(row));
    const Series* series = find(after, key, row.at("chosen").get<bool>());
    const auto samples = raw.find(key);
    Verdict verdict{false, "not measured this time: DIFFER"};
    if (series && !series->us.empty())
      verdict = compare(row, *series, options.interval_share / 100, samples == raw.end() ? nullptr : &samples->second);
    std::cout << fmt::format("{:>10}  {:<10} {:<20} {}\n", size_text(std::get<0>(key)), std::get<1>(key),
                             std::get<2>(key), verdict.text);
    ++cells;
    agreed += verdict.agrees;
  }
  std::cout << fmt::format("{} of {} cells agree\n", agreed, cells);
  return agreed == cells ? 0 : 1;
}

}  // namespace tutti::perf
