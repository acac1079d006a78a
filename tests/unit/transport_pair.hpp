// Two ranks of a transport in one thread, for the tests that go through its contract point by point.
#pragma once

#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"

namespace tutti::testing {

inline constexpr std::uint32_t channel = 3, other_channel = 4, first_channel = 5;
// So many polls are enough for whatever can happen without the other rank's doing.
inline constexpr int many_polls = 200;

inline std::uint64_t match_of(std::uint32_t message, std::uint32_t sequence = 1, std::uint32_t on = channel) {
  return make_match(on, sequence, 0, message);
}

// Two connected ranks that have opened both channels. A network connects by the first message, for which both ranks
// must poll; afterwards each may be left alone. transport_together.cpp begins without this.
struct Pair {
  explicit Pair(const UnderTest& under_test) : ranks(under_test.make(2)), a(*ranks[0]), b(*ranks[1]) {
    for (const auto& rank : ranks)
      for (std::uint32_t each : {channel, other_channel, first_channel}) rank->open(each, 0);
    exchange(make_match(first_channel, 1, 0, 0), 8, 0);
  }
  std::size_t inline_bytes() const { return a.traits().inline_bytes; }
  std::size_t long_bytes() const { return inline_bytes() + 1; }
  // From a to b, until both sides are through.
  void pass(Outgoing& out, Incoming& in) {
    until("a message of " + std::to_string(out.bytes.size()) + " bytes", [&] {
      const bool sent = out.go_on(a);
      return in.go_on(b) && sent;
    });
  }
  void exchange(std::uint64_t match, std::size_t bytes, std::uint64_t seed) {
    Outgoing out(1, match, content(bytes, seed));
    Incoming in(0, match, bytes);
    // A long send may be complete only when the receiver has let go.
    until("a message of " + std::to_string(bytes) + " bytes", [&] {
      const bool sent = out.go_on(a);
      if (!in.arrived && in.go_on(b)) {
        CHECK(in.holds(out.bytes));
        b.release(in.receive);
      }
      return in.arrived && sent;
    });
  }
  // From a to b; the lease is kept. What the sender still does is done by `finish`.
  void receive(Outgoing& out, Incoming& in) {
    until("an arrival", [&] {
      out.go_on(a);
      return in.go_on(b);
    });
  }
  void finish(Outgoing& out) {
    until("the end of a send", [&] { return out.go_on(a); });
  }

  Ranks ranks;
  Transport &a, &b;
};

// The body of a test, once for each transport.
template <class Body>
void for_each_transport(Body body) {
  REQUIRE_FALSE(UnderTest::all().empty());
  for (const UnderTest* under_test : UnderTest::all()) {
    INFO("transport " << under_test->name());
    Pair pair(*under_test);
    body(pair);
  }
}

}  // namespace tutti::testing
