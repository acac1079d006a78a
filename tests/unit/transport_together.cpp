// The contract of a transport between ranks that truly run at once, each in a thread of its own: what a thread
// sanitizer must see, and wake-ups that can be lost only here.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <stdexcept>

#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

constexpr std::uint32_t channels[] = {3, 4, 5};

void demand(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

// One message of a plan that sender and receiver draw alike.
struct Item {
  std::uint64_t match;
  std::size_t bytes;
  std::uint64_t seed;
};

// What `from` sends to `to`: every tag once, all lengths, over the operations of one round.
std::vector<Item> drawn(int from, int to, std::uint32_t round, const Traits& traits) {
  std::mt19937 random(static_cast<std::uint32_t>(from * 1000 + to) * 7919u + round);
  std::vector<Item> items;
  for (std::uint32_t on : channels)
    for (std::uint32_t message = 0; message < 6; ++message) {
      std::size_t bytes = random() % 100;
      if (random() % 3 == 0) bytes = traits.inline_bytes - random() % 16;
      if (random() % 4 == 0) bytes = traits.inline_bytes + 1 + random() % traits.inline_bytes;
      items.push_back({make_match(on, round, 0, message), bytes, random()});
    }
  return items;
}

// All that a rank sends and receives in a round, each in an order of its own; leases are kept for a while.
void storm(Transport& transport, int rank, int size, std::uint32_t round) {
  std::mt19937 random(static_cast<std::uint32_t>(rank) + round * 31u);
  std::vector<std::unique_ptr<Outgoing>> sends;
  std::vector<std::pair<std::unique_ptr<Incoming>, std::uint64_t>> receives;
  std::vector<Message> landings;
  for (int peer = 0; peer < size; ++peer) {
    if (peer == rank) continue;
    for (const Item& item : drawn(rank, peer, round, transport.traits()))
      sends.push_back(std::make_unique<Outgoing>(peer, item.match, content(item.bytes, item.seed), round));
    for (const Item& item : drawn(peer, rank, round, transport.traits()))
      receives.emplace_back(std::make_unique<Incoming>(peer, item.match, item.bytes), item.seed);
  }
  std::shuffle(sends.begin(), sends.end(), random);
  std::shuffle(receives.begin(), receives.end(), random);
  // Half of them say where their bytes may land.
  landings.reserve(receives.size());
  for (auto& [in, seed] : receives) {
    in->receive.tag.check = round;
    if (random() % 2) in->receive.landing = landings.emplace_back(in->receive.bytes + 1).data();
  }
  for (std::uint32_t on : channels) transport.open(on, round);
  std::vector<std::pair<Incoming*, std::uint64_t>> kept;
  auto check = [&](Incoming& in, std::uint64_t seed) {
    demand(in.holds(content(in.receive.bytes, seed)) && in.receive.check == round, "another message than expected");
    transport.release(in.receive);
  };
  auto go_on = [&](auto& in) {
    if (in.first->arrived || !in.first->go_on(transport)) return;
    if (in.first->receive.scarce || random() % 2)
      check(*in.first, in.second);
    else
      kept.emplace_back(in.first.get(), in.second);
  };
  until("the messages of a round", [&] {
    bool all = true;
    for (auto& out : sends) all = out->go_on(transport) && all;
    for (auto& in : receives) {
      go_on(in);
      all = all && in.first->arrived;
    }
    // Senders may need back what is kept.
    if (kept.size() > 3 || random() % 4 == 0) {
      for (auto& [in, seed] : kept) check(*in, seed);
      kept.clear();
    }
    return all && kept.empty();
  });
}

}  // namespace

TEST_CASE("messages of all lengths between all ranks at once arrive, each where it belongs") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    constexpr int size = 4;
    const Ranks ranks = under_test->make(size);
    CHECK_NOTHROW(run_ranks(size, [&](int rank) {
      for (std::uint32_t round = 1; round <= 40; ++round)
        storm(*ranks[static_cast<std::size_t>(rank)], rank, size, round);
    }));
  }
}

TEST_CASE("a rank that sends without end cannot stop or fill a slow one") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    const Ranks ranks = under_test->make(2);
    std::size_t early = 0;
    constexpr std::uint32_t rounds = 200;
    CHECK_NOTHROW(run_ranks(2, [&](int rank) {
      Transport& transport = *ranks[static_cast<std::size_t>(rank)];
      transport.open(3, 0);
      transport.open(4, 0);
      std::unique_ptr<Outgoing> flood;
      std::uint32_t sequence = 0;
      // Rank 0 floods channel 3, which rank 1 does not open; on channel 4 both speak with one another.
      auto pour = [&] {
        while (rank == 0) {
          if (!flood) {
            ++sequence;
            flood = std::make_unique<Outgoing>(1, make_match(3, sequence, 0, 0), content(48, sequence));
          }
          if (!flood->go_on(transport)) return;
          ++early;
          flood.reset();
        }
      };
      for (std::uint32_t round = 1; round <= rounds; ++round) {
        transport.open(4, round);
        const std::uint64_t match = make_match(4, round, 0, 0);
        const std::size_t bytes = round % 3 ? round : transport.traits().inline_bytes + round;
        Outgoing out(1 - rank, match, content(bytes, round));
        Incoming in(1 - rank, match, bytes);
        until("an answer", [&] {
          pour();
          const bool sent = out.go_on(transport);
          if (!in.arrived && in.go_on(transport)) {
            demand(in.holds(content(bytes, round)), "another message than expected");
            transport.release(in.receive);
          }
          return sent && in.arrived;
        });
      }
      if (rank == 0 && flood) transport.cancel(flood->send);
    }));
    CHECK(early <= early_operations);
  }
}

TEST_CASE("wait returns when a message comes, and when a lease is given back") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    const Ranks ranks = under_test->make(2);
    if (!ranks[0]->traits().can_sleep) continue;
    // Waits end by what they wait for, not by their limit: a single lost wake-up takes longer than all the rest may.
    constexpr std::chrono::seconds limit(100);
    const auto begin = std::chrono::steady_clock::now();
    CHECK_NOTHROW(run_ranks(2, [&](int rank) {
      Transport& transport = *ranks[static_cast<std::size_t>(rank)];
      for (std::uint32_t round = 1; round <= 400; ++round) {
        transport.open(3, round);
        const std::uint64_t match = make_match(3, round, 0, 0);
        const std::size_t bytes = round % 2 ? 8 : transport.traits().inline_bytes + 8;
        Outgoing out(1 - rank, match, content(bytes, round));
        Incoming in(1 - rank, match, bytes);
        auto sleep_until = [&](auto condition) {
          while (!condition()) transport.wait(limit);
        };
        auto send = [&] { sleep_until([&] { return out.go_on(transport); }); };
        auto receive = [&] {
          sleep_until([&] { return in.go_on(transport); });
          demand(in.holds(content(bytes, round)), "another message than expected");
          transport.release(in.receive);
        };
        if (rank == 0) {
          send();
          receive();
        } else {
          receive();
          send();
        }
      }
    }));
    CHECK(std::chrono::steady_clock::now() - begin < limit);
  }
}

TEST_CASE("wait returns at its limit where nothing comes") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    const Ranks ranks = under_test->make(2);
    for (int i = 0; i < 5; ++i) ranks[0]->wait(std::chrono::microseconds(500));
    SUCCEED("they returned");
  }
}

TEST_CASE("a send that is withdrawn while its receiver reads leaves the pieces only when nobody reads them") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    const Ranks ranks = under_test->make(2);
    const std::size_t bytes = ranks[0]->traits().inline_bytes + 4096;
    std::atomic<int> leased = 0, withdrawn = 0;
    constexpr int rounds = 100;
    CHECK_NOTHROW(run_ranks(2, [&](int rank) {
      Transport& transport = *ranks[static_cast<std::size_t>(rank)];
      for (int round = 1; round <= rounds; ++round) {
        const std::uint64_t match = make_match(3, 1, 0, static_cast<std::uint32_t>(round));
        if (rank == 0) {
          Outgoing out(1, match, content(bytes, static_cast<std::uint64_t>(round)));
          until("the receiver's lease", [&] {
            out.go_on(transport);
            return leased.load() == round;
          });
          if (!out.sent) transport.cancel(out.send);
          std::fill(out.bytes.begin(), out.bytes.end(), static_cast<unsigned char>(0));
          withdrawn.store(round);
        } else {
          Incoming in(0, match, bytes);
          until("a long message", [&] { return in.go_on(transport); });
          leased.store(round);
          demand(in.holds(content(bytes, static_cast<std::uint64_t>(round))), "bytes that changed under a lease");
          transport.release(in.receive);
          until("the withdrawal", [&] { return withdrawn.load() == round; });
        }
      }
    }));
  }
}
