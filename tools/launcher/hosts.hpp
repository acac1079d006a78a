// The hosts of a job, and how its ranks are dealt to them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tutti {

struct JobHost {
  std::string name;
  int slots = 0;  // 0: not said
  int first = 0;  // number of its first rank
  int ranks = 0;
};

// "h1:2,h2:2" or "nid[001-004]". Ranks fill the slots of one host after the other; where no slots are said, they are
// dealt evenly, in blocks. Hosts without ranks are left out. Throws tutti::Error(TUTTI_ERROR_ARGUMENT) for a list that
// is wrong or has fewer slots than ranks; `source` names it.
std::vector<JobHost> deal_ranks(std::string_view list, int ranks, std::string_view source);

}  // namespace tutti
