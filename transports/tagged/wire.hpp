// What the transport over a network (tagged.hpp) asks of a library of tagged messages: to send and to receive memory of
// the transport's own, without header and without matching on the source, and to say what has come to an end.
//
// The library never sees the caller's memory. So a request is withdrawn without anybody's consent, no peer and no
// network card can touch a buffer after that, and memory is registered once, when the pool grows.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tutti::tagged {

struct Peer;
using Clock = std::chrono::steady_clock;

// Memory that the library may send from or receive into, with what is known of its use.
struct Parcel {
  // The library's own, while it holds the parcel: fi_context2 of libfabric.
  alignas(64) std::byte context[64];
  void* request = nullptr;  // UCX's
  void* wire = nullptr;     // whose it is, for callbacks
  bool called_back = false;

  std::byte* data = nullptr;
  std::size_t capacity = 0;
  std::size_t bytes = 0;  // to be sent, or arrived
  void* registration = nullptr;
  void* descriptor = nullptr;
  std::uint32_t size_class = 0;

  Parcel* next = nullptr;  // in a list of free ones, or in a peer's queue
  Peer* peer = nullptr;
  std::uint64_t tag = 0;  // the library's: which parcel of the receiver this is for
  std::uint64_t match = 0;
  std::uint32_t check = 0;
  std::uint32_t slot = 0;  // of a long message; 0 for a short one, which begins with a header
  std::size_t expected = 0;
  std::uint32_t polls = 0;
  Clock::time_point since;  // it waits for the library
  bool with_library = false;
  bool queued = false;  // behind others for the same peer
  bool owned = false;   // by a request or a list; free once none of the three has it
  bool is_send = false;
  bool done = false;
  bool abandoned = false;  // its receive was withdrawn, and the sender has not said yet that nothing will come
  bool misfit = false;     // the sender has another message than the one that is expected: there are no bytes
};

// What happens; called from within Wire::progress().
class WireEvents {
 public:
  virtual ~WireEvents() = default;
  virtual void sent(Parcel& parcel) = 0;
  virtual void received(Parcel& parcel, std::size_t bytes) = 0;
  virtual void withdrawn(Parcel& parcel) = 0;  // a receive that was cancelled
  virtual void failed(Parcel& parcel, const std::string& reason) = 0;
  virtual void lost(Peer& peer, const std::string& reason) = 0;
};

// done: it needs no doing of this rank any more. later: no room now, or the connection is not there yet.
enum class Sent { done, pending, later };

class Wire {
 public:
  virtual ~Wire() = default;
  virtual const char* name() const = 0;
  virtual std::size_t max_message() const = 0;
  virtual bool can_sleep() const = 0;
  // Printable; connect() of another rank understands it, or throws Error(TUTTI_ERROR_START).
  virtual std::string address() const = 0;
  virtual std::uint64_t connect(Peer& peer, int rank, std::string_view address) = 0;

  virtual void register_memory(Parcel& parcel) = 0;
  virtual void forget_memory(Parcel& parcel) = 0;

  // Messages to one destination with one tag arrive in order. `tag` has at most tag_bits.
  virtual Sent send(std::uint64_t destination, Parcel& parcel) = 0;
  virtual bool receive(Parcel& parcel) = 0;  // false: no room now
  virtual void withdraw(Parcel& parcel) = 0;
  virtual void progress(WireEvents& events) = 0;

  // Ends everything: afterwards the library touches no parcel any more, and only forget_memory() is called.
  virtual void close() = 0;

  virtual int descriptor() const = 0;
  virtual bool ready_to_sleep() = 0;
};

inline constexpr int tag_bits = 33;

}  // namespace tutti::tagged
