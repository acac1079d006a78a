// The transport contract over a library of tagged messages, once for all such libraries.
//
// Short messages carry a header and go into parcels that every rank keeps posted; matching is done here, so it needs
// neither many bits of tag nor a source from the library, and what nobody receives is known. A long message waits
// until its receiver has posted memory and has said so (`ready`, with the number of the slot); it then travels without
// header, under a tag that is that number. How far a short message may run ahead of its receiver is told by credits:
// a sender asks once in early_operations / 2 operations, long before it needs the answer.
//
// Memory: a rank that is not connected costs nothing. A connected one costs a Peer and a few entries of its lists here,
// besides what the library keeps (docs/network-transports.md has the sums); parcels are shared by all peers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "transports/tagged/parcels.hpp"
#include "transports/tagged/wire.hpp"
#include "transports/transport.hpp"

namespace tutti::tagged {

enum class Kind : std::uint32_t {
  data = 1,   // a short message; its bytes follow
  ready,      // a receive of a long message is posted in `slot`
  withdraw,   // it is to be withdrawn, if no message is on its way to it
  withdrawn,  // none is, and none will come
  misfit,     // the message for `slot` has another length or another check: these
  ask,        // tell when the operation in `match` has been opened
  credit,     // the operation in `match` has been opened
};

struct Header {
  std::uint64_t match;
  std::uint32_t check;
  std::uint32_t key;  // of the receiver: what does not bear it was not meant for it
  std::int32_t source;
  std::uint32_t bytes;
  std::uint32_t slot;
  Kind kind;
};
static_assert(sizeof(Header) == 32);

// A rank that was spoken to.
struct Peer {
  // A posted receive of a long message on the other side.
  struct Ready {
    std::uint64_t match;
    std::uint32_t check;
    std::uint32_t bytes;
    std::uint32_t slot;
    bool reserved;   // a send is being written for it
    bool withdrawn;  // meanwhile its receiver wants it back
  };
  // How far the peer has opened a channel, as we know.
  struct Opened {
    std::uint32_t channel;
    std::uint32_t sequence;
    bool asked;
  };

  int rank = -1;
  bool connected = false;
  bool lost = false;
  std::uint32_t key = 0;
  std::uint64_t destination = 0;
  std::vector<Parcel*> arrived;  // messages without a receive, in their order
  std::vector<Parcel*> posted;   // memory for long messages that we announced
  std::vector<Ready> readies;
  std::vector<Opened> opened;
  Parcel* first_queued = nullptr;  // what the library had no room for
  Parcel* last_queued = nullptr;
};

class TaggedTransport final : public Transport, private WireEvents {
 public:
  TaggedTransport(int rank, int size, std::unique_ptr<Wire> wire);
  ~TaggedTransport() override;
  TaggedTransport(const TaggedTransport&) = delete;
  TaggedTransport& operator=(const TaggedTransport&) = delete;

  const char* name() const override { return wire_->name(); }
  Traits traits() const override { return {inline_bytes, wire_->max_message(), wire_->can_sleep()}; }
  std::string address() const override;
  void connect(int peer, std::string_view address) override;
  void open(std::uint32_t channel, std::uint32_t sequence) override;
  bool send(Send& send) override;
  void* reserve(Send& send) override;
  void commit(Send& send) override;
  bool receive(Receive& receive) override;
  void release(Receive& receive) override;
  void cancel(Send& send) override;
  void cancel(Receive& receive) override;
  bool stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) override;
  void forget(int peer) override;
  std::optional<Unreachable> unreachable() override;
  void wait(std::chrono::microseconds limit) override;
  int descriptor() override { return wire_->descriptor(); }
  bool ready_to_sleep() override;

  // One message of the wire and no copy by the library's own rendezvous, with tcp of both libraries.
  static constexpr std::size_t inline_bytes = 8192;

 private:
  // A channel, as this rank uses it.
  struct Channel {
    std::uint32_t opened = 0;
    std::uint32_t begun = 0;  // where its sequence numbers started
  };
  struct Question {
    Peer* peer;
    std::uint32_t channel;
    std::uint32_t sequence;
  };

  void sent(Parcel& parcel) override;
  void received(Parcel& parcel, std::size_t bytes) override;
  void withdrawn(Parcel& parcel) override;
  void failed(Parcel& parcel, const std::string& reason) override;
  void lost(Peer& peer, const std::string& reason) override;

  Peer& peer_of(int rank);
  Channel& channel(std::uint32_t number);
  void progress();
  void post_short();
  void submit(Peer& peer, Parcel& parcel);
  void flush(Peer& peer);
  void disown(Parcel& parcel);
  void drop(Parcel& parcel);
  void ended(Parcel& parcel);
  void say(Peer& peer, Kind kind, std::uint64_t match, std::uint32_t check, std::uint32_t bytes, std::uint32_t slot);
  void hear(Peer& peer, const Header& header);
  void take_message(Peer& peer, Parcel& parcel);
  void accept_misfit(Peer& peer, const Header& header);
  void cut_off(Peer& peer);
  void answer_questions();
  void begin_anew(std::uint32_t number, std::uint32_t sequence);

  bool may_send_early(Peer& peer, std::uint64_t match);
  bool send_short(Peer& peer, Send& send);
  bool send_long(Peer& peer, Send& send);
  bool send_goes_on(Send& send);
  void write_header(Peer& peer, Parcel& parcel, Kind kind, std::uint64_t match, std::uint32_t check, std::size_t bytes,
                    std::uint32_t slot) const;
  Peer::Ready* find_ready(Peer& peer, std::uint64_t match);
  Peer::Ready* awaited_ready(Peer& peer, std::uint64_t match);
  static Peer::Ready* ready_of_slot(Peer& peer, std::uint32_t slot);
  static void remove(Peer& peer, Peer::Ready* ready);
  bool post_long(Peer& peer, Receive& receive);
  bool arrived(Peer& peer, Receive& receive);
  bool take_arrived(Peer& peer, Receive& receive);
  void lease(Receive& receive, Parcel& parcel);
  void abandon(Peer& peer, Parcel& parcel);

  int rank_;
  int size_;
  std::uint32_t key_;
  std::unique_ptr<Wire> wire_;
  Parcels parcels_;
  std::unordered_map<int, std::unique_ptr<Peer>> peers_;
  Peer* last_peer_ = nullptr;  // that peer_of() found
  std::vector<Channel> channels_;
  std::vector<Question> questions_;
  std::vector<Peer*> queueing_;  // peers with queued parcels
  std::vector<Unreachable> lost_;
  std::uint32_t next_slot_ = 0;
  std::size_t missing_short_ = 0;  // receives that could not be posted
  std::size_t sends_under_way_ = 0;
  bool news_ = false;  // something happened since the last sleep
};

// Distance on the circle of sequence numbers: how far a is ahead of b.
inline std::int32_t ahead(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>((a - b) << (32 - sequence_bits)) >> (32 - sequence_bits);
}

}  // namespace tutti::tagged
