// A rank's side of the TCP store: it connects (trying again until the server is there), proves the job's secret and has
// the server prove it too, joins, and asks one thing at a time.
#pragma once

#include <memory>
#include <mutex>

#include "bootstrap/secure_channel.hpp"
#include "bootstrap/socket.hpp"
#include "bootstrap/store.hpp"
#include "error.hpp"

namespace tutti {

// The server, or whoever answers in its place, does not hold our secret.
class SecretRefused : public Error {
 public:
  using Error::Error;
};

class TcpStore final : public Store {
 public:
  // Throws SecretRefused; tutti::Error(TUTTI_ERROR_START) if nobody answers within `limit` or the server has no place
  // for this rank.
  TcpStore(StoreAddress address, const Secret& secret, int rank, int size, std::chrono::milliseconds limit);

  void put(std::string_view key, std::string_view value) override;
  std::string get(std::string_view key, std::chrono::milliseconds limit) override;
  void fence(std::string_view name, std::chrono::milliseconds limit) override;
  std::string compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                              std::string_view desired) override;
  bool lasts() const noexcept override { return true; }

 private:
  std::string attempt(const Secret& secret, Deadline deadline);
  void connect(const Secret& secret, Deadline deadline, std::chrono::milliseconds limit);
  std::string ask(const struct StoreRequest& request);
  Error failure(std::string_view what) const;

  StoreAddress address_;
  int rank_;
  int size_;
  std::mutex lock_;
  FileDescriptor socket_;
  std::unique_ptr<SecureChannel> channel_;
};

}  // namespace tutti
