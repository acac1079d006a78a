// Nodes as hwloc sees them: real machines and described ones, from XML in place of this machine.
#include "topology/node/node.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "error.hpp"
#include "tests/catch.hpp"
#include "topology/node/cores.hpp"

using namespace tutti;

namespace {

Node node(const std::string& name) { return node_of_file(std::string(NODE_DATA) + "/" + name + ".xml"); }

const Node::Device& device(const Node& node, const std::string& name) {
  for (const Node::Device& candidate : node.devices)
    if (std::count(candidate.names.begin(), candidate.names.end(), name) > 0) return candidate;
  throw std::runtime_error("no device " + name);
}

}  // namespace

TEST_CASE("two sockets: cores, caches, and an adapter with the names of its parts") {
  const Node machine = node("two_sockets");
  CHECK(machine.packages == 2);
  CHECK(machine.cores.size() == 12);
  CHECK(machine.cores[0].units == std::vector<int>{0, 12});
  CHECK(machine.l3s.size() == 2);
  CHECK(machine.l3s[0].bytes == 12 << 20);
  CHECK(machine.l2s[0].bytes == 256 << 10);
  const Node::Device& adapter = device(machine, "mlx4_0");
  CHECK(adapter.kind == Node::DeviceKind::interface);
  CHECK(adapter.names == std::vector<std::string>{"eth2", "ib0", "mlx4_0"});
  CHECK(adapter.numa == 0);
  CHECK(adapter.package == 0);
  CHECK(std::none_of(machine.devices.begin(), machine.devices.end(),
                     [](const Node::Device& device) { return device.bus == "0000:01:03.0"; }));  // a server's screen
}

TEST_CASE("distances go from a core to the machine") {
  const Node machine = node("epyc_8_numa");
  CHECK(machine.distance("0", "1") == Distance::core);
  CHECK(machine.distance("0", "2") == Distance::l3);
  CHECK(machine.distance("0", "8") == Distance::numa);
  CHECK(machine.distance("0", "16") == Distance::package);
  CHECK(machine.distance("0", "64") == Distance::machine);
  CHECK(machine.distance("0-3", "4-7") == Distance::l3);
  CHECK(machine.distance("0-15", "0-15") == Distance::numa);  // ranks that may move are as far as they may come
  CHECK(node("knl").distance("0", "1") == Distance::l2);
  CHECK(node("knl").distance("0", "2") == Distance::l3);
  CHECK(distance_name(Distance::l3) == "L3");
  CHECK_THROWS_WITH(machine.distance("0", "4096"),
                    ContainsSubstring("names no processing unit") && ContainsSubstring("0-3,8"));
  CHECK_THROWS_WITH(machine.distance("x", "0"), ContainsSubstring("\"x\" names no processing unit"));
}

TEST_CASE("memories of another technology are told apart, and cores belong to the ordinary one") {
  const Node machine = node("knl");
  CHECK(machine.memories.size() == 8);
  CHECK(std::count_if(machine.memories.begin(), machine.memories.end(),
                      [](const Node::Memory& memory) { return memory.technology == "MCDRAM"; }) == 4);
  for (const Node::Core& core : machine.cores) CHECK(core.numa < 4);
}

TEST_CASE("cores of different speed are told apart") {
  const Node machine = node("hybrid_cores");
  REQUIRE(machine.cores.size() == 2);
  CHECK(machine.cores[0].speed < machine.cores[1].speed);
}

TEST_CASE("accelerators and interfaces are where they are attached") {
  const Node machine = node("gh200_4");
  CHECK(machine.cores.size() == 288);
  for (int module = 0; module < 4; ++module) {
    const Node::Device& accelerator = device(machine, fmt::format("cuda{}", module));
    CHECK(accelerator.kind == Node::DeviceKind::accelerator);
    CHECK(accelerator.package == module);
    CHECK(accelerator.link_gigabytes_per_second == Approx(64));
    CHECK(device(machine, fmt::format("hsn{}", module)).numa == accelerator.numa);
  }
  CHECK(device(node("power8"), "nvml3").package == 1);
  CHECK(device(node("epyc_8_numa"), "mlx5_1").numa == 6);
}

TEST_CASE("this machine is seen, and what this process may use of it") {
  const Node machine = this_node();
  CHECK_FALSE(machine.cores.empty());
  CHECK(machine.allowed == allowed_cores());
  int allowed = 0;
  for (const Node::Core& core : machine.cores) allowed += core.allowed;
  CHECK(allowed == count_cores({machine.allowed}));
}

TEST_CASE("a file that hwloc cannot read is refused") {
  CHECK_THROWS_WITH(node_of_file("/nonexistent.xml"), ContainsSubstring("/nonexistent.xml: cannot be opened"));
  const auto path = std::filesystem::temp_directory_path() / "tutti-node-test.xml";
  std::ofstream(path) << "this is not XML";
  CHECK_THROWS_WITH(node_of_file(path.string()), ContainsSubstring("hwloc cannot read it; an XML file is right"));
  std::filesystem::remove(path);
}
