// A node as hwloc sees it: packages, NUMA domains, caches, cores, what this process may use of them, network interfaces
// and accelerators with where they are attached; and how far two cores are from each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

// What the nearest thing is that two cores share.
enum class Distance { core, l2, l3, numa, package, machine };
std::string_view distance_name(Distance distance);

struct Node {
  struct Core {
    int package = 0;
    int numa = 0;  // the first domain beside it: the ordinary memory
    int l3 = -1;   // number of the cache it shares; -1 where there is none
    int l2 = -1;
    std::vector<int> units;  // its processing units, as the system numbers them
    int allowed = 0;         // how many of them this process may use
    int speed = 0;           // class of cores by speed, from the slowest; 0 where all are alike
  };
  struct Memory {    // a NUMA domain
    int number = 0;  // as the system numbers it
    std::int64_t bytes = 0;
    std::string technology;  // such as HBM or MCDRAM; empty for ordinary memory
    std::string units;       // the processing units beside it
    int package = -1;        // -1: beside no single one
  };
  struct Cache {
    std::int64_t bytes = 0;
    std::string units;
  };
  enum class DeviceKind { interface, accelerator };
  struct Device {
    DeviceKind kind = DeviceKind::interface;
    std::string bus;                 // PCI address; empty where it is not on such a bus
    std::string model;               // vendor and model as far as they are known
    std::vector<std::string> names;  // by which the system's parts call it: eth0, ib0, mlx5_0, cuda0...
    int numa = -1;                   // the domain it is attached to; -1: to no single one
    int package = -1;
    double link_gigabytes_per_second = 0;  // between host and device; 0 where it is unknown
  };

  std::string origin;  // "this machine", or the file
  std::string processor;
  int packages = 0;
  std::vector<Core> cores;
  std::vector<Memory> memories;
  std::vector<Cache> l3s;
  std::vector<Cache> l2s;
  std::vector<Device> devices;
  std::string allowed;  // the processing units that this process may use, by binding and cgroup, such as "0-3,8"

  // What the units of the one list and those of the other share at least; two lists of one unit each, in the simplest
  // case. Throws Error(TUTTI_ERROR_ARGUMENT) where a list names none of this node.
  Distance distance(std::string_view one, std::string_view other) const;
  Distance distance(const Core& one, const Core& other) const;
};

// NICs and accelerators are looked for on the buses, which takes time and, in hwloc's plugins, memory that stays.
enum class Devices { looked_for, left_out };

// The node this process runs on. Throws Error(TUTTI_ERROR_INTERNAL) where hwloc cannot read it.
Node this_node(Devices devices = Devices::looked_for);
// The node that an XML file of hwloc describes (lstopo --of xml). Throws Error(TUTTI_ERROR_ARGUMENT).
Node node_of_file(const std::string& path);

}  // namespace tutti
