// The transport of a job that needs more than shared memory: each peer over what both sides have, shared memory inside
// a node, else the first network in order of preference. A peer's address is looked up when the first message to or
// from it is wanted; until then it costs the eight bytes of its route.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transports/transport.hpp"

namespace tutti {

class Router final : public Transport {
 public:
  // What address() of another rank's router says. Asked once for each peer, and not in the hot path.
  using Lookup = std::function<std::string(int peer)>;

  explicit Router(int rank, int size);

  // Rank i of `inside` is rank ranks[i] of the job; its peers are connected already.
  void use_inside(std::unique_ptr<Transport> inside, const std::vector<int>& ranks);
  // Networks in order of preference, most wanted first. Their ranks are those of the job.
  void use_networks(std::vector<std::unique_ptr<Transport>> networks);
  void look_up_with(Lookup lookup) { lookup_ = std::move(lookup); }
  // What all ranks have agreed on, so that all cut a vector alike.
  void agree(const Traits& traits) { traits_ = traits; }

  const char* name() const override { return name_.c_str(); }
  const char* name_towards(int peer) const override;
  // The least of all its transports, until another is agreed on.
  Traits traits() const override { return traits_; }
  // For each network its name, a blank and its address, with a bar between them.
  std::string address() const override;
  // Chooses the network that both sides have and reaches the peer over it.
  void connect(int peer, std::string_view address) override;

  void open(std::uint32_t channel, std::uint32_t sequence) override;
  bool send(Send& send) override;
  void* reserve(Send& send) override;
  void commit(Send& send) override;
  bool share(Send& send, const Send& earlier) override;
  bool receive(Receive& receive) override;
  void release(Receive& receive) override;
  void cancel(Send& send) override;
  void cancel(Receive& receive) override;
  bool stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) override;
  void forget(int peer) override;
  std::optional<Unreachable> unreachable() override;
  void wait(std::chrono::microseconds limit) override;
  int descriptor() override { return parts_.size() == 1 ? parts_[0]->descriptor() : -1; }
  bool ready_to_sleep() override { return parts_.size() == 1 && parts_[0]->ready_to_sleep(); }

 private:
  static constexpr std::int32_t nowhere = -1;
  struct Route {
    std::int32_t part = nowhere;
    std::int32_t peer = 0;  // the peer's rank there
  };

  Transport& resolve(int peer);
  // The transport of a message's peer, whose rank in it stands in the message as long as this lives.
  template <class Message>
  class Towards;
  void add(std::unique_ptr<Transport> part);
  void count_early();
  int from_part(std::size_t part, int peer) const {
    return part == inside_ ? inside_ranks_[static_cast<std::size_t>(peer)] : peer;
  }

  static constexpr std::size_t no_part = ~std::size_t{0};
  int rank_;
  std::string name_;
  Traits traits_;
  std::vector<std::unique_ptr<Transport>> parts_;
  std::size_t inside_ = no_part;  // index of the transport inside the node
  std::vector<int> inside_ranks_;
  std::vector<Route> routes_;
  Lookup lookup_;
  std::size_t next_to_sleep_ = 0;
};

}  // namespace tutti
