// Collectives that lose something, or cost something so as not to: topk-allreduce, quantised-allreduce,
// reproducible-allreduce. Each setting of one is measured beside our own dense allreduce and the peers', of the same
// inputs, and never shown without its error.
#pragma once

#include <string>
#include <vector>

#include "perf/results.hpp"

namespace tutti::perf {

bool is_lossy(const std::string& collective);

// Checks what is for these collectives alone; throws Error(TUTTI_ERROR_ARGUMENT).
void check_lossy(const Options& options);

// One call of ours that takes part in every cell.
struct OurCall {
  std::string collective;
  std::string forced;  // algorithm; empty where the library chooses
  double density = 0;
  int bits = 0;
};

// Every setting with every algorithm to force, then the dense allreduce.
std::vector<OurCall> lossy_calls(const Options& options);

// Adds density, bits, distribution, wire_bytes and the errors to a row of JSON; null where they have no meaning.
void add_loss(nlohmann::json& row, const Options& options, const Series& series);

// The table for people.
std::string lossy_table_text(const Results& results);

}  // namespace tutti::perf
