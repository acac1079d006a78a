// The contract of a transport, point by point: two ranks in one thread, so that each step happens when the test says
// so. What only shows when ranks truly run at once is in transport_together.cpp.
#include <algorithm>

#include "tests/catch.hpp"
#include "tests/unit/transport_pair.hpp"

using namespace tutti;
using namespace tutti::testing;

TEST_CASE("a transport says what it is") {
  for_each_transport([](Pair& pair) {
    CHECK_FALSE(std::string(pair.a.name()).empty());
    const std::string address = pair.a.address();
    CHECK(address.size() < 4096);
    CHECK(std::all_of(address.begin(), address.end(), [](char c) { return c >= ' ' && c <= '~'; }));
    CHECK(pair.a.traits().max_message > pair.a.traits().inline_bytes);
  });
}

TEST_CASE("a message of any length arrives as it was sent") {
  for_each_transport([](Pair& pair) {
    const Traits traits = pair.a.traits();
    std::vector<std::size_t> lengths = {0, 1, 2, 3, 4, 7, 8, 9, 39, 40, 41, 63, 64, 65, 255, 256, 257};
    for (std::size_t around : {traits.inline_bytes, std::min<std::size_t>(traits.max_message, 4u << 20)})
      for (std::size_t length : {around - 1, around, around + 1})
        if (length <= traits.max_message) lengths.push_back(length);
    std::uint32_t message = 0;
    for (int round = 0; round < 3; ++round)
      for (std::size_t length : lengths) {
        INFO(length << " bytes");
        pair.exchange(match_of(message), length, message);
        ++message;
      }
  });
}

TEST_CASE("the pieces of a message arrive as one") {
  for_each_transport([](Pair& pair) {
    for (std::size_t bytes : {std::size_t{0}, std::size_t{5}, std::size_t{33}, pair.inline_bytes(), pair.long_bytes(),
                              pair.long_bytes() * 2}) {
      const Message whole = content(bytes, bytes);
      const std::size_t third = bytes / 3;
      const Piece pieces[] = {{whole.data(), third},
                              {nullptr, 0},
                              {whole.data() + third, third},
                              {whole.data() + 2 * third, bytes - 2 * third}};
      for (std::size_t used : {std::size_t{1}, std::size_t{4}}) {
        INFO(bytes << " bytes in " << used << " pieces");
        Send send;
        send.peer = 1;
        send.tag = {match_of(static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(used)), 0};
        const Piece one{whole.data(), bytes};
        send.pieces = used == 1 ? std::span(&one, 1) : std::span<const Piece>(pieces);
        send.bytes = bytes;
        Incoming in(0, send.tag.match, bytes);
        bool sent = false;
        until("a message in pieces", [&] {
          sent = sent || pair.a.send(send);
          if (!in.arrived && in.go_on(pair.b)) {
            CHECK(in.holds(whole));
            pair.b.release(in.receive);
          }
          return sent && in.arrived;
        });
      }
    }
    Send none;  // no bytes and no pieces: a token
    none.peer = 1;
    none.tag = {match_of(1, 9), 0};
    Incoming in(0, none.tag.match, 0);
    bool sent = false;
    until("a message of no pieces", [&] { return (sent = sent || pair.a.send(none)) && in.go_on(pair.b); });
    CHECK(in.receive.bytes_arrived == 0);
    pair.b.release(in.receive);
  });
}

TEST_CASE("messages with one tag arrive in the order in which they were sent") {
  for_each_transport([](Pair& pair) {
    for (std::size_t bytes : {std::size_t{8}, pair.inline_bytes()}) {
      constexpr std::size_t count = 20;
      std::vector<std::unique_ptr<Outgoing>> out;
      for (std::size_t i = 0; i < count; ++i)
        out.push_back(std::make_unique<Outgoing>(1, match_of(7), content(bytes, i)));
      std::size_t next = 0;
      for (std::size_t i = 0; i < count; ++i) {
        Incoming in(0, match_of(7), bytes);
        until("the next of its tag", [&] {
          while (next < count && out[next]->go_on(pair.a)) ++next;
          return in.go_on(pair.b);
        });
        INFO("message " << i << " of " << bytes << " bytes");
        CHECK(in.holds(content(bytes, i)));
        pair.b.release(in.receive);
      }
    }
  });
}

TEST_CASE("a receive takes the message of its tag, whatever came before it") {
  for_each_transport([](Pair& pair) {
    // Tags that differ in one field each, and in each one by one bit.
    const std::vector<std::uint64_t> tags = {make_match(channel, 1, 0, 0),      make_match(channel, 1, 0, 1),
                                             make_match(channel, 1, 0, 0x2000), make_match(channel, 1, 1, 0),
                                             make_match(channel, 1, 0x200, 0),  make_match(channel, 2, 0, 0),
                                             make_match(channel, 33, 0, 0),     make_match(other_channel, 1, 0, 0)};
    std::vector<std::unique_ptr<Outgoing>> out;
    for (std::size_t i = 0; i < tags.size(); ++i)
      out.push_back(std::make_unique<Outgoing>(1, tags[i], content(24 + i * 50, i), static_cast<std::uint32_t>(i)));
    auto send_on = [&] {
      for (auto& each : out) each->go_on(pair.a);
    };
    for (std::size_t turn = 0; turn < tags.size(); ++turn) {
      const std::size_t i = (turn * 5 + 3) % tags.size();
      Incoming in(0, tags[i], out[i]->bytes.size());
      until("a message out of order", [&] {
        send_on();
        return in.go_on(pair.b);
      });
      CHECK(in.holds(out[i]->bytes));
      CHECK(in.receive.check == i);
      pair.b.release(in.receive);
    }
    for (auto& each : out) pair.finish(*each);
  });
}

TEST_CASE("the hash of the sender's call does not decide the match, and its length is reported as it is") {
  for_each_transport([](Pair& pair) {
    for (std::size_t sent : {std::size_t{0}, std::size_t{8}, std::size_t{100}}) {
      const std::size_t expected = 32;
      const std::uint64_t match = match_of(static_cast<std::uint32_t>(sent));
      Outgoing out(1, match, content(sent, sent), 0xfeedbeef);
      Incoming in(0, match, expected);
      in.receive.tag.check = 1;
      pair.pass(out, in);
      CHECK(in.receive.check == 0xfeedbeef);
      CHECK(in.receive.bytes_arrived == sent);
      CHECK(in.holds(out.bytes));
      pair.b.release(in.receive);
    }
  });
}

TEST_CASE("above the inline length nothing travels before its own receive is posted") {
  for_each_transport([](Pair& pair) {
    Outgoing first(1, match_of(1), content(pair.long_bytes(), 1)),
        second(1, match_of(2), content(pair.long_bytes(), 2));
    for (int i = 0; i < many_polls; ++i) {
      CHECK_FALSE(pair.a.send(first.send));
      CHECK_FALSE(pair.a.send(second.send));
      CHECK(pair.a.reserve(first.send) == nullptr);
    }
    // The one that is posted passes the one that is not.
    Incoming in_second(0, match_of(2), pair.long_bytes()), in_first(0, match_of(1), pair.long_bytes());
    until("the second message", [&] {
      CHECK_FALSE(first.go_on(pair.a));
      second.go_on(pair.a);
      return in_second.go_on(pair.b);
    });
    CHECK(in_second.holds(second.bytes));
    pair.b.release(in_second.receive);
    pair.receive(first, in_first);
    CHECK(in_first.holds(first.bytes));
    pair.b.release(in_first.receive);
    pair.finish(first);
    pair.finish(second);
  });
}

TEST_CASE("a message is sent early only for so many operations beyond those that the receiver has opened") {
  for_each_transport([](Pair& pair) {
    // The second begins where the sequence numbers are about to start again from 0; both ranks say so, since the sender
    // need not hear at once what the receiver opens.
    for (std::uint32_t opened : {0u, sequence_mask + 1u - 32u}) {
      const std::uint32_t on = opened == 0 ? channel : other_channel;
      for (const auto& rank : pair.ranks) rank->open(on, opened);
      const std::uint32_t far = opened + early_operations + 1;
      Outgoing out(1, match_of(1, far, on), content(16, 1));
      for (int i = 0; i < many_polls; ++i) CHECK_FALSE(pair.a.send(out.send));
      for (std::uint32_t begun = opened + 1; begun <= far; ++begun) pair.b.open(on, begun & sequence_mask);
      Incoming in(0, match_of(1, far, on), 16);
      pair.pass(out, in);
      CHECK(in.holds(out.bytes));
      pair.b.release(in.receive);
    }
  });
}

TEST_CASE("a channel whose receiver sleeps does not hold back another channel of the pair") {
  for_each_transport([](Pair& pair) {
    // As much as a sender may have under way, and more that must wait.
    std::vector<std::unique_ptr<Outgoing>> flood;
    for (std::uint32_t sequence = 1; sequence <= 2 * early_operations; ++sequence)
      for (std::uint32_t message = 0; message < 4; ++message)
        flood.push_back(std::make_unique<Outgoing>(1, match_of(message, sequence),
                                                   content(message % 2 ? pair.inline_bytes() : 8, sequence)));
    flood.push_back(std::make_unique<Outgoing>(1, match_of(0, 1000), content(pair.long_bytes(), 1)));
    auto pour = [&] {
      for (auto& each : flood) each->go_on(pair.a);
    };
    for (std::uint32_t sequence = 1; sequence <= early_operations; ++sequence)
      for (std::size_t bytes : {std::size_t{8}, pair.inline_bytes(), pair.long_bytes()}) {
        pour();
        pair.exchange(match_of(static_cast<std::uint32_t>(bytes), sequence, other_channel), bytes, sequence);
      }
    CHECK_FALSE(flood.back()->sent);
    // Once it wakes up, everything is there.
    for (std::uint32_t sequence = 1; sequence <= 2 * early_operations; ++sequence) {
      pair.b.open(channel, sequence);
      for (std::uint32_t message = 0; message < 4; ++message) {
        const Message expected = content(message % 2 ? pair.inline_bytes() : 8, sequence);
        Incoming in(0, match_of(message, sequence), expected.size());
        until("a message of the flood", [&] {
          pour();
          return in.go_on(pair.b);
        });
        CHECK(in.holds(expected));
        pair.b.release(in.receive);
      }
    }
    pair.a.cancel(flood.back()->send);
  });
}
