// What `tutti simulate` tells of a simulation: as text and as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "simulator/programs.hpp"
#include "simulator/settings.hpp"
#include "topology/network/seats.hpp"

namespace tutti {

struct BusyLink {
  std::string name;
  std::string link_class;
  double bytes = 0;
  double share = 0;  // of the time, in which it carries bytes at its full rate
};
// Those with the largest shares, the busiest first.
std::vector<BusyLink> busiest_links(const simulation::Programs& programs, const Seats& seats,
                                    const simulation::Outcome& outcome, std::size_t most);

struct SimulationReport {
  std::string title;               // "allreduce by ring, 1M bytes on 64 ranks"
  nlohmann::ordered_json entries;  // what was asked for
  const simulation::Outcome* outcome = nullptr;
  std::vector<BusyLink> busiest;  // where there is a network
};

std::string simulated_time_text(std::int64_t ps);
nlohmann::ordered_json json_of(const SimulationReport& report);
void print_json(const SimulationReport& report);
void print_text(const SimulationReport& report);

}  // namespace tutti
