// See socket.hpp.
#include "bootstrap/socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "error.hpp"

namespace tutti {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

struct Resolved {
  AddressList list{nullptr, &freeaddrinfo};
  std::string trouble;
};

Resolved resolve(const std::string& host, std::uint16_t port, int flags) {
  addrinfo wish{};
  wish.ai_family = AF_UNSPEC;
  wish.ai_socktype = SOCK_STREAM;
  wish.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Resolved resolved;
  const int failure = getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &wish, &list);
  if (failure != 0) {
    resolved.trouble = fmt::format("the host \"{}\" cannot be resolved: {}", host, gai_strerror(failure));
  } else {
    resolved.list.reset(list);
  }
  return resolved;
}

bool is_number(const std::string& host) { return resolve(host, 1, AI_NUMERICHOST).list != nullptr; }

// Milliseconds for poll(2), rounded up so that a loop around it does not spin.
int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

// True once `events` happened; false at the deadline.
bool wait_for(int socket, short events, Deadline deadline) {
  while (true) {
    pollfd entry{socket, events, 0};
    const int count = poll(&entry, 1, milliseconds_until(deadline));
    if (count > 0) return true;
    if (count == 0 && std::chrono::steady_clock::now() >= deadline) return false;
  }
}

std::string address_text(const sockaddr* address, socklen_t length) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  const int flags = NI_NUMERICHOST | NI_NUMERICSERV;
  if (getnameinfo(address, length, host, sizeof host, port, sizeof port, flags) != 0) return "an unknown address";
  const bool brackets = address->sa_family == AF_INET6;
  return fmt::format("{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

// TCP lets a socket connect to itself when nobody listens at a port from the ephemeral range.
bool connected_to_itself(int socket) {
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_length = sizeof own;
  socklen_t peer_length = sizeof peer;
  return getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_length) == 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0 && own_length == peer_length &&
         std::memcmp(&own, &peer, own_length) == 0;
}

std::string connect_one(const addrinfo& address, Deadline deadline, FileDescriptor& result) {
  FileDescriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!socket) return std::strerror(errno);
  if (connect(socket.number(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
    return std::strerror(errno);
  }
  if (!wait_for(socket.number(), POLLOUT, deadline)) return "no answer";
  int failure = 0;
  socklen_t length = sizeof failure;
  getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &failure, &length);
  if (failure != 0) return std::strerror(failure);
  if (connected_to_itself(socket.number())) return std::strerror(ECONNREFUSED);
  tune_connection(socket.number());
  result = std::move(socket);
  return "";
}

std::uint16_t local_port(int socket) {
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  getsockname(socket, reinterpret_cast<sockaddr*>(&own), &length);
  return ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(own).sin6_port
                                         : reinterpret_cast<const sockaddr_in&>(own).sin_port);
}

void set_port(sockaddr* address, std::uint16_t port) {
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(port);
  }
}

// 0 or errno.
int listen_one(const addrinfo& address, FileDescriptor& result) {
  FileDescriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!socket) return errno;
  const int on = 1;
  // A job that was started again finds the port free, although connections of the last one linger.
  setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) setsockopt(socket.number(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(socket.number(), address.ai_addr, address.ai_addrlen) != 0 || listen(socket.number(), SOMAXCONN) != 0) {
    return errno;
  }
  result = std::move(socket);
  return 0;
}

}  // namespace

std::string StoreAddress::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("tcp://{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

StoreAddress parse_store_address(std::string_view text, std::string_view source) {
  const auto wrong = [&](std::string_view what) {
    return error(TUTTI_ERROR_ARGUMENT,
                 "{}=\"{}\" is wrong: {}; it must be tcp://host:port, such as tcp://node7:29501 or tcp://[::1]:29501",
                 source, text, what);
  };
  constexpr std::string_view scheme = "tcp://";
  if (!text.starts_with(scheme)) throw wrong("it does not begin with tcp://");
  auto rest = text.substr(scheme.size());
  StoreAddress address;
  if (const auto question = rest.find('?'); question != std::string_view::npos) {
    if (rest.substr(question) != "?held-by=launcher") throw wrong("the only option is ?held-by=launcher");
    address.held_by_launcher = true;
    rest = rest.substr(0, question);
  }
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) throw wrong("the port is missing");
  auto host = rest.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    throw wrong("an IPv6 address stands in brackets");
  }
  if (host.empty()) throw wrong("the host is missing");
  const auto digits = rest.substr(colon + 1);
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (failure != std::errc{} || end != digits.data() + digits.size() || address.port == 0) {
    throw wrong("the port is not a number from 1 to 65535");
  }
  address.host = host;
  return address;
}

Listener::Listener(const std::string& host, std::uint16_t port) {
  const bool exact = host == "localhost" || is_number(host);
  const auto resolved = resolve(exact ? host : "", port, exact ? 0 : AI_PASSIVE);
  std::string trouble = resolved.trouble;
  for (const addrinfo* each = resolved.list.get(); each != nullptr; each = each->ai_next) {
    FileDescriptor socket;
    if (!sockets_.empty()) set_port(each->ai_addr, reached_at_.port);
    if (const int reason = listen_one(*each, socket); reason != 0) {
      trouble = fmt::format("{}: {}", address_text(each->ai_addr, each->ai_addrlen), std::strerror(reason));
      // A port that is free for one family alone would split the job between two programs.
      if (reason == EADDRINUSE) sockets_.clear();
      if (reason == EADDRINUSE) break;
      continue;
    }
    if (sockets_.empty()) {
      reached_at_.host = exact ? host : (each->ai_family == AF_INET6 ? "::1" : "127.0.0.1");
      reached_at_.port = local_port(socket.number());
    }
    sockets_.push_back(std::move(socket));
  }
  if (sockets_.empty()) {
    throw error(TUTTI_ERROR_START, "cannot listen at {}: {}", StoreAddress{host, port}.text(), trouble);
  }
}

std::variant<FileDescriptor, std::string> try_connect(const StoreAddress& address, Deadline deadline) {
  const auto resolved = resolve(address.host, address.port, 0);
  std::string trouble = resolved.trouble;
  for (const addrinfo* each = resolved.list.get(); each != nullptr; each = each->ai_next) {
    // One address of several that does not answer must not take all the time.
    const auto now = std::chrono::steady_clock::now();
    const auto share = each->ai_next == nullptr ? deadline : std::min(deadline, now + std::chrono::seconds(3));
    FileDescriptor socket;
    trouble = connect_one(*each, share, socket);
    if (socket) return socket;
  }
  return trouble;
}

Transfer send_all(int socket, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket, POLLOUT, deadline)) return Transfer::late;
    } else if (errno != EINTR) {
      return Transfer::closed;
    }
  }
  return Transfer::done;
}

Transfer receive_all(int socket, std::span<char> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t got = recv(socket, bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got < 0 && errno == EAGAIN) {
      if (!wait_for(socket, POLLIN, deadline)) return Transfer::late;
    } else if (got == 0 || errno != EINTR) {
      return Transfer::closed;
    }
  }
  return Transfer::done;
}

void tune_connection(int socket) {
  const int on = 1;
  const int idle = 10;      // seconds of silence before the first question
  const int interval = 5;   // seconds between questions
  const int questions = 4;  // without an answer: the host has gone
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &questions, sizeof questions);
}

std::string peer_text(int socket) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return "an unknown address";
  return address_text(reinterpret_cast<const sockaddr*>(&peer), length);
}

}  // namespace tutti
