// See fair_sharing.hpp.
#include "simulator/fair_sharing.hpp"

#include <algorithm>

namespace tutti::simulation {

namespace {

// Sums of rates carry rounding errors; levels as near as this are equal.
constexpr double nearly = 1e-9;

}  // namespace

std::uint32_t FairSharing::add_link(double capacity) {
  links_.push_back({});
  links_.back().capacity = capacity;
  return static_cast<std::uint32_t>(links_.size() - 1);
}

std::uint32_t FairSharing::begin(std::span<const std::uint32_t> path, double weight) {
  std::uint32_t number = static_cast<std::uint32_t>(flows_.size());
  if (free_.empty()) {
    flows_.push_back({});
  } else {
    number = free_.back();
    free_.pop_back();
  }
  Flow& flow = flows_[number];
  flow.path.clear();
  flow.weight = weight;
  flow.level = 0;
  flow.bottleneck = none;
  for (const std::uint32_t link : path) {
    std::vector<User>& users = links_[link].users;
    users.push_back({number, static_cast<std::uint32_t>(flow.path.size())});
    flow.path.push_back({link, static_cast<std::uint32_t>(users.size() - 1)});
  }
  begun_.push_back(number);
  return number;
}

void FairSharing::end(std::uint32_t number) {
  Flow& flow = flows_[number];
  for (const Use& use : flow.path) {
    std::vector<User>& users = links_[use.link].users;
    const User last = users.back();
    users[use.place] = last;
    flows_[last.flow].path[last.hop].place = use.place;
    users.pop_back();
    left_.push_back(use.link);
  }
  flow.path.clear();
  flow.weight = 0;
  free_.push_back(number);
}

void FairSharing::choose(std::uint32_t number) {
  Flow& flow = flows_[number];
  if (flow.weight == 0 || is_chosen(flow)) return;
  flow.chosen = round_;
  flow.level_before = flow.level;
  chosen_.push_back(number);
}

void FairSharing::touch(std::uint32_t number) {
  for (const Use& use : flows_[number].path) {
    Link& link = links_[use.link];
    if (link.touched == round_) continue;
    link.touched = round_;
    touched_.push_back(use.link);
  }
}

std::span<const std::uint32_t> FairSharing::settle() {
  changed_.clear();
  if (begun_.empty() && left_.empty()) return changed_;
  ++round_;
  chosen_.clear();
  touched_.clear();
  for (const std::uint32_t flow : begun_) choose(flow);
  for (const std::uint32_t link : left_)
    for (const User& user : links_[link].users)
      if (flows_[user.flow].bottleneck == link) choose(user.flow);
  begun_.clear();
  left_.clear();
  std::size_t touched = 0;
  do {
    for (; touched < chosen_.size(); ++touched) touch(chosen_[touched]);
    share_out();
  } while (choose_the_unhappy());
  for (const std::uint32_t flow : chosen_)
    if (flows_[flow].level != flows_[flow].level_before) changed_.push_back(flow);
  return changed_;
}

// Progressive filling: of the touched links the one with the least for each of its chosen flows is full first.
void FairSharing::share_out() {
  for (const std::uint32_t flow : chosen_) flows_[flow].fixed = false;
  heap_.clear();
  const auto later = [](const Candidate& left, const Candidate& right) {
    return left.level != right.level ? left.level > right.level : left.link > right.link;
  };
  for (const std::uint32_t number : touched_) {
    Link& link = links_[number];
    link.spare = link.capacity;
    link.weight = 0;
    for (const User& user : link.users) {
      const Flow& flow = flows_[user.flow];
      if (is_chosen(flow))
        link.weight += flow.weight;
      else
        link.spare -= flow.level * flow.weight;
    }
    heap_.push_back({std::max(link.spare, 0.0) / link.weight, number});
  }
  std::make_heap(heap_.begin(), heap_.end(), later);
  std::size_t left = chosen_.size();
  while (left > 0 && !heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Candidate candidate = heap_.back();
    heap_.pop_back();
    Link& link = links_[candidate.link];
    if (!(link.weight > 0)) continue;
    // What flows were given elsewhere meanwhile leaves more for each of the others, never less.
    const double level = std::max(std::max(link.spare, 0.0) / link.weight, candidate.level);
    if (level > candidate.level * (1 + nearly)) {
      heap_.push_back({level, candidate.link});
      std::push_heap(heap_.begin(), heap_.end(), later);
      continue;
    }
    for (const User& user : link.users) {
      Flow& flow = flows_[user.flow];
      if (!is_chosen(flow) || flow.fixed) continue;
      flow.fixed = true;
      flow.level = level;
      flow.bottleneck = candidate.link;
      --left;
      for (const Use& use : flow.path) {
        Link& other = links_[use.link];
        other.spare -= level * flow.weight;
        other.weight -= flow.weight;
      }
    }
    link.weight = 0;
  }
}

// Flows that are not shared out and have no bottleneck, or stand in the way of one that has.
bool FairSharing::choose_the_unhappy() {
  const std::size_t before = chosen_.size();
  for (const std::uint32_t number : touched_) {
    const Link& link = links_[number];
    double used = 0, highest = 0, full_at = -1;
    for (const User& user : link.users) {
      const Flow& flow = flows_[user.flow];
      used += flow.level * flow.weight;
      highest = std::max(highest, flow.level);
      if (is_chosen(flow) && flow.bottleneck == number) full_at = std::max(full_at, flow.level);
    }
    const bool full = used >= link.capacity * (1 - nearly);
    for (const User& user : link.users) {
      const Flow& flow = flows_[user.flow];
      if (is_chosen(flow)) continue;
      const bool in_the_way = full_at >= 0 && flow.level > full_at * (1 + nearly);
      const bool lost = flow.bottleneck == number && (!full || flow.level < highest * (1 - nearly));
      if (in_the_way || lost) choose(user.flow);
    }
  }
  return chosen_.size() > before;
}

}  // namespace tutti::simulation
