// See secure_channel.hpp.
#include "bootstrap/secure_channel.hpp"

#include <sodium.h>

namespace tutti {
namespace {

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Secret::Key keyed_hash(const Handshake& handshake, std::string_view purpose) {
  // The purpose comes last: the nonces have fixed lengths, so no two inputs can run into each other.
  const std::string input = handshake.client_nonce + handshake.server_nonce + std::string(purpose);
  const auto& key = handshake.secret.key();
  Secret::Key hash;
  crypto_generichash(hash.data(), hash.size(), bytes_of(std::string_view(input)), input.size(), key.data(), key.size());
  return hash;
}

using FrameNonce = std::array<unsigned char, crypto_aead_chacha20poly1305_IETF_NPUBBYTES>;

FrameNonce counted(std::uint64_t frame) {
  FrameNonce nonce{};
  for (std::size_t i = 0; i < sizeof frame; ++i) nonce[i] = static_cast<unsigned char>(frame >> (8 * i));
  return nonce;
}

}  // namespace

std::string fresh_nonce() {
  std::string nonce(nonce_bytes, '\0');
  randombytes_buf(nonce.data(), nonce.size());
  return nonce;
}

std::string Handshake::proof(ChannelSide of) const {
  const auto hash = keyed_hash(*this, of == ChannelSide::client ? "client" : "server");
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

bool Handshake::holds(std::string_view claimed, ChannelSide of) const {
  const std::string expected = proof(of);
  return claimed.size() == expected.size() && sodium_memcmp(claimed.data(), expected.data(), expected.size()) == 0;
}

SecureChannel::SecureChannel(const Handshake& handshake, ChannelSide own) {
  const auto to_server = keyed_hash(handshake, "key to the server");
  const auto to_client = keyed_hash(handshake, "key to the client");
  sending_.key = own == ChannelSide::client ? to_server : to_client;
  receiving_.key = own == ChannelSide::client ? to_client : to_server;
}

std::string SecureChannel::seal(std::string_view message) {
  const std::size_t body = message.size() + crypto_aead_chacha20poly1305_IETF_ABYTES;
  std::string frame(header_bytes + body, '\0');
  for (std::size_t i = 0; i < header_bytes; ++i) frame[i] = static_cast<char>(body >> (8 * i));
  const auto nonce = counted(sending_.frames++);
  crypto_aead_chacha20poly1305_ietf_encrypt(bytes_of(frame) + header_bytes, nullptr, bytes_of(message), message.size(),
                                            bytes_of(frame), header_bytes, nullptr, nonce.data(), sending_.key.data());
  return frame;
}

std::optional<std::size_t> SecureChannel::body_bytes(std::string_view header) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < header_bytes; ++i) {
    bytes |= static_cast<std::size_t>(static_cast<unsigned char>(header[i])) << (8 * i);
  }
  if (bytes < crypto_aead_chacha20poly1305_IETF_ABYTES || bytes > longest_frame) return std::nullopt;
  return bytes;
}

std::optional<std::string> SecureChannel::open(std::string_view header, std::string_view body) {
  if (body.size() < crypto_aead_chacha20poly1305_IETF_ABYTES) return std::nullopt;
  std::string message(body.size() - crypto_aead_chacha20poly1305_IETF_ABYTES, '\0');
  const auto nonce = counted(receiving_.frames++);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(bytes_of(message), nullptr, nullptr, bytes_of(body), body.size(),
                                                bytes_of(header), header.size(), nonce.data(),
                                                receiving_.key.data()) != 0) {
    return std::nullopt;
  }
  return message;
}

}  // namespace tutti
