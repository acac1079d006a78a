// All that one call of tutti-perf measured, and the forms in which it is shown and kept.
#pragma once

#include <deque>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "perf/options.hpp"
#include "perf/rounds.hpp"

namespace tutti::perf {

struct CellResult {
  Cell cell;
  std::vector<Series> libraries;
  std::vector<Series> parts;  // of the bound
  double bound_us = 0;
};

struct PeerFacts {
  std::string name;
  std::string version;
  std::string command;
  std::string note;
};

struct Results {
  Options options;
  nlohmann::json setup;
  std::vector<PeerFacts> jobs;
  std::vector<CellResult> cells;
};

// The peer with the smallest median in a cell, or nullptr where no peer ran.
const Series* best_peer(const CellResult& cell);
bool is_ours(const Series& series);

// Rows of words under one another, the first row being the heading.
std::string aligned(const std::vector<std::vector<std::string>>& rows);
// The table for people, with geometric means of the ratios below it.
std::string table_text(const Results& results);
nlohmann::json to_json(const Results& results);
void write_csv(std::ostream& out, const Results& results);
// One line of JSON for each series: every sample, with the launch it was taken in.
void write_raw(std::ostream& out, const Results& results);

}  // namespace tutti::perf
