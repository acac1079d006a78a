// The transport between threads of one process: queues under a lock, long messages read straight from the
// sender's buffer. It is the simplest thing that keeps the contract, and the reference for the others; since
// its long sends are complete only when the receiver has let go, a schedule that relies on buffering shows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "transports/transport.hpp"

namespace tutti {

// What the ranks of one process share.
class ThreadsExchange {
 public:
  explicit ThreadsExchange(int size);

 private:
  friend class ThreadsTransport;
  struct Message {
    Tag tag;
    std::size_t bytes = 0;
    const void* address = nullptr;
    std::unique_ptr<std::byte[]> copy;  // short messages and those of several pieces
    bool leased = false;
    bool done = false;
  };
  // From one rank to another.
  struct Pair {
    std::mutex lock;
    std::list<std::shared_ptr<Message>> queue;
    std::vector<std::uint64_t> calls;  // posted receives of long messages
  };
  struct Rank {
    std::mutex lock;
    std::condition_variable arrived;
    std::uint64_t events = 0;
    std::vector<std::atomic<std::uint32_t>> opened;
    Rank();
  };

  Pair& pair(int from, int to) { return pairs_[static_cast<std::size_t>(from * size_ + to)]; }
  void notify(int rank);

  int size_;
  std::vector<Pair> pairs_;
  std::vector<Rank> ranks_;
};

class ThreadsTransport final : public Transport {
 public:
  ThreadsTransport(int rank, std::shared_ptr<ThreadsExchange> exchange);

  const char* name() const override { return "threads"; }
  Traits traits() const override { return {inline_bytes, std::size_t{1} << 30, true}; }
  std::string address() const override { return "threads"; }
  void connect(int, std::string_view) override {}
  void open(std::uint32_t channel, std::uint32_t sequence) override;
  bool send(Send& send) override;
  void* reserve(Send&) override { return nullptr; }
  void commit(Send&) override {}
  bool receive(Receive& receive) override;
  void release(Receive& receive) override;
  void cancel(Send& send) override;
  void cancel(Receive& receive) override;
  bool stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) override;
  void forget(int peer) override { forgotten_.push_back(peer); }
  void wait(std::chrono::microseconds limit) override;

 private:
  using Message = ThreadsExchange::Message;
  static constexpr std::size_t inline_bytes = 256;

  std::shared_ptr<Message> make(const Send& send, bool copied) const;

  int rank_;
  std::shared_ptr<ThreadsExchange> exchange_;
  std::vector<std::shared_ptr<Message>> sending_, leased_;  // by Send::detail and Receive::detail
  std::vector<int> forgotten_;  // hold no lease of ours any more
  std::uint64_t seen_events_ = 0;
};

}  // namespace tutti
