// TCP as the store needs it: addresses as people write them, listening, connecting and exchanging bytes
// with a deadline. IPv4 and IPv6; every descriptor closes on exec.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bootstrap/file_descriptor.hpp"

namespace tutti {

using Deadline = std::chrono::steady_clock::time_point;

// Where a store is reached: "tcp://host:port"; the host may be a name, 127.0.0.1 or [::1]. With
// "?held-by=launcher" a launcher listens there, else rank 0 must.
struct StoreAddress {
  std::string host;
  std::uint16_t port = 0;
  bool held_by_launcher = false;
  std::string text() const;  // "tcp://host:port"
};
// `source` names the variable in the error, TUTTI_ERROR_ARGUMENT.
StoreAddress parse_store_address(std::string_view text, std::string_view source);

// Sockets that listen at one port. An address as a number and `localhost` are taken exactly; any other name listens on
// all interfaces, because a host often resolves its own name otherwise than its peers do (Debian: 127.0.1.1).
class Listener {
 public:
  // Port 0: any free one. Throws tutti::Error(TUTTI_ERROR_START) naming address and reason.
  Listener(const std::string& host, std::uint16_t port);
  const std::vector<FileDescriptor>& sockets() const noexcept { return sockets_; }
  // How a process on this host reaches it.
  const StoreAddress& reached_at() const noexcept { return reached_at_; }

 private:
  std::vector<FileDescriptor> sockets_;
  StoreAddress reached_at_;
};

// A connected socket that does not block, or the reason why there is none.
std::variant<FileDescriptor, std::string> try_connect(const StoreAddress& address, Deadline deadline);

enum class Transfer { done, closed, late };
Transfer send_all(int socket, std::string_view bytes, Deadline deadline);
Transfer receive_all(int socket, std::span<char> bytes, Deadline deadline);

// Small messages leave at once, and a vanished host is noticed in half a minute.
void tune_connection(int socket);
// "127.0.0.1:4711" of the other side.
std::string peer_text(int socket);

}  // namespace tutti
