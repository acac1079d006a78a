// See tcp_store.hpp.
#include "bootstrap/tcp_store.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include "bootstrap/log.hpp"
#include "bootstrap/store_board.hpp"
#include "bootstrap/store_message.hpp"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

// The server answers at the limit; only if it does not, it is given up, this much later.
constexpr std::chrono::seconds answer_grace{10};
// What a server that is there may take to answer what needs no waiting.
constexpr std::chrono::seconds answer_limit{60};

double seconds_of(std::chrono::milliseconds limit) { return static_cast<double>(limit.count()) / 1000; }

}  // namespace

TcpStore::TcpStore(StoreAddress address, const Secret& secret, int rank, int size, std::chrono::milliseconds limit)
    : address_(std::move(address)), rank_(rank), size_(size) {
  connect(secret, Clock::now() + limit, limit);
  StoreRequest join;
  join.operation = StoreOperation::join;
  join.key = host_name();
  join.rank = static_cast<std::uint32_t>(rank);
  join.size = static_cast<std::uint32_t>(size);
  ask(join);
}

Error TcpStore::failure(std::string_view what) const {
  return error(TUTTI_ERROR_START, "rank {} on {}: the store at {}: {}", rank_, host_name(), address_.text(), what);
}

void TcpStore::connect(const Secret& secret, Deadline deadline, std::chrono::milliseconds limit) {
  auto pause = std::chrono::milliseconds(5);
  auto warn_at = Clock::now() + std::chrono::seconds(5);
  while (true) {
    const auto trouble = attempt(secret, deadline);
    if (trouble.empty()) return;
    const auto now = Clock::now();
    if (now + pause >= deadline) {
      throw error(
          TUTTI_ERROR_START,
          "rank {} on {} could not reach the store at {} within {} s (TUTTI_START_TIMEOUT): {}; {} must be running "
          "and its port must be open",
          rank_, host_name(), address_.text(), seconds_of(limit), trouble,
          address_.held_by_launcher ? "the launcher" : "rank 0");
    }
    if (now >= warn_at) {
      log(LogLevel::warning, "still waiting for the store at {}: {}", address_.text(), trouble);
      warn_at = now + std::chrono::seconds(15);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(250));
  }
}

// Empty, or what to try again after.
std::string TcpStore::attempt(const Secret& secret, Deadline deadline) {
  auto connected = try_connect(address_, deadline);
  if (const auto* trouble = std::get_if<std::string>(&connected)) return *trouble;
  FileDescriptor socket = std::move(std::get<FileDescriptor>(connected));

  Handshake handshake{secret, fresh_nonce(), ""};
  std::array<char, server_hello_bytes> answer;
  if (send_all(socket.number(), std::string(channel_magic) + handshake.client_nonce, deadline) != Transfer::done ||
      receive_all(socket.number(), answer, deadline) != Transfer::done) {
    return "somebody accepted the connection, but did not answer as a store does";
  }
  const std::string_view hello(answer.data(), answer.size());
  if (!hello.starts_with(channel_magic)) {
    throw failure("what answers there is not a store of this version; is the port another program's?");
  }
  handshake.server_nonce = hello.substr(channel_magic.size(), nonce_bytes);
  // Ours is sent even if the server's is wrong, so that the server can say whom it refused.
  const auto sent = send_all(socket.number(), handshake.proof(ChannelSide::client), deadline);
  if (!handshake.holds(hello.substr(client_hello_bytes), ChannelSide::server)) {
    throw SecretRefused(
        TUTTI_ERROR_START,
        fmt::format(
            "rank {} on {}: the store at {} refused the job's secret: it holds another one. Every rank must be given "
            "the same secret (TUTTI_SECRET_FILE), and no two jobs the same port",
            rank_, host_name(), address_.text()));
  }
  if (sent != Transfer::done) return "the connection was closed during the handshake";
  channel_ = std::make_unique<SecureChannel>(handshake, ChannelSide::client);
  socket_ = std::move(socket);
  return "";
}

std::string TcpStore::ask(const StoreRequest& request) {
  const std::lock_guard hold(lock_);
  if (!socket_) throw failure("the connection was lost earlier");
  const bool waits = request.operation == StoreOperation::get || request.operation == StoreOperation::fence;
  const Deadline deadline = Clock::now() + (waits ? request.limit + answer_grace : answer_limit);
  std::array<char, SecureChannel::header_bytes> header;
  std::string body;
  Transfer transfer = send_all(socket_.number(), channel_->seal(encode(request)), deadline);
  if (transfer == Transfer::done) transfer = receive_all(socket_.number(), header, deadline);
  std::optional<std::size_t> bytes;
  if (transfer == Transfer::done) bytes = SecureChannel::body_bytes({header.data(), header.size()});
  body.resize(bytes.value_or(0));
  if (bytes) transfer = receive_all(socket_.number(), body, deadline);
  std::optional<std::string> message;
  if (bytes && transfer == Transfer::done) message = channel_->open({header.data(), header.size()}, body);
  const auto reply = message ? decode_reply(*message) : std::nullopt;
  // A connection that answered badly once is out of step for good.
  if (!reply) socket_.reset();
  if (transfer == Transfer::closed) {
    throw failure(address_.held_by_launcher
                      ? "the connection was closed: the launcher has ended"
                      : "the connection was closed: rank 0, which holds it, has ended or refused this rank");
  }
  if (transfer == Transfer::late) throw failure("it does not answer");
  if (!reply) throw failure("it sent an answer that cannot be understood");
  if (!reply->good) throw failure(reply->text);
  return reply->text;
}

void TcpStore::put(std::string_view key, std::string_view value) {
  check_store_key(key);
  check_store_value(key, value);
  StoreRequest request;
  request.operation = StoreOperation::put;
  request.key = key;
  request.value = value;
  ask(request);
}

std::string TcpStore::get(std::string_view key, std::chrono::milliseconds limit) {
  check_store_key(key);
  StoreRequest request;
  request.operation = StoreOperation::get;
  request.key = key;
  request.limit = std::clamp(limit, std::chrono::milliseconds(0), longest_store_limit);
  return ask(request);
}

void TcpStore::fence(std::string_view name, std::chrono::milliseconds limit) {
  check_store_key(name);
  StoreRequest request;
  request.operation = StoreOperation::fence;
  request.key = name;
  request.limit = std::clamp(limit, std::chrono::milliseconds(0), longest_store_limit);
  ask(request);
}

std::string TcpStore::compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                                      std::string_view desired) {
  check_store_key(key);
  check_store_value(key, desired);
  check_store_value(key, expected.value_or(""));
  StoreRequest request;
  request.operation = StoreOperation::compare_and_put;
  request.key = key;
  request.value = desired;
  if (expected) request.expected = std::string(*expected);
  return ask(request);
}

}  // namespace tutti
