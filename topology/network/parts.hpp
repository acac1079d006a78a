// What a Network is made of; for the readers that make one and for Network itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "topology/network/fabric.hpp"
#include "topology/network/hostlist.hpp"
#include "topology/network/network.hpp"

namespace tutti {

// Hosts that follow each other and are alike.
struct HostRun {
  std::int64_t first_host = 0;
  std::int64_t first_port = 0;  // ports are numbered through all hosts: one for each interface
  std::int64_t hosts = 0;
  std::vector<Network::Link> interfaces;  // the rate of each
};

struct NetworkParts {
  std::string file;
  std::string kind;
  std::string assumptions;
  std::unique_ptr<const Fabric> fabric;
  Hostlist names;
  std::vector<HostRun> runs;             // of all hosts, in order
  std::vector<std::int64_t> switch_of;   // by port, where the description lists it; else by Fabric's rule
  std::vector<std::string> class_names;  // of the fabric's links
  std::vector<Network::Link> class_rates;
  Routing routing = Routing::minimal;
  bool rails = false;  // the k-th interfaces of neighbouring hosts share a switch, those of one host do not

  void add_run(std::int64_t hosts, std::vector<Network::Link> interfaces);
  const HostRun& run_of_host(std::int64_t host) const;
  const HostRun& run_of_port(std::int64_t port) const;
  std::int64_t hosts() const { return runs.empty() ? 0 : runs.back().first_host + runs.back().hosts; }
  std::int64_t ports() const;
  std::int64_t switch_of_port(std::int64_t host, std::int64_t interface, std::int64_t port) const;
};

}  // namespace tutti
