// How two sides that know one secret prove it to each other and then speak unheard.
//
//   client: magic, nonce C          server: magic, nonce S, hash(secret; "server", C, S)
//   client: hash(secret; "client", C, S)
//
// Both nonces are fresh, so neither side can be answered with an old recording, and the two roles differ, so
// that no side can be made to answer itself. From the same hash come two keys, one for each direction; each
// frame is encrypted and authenticated by ChaCha20-Poly1305 under a counter, so that it can be neither read,
// changed, repeated, left out nor sent back.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bootstrap/secret.hpp"

namespace tutti {

enum class ChannelSide { client, server };

inline constexpr std::string_view channel_magic = "tuttist1";  // the protocol and its version
inline constexpr std::size_t nonce_bytes = 32;
inline constexpr std::size_t proof_bytes = 32;
inline constexpr std::size_t client_hello_bytes = channel_magic.size() + nonce_bytes;
inline constexpr std::size_t server_hello_bytes = client_hello_bytes + proof_bytes;

std::string fresh_nonce();

// One connection's two nonces under one secret.
struct Handshake {
  Secret secret;
  std::string client_nonce;
  std::string server_nonce;

  std::string proof(ChannelSide of) const;
  // Compares in constant time.
  bool holds(std::string_view proof, ChannelSide of) const;
};

class SecureChannel {
 public:
  SecureChannel(const Handshake& handshake, ChannelSide own);

  static constexpr std::size_t header_bytes = 4;
  static constexpr std::size_t longest_frame = (std::size_t{2} << 20) + 4096;  // two values and what surrounds them

  // A whole frame: header and encrypted message.
  std::string seal(std::string_view message);
  // Bytes that follow a header; nullopt if no frame can have this length.
  static std::optional<std::size_t> body_bytes(std::string_view header);
  // The message in a frame; nullopt if it is not the next one that the other side sealed.
  std::optional<std::string> open(std::string_view header, std::string_view body);

 private:
  struct Direction {
    Secret::Key key{};
    std::uint64_t frames = 0;
  };
  Direction sending_;
  Direction receiving_;
};

}  // namespace tutti
