// Descriptions of networks: listed graphs, Slurm's and InfiniBand's files, hosts of several kinds; and for every kind
// of bad file a message that says where it is wrong and what would be right.
#include <filesystem>
#include <fstream>
#include <set>

#include "network_properties.hpp"
#include "tests/catch.hpp"
#include "topology/network/forms.hpp"
#include "topology/network/units.hpp"

using namespace tutti;

namespace {

const std::string rates =
    "[link]\nhost = { bandwidth = \"1 Gb/s\", latency = \"1 us\" }\n"
    "switch = { bandwidth = \"10 Gb/s\", latency = \"2 us\" }\n";

std::string data(const std::string& name) { return std::string(NETWORK_DATA) + "/" + name; }

std::vector<std::int64_t> path_of(const Network& network, const std::string& from, const std::string& to,
                                  std::uint64_t flow = 0) {
  std::vector<std::int64_t> path;
  network.route(network.find_host(from).value(), network.find_host(to).value(), flow, path);
  return path;
}

}  // namespace

TEST_CASE("a graph is as its switches and cables are listed") {
  const Network network = parse_network(
      "[network]\nkind = \"graph\"\n" + rates +
          "[[switch]]\nname = \"leaf0\"\nhosts = \"a[0-2]\"\n[[switch]]\nname = \"leaf1\"\nhosts = \"b[0-1]\"\n"
          "link = { bandwidth = \"2 Gb/s\", latency = \"1 us\" }\n[[switch]]\nname = \"spine[0-1]\"\n"
          "[[cable]]\nbetween = [\"leaf[0-1]\", \"spine[0-1]\"]\nparallel = 2\n"
          "[[cable]]\nbetween = [\"spine0\", \"spine1\"]\nlink = { bandwidth = \"3 Gb/s\", latency = \"0 ns\" }\n",
      "graph.toml");
  CHECK(network.hosts() == 5);
  CHECK(network.switches() == 4);
  CHECK(network.links() == 2 * 5 + 2 * (2 * 2 * 2 + 1));
  CHECK(network.link(0).bytes_per_second == 125000000);
  CHECK(network.link(2 * 3).bytes_per_second == 250000000);
  CHECK(network.link(network.links() - 1) == Network::Link{375000000, 0});
  require_minimal_routes(network);
  std::set<std::vector<std::int64_t>> paths;
  for (std::uint64_t flow = 0; flow < 16; ++flow) paths.insert(path_of(network, "a0", "b0", flow));
  CHECK(paths.size() == 8);
}

TEST_CASE("partitions have links and interfaces of their own") {
  const Network network =
      parse_network("[network]\nkind = \"fat-tree\"\ndown = [2, 3]\nup = [1, 2]\n" + rates +
                        "[[partition]]\nhosts = \"cpu[1-4]\"\n[[partition]]\nhosts = \"gpu[1-2]\"\nnics_per_host = 4\n"
                        "link = { bandwidth = \"8 Gb/s\", latency = \"3 us\" }\n",
                    "partitions.toml");
  CHECK(network.hosts() == 6);
  CHECK(network.links() == 2 * (4 + 2 * 4) + 2 * 3 * 2);
  CHECK(network.interfaces(3) == 1);
  CHECK(network.interfaces(4) == 4);
  CHECK(network.link(path_of(network, "cpu1", "gpu1").back()) == Network::Link{1000000000, 3000000});
  CHECK(network.link(path_of(network, "cpu1", "gpu1").front()) == Network::Link{125000000, 1000000});
  require_minimal_routes(network);
}

TEST_CASE("a tree of Slurm's topology.conf is read") {
  const Network network = parse_network(
      "# the cluster\nSwitchName=s0 Nodes=dev[0-5]\nswitchname=s1 nodes=dev[6-11] LinkSpeed=100\n\n"
      "SwitchName=s2 Switches=s[0-1] # the root\n",
      "topology.conf");
  CHECK(network.hosts() == 12);
  CHECK(network.switches() == 3);
  CHECK(network.links() == 2 * 12 + 2 * 2);
  CHECK(path_of(network, "dev0", "dev5").size() == 2);
  CHECK(path_of(network, "dev0", "dev6").size() == 4);
  CHECK_THAT(network.assumptions(),
             ContainsSubstring("topology.conf does not state rates: links of 12.5 GB/s and 500 ns"));
  require_minimal_routes(network);
}

TEST_CASE("blocks of Slurm's topology.conf are joined in groups of their sizes") {
  const Network network = parse_network(
      "BlockName=b1 Nodes=node[01-03]\nBlockName=b2 Nodes=node[04-06]\nBlockName=b3 Nodes=node[07-09]\n"
      "BlockName=b4 Nodes=node[10-12]\nBlockName=b5 Nodes=node[13-15]\nBlockSizes=3,6\n",
      "topology.conf");
  CHECK(network.hosts() == 15);
  CHECK(network.switches() == 5 + 3 + 1);
  CHECK(path_of(network, "node01", "node02").size() == 2);
  CHECK(path_of(network, "node01", "node04").size() == 4);
  CHECK(path_of(network, "node01", "node07").size() == 6);
  require_minimal_routes(network);
}

TEST_CASE("an output of ibnetdiscover is read, with its rates and its hosts of several adapters") {
  const Network network = read_network(data("two_level_tree.ibnetdiscover"));
  CHECK(network.hosts() == 12);
  CHECK(network.switches() == 6);
  CHECK(network.links() == 2 * 13 + 2 * 4 * 2 * 2);
  CHECK(network.link(0).bytes_per_second == 1000000000);  // 4xSDR: 10 Gb/s on the wire, 8 of data
  CHECK(network.interfaces(network.find_host("node01").value()) == 2);
  CHECK(path_of(network, "node02", "node03").size() == 2);
  CHECK(path_of(network, "node02", "node12").size() == 4);
  CHECK_THAT(network.assumptions(), ContainsSubstring("does not state latencies"));
  require_good_routes(network);
}

TEST_CASE("a TOML file gives another system's file the rates that it lacks") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "tutti-network-files-test";
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "topology.conf")
      << "SwitchName=s0 Nodes=n[0-1]\nSwitchName=s1 Nodes=n[2-3]\nSwitchName=s2 Switches=s[0-1]\n";
  std::ofstream(folder / "network.toml") << "[network]\nkind = \"graph\"\nfile = \"topology.conf\"\n" << rates;
  const Network network = read_network((folder / "network.toml").string());
  std::filesystem::remove_all(folder);
  CHECK(network.hosts() == 4);
  CHECK(network.assumptions().empty());
  CHECK(network.link(0) == Network::Link{125000000, 1000000});
  CHECK(network.link(network.links() - 1) == Network::Link{1250000000, 2000000});
}

TEST_CASE("the hosts of a job are found by name, with and without their domain") {
  const Network network = network_of("kind = \"switch\"\nhosts = \"nid[0001-0009]\"");
  CHECK(place_hosts(network, {"nid0009", "nid0001.example.org"}) == std::vector<std::int64_t>{8, 0});
  CHECK_THROWS_WITH(place_hosts(network, {"nid0001", "nod0002"}),
                    ContainsSubstring("test.toml: host nod0002 of this job is not one of its 9 hosts") &&
                        ContainsSubstring("the nearest is nid0002"));
}

TEST_CASE("a unit is exact or refused") {
  CHECK(parse_bandwidth("200 Gb/s", "") == 25000000000);
  CHECK(parse_bandwidth("9.375 GB/s", "") == 9375000000);
  CHECK(parse_bandwidth("0.000008 Mb/s", "") == 1);
  CHECK(parse_bandwidth("1.50 kB/s", "") == 1500);
  CHECK(parse_time("300 ns", "") == 300000);
  CHECK(parse_time("1.25 us", "") == 1250000);
  CHECK(parse_time("0 ns", "") == 0);
  for (const std::string text : {"", "200", "200Gb/s", "200  Gb/s", "200 Gbit/s", "200 gb/s", "-1 Gb/s", ".5 Gb/s",
                                 "5. Gb/s", "1e3 Gb/s", "0 Gb/s", "1 b/s", "0.1 B/s", "99999999 TB/s", "1 Gb/s ",
                                 "1.1.1 Gb/s", "1234567890123456 b/s", "inf Gb/s", "300 ns"})
    CHECK_THROWS_WITH(parse_bandwidth(text, "f:1: "), ContainsSubstring("f:1: \"" + text + "\" is not a bandwidth"));
  for (const std::string text : {"1", "1 m", "0.1 ps", "1000 s", "1 Gb/s"})
    CHECK_THROWS_WITH(parse_time(text, "f:1: "), ContainsSubstring("right is a number, a space and a unit"));
  CHECK(bandwidth_text(25000000000) == "25 GB/s");
  CHECK(time_text(1250000) == "1.25 us");
}

namespace {

struct BadFile {
  std::string text;
  std::string where;    // what stands before the message
  std::string message;  // a part of it
};

void require_refused(const BadFile& bad) {
  INFO(bad.text);
  try {
    parse_network(bad.text, "bad");
    FAIL("it was read");
  } catch (const Error& failure) {
    CHECK(failure.code() == TUTTI_ERROR_ARGUMENT);
    CHECK_THAT(failure.what(), ContainsSubstring(bad.where) && ContainsSubstring(bad.message));
    CHECK(std::string_view(failure.what()).starts_with(bad.where));
  }
}

std::string toml(const std::string& lines) { return "[network]\n" + lines + "\n" + rates; }

}  // namespace

TEST_CASE("every kind of bad TOML description is refused where it is wrong") {
  const std::string tree = "kind = \"fat-tree\"\n", torus = "kind = \"torus\"\n", fly = "kind = \"dragonfly\"\n";
  for (
      const BadFile& bad : std::vector<BadFile>{
          {"", "bad: ", "table [network] is missing"},
          {"[network\n", "bad:1:", ""},
          {"\xff\xfe", "bad:1:", ""},
          {"network = 3\n", "bad:1:11: ", "\"network\" must be a table"},
          {"[network]\n", "bad:1:1: ", "[network] has no kind"},
          {toml("kind = 3"), "bad:2:8: ", "kind \"\" is unknown"},
          {toml("kind = \"dragenfly\""), "bad:2:8: ", "kind \"dragenfly\" is unknown; the nearest is dragonfly"},
          {toml("kind = \"switch\""), "bad:1:1: ", "hosts is missing in [network]"},
          {toml("kind = \"switch\"\nhosts = 0"), "bad:3:9: ", "\"hosts\" = 0 is out of range: 1 to 16777216"},
          {toml("kind = \"switch\"\nhosts = \"a[\""), "bad:3:9: ", "hostlist \"a[\", character 3"},
          {toml("kind = \"switch\"\nhosts = \"a,a\""), "bad:3:9: ", "host a is named twice"},
          {toml("kind = \"switch\"\nhosts = true"), "bad:3:9: ", "\"hosts\" must be a whole number or a text"},
          {toml("kind = \"switch\"\nhost = 3"), "bad:3:1: ", "[network] knows no \"host\"; the nearest is hosts"},
          {toml("kind = \"switch\"\nhosts = 2\nnics_per_host = 65"),
           "bad:4:17: ", "\"nics_per_host\" = 65 is out of range"},
          {toml("kind = \"switch\"\nhosts = 2\nrouting = \"valiant\""), "bad:4:11: ", "kind switch has no detours"},
          {toml("kind = \"switch\"\nhosts = 2\nrouting = \"best\""), "bad:4:11: ", "routing \"best\" is unknown"},
          {toml("kind = \"switch\"\nhosts = 2\nnic_placement = \"x\""), "bad:4:17: ", "nic_placement \"x\" is unknown"},
          {toml("kind = \"switch\"\nhosts = 2\nnics_per_host = 2\nnic_placement = \"rails\""),
           "bad:5:17: ", "rails of 2 interfaces need a multiple of 2 switches"},
          {toml(tree), "bad:1:1: ", "key \"down\" is missing in [network]"},
          {toml(tree + "k = 3"), "bad:3:5: ", "k = 3 is odd"},
          {toml(tree + "k = 4\nup = [1]"), "bad:4:6: ", "both \"k\" and \"up\" are given"},
          {toml(tree + "down = [2, 2]\nup = [1]"), "bad:4:6: ", "\"up\" has 1 numbers and \"down\" 2"},
          {toml(tree + "down = [2, 2]\nup = [2, 1]"), "bad:4:6: ", "the first number must be 1"},
          {toml(tree + "levels = 3\ndown = [2, 2]\nup = [1, 1]"), "bad:3:10: ", "levels = 3, but \"down\" has 2"},
          {toml(tree + "down = [2, 2]\nup = [1, 1]\nparallel = [1]"), "bad:5:12: ", "\"parallel\" has 1 numbers"},
          {toml(tree + "down = []\nup = []"), "bad:3:8: ", "\"down\" has 0 numbers"},
          {toml(tree + "down = [2, \"x\"]\nup = [1, 1]"), "bad:3:12: ", "\"down\" must be a list of whole numbers"},
          {toml(tree + "down = [65536, 65536]\nup = [1, 1]"), "bad:3:8: ", "this asks for more than 16777216 hosts"},
          {toml(tree + "down = [1,1,1,1,1,1,1,1]\nup = [1,65536,65536,65536,65536,65536,65536,65536]"),
           "bad:4:6: ", "this asks for more than 16777216 switches"},
          {toml(tree + "down = [2, 2]\nup = [1, 1]\nhosts = \"a[1-5]\""),
           "bad:5:9: ", "5 hosts are named, but the network has 4 places"},
          {toml(torus + "sizes = [1, 2, 3, 4, 5, 6]"), "bad:3:9: ", "6 dimensions"},
          {toml(torus + "sizes = [0]"), "bad:3:10: ", "\"sizes\" = 0 is out of range"},
          {toml(torus + "sizes = [3]\nmesh = 1"), "bad:4:8: ", "\"mesh\" must be true or false"},
          {toml(torus + "sizes = [3]\nparallel = [1, 2]"), "bad:4:12: ", "\"parallel\" has 2 numbers"},
          {toml(torus + "sizes = [99999, 99999]"), "bad:3:9: ", "this asks for more than 16777216 switches"},
          {toml(fly + "groups = 3"), "bad:1:1: ", "key \"switches_per_group\" is missing"},
          {toml(fly + "groups = 3\nswitches_per_group = 2\nhosts_per_switch = 1\narrangement = \"palm\""),
           "bad:6:15: ", "this arrangement is unknown"},
          {toml("kind = \"slim-fly\"\nq = 6\nhosts_per_switch = 1"), "bad:3:5: ", "q = 6: a power of a prime"},
          {toml("kind = \"slim-fly\"\nq = 15\nhosts_per_switch = 1"), "bad:3:5: ", "q = 15: a power of a prime"},
          {toml("kind = \"hammingmesh\"\nboard = [2]\nboards = [2, 2]"), "bad:3:9: ", "\"board\" must be two numbers"},
          {toml("kind = \"hammingmesh\"\nboard = [2, 2]\nboards = [9, 2]\nswitch_ports = 3"), "bad:5:16: ", "is odd"},
          {toml("kind = \"hammingmesh\"\nboard = [2, 2]\nboards = [99, 2]\nswitch_ports = 4"),
           "bad:4:10: ", "a line of 99 boards needs more than two levels"},
          {"[network]\nkind = \"switch\"\nhosts = 2\n", "bad: ", "table [link] is missing"},
          {"[network]\nkind = \"switch\"\nhosts = 2\n[link]\n", "bad:4:1: ", "[link] says nothing of \"host\""},
          {"[network]\nkind = \"torus\"\nsizes = [3]\n[link]\nhost = { bandwidth = \"1 Gb/s\", latency = \"1 us\" }\n",
           "bad:4:1: ", "[link] says nothing of \"x\" or \"switch\""},
          {toml("kind = \"switch\"\nhosts = 2") + "global = 3\n",
           "bad:7:1: ", "[link] of this network knows no \"global\""},
          {"[network]\nkind = \"switch\"\nhosts = 2\n[link]\nhost = 3\n",
           "bad:5:8: ", "\"host\" must be a table such as"},
          {"[network]\nkind = \"switch\"\nhosts = 2\n[link]\nhost = { bandwidth = \"1 Gb/s\" }\n",
           "bad:5:8: ", "link \"host\" needs a latency"},
          {"[network]\nkind = \"switch\"\nhosts = 2\n[link]\nhost = { bandwidth = \"1 Gbit/s\", latency = \"1 us\" }\n",
           "bad:5:22: ", "\"1 Gbit/s\" is not a bandwidth: the unit is unknown"},
          {"[network]\nkind = \"switch\"\nhosts = 2\n[link]\nhost = { bandwith = \"1 Gb/s\", latency = \"1 us\" }\n",
           "bad:5:10: ", "link \"host\" knows no \"bandwith\"; the nearest is bandwidth"},
          {toml("kind = \"switch\"\nhosts = 2") + "[[partition]]\nhosts = \"a\"\n",
           "bad:3:9: ", "both [network] hosts and [[partition]] are given"},
          {toml("kind = \"switch\"") + "[[partition]]\n", "bad:6:1: ", "key \"hosts\" is missing in [partition]"},
          {toml("kind = \"switch\"") + "[[partition]]\nhosts = 3\n[[partition]]\nhosts = 3\n",
           "bad:7:9: ", "hosts of several partitions need names"},
          {toml("kind = \"switch\"\nhosts = 2") + "[partitions]\n", "bad:7:2: ", "the file knows no \"partitions\""},
          {toml("kind = \"graph\""), "bad:1:1: ", "kind graph needs [[switch]] tables, or a file"},
          {toml("kind = \"graph\"\nfile = \"/nonexistent\""), "/nonexistent: ", "cannot be opened"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a\"\n", "bad: ", "no hosts are described"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a\"\n[[switch]]\nname = \"a\"\n",
           "bad:9:8: ", "switch a is described twice"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a[1-2]\"\nhosts = \"h\"\n",
           "bad:8:9: ", "several switches cannot have the same hosts"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a[1-2]\"\n[[switch]]\nname=\"b\"\nhosts = \"h\"\n",
           "bad: ", "no path joins switches a1 and a2"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a\"\nhosts = \"h\"\n[[cable]]\nbetween = [\"a\", \"ab\"]\n",
           "bad:10:11: ", "switch ab is unknown; the nearest is a"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a\"\nhosts = \"h\"\n[[cable]]\nbetween = [\"a\"]\n",
           "bad:10:11: ", "\"between\" must be two names"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a\"\nhosts = \"h\"\n[[cable]]\nbetween = [\"a\", \"a\"]\n",
           "bad:10:11: ", "switch a is joined to itself"},
          {toml("kind = \"graph\"") + "[[switch]]\nname = \"a[0-9999]\"\n", "bad:7:8: ", "more than 8192 switches"},
      })
    require_refused(bad);
}

TEST_CASE("every kind of bad topology.conf is refused where it is wrong") {
  for (const BadFile& bad : std::vector<BadFile>{
           {"SwitchName=s0 Node=a\n", "bad:1: ", "\"Node\" is not a key of topology.conf; the nearest is Nodes"},
           {"SwitchName=s0\n", "bad:1: ", "a switch must have either Nodes= or Switches="},
           {"SwitchName=s0 Nodes=a Switches=b\n", "bad:1: ", "a switch must have either"},
           {"SwitchName= Nodes=a\n", "bad:1: ", "SwitchName has no value"},
           {"SwitchName=s0 Nodes=a[1-\n", "bad:1: ", "hostlist \"a[1-\", character 5"},
           {"SwitchName=s0 Nodes=a Nodes=b\n", "bad:1: ", "Nodes stands twice"},
           {"SwitchName=s0 Nodes=a\nSwitchName=s0 Nodes=b\n", "bad:2: ", "switch s0 is described twice"},
           {"SwitchName=s[0-1] Nodes=a\n", "bad:1: ", "the name of a switch or a block is one name"},
           {"SwitchName=s0 Nodes=a\nNodes=b\n", "bad:2: ", "a line must begin with SwitchName="},
           {"SwitchName=s0 Nodes=a\nSwitchName=s1 Switches=s3\n", "bad:2: ", "switch s3 is unknown; the nearest is s0"},
           {"SwitchName=s0 Nodes=a\nSwitchName=s1 Switches=s1\n", "bad:2: ", "switch s1 is joined to itself"},
           {"SwitchName=s0 Nodes=a\nSwitchName=s1 Nodes=b\n", "bad: ", "no path joins switches s0 and s1"},
           {"SwitchName=s0 Nodes=a\nBlockName=b Nodes=b\n", "bad:2: ", "both SwitchName and BlockName"},
           {"BlockName=b1\n", "bad:1: ", "a block must have Nodes="},
           {"BlockName=b1 Nodes=a\nBlockSizes=4,2\n", "bad:2: ", "BlockSizes must be growing multiples"},
           {"BlockName=b1 Nodes=a\nBlockSizes=4,,8\n", "bad:2: ", "BlockSizes must be growing multiples"},
           {"BlockSizes=4\n", "bad: ", "no hosts are described"},
       })
    require_refused(bad);
}

TEST_CASE("every kind of bad output of ibnetdiscover is refused where it is wrong") {
  const std::string leaf = "Switch\t4 \"S-1\"\t# \"leaf\" base port 0\n";
  for (const BadFile& bad : std::vector<BadFile>{
           {"vendid=0x0\n", "bad: ", "no hosts are described"},
           {leaf + "hello\n", "bad:2: ", "this is not a line of ibnetdiscover"},
           {"Switch 4 S-1\n", "bad:1: ", "a name in quotes is missing"},
           {"switchguid=1\n[1] \"H-1\"[1]\n", "bad:2: ", "a port before the first Switch or Ca"},
           {leaf + "[x] \"H-1\"[1]\n", "bad:2: ", "a number of a port is missing"},
           {leaf + "[1] \"H-1\"\n", "bad:2: ", "a number of a port is missing"},
           {leaf + "[1] \"H-1\"[1] # \"n\" lid 1 4xSDR\n", "bad:2: ", "node H-1 has no record of its own"},
           {leaf + "[1] \"H-1\"[1] # \"n\" lid 1 4xABC\nCa 1 \"H-1\" # \"n mlx\"\n", "bad:2: ", "the rate is missing"},
           {leaf + leaf, "bad:2: ", "node S-1 is described twice"},
           {leaf + "[1] \"S-1\"[2] # \"leaf\" lid 1 4xSDR\n", "bad:2: ", "is joined to itself"},
           {"Ca 1 \"H-1\"\n[1] \"H-2\"[1] # lid 4xSDR\nCa 1 \"H-2\"\n", "bad:2: ", "without a switch"},
       })
    require_refused(bad);
}
