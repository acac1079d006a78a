// See store_connection.hpp.
#include "bootstrap/store_connection.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace tutti {

StoreConnection::StoreConnection(FileDescriptor socket, const Secret& secret)
    : socket_(std::move(socket)), peer_(peer_text(socket_.number())), handshake_{secret, "", ""} {
  tune_connection(socket_.number());
}

StoreConnection::StoreConnection(FileDescriptor socket, const Handshake& handshake)
    : socket_(std::move(socket)),
      peer_(peer_text(socket_.number())),
      handshake_(handshake),
      channel_(std::in_place, handshake, ChannelSide::client),
      state_(State::proven) {
  tune_connection(socket_.number());
}

std::optional<Handshake> shake_hands(int socket, const Secret& secret, Deadline deadline) {
  Handshake handshake{secret, fresh_nonce(), ""};
  std::array<char, server_hello_bytes> answer;
  if (send_all(socket, std::string(channel_magic) + handshake.client_nonce, deadline) != Transfer::done ||
      receive_all(socket, answer, deadline) != Transfer::done)
    return std::nullopt;
  const std::string_view hello(answer.data(), answer.size());
  handshake.server_nonce = hello.substr(channel_magic.size(), nonce_bytes);
  if (!hello.starts_with(channel_magic) || !handshake.holds(hello.substr(client_hello_bytes), ChannelSide::server) ||
      send_all(socket, handshake.proof(ChannelSide::client), deadline) != Transfer::done)
    return std::nullopt;
  return handshake;
}

std::size_t StoreConnection::wanted() const {
  if (state_ == State::hello) return client_hello_bytes;
  if (state_ == State::proof) return proof_bytes;
  if (input_.size() < SecureChannel::header_bytes) return SecureChannel::header_bytes;
  return SecureChannel::header_bytes + SecureChannel::body_bytes(input_).value_or(0);
}

bool StoreConnection::read() {
  std::array<char, 65536> piece;
  while (refusal_.empty()) {
    const std::size_t need = wanted();
    if (input_.size() >= need) {
      if (proven()) return true;
      advance_handshake();
      continue;
    }
    // Never more than the next step needs: what follows stays in the kernel, where it is bounded.
    const ssize_t got = recv(socket_.number(), piece.data(), std::min(piece.size(), need - input_.size()), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    input_.append(piece.data(), static_cast<std::size_t>(got));
    if (proven() && input_.size() == SecureChannel::header_bytes && !SecureChannel::body_bytes(input_)) {
      refusal_ = "it sent a frame of impossible length";
    }
  }
  return false;
}

void StoreConnection::advance_handshake() {
  if (state_ == State::hello) {
    if (!input_.starts_with(channel_magic)) {
      refusal_ = "it does not speak the protocol of this version's store";
      return;
    }
    handshake_.client_nonce = input_.substr(channel_magic.size());
    handshake_.server_nonce = fresh_nonce();
    output_ += std::string(channel_magic) + handshake_.server_nonce + handshake_.proof(ChannelSide::server);
    state_ = State::proof;
  } else if (handshake_.holds(input_, ChannelSide::client)) {
    channel_.emplace(handshake_, ChannelSide::server);
    state_ = State::proven;
  } else {
    refusal_ = "it does not hold the job's secret";
  }
  input_.clear();
}

std::optional<std::string> StoreConnection::next_message() {
  if (!proven() || input_.size() <= SecureChannel::header_bytes || input_.size() < wanted()) return std::nullopt;
  const std::string_view frame = input_;
  auto message =
      channel_->open(frame.substr(0, SecureChannel::header_bytes), frame.substr(SecureChannel::header_bytes));
  if (!message) refusal_ = "it sent a frame that was not sealed by the other side, or not in this order";
  input_.clear();
  return message;
}

void StoreConnection::send(std::string_view message) { output_ += channel_->seal(message); }

bool StoreConnection::flush() {
  while (!output_.empty()) {
    const ssize_t sent = ::send(socket_.number(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN;
    output_.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace tutti
