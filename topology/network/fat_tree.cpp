// Fat trees: parallel ports generalised fat trees (Zahavi, 2010), which hold the k-ary ones (Al-Fares et al., 2008),
// slimmed ones and several cables between the same two switches.
//
// A switch of level l is (A, B): the subtree A of the hosts below it, and B, which of the switches above that subtree.
// It has `down[l]` children, each of which has `up[l]` parents and `parallel[l]` cables to each of them. The route
// climbs to the lowest switch above both hosts; which one is decided by the destination (D-mod-k), which spreads any
// shift.
#include <array>

#include "topology/network/fabric.hpp"

namespace tutti {
namespace {

constexpr std::array<std::string_view, 7> classes{"level2", "level3", "level4", "level5", "level6", "level7", "level8"};

struct Level {
  std::int64_t down = 1;
  std::int64_t up = 1;
  std::int64_t parallel = 1;
  std::int64_t first_switch = 0;  // of this level
  std::int64_t width = 1;         // switches above one subtree: the product of up
  std::int64_t subtrees = 1;
  std::int64_t first_link = 0;  // of those to the level below
  std::int64_t switches() const { return subtrees * width; }
};

class FatTree final : public Fabric {
 public:
  // Level 0 is that of the leaves.
  explicit FatTree(std::vector<Level> levels) : levels_(std::move(levels)) {
    for (std::size_t l = 1; l < levels_.size(); ++l) {
      levels_[l].first_link = links_;
      links_ += 2 * levels_[l - 1].switches() * levels_[l].up * levels_[l].parallel;
    }
  }

  std::int64_t switches() const override { return levels_.back().first_switch + levels_.back().switches(); }
  std::int64_t links() const override { return links_; }
  int classes() const override { return static_cast<int>(levels_.size()) - 1; }
  std::int64_t edge_switches() const override { return levels_.front().switches(); }
  std::int64_t hosts_per_switch() const override { return levels_.front().down; }

  FabricLink link(std::int64_t id) const override {
    std::size_t l = levels_.size() - 1;
    while (levels_[l].first_link > id) --l;
    const Level &lower = levels_[l - 1], &upper = levels_[l];
    const std::int64_t inside = id - upper.first_link;
    const std::int64_t cable = inside / 2;
    const std::int64_t parent = cable / upper.parallel % upper.up;
    const std::int64_t child = cable / upper.parallel / upper.up;
    const std::int64_t below = lower.first_switch + child;
    const std::int64_t subtree = child / lower.width / upper.down;
    const std::int64_t above = upper.first_switch + subtree * upper.width + child % lower.width * upper.up + parent;
    const int link_class = static_cast<int>(l) - 1;
    const std::int64_t parallel = cable % upper.parallel;
    return inside % 2 == 0 ? FabricLink{below, above, link_class, parallel}
                           : FabricLink{above, below, link_class, parallel};
  }

  std::string switch_name(std::int64_t id) const override {
    std::size_t l = levels_.size() - 1;
    while (levels_[l].first_switch > id) --l;
    return fmt::format("level{}.{}", l + 1, id - levels_[l].first_switch);
  }

  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override {
    climb(from, to, choice, 1, 0, path);
  }

 private:
  std::int64_t cable(std::size_t l, std::int64_t child, std::int64_t parent, std::int64_t parallel) const {
    const Level& upper = levels_[l];
    return upper.first_link + 2 * ((child * upper.up + parent) * upper.parallel + parallel);
  }

  // From the switches of level l - 1 over the subtrees `from` and `to`, both of them the number `above` over their
  // subtree: up, whatever is between, and down again by the same numbers.
  void climb(std::int64_t from, std::int64_t to, std::uint64_t choice, std::size_t l, std::int64_t above,
             std::vector<std::int64_t>& path) const {
    if (from == to) return;
    const Level &lower = levels_[l - 1], &upper = levels_[l];
    const auto ports = static_cast<std::uint64_t>(upper.up * upper.parallel);
    const auto port = static_cast<std::int64_t>(choice % ports);
    const std::int64_t parent = port % upper.up, parallel = port / upper.up;
    path.push_back(cable(l, from * lower.width + above, parent, parallel));
    climb(from / upper.down, to / upper.down, choice / static_cast<std::uint64_t>(upper.up), l + 1,
          above * upper.up + parent, path);
    path.push_back(cable(l, to * lower.width + above, parent, parallel) + 1);
  }

  std::vector<Level> levels_;
  std::int64_t links_ = 0;
};

struct Shape {
  std::vector<std::int64_t> down, up, parallel;
};

Shape shape_of(const TableSettings& settings) {
  if (!settings.has("k")) {
    Shape shape{settings.integers("down"), settings.integers("up"), {}};
    shape.parallel = settings.integers("parallel", std::vector<std::int64_t>(shape.down.size(), 1));
    return shape;
  }
  for (const std::string_view key : {"levels", "down", "up", "parallel"})
    if (settings.has(key))
      throw settings.wrong(key,
                           fmt::format("both \"k\" and \"{}\" are given: k says the whole tree, leave one away", key));
  const std::int64_t k = settings.integer("k");
  if (k % 2 != 0)
    throw settings.wrong("k", fmt::format("k = {} is odd: a k-ary fat tree has an even number of ports", k));
  return {{k / 2, k / 2, k}, {1, k / 2, k / 2}, {1, 1, 1}};
}

void check(const TableSettings& settings, const Shape& shape) {
  const std::size_t levels = shape.down.size();
  if (levels == 0 || levels > classes.size() + 1)
    throw settings.wrong("down", fmt::format("\"down\" has {} numbers: 1 to {} are right", levels, classes.size() + 1));
  if (settings.integer("levels", static_cast<std::int64_t>(levels)) != static_cast<std::int64_t>(levels))
    throw settings.wrong("levels", fmt::format("levels = {}, but \"down\" has {} numbers: one for each level is right",
                                               settings.integer("levels"), levels));
  if (shape.up.size() != levels)
    throw settings.wrong("up", fmt::format("\"up\" has {} numbers and \"down\" {}: one for each level is right",
                                           shape.up.size(), levels));
  if (shape.parallel.size() != levels)
    throw settings.wrong("parallel",
                         fmt::format("\"parallel\" has {} numbers and \"down\" {}: one for each level is right",
                                     shape.parallel.size(), levels));
  if (shape.up[0] != 1 || shape.parallel[0] != 1)
    throw settings.wrong(shape.up[0] != 1 ? "up" : "parallel",
                         "the first number must be 1: a host with several links has nics_per_host");
}

std::unique_ptr<Fabric> make(const TableSettings& settings) {
  const Shape shape = shape_of(settings);
  check(settings, shape);
  const std::string_view key = settings.has("k") ? "k" : "down";
  const std::string_view up_key = settings.has("k") ? "k" : "up";
  bounded_product(settings, key, "hosts", most_hosts, shape.down);
  std::vector<Level> levels(shape.down.size());
  std::int64_t first = 0;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    const std::span below(shape.up.begin(), shape.up.begin() + static_cast<std::ptrdiff_t>(l) + 1);
    const std::int64_t width = bounded_product(settings, up_key, "switches", most_switches, below);
    const std::span above(shape.down.begin() + static_cast<std::ptrdiff_t>(l) + 1, shape.down.end());
    const std::int64_t subtrees = bounded_product(settings, key, "hosts", most_hosts, above);
    levels[l] = {shape.down[l], shape.up[l], shape.parallel[l], first, width, subtrees};
    first += bounded_product(settings, up_key, "switches", most_switches, std::array{subtrees, width});
    if (l > 0)
      bounded_product(settings, up_key, "links", most_links,
                      std::array{levels[l - 1].switches(), shape.up[l], shape.parallel[l]});
  }
  return std::make_unique<FatTree>(std::move(levels));
}

constexpr std::array keys{
    Key{"k", KeyType::integer, "down, up", "ports of every switch of a k-ary fat tree of three levels with k^3/4 hosts",
        2, 4096},
    Key{"levels", KeyType::integer, "the length of down", "levels of switches", 1, 8},
    Key{"down", KeyType::integers, "from k", "for each level, from the hosts up: children of a switch of this level", 1,
        65536},
    Key{"up", KeyType::integers, "from k", "for each level: parents of what is below it; the first is 1", 1, 65536},
    Key{"parallel", KeyType::integers, "all 1", "for each level: cables to each of these parents; the first is 1", 1,
        1024},
};

}  // namespace

const NetworkKind fat_tree = {"fat-tree", "levels of switches, k-ary or slimmed", keys, classes, false, make};

}  // namespace tutti
