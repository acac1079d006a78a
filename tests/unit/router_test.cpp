// The router keeps the transport contract with its peers on two transports, and says what is in the way of a peer.
#include "transports/router/router.hpp"

#include "error.hpp"
#include "runtime/control_message.hpp"
#include "runtime/job_record.hpp"
#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"
#include "transports/router/wishes.hpp"
#include "transports/shm/shm.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

// Shared memory that passes for a network of this name.
class Network final : public Transport {
 public:
  Network(int rank, int size, std::string name) : shm_(rank, size, Sharing::within_process), name_(std::move(name)) {}
  const char* name() const override { return name_.c_str(); }
  Traits traits() const override { return shm_.traits(); }
  std::string address() const override { return shm_.address(); }
  void connect(int peer, std::string_view address) override { shm_.connect(peer, address); }
  void open(std::uint32_t channel, std::uint32_t sequence) override { shm_.open(channel, sequence); }
  bool send(Send& send) override { return shm_.send(send); }
  void* reserve(Send& send) override { return shm_.reserve(send); }
  void commit(Send& send) override { shm_.commit(send); }
  bool share(Send& send, const Send& earlier) override { return shm_.share(send, earlier); }
  bool receive(Receive& receive) override {
    const bool arrived = shm_.receive(receive);
    early_messages = shm_.early_messages;
    return arrived;
  }
  void release(Receive& receive) override { shm_.release(receive); }
  void cancel(Send& send) override { shm_.cancel(send); }
  void cancel(Receive& receive) override { shm_.cancel(receive); }
  bool stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) override {
    const bool found = shm_.stray(channel, oldest, peer, tag);
    early_messages = shm_.early_messages;
    return found;
  }
  void forget(int peer) override { shm_.forget(peer); }
  void wait(std::chrono::microseconds limit) override { shm_.wait(limit); }

 private:
  ShmTransport shm_;
  std::string name_;
};

std::unique_ptr<Router> over(int rank, int size, std::initializer_list<const char*> names) {
  auto router = std::make_unique<Router>(rank, size);
  std::vector<std::unique_ptr<Transport>> networks;
  for (const char* name : names) networks.push_back(std::make_unique<Network>(rank, size, name));
  router->use_networks(std::move(networks));
  return router;
}

// Ranks go round `nodes` nodes. What connects them is looked up when it is first wanted.
Ranks routed_ranks(int size, int nodes, bool shares_memory) {
  auto addresses = std::make_shared<std::vector<std::string>>();
  Ranks ranks;
  for (int node = 0; node < nodes; ++node) {
    std::vector<int> members;
    for (int rank = node; rank < size; rank += nodes) members.push_back(rank);
    const int count = static_cast<int>(members.size());
    std::vector<std::unique_ptr<ShmTransport>> inside;
    for (int i = 0; i < count && shares_memory; ++i)
      inside.push_back(std::make_unique<ShmTransport>(i, count, Sharing::within_process));
    for (const auto& one : inside)
      for (const auto& other : inside)
        if (one != other) one->connect(static_cast<int>(&other - inside.data()), other->address());
    ranks.resize(static_cast<std::size_t>(size));
    addresses->resize(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < members.size(); ++i) {
      auto router = over(members[i], size, {"network"});
      if (shares_memory) router->use_inside(std::move(inside[i]), members);
      router->look_up_with([addresses](int peer) { return addresses->at(static_cast<std::size_t>(peer)); });
      (*addresses)[static_cast<std::size_t>(members[i])] = router->address();
      ranks[static_cast<std::size_t>(members[i])] = std::move(router);
    }
  }
  // A message that came from a peer nobody here has asked for shows only once that one is connected.
  if (size == 2 && !shares_memory)
    for (int rank : {0, 1})
      ranks[static_cast<std::size_t>(rank)]->connect(1 - rank, addresses->at(static_cast<std::size_t>(1 - rank)));
  return ranks;
}

const UnderTest network_alone("router over a network", [](int size) { return routed_ranks(size, 1, false); });
// Two ranks share a node there; more go round two.
const UnderTest two_nodes("router over two nodes",
                          [](int size) { return routed_ranks(size, size == 2 ? 1 : 2, true); });

}  // namespace

TEST_CASE("a router takes the network that both sides have, in the lower rank's order") {
  auto low = over(0, 2, {"ofi:tcp", "ucx"}), high = over(1, 2, {"ucx", "ofi:tcp", "ofi:other"});
  low->connect(1, high->address());
  high->connect(0, low->address());
  CHECK(low->name_towards(1) == std::string("ofi:tcp"));
  CHECK(high->name_towards(0) == std::string("ofi:tcp"));
  CHECK(high->name() == std::string("ucx,ofi:tcp,ofi:other"));
}

TEST_CASE("two ranks without a common transport are named with what each has") {
  auto low = over(0, 8, {"ofi:tcp", "ucx"}), high = over(7, 8, {"ofi:other"});
  CHECK_THROWS_WITH(low->connect(7, high->address()), ContainsSubstring("ranks 0 and 7 have no transport in common") &&
                                                          ContainsSubstring("rank 0 has ofi:tcp, ucx") &&
                                                          ContainsSubstring("rank 7 has ofi:other"));
  CHECK_THROWS_WITH(low->connect(7, ""), ContainsSubstring("rank 7 has none"));
  CHECK_THROWS_WITH(low->connect(7, "noise|| noise"), ContainsSubstring("no transport in common"));
}

TEST_CASE("a list of transports is read in order, and what is unknown is named with the known ones") {
  const auto wishes = parse_transports({"shm", "ofi:tcp", "ucx", "shm"}, "TUTTI_TRANSPORT");
  CHECK(wishes == std::vector<TransportWish>{{"shm", ""}, {"ofi", "tcp"}, {"ucx", ""}});
  CHECK(wishes_shm(wishes));
  CHECK_FALSE(wishes_shm({{"ofi", "tcp"}}));
  CHECK(wishes_shm({}));
  for (const char* wrong : {"tcp", "smh", "", ":", "ofi:", "shm:fast"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(parse_transports({wrong}, "THE_VARIABLE"), ContainsSubstring("THE_VARIABLE"));
  }
  CHECK_THROWS_WITH(parse_transports({"uxc"}, "V"),
                    ContainsSubstring("did you mean ucx") && ContainsSubstring("ofi:tcp"));
}

TEST_CASE("the record of a job holds the node of each rank, and comes through text unchanged") {
  std::vector<RankFacts> facts;
  for (const char* node : {"b", "b", "a", "b", "a", "c"})
    facts.push_back(
        {"1.0", std::string("host-") + node, node, node[0] == 'c' ? "machine 2" : "machine 1", "0-1", true, 1, 2, {}});
  facts[4].shm = false;
  const JobRecord made = make_record(facts);
  CHECK(made.nodes == std::vector<int>{0, 0, 1, 0, 1, 2});
  CHECK(made.cores == 4);
  const JobRecord record = JobRecord::parse(made.text(), 6);
  CHECK(record.nodes == made.nodes);
  CHECK(record.cores == made.cores);
  REQUIRE(record.facts.size() == 3);
  CHECK(record.facts[0].host == "host-b");
  CHECK(record.facts[0].crowded);
  CHECK_FALSE(record.facts[2].crowded);
  CHECK(record.facts[0].shm);
  CHECK_FALSE(record.facts[1].shm);
  CHECK(record.members(1) == std::vector<int>{2, 4});
  facts[5].version = "2.0";
  CHECK_THROWS_WITH(make_record(facts), ContainsSubstring("rank 5 on host-c runs Tutti 2.0"));
}

TEST_CASE("a record that was torn is refused, whatever is left of it") {
  const std::string text = make_record({4, RankFacts{"1.0", "host", "n", "m", "0", true, 1, 2, {}}}).text();
  for (std::size_t length = 0; length + 7 < text.size(); ++length)
    CHECK_THROWS_AS(JobRecord::parse(text.substr(0, length), 4), Error);
  CHECK_THROWS_AS(JobRecord::parse(text, 5), Error);
  CHECK_THROWS_AS(JobRecord::parse(text, 3), Error);
  CHECK_THROWS_AS(JobRecord::parse("ranks 9*4\ncores 1\nnode 1 0 host\n", 4), Error);
  CHECK_THROWS_AS(JobRecord::parse("ranks 0*2147483647\ncores 1\nnode 1 0 host\n", 4), Error);
}

TEST_CASE("what leaders of nodes tell one another comes through, and whatever was torn is refused") {
  RankReport report;
  report.state = RankState::alive;
  report.called = 3;
  report.recent[2] = {1, 3, {Kind::broadcast, TUTTI_INT32, TUTTI_SUM, 1, 77}};
  const std::vector<control::Message> messages = {
      control::Hello{1, 2, 4711},
      control::Ended{3, RankState::goodbye, 12},
      Failure{TUTTI_ERROR_ABORTED, 1, 5, "enough", 2},
      DecisionNews{9, true, 0x0f01, {0, 2, 3}},
      control::Question{1, 2},
      control::Answer{0, 3, report},
  };
  for (const control::Message& message : messages) {
    const std::string bytes = control::encode(message);
    const auto read = control::decode(bytes, 4);
    REQUIRE(read);
    CHECK(read->index() == message.index());
    CHECK(control::encode(*read) == bytes);
    // A failure's text and a decision's ranks may be shorter; nothing else may.
    const bool open_ended = std::holds_alternative<Failure>(message) || std::holds_alternative<DecisionNews>(message);
    for (std::size_t length = 0; length < bytes.size(); ++length)
      if (!open_ended || length < 13) CHECK_FALSE(control::decode(bytes.substr(0, length), 4));
    if (!open_ended) CHECK_FALSE(control::decode(bytes + "x", 4));
  }
  CHECK_FALSE(control::decode("", 4));
  CHECK_FALSE(control::decode("\x17", 4));
}
