// Labels of ranks to groups; see shape.hpp.
#include "schedule/shape.hpp"

#include <algorithm>
#include <map>
#include <random>

#include "error.hpp"

namespace tutti {

namespace {

std::size_t mixed(std::size_t hash, std::size_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
  return hash ^ (hash >> 29);
}

// For each group, in the order of the groups, its label at the next level.
std::vector<int> labels_of_groups(const Shape& shape, const std::vector<int>& labels) {
  std::vector<int> found;
  for (int group = 0; group < shape.groups(); ++group) {
    const int first = shape.member(group, 0);
    for (int place = 0; place < shape.size_of(group); ++place)
      if (labels[static_cast<std::size_t>(shape.member(group, place))] != labels[static_cast<std::size_t>(first)])
        throw error(TUTTI_ERROR_ARGUMENT,
                    "ranks {} and {} share a group, but not the larger group above it; groups must lie one in another",
                    first, shape.member(group, place));
    found.push_back(labels[static_cast<std::size_t>(first)]);
  }
  return found;
}

}  // namespace

void Shape::fill(const std::vector<int>& labels) {
  std::map<int, int> numbers;
  std::vector<int> counts;
  for (int label : labels) {
    const auto [found, fresh] = numbers.try_emplace(label, static_cast<int>(counts.size()));
    if (fresh) counts.push_back(0);
    group_of_.push_back(found->second);
    place_of_.push_back(counts[at(found->second)]++);
  }
  starts_.assign(1, 0);
  for (int count : counts) starts_.push_back(starts_.back() + count);
  members_.resize(labels.size());
  hash_ = labels.size();
  for (int rank = 0; rank < ranks(); ++rank) {
    members_[at(starts_[at(group_of(rank))] + place_of(rank))] = rank;
    keeps_order_ = keeps_order_ && starts_[at(group_of(rank))] + place_of(rank) == rank;
    hash_ = mixed(hash_, static_cast<std::size_t>(group_of(rank)));
  }
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  sizes_ = std::move(counts);
}

ShapePtr Shape::of(const std::vector<std::vector<int>>& labels) {
  if (labels.empty() || labels[0].empty())
    throw error(TUTTI_ERROR_ARGUMENT, "a shape needs at least one level and one rank");
  std::shared_ptr<Shape> shape(new Shape);
  shape->fill(labels[0]);
  if (labels.size() == 1) return shape;
  std::vector<std::vector<int>> above;
  for (std::size_t level = 1; level < labels.size(); ++level) {
    if (labels[level].size() != labels[0].size())
      throw error(TUTTI_ERROR_ARGUMENT, "{} ranks have a group of level {}, and {} are there", labels[level].size(),
                  level, labels[0].size());
    above.push_back(labels_of_groups(*shape, labels[level]));
  }
  shape->above_ = of(above);
  shape->keeps_order_ = shape->keeps_order_ && shape->above_->keeps_order();
  shape->hash_ = mixed(shape->hash_, shape->above_->hash());
  return shape;
}

bool Shape::operator==(const Shape& other) const {
  if (this == &other) return true;
  if (hash_ != other.hash_ || group_of_ != other.group_of_ || (above_ == nullptr) != (other.above_ == nullptr))
    return false;
  return above_ == nullptr || *above_ == *other.above_;
}

ShapePtr placed(const std::vector<int>& sizes, Placement placement, const std::vector<int>& above) {
  std::vector<int> nodes;
  const int largest = sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
  const auto put = [&](std::size_t node) { nodes.push_back(static_cast<int>(node)); };
  if (placement == Placement::cyclic) {
    for (int turn = 0; turn < largest; ++turn)
      for (std::size_t node = 0; node < sizes.size(); ++node)
        if (turn < sizes[node]) put(node);
  } else {
    for (std::size_t node = 0; node < sizes.size(); ++node)
      for (int i = 0; i < sizes[node]; ++i) put(node);
  }
  if (placement == Placement::random) {
    std::minstd_rand numbers(7);  // a fixed generator: everybody means the same placement
    for (std::size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[numbers() % i]);
  }
  if (above.empty()) return Shape::of({nodes});
  std::vector<int> groups;
  for (int node : nodes) groups.push_back(above[static_cast<std::size_t>(node)]);
  return Shape::of({nodes, groups});
}

}  // namespace tutti
