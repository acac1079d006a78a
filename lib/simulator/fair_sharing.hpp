// Flows that share links fairly: max-min fairness, in which no flow can be faster without making one slower that is no
// faster than it (Bertsekas and Gallager, Data Networks, 1992, 6.5.2). A flow has a weight; its level is its rate per
// weight.
//
// An allocation is max-min fair if and only if every flow has a bottleneck: a link without spare capacity on which no
// other flow has a higher level. So after a change only flows that have lost their bottleneck are shared out anew, with
// all others as they are; whoever has no bottleneck then joins them, until nobody does. The result is exact, and what
// happens in one corner of the network costs nothing in another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tutti::simulation {

class FairSharing {
 public:
  // Returns its number: 0, 1, ... Capacities are in any unit that is the rates' too.
  std::uint32_t add_link(double capacity);
  double capacity(std::uint32_t link) const { return links_[link].capacity; }

  // A flow over at least one link; its rate is 0 until the next settle(). Numbers of ended flows are given again.
  std::uint32_t begin(std::span<const std::uint32_t> path, double weight = 1);
  void end(std::uint32_t flow);

  // Makes all rates fair, and tells the flows whose rate is another now; valid until the next call.
  std::span<const std::uint32_t> settle();
  double rate(std::uint32_t flow) const { return flows_[flow].level * flows_[flow].weight; }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;

  struct Use {
    std::uint32_t link = 0;
    std::uint32_t place = 0;  // in the link's users
  };
  struct Flow {
    std::vector<Use> path;
    double weight = 0;  // 0: not in use
    double level = 0;
    double level_before = 0;          // while it is shared out
    std::uint32_t bottleneck = none;  // link
    std::uint32_t chosen = 0;         // round in which it was chosen to be shared out
    bool fixed = false;
  };
  struct User {
    std::uint32_t flow = 0;
    std::uint32_t hop = 0;  // in the flow's path
  };
  struct Link {
    double capacity = 0;
    double spare = 0;   // not yet given away
    double weight = 0;  // of chosen flows that are not fixed
    std::vector<User> users;
    std::uint32_t touched = 0;  // round in which a chosen flow was seen on it
  };

  void choose(std::uint32_t flow);
  void touch(std::uint32_t flow);
  void share_out();
  bool choose_the_unhappy();
  bool is_chosen(const Flow& flow) const { return flow.chosen == round_; }

  std::vector<Link> links_;
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> begun_;  // since the last settle()
  std::vector<std::uint32_t> left_;   // links that a flow has left since
  std::uint32_t round_ = 0;
  std::vector<std::uint32_t> chosen_;   // flows, in this round
  std::vector<std::uint32_t> touched_;  // their links
  std::vector<std::uint32_t> changed_;
  struct Candidate {
    double level;
    std::uint32_t link;
  };
  std::vector<Candidate> heap_;
};

}  // namespace tutti::simulation
