// The tuning file: what `tutti tune` has measured of a machine, as constants of the time model for each level, a
// constant factor for each algorithm, and forced algorithms if somebody has written some. It bears the machine it was
// made on. docs/choosing.md is its manual. Times are whole picoseconds, as the model has them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "scheduler/machine.hpp"

namespace tutti {

// Where constants hold.
struct TuningStamp {
  std::string version;    // of Tutti
  std::string processor;  // as the system names it
  std::string topology;   // "1 package, 2 NUMA domains, 16 cores, 32 units"
  std::string
      transport;  // "shm", what TUTTI_TRANSPORT listed, or "shm and a network" where a job of several nodes chose
  bool operator==(const TuningStamp&) const = default;
};

struct Tuning {
  std::string file;
  TuningStamp made;
  Machine node;                         // its times alone
  std::optional<NetworkCosts> network;  // its times alone
  std::vector<Correction> corrections;
  std::string algorithms;         // as TUTTI_ALGORITHM has them; empty: none are forced
  std::string algorithms_origin;  // file, line and column of that text

  // Throws TUTTI_ERROR_ARGUMENT with file, line, column and what was expected.
  static Tuning parse(std::string_view text, const std::string& file);
  std::string text() const;
  // Puts the measured times into the place of the described ones.
  void apply(Machine& machine) const;
};

// A file is small; another one was meant where it is not.
inline constexpr std::size_t most_tuning_bytes = 64 * 1024;
// The text of a tuning file. Throws TUTTI_ERROR_ARGUMENT.
std::string read_tuning_text(const std::string& path);

// TUTTI_TUNING: FILE, or force:FILE for one that was made elsewhere.
struct TuningWish {
  std::string path;
  bool forced = false;
  static TuningWish parse(std::string_view text);
};

// Of the machine that this process runs on.
TuningStamp stamp_here(std::string transport);
// Throws TUTTI_ERROR_ARGUMENT that says what differs and how to go on, unless nothing does.
void require_made_here(const Tuning& tuning, const TuningStamp& here);
// The text of the wished file, which is right and was made here, or is forced. Throws TUTTI_ERROR_ARGUMENT.
std::string tuning_for_job(const TuningWish& wish, std::string transport);

}  // namespace tutti
