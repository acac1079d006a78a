// The contract of a transport where something stays behind: leases that are kept, sends that are reserved, requests
// that are withdrawn, messages that nobody will receive.
#include <algorithm>
#include <memory>

#include "tests/catch.hpp"
#include "tests/unit/transport_pair.hpp"

using namespace tutti;
using namespace tutti::testing;

TEST_CASE("a lease holds its bytes until it is released, whatever else arrives") {
  for_each_transport([](Pair& pair) {
    for (std::size_t bytes : {std::size_t{16}, pair.inline_bytes(), pair.long_bytes()}) {
      INFO(bytes << " bytes");
      // Kept if it is not one that the sender needs back.
      Outgoing out(1, match_of(static_cast<std::uint32_t>(bytes)), content(bytes, 1));
      Incoming kept(0, match_of(static_cast<std::uint32_t>(bytes)), bytes);
      pair.receive(out, kept);
      CHECK(kept.holds(out.bytes));
      const Message expected = out.bytes;
      if (kept.receive.scarce) pair.b.release(kept.receive);
      if (out.sent) std::fill(out.bytes.begin(), out.bytes.end(), static_cast<unsigned char>(0));  // ours again
      for (std::uint32_t i = 0; i < 300; ++i)
        pair.exchange(match_of(i % 3, 1 + i % 50, other_channel), i % 3 ? i : pair.long_bytes(), i);
      if (kept.receive.address != nullptr) {
        CHECK(kept.holds(expected));
        pair.b.release(kept.receive);
      }
      pair.finish(out);
    }
  });
}

TEST_CASE("leases are given back in any order") {
  for_each_transport([](Pair& pair) {
    for (std::size_t bytes : {std::size_t{16}, pair.long_bytes()})
      for (std::uint32_t round = 0; round < 20; ++round) {
        constexpr std::uint32_t count = 6;
        std::vector<std::unique_ptr<Outgoing>> out;
        std::vector<std::unique_ptr<Incoming>> in;
        for (std::uint32_t i = 0; i < count; ++i) {
          out.push_back(std::make_unique<Outgoing>(1, match_of(i), content(bytes, round * count + i)));
          in.push_back(std::make_unique<Incoming>(0, match_of(i), bytes));
        }
        std::vector<std::uint32_t> kept;
        for (std::uint32_t i = 0; i < count; ++i) {
          pair.receive(*out[i], *in[i]);
          CHECK(in[i]->holds(out[i]->bytes));
          if (in[i]->receive.scarce)
            pair.b.release(in[i]->receive);
          else
            kept.push_back(i);
        }
        std::rotate(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(kept.size() / 2), kept.end());
        for (std::uint32_t i : kept) {
          CHECK(in[i]->holds(content(bytes, round * count + i)));
          pair.b.release(in[i]->receive);
        }
        for (auto& each : out) pair.finish(*each);
      }
  });
}

TEST_CASE("leases that are kept, of all that a sender can lend, stop nothing that needs none of them") {
  for_each_transport([](Pair& pair) {
    constexpr std::uint32_t most = 64;
    std::vector<std::unique_ptr<Outgoing>> out;
    std::vector<std::unique_ptr<Incoming>> in;
    bool lent_all = false;
    while (!lent_all && in.size() < most) {
      const auto message = static_cast<std::uint32_t>(in.size());
      out.push_back(std::make_unique<Outgoing>(1, match_of(message), content(pair.long_bytes(), message)));
      in.push_back(std::make_unique<Incoming>(0, match_of(message), pair.long_bytes()));
      for (int i = 0; i < many_polls && !in.back()->arrived; ++i) {
        out.back()->go_on(pair.a);
        in.back()->go_on(pair.b);
      }
      lent_all = !in.back()->arrived;
      if (in.back()->arrived && in.back()->receive.scarce) pair.b.release(in.back()->receive);
    }
    // Short messages, and long ones of the other rank, do not wait for that.
    for (std::uint32_t i = 0; i < 100; ++i) {
      pair.exchange(match_of(i % 2, 1 + i % 50, other_channel), i % 2 ? pair.inline_bytes() : 8, i);
      Outgoing back(0, match_of(i), content(pair.long_bytes(), i));
      Incoming taken(1, match_of(i), pair.long_bytes());
      until("a long message the other way", [&] {
        const bool sent = back.go_on(pair.b);
        if (!taken.arrived && taken.go_on(pair.a)) {
          CHECK(taken.holds(back.bytes));
          pair.a.release(taken.receive);
        }
        return sent && taken.arrived;
      });
    }
    // One that comes back is enough for the one that waits.
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (!in[i]->arrived) pair.receive(*out[i], *in[i]);
      if (in[i]->receive.address == nullptr) continue;
      CHECK(in[i]->holds(content(pair.long_bytes(), i)));
      pair.b.release(in[i]->receive);
      if (lent_all && !in.back()->arrived) pair.receive(*out.back(), *in.back());
    }
    for (auto& each : out) pair.finish(*each);
  });
}

TEST_CASE("a message may be written where it leaves from, once its receive is posted") {
  for_each_transport([](Pair& pair) {
    for (std::uint32_t i = 0; i < 50; ++i) {
      Outgoing out(1, match_of(i), content(pair.long_bytes() + i, i));
      Incoming in(0, match_of(i), out.bytes.size());
      CHECK(pair.a.reserve(out.send) == nullptr);
      in.go_on(pair.b);
      void* room = pair.a.reserve(out.send);
      if (room != nullptr) {
        std::copy(out.bytes.begin(), out.bytes.end(), static_cast<unsigned char*>(room));
        out.send.pieces = {};  // nobody looks at them any more
        pair.a.commit(out.send);
      }
      pair.receive(out, in);
      CHECK(in.holds(out.bytes));
      pair.b.release(in.receive);
      pair.finish(out);
    }
  });
}

TEST_CASE("what was reserved and is withdrawn does not arrive, and its room is free again") {
  for_each_transport([](Pair& pair) {
    for (std::uint32_t i = 0; i < 50; ++i) {
      Outgoing out(1, match_of(i), content(pair.long_bytes(), i));
      Incoming in(0, match_of(i), pair.long_bytes());
      in.go_on(pair.b);
      if (pair.a.reserve(out.send) != nullptr) pair.a.commit(out.send);
      pair.a.cancel(out.send);
      for (int poll = 0; poll < 10; ++poll) CHECK_FALSE(in.go_on(pair.b));
      pair.b.cancel(in.receive);
    }
    pair.exchange(match_of(0, 2), pair.long_bytes(), 1);
  });
}

TEST_CASE("a send that is withdrawn never shows what its pieces held later") {
  for_each_transport([](Pair& pair) {
    for (bool posted : {false, true})
      for (std::size_t bytes : {std::size_t{8}, pair.inline_bytes(), pair.long_bytes()}) {
        INFO(bytes << " bytes, receive posted " << posted);
        const std::uint64_t match = match_of(static_cast<std::uint32_t>(bytes), posted ? 2 : 1);
        Outgoing withdrawn(1, match, content(bytes, 1));
        Incoming in(0, match, bytes);
        if (posted) in.go_on(pair.b);
        withdrawn.go_on(pair.a);
        if (!withdrawn.sent) pair.a.cancel(withdrawn.send);
        std::fill(withdrawn.bytes.begin(), withdrawn.bytes.end(), static_cast<unsigned char>(0));
        for (int i = 0; i < many_polls && !in.arrived; ++i) in.go_on(pair.b);
        if (in.arrived) {  // it had left before
          CHECK(in.holds(content(bytes, 1)));
          pair.b.release(in.receive);
        } else {
          pair.b.cancel(in.receive);
        }
        pair.exchange(match_of(static_cast<std::uint32_t>(bytes), posted ? 4 : 3), bytes, 2);
      }
  });
}

TEST_CASE("a receive that is withdrawn leaves its message, and all others, to those who come later") {
  for_each_transport([](Pair& pair) {
    for (bool had_arrived : {false, true})
      for (std::size_t bytes : {std::size_t{8}, pair.inline_bytes(), pair.long_bytes()}) {
        INFO(bytes << " bytes, arrived " << had_arrived);
        const std::uint64_t match = match_of(static_cast<std::uint32_t>(bytes), had_arrived ? 2 : 1);
        Incoming first(0, match, bytes);
        Outgoing out(1, match, content(bytes, 1));
        CHECK_FALSE(first.go_on(pair.b));
        if (had_arrived) pair.receive(out, first);
        pair.b.cancel(first.receive);
        CHECK(first.receive.address == nullptr);
        pair.exchange(match_of(1, 3, other_channel), bytes, 2);
        if (had_arrived) {
          pair.finish(out);
          continue;
        }
        Incoming second(0, match, bytes);
        pair.receive(out, second);
        CHECK(second.holds(out.bytes));
        pair.b.release(second.receive);
        pair.finish(out);
      }
  });
}

TEST_CASE("an old message that nobody will receive is told once") {
  for_each_transport([](Pair& pair) {
    int peer = -1;
    Tag tag;
    for (std::size_t bytes : {std::size_t{0}, std::size_t{8}, pair.inline_bytes()}) {
      INFO(bytes << " bytes");
      CHECK_FALSE(pair.b.stray(channel, 10, peer, tag));
      Outgoing old(1, match_of(1, 5), content(bytes, 1), 77), young(1, match_of(1, 10), content(bytes, 2)),
          elsewhere(1, match_of(1, 5, other_channel), content(bytes, 3));
      for (Outgoing* each : {&old, &young, &elsewhere}) pair.finish(*each);
      until("the old message", [&] { return pair.b.stray(channel, 10, peer, tag); });
      CHECK(peer == 0);
      CHECK(tag.match == match_of(1, 5));
      CHECK(tag.check == 77);
      for (int i = 0; i < many_polls; ++i) CHECK_FALSE(pair.b.stray(channel, 10, peer, tag));
      CHECK(pair.b.early_messages > 0);  // the others wait for their receives
      for (Outgoing* each : {&young, &elsewhere}) {
        Incoming in(0, each->send.tag.match, bytes);
        pair.receive(*each, in);
        CHECK(in.holds(each->bytes));
        pair.b.release(in.receive);
      }
    }
  });
}

TEST_CASE("an old message is old across the end of the sequence numbers too") {
  for_each_transport([](Pair& pair) {
    int peer = -1;
    Tag tag;
    pair.b.open(channel, sequence_mask - 15);
    Outgoing old(1, match_of(1, sequence_mask), content(8, 1)), young(1, match_of(1, 2), content(8, 2));
    for (Outgoing* each : {&old, &young}) pair.finish(*each);
    until("the old message", [&] { return pair.b.stray(channel, 2, peer, tag); });
    CHECK(tag.match == match_of(1, sequence_mask));
    CHECK_FALSE(pair.b.stray(channel, 2, peer, tag));
    Incoming in(0, match_of(1, 2), 8);
    pair.receive(young, in);
    CHECK(in.holds(young.bytes));
    pair.b.release(in.receive);
  });
}

TEST_CASE("long messages whose receives were withdrawn take nothing with them") {
  for_each_transport([](Pair& pair) {
    int peer = -1;
    Tag tag;
    for (std::uint32_t i = 0; i < 100; ++i) {
      Incoming in(0, match_of(i), pair.long_bytes());
      Outgoing out(1, match_of(i), content(pair.long_bytes(), i));
      in.go_on(pair.b);
      for (int poll = 0; poll < 3; ++poll) out.go_on(pair.a);
      pair.b.cancel(in.receive);
      pair.b.stray(channel, 2, peer, tag);
      if (!out.go_on(pair.a)) pair.a.cancel(out.send);
    }
    for (std::uint32_t i = 0; i < 40; ++i) pair.exchange(match_of(i, 2), pair.long_bytes(), i);
  });
}

TEST_CASE("what a rank that died had been lent is free again once it is forgotten") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    Ranks ranks(under_test->make(3));
    for (const auto& rank : ranks) rank->open(channel, 0);
    const std::size_t bytes = ranks[0]->traits().inline_bytes + 1;
    std::vector<std::unique_ptr<Outgoing>> out;
    std::vector<std::unique_ptr<Incoming>> in;
    // Rank 1 keeps all that it gets, until rank 0 has nothing left to lend; then it is gone.
    bool lent_all = false;
    for (std::uint32_t message = 0; message < 64 && !lent_all; ++message) {
      out.push_back(std::make_unique<Outgoing>(1, match_of(message), content(bytes, message)));
      in.push_back(std::make_unique<Incoming>(0, match_of(message), bytes));
      for (int i = 0; i < many_polls && !in.back()->arrived; ++i) {
        out.back()->go_on(*ranks[0]);
        in.back()->go_on(*ranks[1]);
      }
      lent_all = !in.back()->arrived;
    }
    ranks[0]->forget(1);
    Outgoing last(2, match_of(100), content(bytes, 100));
    Incoming arriving(0, match_of(100), bytes);
    until("a message to a rank that lives", [&] {
      last.go_on(*ranks[0]);
      return arriving.go_on(*ranks[2]);
    });
    CHECK(arriving.holds(last.bytes));
    // What was under way to the dead is withdrawn, and takes nothing back that is another message's now.
    for (auto& each : out)
      if (!each->sent) ranks[0]->cancel(each->send);
    CHECK(arriving.holds(last.bytes));
    ranks[2]->release(arriving.receive);
  }
}
