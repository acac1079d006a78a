// The contract of a transport where it may save a copy: bytes that several peers get from one place, and receives that
// say where their bytes may land. A transport may take neither offer; the bytes are right in any case.
#include <algorithm>
#include <memory>

#include "tests/catch.hpp"
#include "tests/unit/transport_pair.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

constexpr unsigned char untouched = 0x77;

// A receive with a landing of its own between bytes that nobody may write.
struct Landing {
  Landing(std::uint64_t match, std::size_t bytes) : in(0, match, bytes), memory(bytes + 2 * guard, untouched) {
    in.receive.landing = memory.data() + guard;
  }
  bool is_guarded() const {
    const auto is_untouched = [](unsigned char byte) { return byte == untouched; };
    return std::all_of(memory.begin(), memory.begin() + guard, is_untouched) &&
           std::all_of(memory.end() - guard, memory.end(), is_untouched);
  }
  static constexpr std::ptrdiff_t guard = 64;
  Incoming in;
  Message memory;
};

std::vector<std::size_t> lengths(Pair& pair) {
  const std::size_t most = pair.a.traits().max_message;
  return {8, pair.inline_bytes(), pair.long_bytes(), std::min<std::size_t>(100000, most),
          std::min<std::size_t>(1u << 20, most)};
}

}  // namespace

TEST_CASE("bytes land where the receiver says, or at a lease, and nowhere else") {
  for_each_transport([](Pair& pair) {
    std::uint32_t message = 0;
    for (int round = 0; round < 30; ++round)
      for (std::size_t bytes : lengths(pair)) {
        INFO(bytes << " bytes");
        ++message;
        Outgoing out(1, match_of(message), content(bytes, message));
        Landing landing(match_of(message), bytes);
        // Posted first in half of the rounds, and what arrives then before the receiver looks.
        if (round % 2) landing.in.go_on(pair.b);
        pair.receive(out, landing.in);
        CHECK(landing.in.holds(out.bytes));
        CHECK(landing.is_guarded());
        pair.b.release(landing.in.receive);
        pair.finish(out);
      }
  });
}

TEST_CASE("a message of another length or another call than expected does not overrun its landing") {
  for_each_transport([](Pair& pair) {
    std::uint32_t message = 0;
    for (std::size_t bytes : lengths(pair))
      for (std::size_t sent : {bytes / 2, bytes * 2, bytes})
        for (std::uint32_t check : {0u, 5u}) {
          if (sent > pair.a.traits().max_message || (sent > pair.inline_bytes() && bytes <= pair.inline_bytes()))
            continue;
          INFO(sent << " bytes where " << bytes << " are expected, hash " << check);
          ++message;
          Outgoing out(1, match_of(message), content(sent, message), check);
          Landing landing(match_of(message), bytes);
          pair.receive(out, landing.in);
          CHECK(landing.in.receive.bytes_arrived == sent);
          CHECK(landing.in.receive.check == check);
          CHECK(landing.is_guarded());
          if (sent == bytes && check == 0) CHECK(landing.in.holds(out.bytes));
          pair.b.release(landing.in.receive);
          pair.finish(out);
        }
  });
}

TEST_CASE("a message that was to land and is withdrawn leaves both sides as they were") {
  for_each_transport([](Pair& pair) {
    std::uint32_t message = 0;
    for (int round = 0; round < 100; ++round)
      for (std::size_t bytes : lengths(pair)) {
        ++message;
        Outgoing out(1, match_of(message), content(bytes, message));
        Landing landing(match_of(message), bytes);
        landing.in.go_on(pair.b);
        for (int poll = 0; poll < round % 3; ++poll) out.go_on(pair.a);
        if (!out.sent) pair.a.cancel(out.send);
        std::fill(out.bytes.begin(), out.bytes.end(), untouched);
        for (int poll = 0; poll < 3; ++poll) landing.in.go_on(pair.b);
        if (landing.in.arrived) {
          CHECK(landing.in.holds(content(bytes, message)));
          pair.b.release(landing.in.receive);
        } else {
          pair.b.cancel(landing.in.receive);
        }
        CHECK(landing.is_guarded());
      }
    for (std::size_t bytes : lengths(pair)) pair.exchange(match_of(1, 2), bytes, bytes);
  });
}

TEST_CASE("several peers may get the same bytes, which are laid out once") {
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    constexpr int size = 4;
    const Ranks ranks = under_test->make(size);
    Transport& root = *ranks[0];
    const std::size_t bytes = root.traits().inline_bytes + 100;
    for (std::uint32_t round = 0; round < 60; ++round) {
      std::vector<std::unique_ptr<Outgoing>> out;
      std::vector<std::unique_ptr<Incoming>> in;
      for (int peer = 1; peer < size; ++peer) {
        out.push_back(std::make_unique<Outgoing>(peer, match_of(round), content(bytes, round)));
        in.push_back(std::make_unique<Incoming>(0, match_of(round), bytes));
      }
      // The first reader has let go in some rounds, so that what it read may have been overwritten.
      const bool first_is_through = round % 3 == 0;
      for (std::size_t i = 0; i < out.size(); ++i) {
        Transport& peer = *ranks[i + 1];
        in[i]->go_on(peer);
        if (i > 0 && out[i - 1]->sent && root.share(out[i]->send, out[i - 1]->send)) out[i]->send.pieces = {};
        until("a message to several", [&] {
          out[i]->go_on(root);
          return in[i]->go_on(peer);
        });
        CHECK(in[i]->holds(content(bytes, round)));
        if (i > 0 || !first_is_through) continue;
        peer.release(in[i]->receive);
        until("the end of a send", [&] { return out[i]->go_on(root); });
        Outgoing other(1, match_of(round, 2), content(bytes, round + 1000));
        Incoming taken(0, match_of(round, 2), bytes);
        until("another message", [&] {
          other.go_on(root);
          return taken.go_on(*ranks[1]);
        });
        ranks[1]->release(taken.receive);
        until("the end of a send", [&] { return other.go_on(root); });
      }
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (in[i]->receive.address == nullptr) continue;
        CHECK(in[i]->holds(content(bytes, round)));
        ranks[i + 1]->release(in[i]->receive);
        until("the end of a send", [&] { return out[i]->go_on(root); });
      }
    }
  }
}

TEST_CASE("what is shared and withdrawn frees the room of the others") {
  for_each_transport([](Pair& pair) {
    for (std::uint32_t i = 0; i < 100; ++i) {
      Outgoing first(1, match_of(i), content(pair.long_bytes(), i));
      Outgoing second(1, match_of(i, 2), content(pair.long_bytes(), i));
      Incoming in(0, match_of(i), pair.long_bytes()), in_second(0, match_of(i, 2), pair.long_bytes());
      in.go_on(pair.b);
      in_second.go_on(pair.b);
      pair.receive(first, in);
      if (first.sent && pair.a.share(second.send, first.send)) pair.a.cancel(second.send);
      CHECK(in.holds(first.bytes));
      pair.b.release(in.receive);
      pair.b.cancel(in_second.receive);
      pair.finish(first);
    }
    for (std::uint32_t i = 0; i < 40; ++i) pair.exchange(match_of(i, 3), pair.long_bytes(), i);
  });
}
