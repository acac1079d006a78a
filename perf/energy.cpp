// The machine's energy counters: the top-level zones (packages) of powercap; their parts are counted in them.
#include "perf/energy.hpp"

#include <fstream>
#include <string>

namespace tutti::perf {
namespace {

bool read_number(const std::filesystem::path& file, double& number) {
  return static_cast<bool>(std::ifstream(file) >> number);
}

}  // namespace

EnergyMeter::EnergyMeter(const std::filesystem::path& folder) {
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    // "intel-rapl:0" is a package, "intel-rapl:0:1" a part of it.
    const std::string name = entry.path().filename();
    const bool is_package = name.find(':') != std::string::npos && name.find(':') == name.rfind(':');
    Package package{entry.path()};
    if (!is_package || !read_number(entry.path() / "energy_uj", package.begin_uj)) continue;
    read_number(entry.path() / "max_energy_range_uj", package.range_uj);
    packages_.push_back(package);
  }
}

std::optional<double> EnergyMeter::joules() const {
  if (packages_.empty()) return std::nullopt;
  double sum_uj = 0;
  for (const Package& package : packages_) {
    double now_uj = package.begin_uj;
    read_number(package.path / "energy_uj", now_uj);
    sum_uj += now_uj - package.begin_uj + (now_uj < package.begin_uj ? package.range_uj : 0);
  }
  return sum_uj / 1e6;
}

}  // namespace tutti::perf
