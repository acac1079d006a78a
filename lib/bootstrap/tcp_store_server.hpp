// The server of a job's TCP store: one thread, in the process of rank 0 or in the launcher. Whoever cannot prove
// that he knows the job's secret is refused and named in the log; nothing he sends is kept, and the ranks of the
// job are served meanwhile.
#pragma once

#include <memory>

#include "bootstrap/secret.hpp"
#include "bootstrap/socket.hpp"

namespace tutti {

class TcpStoreServer {
 public:
  // Serves from now on.
  TcpStoreServer(Listener listener, const Secret& secret, int size);
  // Sends what is still owed (for a second at most), then closes every connection.
  ~TcpStoreServer();
  TcpStoreServer(const TcpStoreServer&) = delete;
  TcpStoreServer& operator=(const TcpStoreServer&) = delete;

  const StoreAddress& reached_at() const noexcept;

  static constexpr std::chrono::seconds proof_limit{5};     // to prove the secret, before the connection is closed
  static constexpr std::size_t unproven_connections = 128;  // beyond them (and twice the ranks) the oldest is closed

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tutti
