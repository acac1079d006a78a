// What a call of tutti-perf was asked to do, from the command line or from a file that is measured again.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tutti::perf {

struct Options {
  std::string collective;
  int ranks = 0;
  std::string bytes = "8:64M";
  std::string type = "float32";
  std::string op = "sum";
  std::string algorithm;  // forced; "all" for every one; empty where the scheduler chooses
  std::string transport;
  bool in_place = false;
  bool nonblocking = false;
  int root = 0;
  // Of the collectives of lossy.hpp.
  std::vector<double> densities;
  std::vector<int> bits;
  std::string distribution;  // empty means gaussian there, whole numbers elsewhere
  bool dense_result = false;
  std::vector<std::string> against;  // NAME or NAME=PREFIX
  int launches = 3;
  double seconds = 1;         // limit for each candidate of a cell, over all launches
  int samples = 20000;        // likewise
  double interval_share = 5;  // per cent of the median within which its interval must lie
  std::string csv, json, raw;
};

constexpr const char* collectives[] = {"allreduce",
                                       "broadcast",
                                       "barrier",
                                       "reduce",
                                       "reduce-scatter",
                                       "allgather",
                                       "alltoall",
                                       "topk-allreduce",
                                       "quantised-allreduce",
                                       "reproducible-allreduce"};

// One call that is measured: what a row of the table is about.
struct Cell {
  std::uint64_t bytes = 0;  // of the whole vector, as reported
  std::uint64_t count = 0;  // elements as the collective counts them
};

// Checks every value; throws Error(TUTTI_ERROR_ARGUMENT).
void check(const Options& options);
// The cells in rising size, for a checked call.
std::vector<Cell> cells_of(const Options& options);
bool reduces(const std::string& collective);

nlohmann::json to_json(const Options& options);
// The settings that `setup` of a result file holds; throws Error(TUTTI_ERROR_ARGUMENT) naming the file and the key.
Options options_from_json(const nlohmann::json& setup, const std::string& file);

}  // namespace tutti::perf
