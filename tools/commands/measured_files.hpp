// Result files of tutti-perf, read as measured calls of the time model.
#pragma once

#include <string>
#include <vector>

#include "scheduler/tuning_fit.hpp"

namespace tutti {

struct MeasuredFile {
  std::vector<MeasuredCall> calls;
  std::string version;    // of Tutti
  std::string processor;  // where they were measured
  std::string transport;  // as a stamp has it
};

// Throws TUTTI_ERROR_ARGUMENT with the file's name where it is not what `tutti-perf --json` writes.
MeasuredFile read_measured(const std::string& path);

}  // namespace tutti
