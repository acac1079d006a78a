// The transport inside a node: mailboxes and slots in segments that the ranks share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "transports/shm/layout.hpp"
#include "transports/shm/segment.hpp"
#include "transports/transport.hpp"

namespace tutti {

class ShmTransport final : public Transport {
 public:
  using Lookup = std::function<std::string(int peer)>;

  ShmTransport(int rank, int size, Sharing sharing = Sharing::between_processes);

  const char* name() const override { return "shm"; }
  Traits traits() const override { return {layout_.inline_bytes(), layout_.slot_bytes, true}; }
  std::string address() const override { return segment_.address(); }
  void connect(int peer, std::string_view address) override;
  // A peer that is not connected is, by its address from here, when a message to or from it is first asked for.
  void look_up_with(Lookup lookup) { lookup_ = std::move(lookup); }
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

 private:
  // A message that came before its receive was posted.
  struct Early {
    Tag tag;
    shm::LineKind kind;
    std::uint32_t length;
    std::uint64_t slot;                  // kind slot: the payload
    shm::Exposed exposed;                // kind exposed
    std::unique_ptr<std::byte[]> bytes;  // otherwise
  };

  // One peer, seen from here. Hot fields first.
  struct Peer {
    // incoming
    shm::Line* lines = nullptr;
    std::uint64_t position = 0;    // of the next line to read
    std::uint64_t given_back = 0;  // lines whose credit was returned
    std::uint64_t ring_taken = 0;
    bool held = false;  // the line at `position` is leased
    // outgoing
    std::uint64_t next = 0;        // position of the next line to write
    std::uint64_t line_limit = 0;  // may write below this position
    shm::Line* remote_lines = nullptr;
    shm::Head* remote_head = nullptr;
    std::uint64_t ring_next = 0;
    std::uint64_t ring_limit = 0;
    std::byte* remote_ring = nullptr;
    shm::Credits* remote_credits = nullptr;

    std::byte* ring = nullptr;
    shm::Credits* credits = nullptr;
    std::vector<Early> early;
    struct Call {
      std::uint64_t match;
      bool takes_exposed;
    };
    std::vector<Call> calls;  // the peer's posted receives that wait for their message
    shm::Exposure* remote_exposures = nullptr;
    bool forgotten = false;                 // it died, or its segment cannot be opened
    bool may_read = true;                   // until the system refuses to let us copy out of its memory
    std::unique_ptr<std::byte[]> gathered;  // the last message of several lines, in one piece
    std::byte* remote_slots = nullptr;
    shm::SlotHead* remote_slot_heads = nullptr;
    Segment segment;
  };

  bool reach(int rank);
  std::atomic<std::uint64_t>& visitor_word(std::byte* segment, int rank) const;
  bool has_visited(int rank) const;
  bool push(Peer& peer, Tag tag, shm::LineKind kind, std::uint32_t length, const void* payload, std::size_t bytes);
  bool push_lines(Peer& peer, const Send& send);
  bool push_bytes(Peer& peer, const Send& send);
  bool room_for_lines(Peer& peer, std::uint64_t count);
  void finish_push(Peer& peer, shm::Line& line, std::uint64_t count);
  const std::byte* gather(Peer& peer, std::uint32_t length);
  bool arrived(const Peer& peer) const;
  void advance(Peer& peer);
  void set_aside(Peer& peer);
  void drain(Peer& peer);
  bool take_early(Peer& peer, Receive& receive);
  void lease_slot(Peer& peer, Receive& receive, std::uint64_t slot);
  const Peer::Call* find_call(Peer& peer, std::uint64_t match);
  void take_call(Peer& peer, const Peer::Call* call) {
    peer.calls.erase(peer.calls.begin() + (call - peer.calls.data()));
  }
  bool expose(Peer& peer, Send& send);
  bool exposed_goes_on(Peer& peer, Send& send);
  bool copy_exposed(Peer& peer, Receive& receive, const shm::Exposed& exposed);
  std::int64_t free_slot();
  void give_up_slot(const Send& send);
  static void release_slot(Peer& peer, std::uint64_t where);
  void wake(shm::Head* head);

  int rank_;
  shm::Layout layout_;
  std::uint64_t line_mask_;  // both sizes are powers of two, and a division costs more than a poll
  std::uint64_t ring_mask_;
  Segment segment_;
  shm::Head* head_;
  bool one_copy_;  // receivers copy long messages out of the sender's buffer
  shm::Exposure* exposures_;
  std::uint32_t exposure_uses_ = 0;
  std::byte* slots_;
  shm::SlotHead* slot_heads_;
  std::vector<std::uint32_t> slot_uses_;                                   // tells whether a slot holds what it held
  std::vector<std::array<std::int32_t, shm::most_readers>> slot_readers_;  // who each bit of its readers is
  std::vector<Peer> peers_;
  Lookup lookup_;
  std::optional<Unreachable> lost_;  // since the last question
};

}  // namespace tutti
