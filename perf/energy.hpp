// The machine's energy counters (Linux powercap), where this user may read them.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace tutti::perf {

// Counts the energy of all packages from its construction on.
class EnergyMeter {
 public:
  explicit EnergyMeter(const std::filesystem::path& folder = "/sys/class/powercap");
  // Joules since the construction, or nothing where no counter can be read. A counter that wrapped once in between is
  // followed; they wrap about once an hour.
  std::optional<double> joules() const;

 private:
  struct Package {
    std::filesystem::path path;
    double begin_uj = 0;
    double range_uj = 0;
  };
  std::vector<Package> packages_;
};

}  // namespace tutti::perf
