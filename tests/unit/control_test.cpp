// What ranks remember of one another's calls, and how threads of one rank take turns.
#include "runtime/control.hpp"

#include <atomic>
#include <memory>
#include <thread>

#include "runtime/fair_mutex.hpp"
#include "runtime/private_interfaces.hpp"
#include "tests/catch.hpp"

using namespace tutti;

TEST_CASE("who gives a fair mutex away and wants it back comes after who waited") {
  FairMutex mutex;
  for (int times = 0; times < 20; ++times) {
    std::atomic<bool> had{false};
    mutex.lock();
    std::thread other([&] {
      mutex.lock();
      had = true;
      mutex.unlock();
    });
    while (!mutex.is_wanted()) std::this_thread::yield();
    mutex.unlock();
    mutex.lock();
    CHECK(had);
    CHECK_FALSE(mutex.is_wanted());
    mutex.unlock();
    other.join();
  }
}

TEST_CASE("a call of another communicator that had the same channel is not taken for one of this") {
  constexpr std::uint32_t channel = 3, first = 1;
  constexpr std::uint32_t before = 11, now = 12;  // lineages
  const Call gather{Kind::allgather, TUTTI_INT64, TUTTI_SUM, 0, 3000, {}};
  const Call reduce{Kind::reduce, TUTTI_INT64, TUTTI_SUM, 1, 0, {}};
  const std::unique_ptr<Board> own = Board::create(2, Sharing::within_process);
  const std::unique_ptr<Board> other = Board::open(own->address(), 2);
  own->enter(0, "here");
  other->enter(1, "here");
  other->note_call({channel, first, gather, before});
  other->note_wait({{channel, first, gather, before}, 0});

  SECTION("in the same node") {}
  SECTION("as another node has told it, where that is old by now") {
    own->import(1, other->report(1));
    other->note_call({channel, first, reduce, now});
  }
  const auto old = own->call_of(1, channel, before, first);
  REQUIRE(old);
  CHECK(old->call == gather);
  const auto found = own->call_of(1, channel, now, first);
  CHECK((!found || found->call == reduce));
  if (const auto newest = own->newest_call_of(1, channel, now)) CHECK(newest->call == reduce);
}

TEST_CASE("an address that differing hosts share is private, and one host that plays several has none") {
  using Hosts = std::vector<std::vector<std::string>>;
  const std::string bridge = "172.17.0.1";
  CHECK(private_addresses(Hosts{{"10.0.0.1", bridge}, {"10.0.0.2", bridge}, {"10.0.0.3"}}) == std::vector{bridge});
  CHECK(private_addresses(Hosts{{"10.0.0.1"}, {bridge, "10.0.0.2"}}).empty());
  CHECK(private_addresses(Hosts{{"10.0.0.1", bridge}, {"10.0.0.1", bridge}}).empty());
  CHECK(private_addresses(Hosts{{"127.0.0.1"}, {"127.0.0.1"}}).empty());
  CHECK(interfaces_with({"127.0.0.1"}) == std::vector<std::string>{"lo"});
  CHECK(interfaces_with({}).empty());
}
