// See tcp_store_server.hpp. The loop sleeps in epoll until a socket, a deadline or the end calls.
#include "bootstrap/tcp_store_server.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <thread>
#include <unordered_map>

#include "bootstrap/log.hpp"
#include "bootstrap/store_connection.hpp"
#include "bootstrap/store_session.hpp"
#include "error.hpp"

namespace tutti {

class TcpStoreServer::Loop {
 public:
  Loop(Listener listener, const Secret& secret, int size);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  const StoreAddress& reached_at() const noexcept { return listener_.reached_at(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Connections = std::unordered_map<int, StoreConnection>;  // by socket

  void run();
  void watch(int descriptor, std::uint32_t events, int operation);
  void listen_again(bool on);
  bool is_listening_socket(int descriptor) const;
  void accept_some(int listening);
  void close_oldest_unproven();
  void serve(StoreConnection& connection, std::uint32_t events);
  void take_message(StoreConnection& connection);
  void join(StoreConnection& connection, const StoreRequest& request);
  void deliver(std::uint64_t session, const StoreSession::Answers& answers);
  void settle(StoreConnection& connection);
  void drop(int socket);
  void expire(Clock::time_point now);
  int milliseconds_to_sleep(Clock::time_point now) const;
  void flush_what_is_owed();

  Listener listener_;
  Secret secret_;
  int size_;
  FileDescriptor epoll_{epoll_create1(EPOLL_CLOEXEC)};
  FileDescriptor end_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Connections connections_;
  std::map<int, Clock::time_point> unproven_;       // sockets
  std::vector<int> broken_;                         // sockets to be closed after this round
  std::map<std::uint64_t, StoreSession> sessions_;  // by number, from 1
  std::map<std::pair<std::uint64_t, int>, int> sockets_of_ranks_;
  std::vector<std::uint64_t> times_joined_;  // by rank
  std::optional<Clock::time_point> accept_again_;
  int refusals_ = 0;
  pid_t owner_ = getpid();
  std::thread thread_;
};

TcpStoreServer::Loop::Loop(Listener listener, const Secret& secret, int size)
    : listener_(std::move(listener)), secret_(secret), size_(size), times_joined_(static_cast<std::size_t>(size)) {
  if (!epoll_ || !end_) throw error(TUTTI_ERROR_SYSTEM, "cannot serve the store: {}", std::strerror(errno));
  watch(end_.number(), EPOLLIN, EPOLL_CTL_ADD);
  for (const auto& socket : listener_.sockets()) watch(socket.number(), EPOLLIN, EPOLL_CTL_ADD);
  // The application's signals are for its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TcpStoreServer::Loop::~Loop() {
  if (getpid() != owner_) {  // a forked child: the thread and its end are the parent's alone
    thread_.detach();
    return;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = write(end_.number(), &one, sizeof one);
  thread_.join();
}

void TcpStoreServer::Loop::watch(int descriptor, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  epoll_ctl(epoll_.number(), operation, descriptor, &event);
}

void TcpStoreServer::Loop::run() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int count = epoll_wait(epoll_.number(), events.data(), static_cast<int>(events.size()),
                                 milliseconds_to_sleep(Clock::now()));
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == end_.number()) return flush_what_is_owed();
      if (is_listening_socket(event.data.fd)) {
        accept_some(event.data.fd);
      } else if (const auto found = connections_.find(event.data.fd); found != connections_.end()) {
        serve(found->second, event.events);
      }
    }
    expire(Clock::now());
    // Only now: a number that is closed could be given to a new connection within the round. Closing one may break
    // others.
    for (std::size_t i = 0; i < broken_.size(); ++i) drop(broken_[i]);
    broken_.clear();
  }
}

bool TcpStoreServer::Loop::is_listening_socket(int descriptor) const {
  return std::any_of(listener_.sockets().begin(), listener_.sockets().end(),
                     [&](const auto& socket) { return socket.number() == descriptor; });
}

void TcpStoreServer::Loop::listen_again(bool on) {
  for (const auto& socket : listener_.sockets()) watch(socket.number(), on ? EPOLLIN : 0U, EPOLL_CTL_MOD);
}

void TcpStoreServer::Loop::accept_some(int listening) {
  constexpr int most = 64;  // in one round, so that a flood does not keep the ranks waiting
  for (int i = 0; i < most; ++i) {
    FileDescriptor socket(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      // No descriptors or no memory: the queue keeps those who wait until some are free again.
      log(LogLevel::warning, "the store at {} cannot accept a connection: {}", reached_at().text(),
          std::strerror(errno));
      accept_again_ = Clock::now() + std::chrono::milliseconds(200);
      return listen_again(false);
    }
    const int number = socket.number();
    if (unproven_.size() >= std::max(unproven_connections, 2 * static_cast<std::size_t>(size_)))
      close_oldest_unproven();
    connections_.try_emplace(number, std::move(socket), secret_);
    unproven_[number] = Clock::now();
    watch(number, EPOLLIN, EPOLL_CTL_ADD);
  }
}

// A flood of strangers pushes out strangers: a rank proves itself within a round trip.
void TcpStoreServer::Loop::close_oldest_unproven() {
  const auto oldest = std::min_element(unproven_.begin(), unproven_.end(),
                                       [](const auto& left, const auto& right) { return left.second < right.second; });
  broken_.push_back(oldest->first);
  unproven_.erase(oldest);
}

void TcpStoreServer::Loop::serve(StoreConnection& connection, std::uint32_t events) {
  const bool alive = (events & EPOLLIN) == 0 || connection.read();
  if (connection.proven()) unproven_.erase(connection.socket());
  take_message(connection);
  if (!connection.refusal().empty()) {
    constexpr int most_warnings = 16;  // a flood must not fill the log
    log(refusals_++ < most_warnings ? LogLevel::warning : LogLevel::debug, "the store at {} refused {}: {}",
        reached_at().text(), connection.peer(), connection.refusal());
  }
  const bool hung_up = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (!alive || hung_up || !connection.refusal().empty()) {
    broken_.push_back(connection.socket());
  } else {
    settle(connection);
  }
}

// Sends what can be sent, and asks for the events that matter next. A rank with an unanswered request is watched too:
// its end must be noticed.
void TcpStoreServer::Loop::settle(StoreConnection& connection) {
  if (!connection.flush()) {
    broken_.push_back(connection.socket());
  } else {
    const std::uint32_t output = connection.owes() ? EPOLLOUT : 0U;
    watch(connection.socket(), EPOLLIN | output, EPOLL_CTL_MOD);
  }
}

void TcpStoreServer::Loop::take_message(StoreConnection& connection) {
  const auto message = connection.next_message();
  if (!message) return;
  const auto request = decode_request(*message);
  const bool joins = request && request->operation == StoreOperation::join;
  if (!request || connection.busy() || joins != (connection.state() == StoreConnection::State::proven)) {
    log(LogLevel::warning, "the store at {} closes {}: its request cannot be understood", reached_at().text(),
        connection.peer());
    broken_.push_back(connection.socket());
    return;
  }
  if (joins) return join(connection, *request);
  connection.set_busy(true);
  StoreSession::Answers answers;
  sessions_.at(connection.session()).handle(connection.rank(), *request, Clock::now(), answers);
  deliver(connection.session(), answers);
}

void TcpStoreServer::Loop::join(StoreConnection& connection, const StoreRequest& request) {
  if (request.size != static_cast<std::uint32_t>(size_) || request.rank >= request.size) {
    connection.send(encode(StoreReply{false, fmt::format("rank {} of {} on {} does not belong to this job of {} ranks",
                                                         request.rank, request.size, request.key, size_)}));
    return;
  }
  const auto rank = static_cast<int>(request.rank);
  const std::uint64_t number = ++times_joined_[request.rank];
  connection.set_joined(rank, number);
  sessions_.try_emplace(number, size_).first->second.join(rank, request.key);
  sockets_of_ranks_[{number, rank}] = connection.socket();
  connection.send(encode(StoreReply{}));
  log(LogLevel::debug, "rank {} on {} joined the store from {}", rank, request.key, connection.peer());
}

void TcpStoreServer::Loop::deliver(std::uint64_t session, const StoreSession::Answers& answers) {
  for (const auto& [rank, reply] : answers) {
    const auto socket = sockets_of_ranks_.find({session, rank});
    if (socket == sockets_of_ranks_.end()) continue;
    auto& connection = connections_.at(socket->second);
    connection.set_busy(false);
    connection.send(encode(reply));
    settle(connection);
  }
}

void TcpStoreServer::Loop::drop(int socket) {
  unproven_.erase(socket);
  const auto found = connections_.find(socket);
  if (found == connections_.end()) return;
  StoreSession::Answers answers;
  const std::uint64_t number = found->second.session();
  if (found->second.state() == StoreConnection::State::joined) {
    const int rank = found->second.rank();
    log(LogLevel::debug, "rank {} left the store ({})", rank, found->second.peer());
    sockets_of_ranks_.erase({number, rank});
    sessions_.at(number).leave(rank, answers);
  }
  connections_.erase(found);
  if (number == 0) return;
  deliver(number, answers);
  if (sessions_.at(number).is_over()) sessions_.erase(number);
}

void TcpStoreServer::Loop::expire(Clock::time_point now) {
  if (accept_again_ && *accept_again_ <= now) {
    accept_again_.reset();
    listen_again(true);
  }
  for (const auto& [socket, since] : unproven_) {
    if (since + proof_limit <= now) {
      log(LogLevel::info, "the store at {} closed {}: it did not prove the job's secret in time", reached_at().text(),
          connections_.at(socket).peer());
      broken_.push_back(socket);
    }
  }
  for (auto& [number, session] : sessions_) {
    StoreSession::Answers answers;
    session.expire(now, answers);
    deliver(number, answers);
  }
}

int TcpStoreServer::Loop::milliseconds_to_sleep(Clock::time_point now) const {
  std::optional<Clock::time_point> first = accept_again_;
  const auto consider = [&](Clock::time_point when) { first = std::min(first.value_or(when), when); };
  for (const auto& [socket, since] : unproven_) consider(since + proof_limit);
  for (const auto& [number, session] : sessions_) {
    if (const auto deadline = session.next_deadline()) consider(*deadline);
  }
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - now).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

// Rank 0 may end as soon as it has its own answer; the others must still get theirs.
void TcpStoreServer::Loop::flush_what_is_owed() {
  const auto deadline = Clock::now() + std::chrono::seconds(1);
  for (auto& [socket, connection] : connections_) {
    while (connection.owes() && connection.flush() && connection.owes() && Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

TcpStoreServer::TcpStoreServer(Listener listener, const Secret& secret, int size)
    : loop_(std::make_unique<Loop>(std::move(listener), secret, size)) {}
TcpStoreServer::~TcpStoreServer() = default;

const StoreAddress& TcpStoreServer::reached_at() const noexcept { return loop_->reached_at(); }

}  // namespace tutti
