// Where this process runs: which ranks may share memory with it, and which share its cores.
#pragma once

#include <string>

namespace tutti {

struct Whereabouts {
  // Equal for ranks that count as on one node: host name, boot id and the namespaces without which memory cannot be
  // shared; or TUTTI_NODE and the boot id. That they can share memory is believed only once they do.
  std::string node;
  // Equal for ranks that share the cores of one machine, whatever namespaces they live in: the boot id.
  std::string machine;
};

// TUTTI_NODE may list several names: rank r takes the one at r modulo their number.
Whereabouts own_whereabouts(int rank);

}  // namespace tutti
