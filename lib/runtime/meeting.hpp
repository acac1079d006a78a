// How the ranks of a job find out, through the store, who shares a node with whom and how they reach one another:
//
//   each rank    its facts: version, host, node, cores, whether it wants shared memory
//   rank 0       one record made of them: the node of each rank, the same for all
//   each rank    opens its node's board, makes its transports, and enters what it has there
//   first ranks  of the nodes report who could not open the board, and what the others have
//   rank 0       the verdict: it is so; or the ranks that could not share memory are nodes of their own, and once more;
//                or why the job cannot be
//
// Only rank 0 reads what every rank has said; all others get values whose number does not grow with the job.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bootstrap/file_descriptor.hpp"
#include "bootstrap/store.hpp"
#include "runtime/control.hpp"
#include "transports/transport.hpp"

namespace tutti {

struct Met {
  std::unique_ptr<Board> board;  // of this rank's node, entered
  std::shared_ptr<Transport> transport;
  std::vector<int> nodes;          // of each rank; numbered in the order of their lowest ranks
  std::vector<std::string> hosts;  // of each node
  int cores = 1;                   // of all machines together
  std::string tuning_file;         // of rank 0's measured constants; empty: there are none
  std::string tuning;              // its text
  bool cores_are_enough = true;    // this rank's machine has one for each of its ranks
  std::shared_ptr<Store> store;    // where all ranks still meet once they are connected: "tutti/connected"
  FileDescriptor control;          // where this rank listens once it leads its node; none where there is one node
};

// Collective. Throws TUTTI_ERROR_START, the same on all ranks where the ranks do not fit together.
Met meet(Identity identity, std::chrono::milliseconds limit);

}  // namespace tutti
