// What the conformance test needs to speak of messages and ranks; see transport_conformance.hpp.
#include <chrono>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

#include "tests/unit/transport_conformance.hpp"

namespace tutti::testing {

namespace {

// Far longer than any of these tests takes, on a loaded machine and under sanitizers too.
constexpr std::chrono::seconds never(60);

std::vector<const UnderTest*>& entries() {
  static std::vector<const UnderTest*> all;
  return all;
}

}  // namespace

UnderTest::UnderTest(std::string name, std::function<Ranks(int size)> make)
    : name_(std::move(name)), make_(std::move(make)) {
  entries().push_back(this);
}

const std::vector<const UnderTest*>& UnderTest::all() { return entries(); }

Ranks connected_ranks(int size, const std::function<std::shared_ptr<Transport>(int rank)>& make) {
  Ranks ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(make(rank));
  for (int rank = 0; rank < size; ++rank)
    for (int peer = 0; peer < size; ++peer)
      if (peer != rank)
        ranks[static_cast<std::size_t>(rank)]->connect(peer, ranks[static_cast<std::size_t>(peer)]->address());
  return ranks;
}

Message content(std::size_t bytes, std::uint64_t seed) {
  Message message(bytes);
  std::uint64_t value = (seed + 1) * 0x9e3779b97f4a7c15u;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) value = value * 0xff51afd7ed558ccdu + 1;
    message[i] = static_cast<unsigned char>(value >> (i % 8 * 8));
  }
  return message;
}

Outgoing::Outgoing(int peer, std::uint64_t match, Message content, std::uint32_t check) : bytes(std::move(content)) {
  piece = {bytes.data(), bytes.size()};
  send.peer = peer;
  send.tag = {match, check};
  send.pieces = {&piece, 1};
  send.bytes = bytes.size();
}

Incoming::Incoming(int peer, std::uint64_t match, std::size_t bytes) {
  receive.peer = peer;
  receive.tag = {match, 0};
  receive.bytes = bytes;
}

Message Incoming::read() const {
  Message message(receive.bytes_arrived);
  if (!message.empty()) std::memcpy(message.data(), receive.address, message.size());
  return message;
}

void until(const std::string& what, const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + never;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("waited in vain for " + what);
    std::this_thread::yield();
  }
}

void run_ranks(int size, const std::function<void(int rank)>& body) {
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        body(rank);
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace tutti::testing
