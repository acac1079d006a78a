// Measuring one cell: every candidate checked, timed in turn, in rounds, until its interval is narrow or a limit is
// reached, and checked again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "perf/job.hpp"
#include "perf/options.hpp"
#include "perf/statistics.hpp"

namespace tutti::perf {

// Of inputs with a distribution, against their exact sum.
struct Loss {
  double max_abs_error = 0;
  double nrmse = 0;
  double snr_db = 0;
};

// All that was measured of one (cell, library, algorithm), over all launches.
struct Series {
  std::string library;
  std::string collective;   // the call: with a lossy one also the dense one beside it
  std::string algorithm;    // as the library names what ran; empty for peers
  std::string parameters;   // of the algorithm, as the library writes them: "(window=256K)"
  bool chosen = false;      // by the library's scheduler
  std::string part;         // of the bound; empty for a library
  std::vector<double> us;   // one sample a call (or the batch's mean), maximum over ranks
  std::vector<int> launch;  // in which launch each sample was taken
  std::size_t missed = 0;   // samples dropped since a rank missed the common start
  unsigned batch = 1;
  double density = 0;  // topk-allreduce
  int bits = 0;        // quantised-allreduce
  Loss loss;
  std::uint64_t wire_bytes = 0;  // of all ranks in one call; 0 where the library does not tell
  bool correct = true;
  std::string complaint;  // what was wrong, or why the candidate could not run
  bool ran = true;
  double cpu_us = 0;  // mean over the turns, sum over ranks, one call
  int cpu_turns = 0;
  std::optional<double> joules;                   // the machine's, one call
  std::vector<double> compute_us, overlapped_us;  // of nonblocking calls
};

// A job's call that takes part in a cell.
struct Candidate {
  Job* job = nullptr;
  std::string forced;       // algorithm, or the variant of a bound's part
  std::string part;         // a bound's part
  std::uint64_t bytes = 0;  // of a bound's part
  bool reports_choice = false;
  Series* series = nullptr;
};

// Progress and what is left to do, for the terminal.
using Progress = std::function<void(const std::string&)>;

void measure_cell(const Options& options, const Cell& cell, int launch, std::vector<Candidate>& candidates,
                  const Progress& progress);

// How much of the communication was hidden behind computation, in per cent; nothing where it was not measured.
std::optional<double> overlap_percent(const Series& series);

}  // namespace tutti::perf
