// One connection that does not block: the bytes of the handshake on the server's side, then sealed frames on both. It
// holds at most one frame in each direction, and until the secret is proven not more than the handshake has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bootstrap/secure_channel.hpp"
#include "bootstrap/socket.hpp"

namespace tutti {

class StoreConnection {
 public:
  enum class State { hello, proof, proven, joined };

  StoreConnection(FileDescriptor socket, const Secret& secret);
  // After the handshake, which shake_hands() has done.
  StoreConnection(FileDescriptor socket, const Handshake& handshake);

  int socket() const noexcept { return socket_.number(); }
  const std::string& peer() const noexcept { return peer_; }
  State state() const noexcept { return state_; }
  bool proven() const noexcept { return state_ == State::proven || state_ == State::joined; }

  // Reads what has come, and sends what it can. False: the other side closed, or `refusal()` says why it must be
  // closed.
  bool read();
  bool flush();
  const std::string& refusal() const noexcept { return refusal_; }
  // Next whole message, decrypted; nullopt if there is none yet or the connection must be closed.
  std::optional<std::string> next_message();
  void send(std::string_view message);
  bool owes() const noexcept { return !output_.empty(); }

  void set_joined(int rank, std::uint64_t session) noexcept {
    state_ = State::joined;
    rank_ = rank;
    session_ = session;
  }
  int rank() const noexcept { return rank_; }
  std::uint64_t session() const noexcept { return session_; }
  // A request of this rank is unanswered; a rank sends the next one only after the answer.
  bool busy() const noexcept { return busy_; }
  void set_busy(bool busy) noexcept { busy_ = busy; }

 private:
  void advance_handshake();
  std::size_t wanted() const;  // bytes that the next step needs

  FileDescriptor socket_;
  std::string peer_;
  Handshake handshake_;
  std::optional<SecureChannel> channel_;
  State state_ = State::hello;
  std::string input_;
  std::string output_;
  std::string refusal_;
  int rank_ = -1;
  std::uint64_t session_ = 0;
  bool busy_ = false;
};

// The client's side of the handshake, at most until `deadline`; nullopt where the other side is silent, speaks
// something else or does not hold the secret.
std::optional<Handshake> shake_hands(int socket, const Secret& secret, Deadline deadline);

}  // namespace tutti
