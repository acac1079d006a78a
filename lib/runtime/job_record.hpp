// What rank 0 tells all ranks of a job: the node of each of them, and what holds for each node. As text it grows with
// the number of nodes, not of ranks, where ranks fill one node after the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

struct NodeFacts {
  bool shm = true;       // all its ranks want shared memory among themselves
  bool crowded = false;  // its machine has more ranks than cores
  std::string host;
};

struct JobRecord {
  std::vector<int> nodes;  // of each rank; numbered in the order of their lowest ranks
  std::vector<NodeFacts> facts;
  int cores = 1;
  std::string tuning_file;  // whose text follows; empty: there is none
  std::string tuning;

  // Whether some ranks are reached over a network.
  bool networked() const { return facts.size() > 1 || (nodes.size() > 1 && !facts.front().shm); }
  // The ranks of a node, ascending.
  std::vector<int> members(int node) const;

  std::string text() const;
  // Throws TUTTI_ERROR_START where the text is not the record of a job of `size` ranks.
  static JobRecord parse(std::string_view text, int size);
};

// What a rank says of itself.
struct RankFacts {
  std::string version;
  std::string host;
  std::string node;  // equal on ranks that believe to share a node
  std::string machine;
  std::string cores;
  bool shm = true;
  std::int32_t process = 0;
  std::uint16_t port = 0;          // for the control plane,
  std::vector<std::string> hosts;  // and the addresses of its interfaces

  std::string text() const;
  static RankFacts parse(std::string_view text, int rank);
};

// Numbers the nodes in the order of their lowest ranks. Throws TUTTI_ERROR_START where versions differ.
JobRecord make_record(const std::vector<RankFacts>& facts);

}  // namespace tutti
