// The transports that keep the contract, and what shared memory adds to it.
#include "transports/transport.hpp"

#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"
#include "transports/shm/shm.hpp"
#include "transports/threads/threads.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

Ranks shm_ranks(int size, Sharing sharing) {
  return connected_ranks(size, [&](int rank) { return std::make_shared<ShmTransport>(rank, size, sharing); });
}

const UnderTest threads("threads", [](int size) {
  auto exchange = std::make_shared<ThreadsExchange>(size);
  Ranks ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_shared<ThreadsTransport>(rank, exchange));
  return ranks;
});

// Threads that share one mapping are what a thread sanitizer can follow.
const UnderTest shm("shm", [](int size) { return shm_ranks(size, Sharing::within_process); });

// Each rank maps every segment at an address of its own, as processes do.
const UnderTest shm_mapped("shm, mapped twice", [](int size) { return shm_ranks(size, Sharing::between_processes); });

}  // namespace

TEST_CASE("a shared segment is opened only by what it announces") {
  const Segment segment = Segment::create(8192, Sharing::between_processes);
  const std::string address = segment.address();
  segment.data()[0] = std::byte{42};
  CHECK(Segment::open(address).data()[0] == std::byte{42});
  CHECK(Segment::open(address).bytes() == 8192);
  CHECK_THROWS_WITH(Segment::open(""), ContainsSubstring("not the address of a shared segment"));
  CHECK_THROWS_WITH(Segment::open("memfd 1"), ContainsSubstring("not the address of a shared segment"));
  CHECK_THROWS_WITH(Segment::open("tcp" + address), ContainsSubstring("not the address of a shared segment"));
  const std::string other_identity = address.substr(0, address.rfind(' ')) + " 1";
  CHECK_THROWS_WITH(Segment::open(other_identity), ContainsSubstring("not the one that was announced"));
  std::string other_length = address;
  other_length.replace(other_length.find(" 8192 "), 6, " 8193 ");
  CHECK_THROWS_WITH(Segment::open(other_length), ContainsSubstring("owner or size"));
  CHECK_THROWS_AS(Segment::open("memfd 1 999999 8192 1"), Error);
}

TEST_CASE("a segment of another size than this version makes is refused") {
  ShmTransport two(0, 2), three(1, 3);
  CHECK_THROWS_WITH(two.connect(1, three.address()), ContainsSubstring("another version"));
}

TEST_CASE("a message that names a slot outside the sender's pool is refused") {
  // What a rank reads from another one's memory is never trusted.
  ShmTransport a(0, 2, Sharing::within_process), b(1, 2, Sharing::within_process);
  a.connect(1, b.address());
  b.connect(0, a.address());
  const std::size_t bytes = a.traits().inline_bytes + 1;
  Outgoing out(1, make_match(3, 1, 0, 0), content(bytes, 1));
  Incoming in(0, make_match(3, 1, 0, 0), bytes);
  CHECK_FALSE(in.go_on(b));
  REQUIRE(a.reserve(out.send) != nullptr);
  a.commit(out.send);
  out.send.detail = 0xfff0;
  CHECK(out.go_on(a));
  CHECK_THROWS_WITH(in.go_on(b), ContainsSubstring("slot 65520"));
}

TEST_CASE("shared memory opens a peer's segment when something is first sent to it") {
  auto a = std::make_unique<ShmTransport>(0, 2);
  ShmTransport b(1, 2);
  int looked_up = 0;
  a->look_up_with([&](int) {
    ++looked_up;
    return b.address();
  });
  b.look_up_with([](int) -> std::string { throw error(TUTTI_ERROR_START, "rank 0 has left"); });
  Outgoing out(1, make_match(3, 1, 0, 0), content(100, 1));
  Incoming in(0, make_match(3, 1, 0, 0), 100);
  CHECK_FALSE(in.go_on(b));
  CHECK(looked_up == 0);
  CHECK(out.go_on(*a));
  CHECK(looked_up == 1);
  // What has been sent lies with the receiver, who needs the sender no more.
  a.reset();
  CHECK(in.go_on(b));
  CHECK(in.holds(out.bytes));
  b.release(in.receive);
  CHECK_FALSE(b.unreachable());
  Outgoing back(0, make_match(3, 2, 0, 0), content(100, 1));
  CHECK_FALSE(back.go_on(b));
  const auto lost = b.unreachable();
  REQUIRE(lost);
  CHECK(lost->peer == 0);
  CHECK(lost->reason == "rank 0 has left");
}
