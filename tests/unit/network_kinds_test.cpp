// Every kind of network has the numbers of switches and links that its papers state, and routes that are right.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "network_properties.hpp"
#include "tests/catch.hpp"

using namespace tutti;

TEST_CASE("one switch joins every host by two links") {
  const Network network = network_of("kind = \"switch\"\nhosts = \"node[1-7]\"");
  CHECK(network.hosts() == 7);
  CHECK(network.switches() == 1);
  CHECK(network.links() == 14);
  require_minimal_routes(network);
}

TEST_CASE("a k-ary fat tree has k^3/4 hosts, 5k^2/4 switches and as many cables at each level") {
  for (const std::int64_t k : {2, 4, 6}) {
    const Network network = network_of(fmt::format("kind = \"fat-tree\"\nk = {}", k));
    CHECK(network.hosts() == k * k * k / 4);
    CHECK(network.switches() == 5 * k * k / 4);
    CHECK(network.links() == 3 * 2 * (k * k * k / 4));
    require_minimal_routes(network);
  }
}

TEST_CASE("a slimmed fat tree has fewer parents than children and several cables to each") {
  const Network network =
      network_of("kind = \"fat-tree\"\nlevels = 3\ndown = [4, 3, 2]\nup = [1, 2, 3]\nparallel = [1, 2, 1]");
  CHECK(network.hosts() == 24);
  CHECK(network.switches() == 6 + 2 * 2 + 2 * 3);
  CHECK(network.links() == 2 * (24 + 6 * 2 * 2 + 4 * 3));
  require_minimal_routes(network);
}

TEST_CASE("a fat tree routed by destination carries any shift of its hosts without sharing a link") {
  const Network network = network_of("kind = \"fat-tree\"\nk = 8");
  for (const std::int64_t shift : {1, 5, 64, 127}) {
    std::set<std::int64_t> used;
    std::size_t links = 0;
    for (std::int64_t host = 0; host < network.hosts(); ++host) {
      std::vector<std::int64_t> path;
      network.route(host, (host + shift) % network.hosts(), 0, path);
      used.insert(path.begin(), path.end());
      links += path.size();
    }
    CHECK(used.size() == links);
  }
}

TEST_CASE("flows spread over the spines of a fat tree") {
  const Network network = network_of("kind = \"fat-tree\"\nk = 8");
  std::set<std::int64_t> used;
  for (std::uint64_t flow = 0; flow < 16; ++flow) {
    std::vector<std::int64_t> path;
    network.route(0, network.hosts() - 1, flow, path);
    used.insert(path[2]);
  }
  CHECK(used.size() == 16);
}

TEST_CASE("a dragonfly has a p (ah + 1) hosts, and its minimal routes cross one global link") {
  for (const std::string arrangement : {"palmtree", "absolute"}) {
    const std::int64_t a = 4, p = 2, h = 2, groups = a * h + 1;
    const Network network =
        network_of("kind = \"dragonfly\"\ngroups = 9\nswitches_per_group = 4\nhosts_per_switch = 2\narrangement = \"" +
                   arrangement + "\"");
    CHECK(network.hosts() == a * p * groups);
    CHECK(network.switches() == a * groups);
    CHECK(network.links() == 2 * network.hosts() + groups * a * (a - 1) + groups * (groups - 1));
    require_minimal_routes(network, {"global", 1});
  }
}

TEST_CASE("the links of a pair of groups lie on different switches, and flows use them all") {
  const Network network = network_of(
      "kind = \"dragonfly\"\ngroups = 4\nswitches_per_group = 6\nhosts_per_switch = 1\nlinks_between_groups = 2\n"
      "links_between_switches = 2");
  require_minimal_routes(network, {"global", 1});
  std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::int64_t>> leaving;
  const std::int64_t per_group = 6;
  for (std::int64_t id = 0; id < network.links(); ++id) {
    if (network.link_class(id) != "global") continue;
    const auto [from, to] = network.ends(id);
    leaving[{(from - network.hosts()) / per_group, (to - network.hosts()) / per_group}].insert(from);
  }
  CHECK(leaving.size() == 4 * 3);
  for (const auto& [pair, switches] : leaving) CHECK(switches.size() == 2);
  std::set<std::int64_t> used;
  for (std::int64_t from = 0; from < per_group; ++from)
    for (std::uint64_t flow = 0; flow < 8; ++flow) {
      std::vector<std::int64_t> path;
      network.route(from, per_group + 3, flow, path);
      for (const std::int64_t id : path)
        if (network.link_class(id) == "global") used.insert(id);
    }
  CHECK(used.size() == 2);
}

TEST_CASE("a torus of n^d switches has d n^d cables, a mesh d (n-1) n^(d-1)") {
  for (const auto& [sizes, cables] : std::vector<std::pair<std::string, std::int64_t>>{
           {"[5]", 5}, {"[4, 4, 4]", 3 * 64}, {"[3, 3, 3, 3]", 4 * 81}, {"[3, 2, 3, 2, 3]", 3 * 108 + 54 + 54}}) {
    const Network network = network_of("kind = \"torus\"\nsizes = " + sizes);
    CHECK(network.links() == 2 * network.hosts() + 2 * cables);
    require_minimal_routes(network);
  }
  const Network mesh = network_of("kind = \"torus\"\nmesh = true\nsizes = [4, 3, 1, 2]\nhosts_per_switch = 2");
  CHECK(mesh.hosts() == 48);
  CHECK(mesh.links() == 2 * 48 + 2 * (3 * 6 + 2 * 8 + 12));
  require_minimal_routes(mesh);
}

TEST_CASE("a torus goes either way round where both are equally long, and uses parallel links") {
  const Network network = network_of("kind = \"torus\"\nsizes = [4, 4]\nparallel = [2, 1]");
  require_minimal_routes(network);
  std::set<std::vector<std::int64_t>> paths;
  for (std::uint64_t flow = 0; flow < 16; ++flow) {
    std::vector<std::int64_t> path;
    network.route(0, 2, flow, path);
    paths.insert(path);
  }
  CHECK(paths.size() == 4);
}

TEST_CASE("a HyperX joins all switches of a line") {
  const Network network =
      network_of("kind = \"hyperx\"\nsizes = [4, 3, 2]\nhosts_per_switch = 2\nparallel = [1, 2, 1]");
  CHECK(network.hosts() == 48);
  CHECK(network.links() == 2 * 48 + 24 * (3 + 2 * 2 + 1));
  require_minimal_routes(network);
}

TEST_CASE("a Slim Fly has 2q^2 switches of (3q - d)/2 links and diameter 2, for primes and powers of primes") {
  for (const std::int64_t q : {3, 4, 5, 7, 8, 9, 11, 13, 16}) {
    const std::int64_t d = q % 4 == 3 ? -1 : q % 4;
    const Network network = network_of(fmt::format("kind = \"slim-fly\"\nhosts_per_switch = 1\nq = {}", q));
    CHECK(network.switches() == 2 * q * q);
    CHECK(network.links() == 2 * network.hosts() + 2 * q * q * ((3 * q - d) / 2));
    if (q < 10) require_minimal_routes(network);
    std::size_t longest = 0;
    for (std::int64_t to = 0; to < network.hosts(); ++to) {
      std::vector<std::int64_t> path;
      network.route(1, to, 0, path);
      longest = std::max(longest, path.size());
    }
    CHECK(longest == 4);
  }
}

TEST_CASE("a HammingMesh joins the ends of its boards' rows and columns") {
  const Network small = network_of("kind = \"hammingmesh\"\nboard = [2, 2]\nboards = [4, 3]");
  CHECK(small.hosts() == 48);
  CHECK(small.switches() == 48 + 6 + 8);
  CHECK(small.links() == 2 * 48 + 2 * (6 * (4 + 8) + 8 * (3 + 6)));
  require_minimal_routes(small);
  const Network odd = network_of("kind = \"hammingmesh\"\nboard = [5, 1]\nboards = [3, 2]\nswitch_ports = 4");
  CHECK(odd.switches() == 30 + 2 * (3 + 2) + 15);
  require_minimal_routes(odd);
}

TEST_CASE("Valiant and adaptive routes are right, and longer than minimal ones") {
  const std::string dragonfly = "kind = \"dragonfly\"\ngroups = 5\nswitches_per_group = 2\nhosts_per_switch = 1\n";
  const std::string hyperx = "kind = \"hyperx\"\nsizes = [4, 4]\nhosts_per_switch = 1\n";
  const std::string slim_fly = "kind = \"slim-fly\"\nq = 5\nhosts_per_switch = 1\n";
  for (const std::string& lines : {dragonfly, hyperx, slim_fly}) {
    std::map<std::string, std::size_t> length;
    for (const std::string routing : {"minimal", "adaptive", "valiant"}) {
      const Network network = network_of(lines + "routing = \"" + routing + "\"");
      require_good_routes(network);
      for (std::int64_t from = 0; from < network.hosts(); ++from)
        for (std::int64_t to = 0; to < network.hosts(); ++to) {
          std::vector<std::int64_t> path;
          network.route(from, to, 0, path);
          length[routing] += path.size();
        }
    }
    INFO(lines);
    CHECK(length["minimal"] < length["adaptive"]);
    CHECK(length["adaptive"] < length["valiant"]);
  }
}

TEST_CASE("interfaces of a host lie together, or on rails") {
  const std::string tree = "kind = \"fat-tree\"\ndown = [2, 4]\nup = [1, 2]\nnics_per_host = 2\n";
  const Network together = network_of(tree), rails = network_of(tree + "nic_placement = \"rails\"");
  for (const Network& network : {together, rails}) {
    CHECK(network.links() == 2 * 8 * 2 + 2 * 4 * 2);
    require_good_routes(network);
  }
  // Host 0 and host 3 share a unit of two switches: on rails they meet on one, for either interface.
  for (std::uint64_t flow = 0; flow < 2; ++flow) {
    std::vector<std::int64_t> path;
    rails.route(0, 3, flow, path);
    CHECK(path.size() == 2);
    path.clear();
    together.route(0, 3, flow, path);
    CHECK(path.size() == 4);
  }
}

TEST_CASE("a million hosts are described and routed by computation, not by lists") {
  const Network torus = network_of("kind = \"torus\"\nsizes = [100, 100, 100]\nhosts = \"n[000000-999999]\"");
  CHECK(torus.hosts() == 1000000);
  CHECK(torus.links() == 8 * 1000000);
  const Network dragonfly = network_of(
      "kind = \"dragonfly\"\ngroups = 1025\nswitches_per_group = 32\nhosts_per_switch = 32\nhosts = 1049600");
  CHECK(dragonfly.hosts() == 1049600);
  CHECK(dragonfly.links() == 2 * 1049600 + 1025 * 32 * 31 + 1025 * 1024);
  std::size_t torus_links = 0, dragonfly_links = 0, longest = 0;
  std::vector<std::int64_t> path;
  for (std::int64_t host = 0; host < 1000000; ++host) {
    path.clear();
    torus.route(host, 999999 - host, 0, path);
    torus_links += path.size();
    path.clear();
    dragonfly.route(host, 999999 - host, 0, path);
    dragonfly_links += path.size();
    longest = std::max(longest, path.size());
  }
  // Along a ring of 100 the distance from x to 99 - x is 1, 3, ..., 49, 49, ..., 1, 1, ...: 25 in the mean.
  CHECK(torus_links == 1000000 * (2 + 3 * 25));
  CHECK(dragonfly_links > 4 * 1000000);
  CHECK(longest == 5);
  CHECK(torus.find_host("n123456") == 123456);
}
