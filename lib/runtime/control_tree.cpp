// Who leads a node, and when; see control_tree.hpp. What a leader does is control_leader.cpp.
#include "runtime/control_tree.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "bootstrap/log.hpp"
#include "error.hpp"
#include "runtime/control_leader.hpp"

namespace tutti {

FileDescriptor bind_control_socket() {
  FileDescriptor socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int off = 0;
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  if (socket && setsockopt(socket.number(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
      bind(socket.number(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0 &&
      listen(socket.number(), SOMAXCONN) == 0)
    return socket;
  socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in any_4{};
  any_4.sin_family = AF_INET;
  if (!socket || bind(socket.number(), reinterpret_cast<const sockaddr*>(&any_4), sizeof any_4) != 0 ||
      listen(socket.number(), SOMAXCONN) != 0)
    throw error(TUTTI_ERROR_SYSTEM, "no TCP socket for the control plane: {}", std::strerror(errno));
  return socket;
}

ControlTree::ControlTree(Board& board, FileDescriptor socket, std::chrono::milliseconds timeout)
    : board_(board), socket_(std::move(socket)), timeout_(timeout), owner_(getpid()) {}

ControlTree::~ControlTree() {
  // The thread is the parent's alone.
  if (getpid() != owner_ && leader_) leader_.release()->abandon();
}

void ControlTree::begin(std::chrono::milliseconds limit) {
  for (int rank = 0; rank < board_.rank(); ++rank)
    if (board_.is_here(rank)) return;
  tend();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (leader_ && !leader_->is_connected()) {
    if (std::chrono::steady_clock::now() > end)
      throw error(TUTTI_ERROR_START,
                  "rank {} on {}: the control plane reaches no other node within {} s (TUTTI_START_TIMEOUT): {}; TCP "
                  "connections between the hosts must be allowed, and TUTTI_INTERFACE may say over which interfaces",
                  board_.rank(), host_name(), limit.count() / 1000, leader_->wanted());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void ControlTree::tend() {
  if (leader_) return;
  const int leader = board_.leader();
  if (leader >= 0 && leader != board_.rank() && board_.life(leader) == Board::Life::alive) return;
  if (board_.lead()) leader_ = std::make_unique<ControlLeader>(board_, socket_.number(), timeout_);
}

void ControlTree::leave() {
  if (leader_) {
    leader_->finish();
    leader_.reset();
    return;
  }
  const int leader = board_.leader();
  if (leader >= 0 && board_.life(leader) == Board::Life::alive) return;
  for (int rank = 0; rank < board_.size(); ++rank)
    if (rank != board_.rank() && board_.is_here(rank) && board_.life(rank) == Board::Life::alive) return;
  // The last of its node, and its leader has left earlier: nobody else will tell that all have said goodbye.
  if (!board_.lead()) return;
  leader_ = std::make_unique<ControlLeader>(board_, socket_.number(), timeout_);
  leader_->finish();
  leader_.reset();
}

}  // namespace tutti
