// What the leaders of nodes tell one another, as bytes. Decoding trusts nothing: what does not fit is nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/control.hpp"

namespace tutti::control {

// Who speaks: the first message on a connection.
struct Hello {
  std::int32_t node = 0;
  std::int32_t rank = 0;
  std::int32_t process = 0;
};
// A rank that is dead or has said goodbye. For everybody.
struct Ended {
  std::int32_t rank = 0;
  RankState state = RankState::dead;
  std::int32_t process = 0;
};
// What does this rank do? For its node.
struct Question {
  std::int32_t origin = 0;  // node
  std::int32_t rank = 0;
};
// For the node that asked.
struct Answer {
  std::int32_t origin = 0;
  std::int32_t rank = 0;
  RankReport report;
};

using Message = std::variant<Hello, Ended, Failure, DecisionNews, Question, Answer>;

std::string encode(const Message& message);
// For a job of this size.
std::optional<Message> decode(std::string_view bytes, int size);

// Where the leaders are reached: rank 0 makes it, the first rank of each node leaves it on its board.
struct Addresses {
  std::string secret;                           // of this job's control plane alone
  std::vector<std::vector<std::string>> hosts;  // of each node: its interfaces, the likeliest first
  std::vector<std::uint16_t> ports;             // of each rank
  std::vector<std::int32_t> processes;          // of each rank

  std::string text() const;
  static std::optional<Addresses> parse(std::string_view text);
};

// The port of a TCP socket of this process, and its interfaces' addresses, those of TUTTI_INTERFACE alone where that is
// set.
struct OwnAddress {
  std::uint16_t port = 0;
  std::vector<std::string> hosts;
};
OwnAddress own_address(int socket);

}  // namespace tutti::control
