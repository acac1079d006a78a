// The walk of docs/adding-a-transport.md, compiled and held to the contract: the transport between the two lines is the
// one that the guide shows, and tests/house/documents_test.py compares them.
#include "tests/catch.hpp"
#include "tests/unit/transport_conformance.hpp"
#include "transports/threads/threads.hpp"

// ---- transports/counting/counting.hpp
// Counts what each peer is sent, over any other transport: how much an algorithm puts on which link, measured where the
// bytes leave. It adds no copy and holds nothing back, so the contract below it holds above it.
#include <memory>
#include <vector>

#include "transports/transport.hpp"

namespace tutti {

class CountingTransport final : public Transport {
 public:
  CountingTransport(int size, std::shared_ptr<Transport> below)
      : below_(std::move(below)), bytes_to_(static_cast<std::size_t>(size)) {
    early_messages = below_->early_messages;
  }

  std::uint64_t bytes_to(int peer) const { return bytes_to_[static_cast<std::size_t>(peer)]; }

  const char* name() const override { return "counting"; }
  Traits traits() const override { return below_->traits(); }
  std::string address() const override { return below_->address(); }
  void connect(int peer, std::string_view address) override { below_->connect(peer, address); }
  void open(std::uint32_t channel, std::uint32_t sequence) override { below_->open(channel, sequence); }

  bool send(Send& send) override {
    const bool complete = below_->send(send);
    // A send is called until it is complete, and it is complete once.
    if (complete) bytes_to_[static_cast<std::size_t>(send.peer)] += send.bytes;
    return complete;
  }
  void* reserve(Send& send) override { return below_->reserve(send); }
  void commit(Send& send) override { below_->commit(send); }
  bool share(Send& send, const Send& earlier) override { return below_->share(send, earlier); }

  bool receive(Receive& receive) override {
    const bool arrived = below_->receive(receive);
    early_messages = below_->early_messages;
    return arrived;
  }
  void release(Receive& receive) override { below_->release(receive); }
  void cancel(Send& send) override { below_->cancel(send); }
  void cancel(Receive& receive) override { below_->cancel(receive); }

  bool stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) override {
    const bool found = below_->stray(channel, oldest, peer, tag);
    early_messages = below_->early_messages;
    return found;
  }
  void forget(int peer) override { below_->forget(peer); }
  std::optional<Unreachable> unreachable() override { return below_->unreachable(); }
  void wait(std::chrono::microseconds limit) override { below_->wait(limit); }

 private:
  std::shared_ptr<Transport> below_;
  std::vector<std::uint64_t> bytes_to_;
};

}  // namespace tutti
// ---- end of transports/counting/counting.hpp

using namespace tutti;
using namespace tutti::testing;

namespace {

Ranks counting_ranks(int size) {
  auto exchange = std::make_shared<ThreadsExchange>(size);
  Ranks ranks;
  for (int rank = 0; rank < size; ++rank)
    ranks.push_back(std::make_shared<CountingTransport>(size, std::make_shared<ThreadsTransport>(rank, exchange)));
  return ranks;
}

const UnderTest counting("counting, over threads", counting_ranks);

}  // namespace

TEST_CASE("the transport of the walk counts each message once, for the peer that it went to") {
  const Ranks ranks = counting_ranks(3);
  const std::size_t lengths[] = {0, 8, ranks[0]->traits().inline_bytes + 1};
  std::uint64_t sum = 0;
  for (std::size_t bytes : lengths) {
    Outgoing out(2, make_match(1, 1, 0, 0), content(bytes, bytes));
    Incoming in(0, make_match(1, 1, 0, 0), bytes);
    while (!in.go_on(*ranks[2])) out.go_on(*ranks[0]);
    ranks[2]->release(in.receive);
    while (!out.go_on(*ranks[0])) continue;
    sum += bytes;
  }
  const auto& counted = static_cast<const CountingTransport&>(*ranks[0]);
  CHECK(counted.bytes_to(2) == sum);
  CHECK(counted.bytes_to(1) == 0);
  CHECK(static_cast<const CountingTransport&>(*ranks[2]).bytes_to(0) == 0);
}
