// The contract of transports/transport.hpp as tests, written once (transport_conformance.cpp) and run for every
// transport that says here how to make its ranks:
//
//   const UnderTest threads("threads", [](int size) { ... return the transports of `size` connected ranks ... });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transports/transport.hpp"

namespace tutti::testing {

using Ranks = std::vector<std::shared_ptr<Transport>>;

// A transport that the conformance test runs; lives as long as the program.
class UnderTest {
 public:
  UnderTest(std::string name, std::function<Ranks(int size)> make);
  const std::string& name() const { return name_; }
  Ranks make(int size) const { return make_(size); }
  static const std::vector<const UnderTest*>& all();

 private:
  std::string name_;
  std::function<Ranks(int size)> make_;
};

// The ranks that `make(rank)` makes, each connected to all others.
Ranks connected_ranks(int size, const std::function<std::shared_ptr<Transport>(int rank)>& make);

using Message = std::vector<unsigned char>;

// Bytes that tell `seed`, so that one message cannot pass for another.
Message content(std::size_t bytes, std::uint64_t seed);

// A message on its way out, from one piece; keeps its bytes.
struct Outgoing {
  Outgoing(int peer, std::uint64_t match, Message bytes, std::uint32_t check = 0);
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;
  bool go_on(Transport& transport) { return sent = sent || transport.send(send); }

  Message bytes;
  Piece piece;
  Send send;
  bool sent = false;
};

// A message that is awaited. `bytes` is how long it is expected to be.
struct Incoming {
  Incoming(int peer, std::uint64_t match, std::size_t bytes);
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  bool go_on(Transport& transport) { return arrived = arrived || transport.receive(receive); }
  // What lies at the lease.
  Message read() const;
  bool holds(const Message& expected) const { return arrived && read() == expected; }

  Receive receive;
  bool arrived = false;
};

// Calls `condition` until it is true. Throws, saying what it waited for, when that takes so long that it never will be.
void until(const std::string& what, const std::function<bool()>& condition);

// Runs `body(rank)` in a thread for each rank, and throws again what the first of them threw.
void run_ranks(int size, const std::function<void(int rank)>& body);

}  // namespace tutti::testing
