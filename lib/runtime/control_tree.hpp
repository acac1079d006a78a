// The control plane between nodes: a tree of authenticated TCP connections between one rank of each node, its leader.
// It works when the transports and the store are dead.
//
// The leader's thread sleeps until the system wakes it: a rank of its node ended (a pidfd), a connection ended or
// brought something, or a rank of its node rang. What it learns it writes on the board, where the others look, and
// tells its neighbours, who drop what they know already; so a new connection simply begins with everything.
//
// A node hangs on the nearest of its ancestors that has a leader, n on (n - 1) / 8 and so on to 0, else on any node
// below its number; so there are no circles. A leader that ends is followed by the next rank of its node that looks
// around. A connection that ends without a goodbye is the death of its leader; one that falls silent for TUTTI_TIMEOUT
// that of all ranks of its node.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>

#include "bootstrap/file_descriptor.hpp"
#include "runtime/control.hpp"

namespace tutti {

// A TCP socket with a port of its own. It listens as long as its rank lives, and only a leader takes what comes: who
// connects is refused where the process has ended, answered by a leader, and else waits for one.
FileDescriptor bind_control_socket();

class ControlLeader;

class ControlTree {
 public:
  // `socket` is this rank's, whose port stands in the text on the board.
  ControlTree(Board& board, FileDescriptor socket, std::chrono::milliseconds timeout);
  // In a child that was forked only the descriptors close.
  ~ControlTree();
  ControlTree(const ControlTree&) = delete;
  ControlTree& operator=(const ControlTree&) = delete;

  // The first rank of the node leads it, and returns when the node hangs on another one. Throws TUTTI_ERROR_START where
  // that takes longer.
  void begin(std::chrono::milliseconds limit);
  // Leads the node if nobody does. Cheap; called by every rank that looks around.
  void tend();
  // After this rank's goodbye on the board: tells it to the other nodes, where nobody else will.
  void leave();

 private:
  Board& board_;
  FileDescriptor socket_;
  std::chrono::milliseconds timeout_;
  pid_t owner_;
  std::unique_ptr<ControlLeader> leader_;
};

}  // namespace tutti
