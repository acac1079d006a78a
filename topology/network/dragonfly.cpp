// Dragonflies (Kim et al., ISCA 2008): groups of switches that are all joined to each other, and every two groups
// joined by one or more global links.
//
// A group's global links have slots: 0 to g-2, one for each other group, and again g-1 further on for every further
// link of a pair, so that the links of a pair lie on different switches. Consecutive slots fill one switch after the
// other. Which slot leads where is the arrangement (Camarero et al., 2014): `absolute` counts the groups, leaving out
// its own; `palmtree` counts down from itself. The minimal route crosses one global link; among the links of a pair it
// takes one that needs the fewest local ones.
#include <array>

#include "topology/network/fabric.hpp"

namespace tutti {
namespace {

enum : int { local_class = 0, global_class = 1 };

struct Shape {
  std::int64_t groups;
  std::int64_t group_size;  // switches
  std::int64_t hosts_per_switch;
  std::int64_t pair_links;   // between two groups
  std::int64_t local_links;  // between two switches of a group
  bool palmtree;
};

class Dragonfly final : public Fabric {
 public:
  explicit Dragonfly(const Shape& shape)
      : shape_(shape),
        slots_(shape.pair_links * (shape.groups - 1)),
        slots_per_switch_(std::max<std::int64_t>(1, (slots_ + shape.group_size - 1) / shape.group_size)),
        locals_(switches() * (shape.group_size - 1) * shape.local_links) {}

  std::int64_t switches() const override { return shape_.groups * shape_.group_size; }
  std::int64_t edge_switches() const override { return switches(); }
  std::int64_t hosts_per_switch() const override { return shape_.hosts_per_switch; }
  std::int64_t links() const override { return locals_ + shape_.groups * slots_; }
  int classes() const override { return 2; }
  std::string switch_name(std::int64_t id) const override {
    return fmt::format("group{}.switch{}", id / shape_.group_size, id % shape_.group_size);
  }

  std::int64_t groups() const override { return shape_.groups; }
  std::int64_t group_of(std::int64_t id) const override { return id / shape_.group_size; }

  FabricLink link(std::int64_t id) const override {
    if (id >= locals_) {
      const std::int64_t group = (id - locals_) / slots_, slot = (id - locals_) % slots_;
      const std::int64_t parallel = slot / (shape_.groups - 1);
      const std::int64_t other = group_at(group, slot % (shape_.groups - 1));
      return {switch_of(group, slot), switch_of(other, slot_of(other, group, parallel)), global_class, parallel};
    }
    const std::int64_t cable = id / shape_.local_links;
    const std::int64_t from = cable / (shape_.group_size - 1), port = cable % (shape_.group_size - 1);
    const std::int64_t inside = from % shape_.group_size;
    return {from, from - inside + (port < inside ? port : port + 1), local_class, id % shape_.local_links};
  }

  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override {
    const std::int64_t group = from / shape_.group_size, goal = to / shape_.group_size;
    if (group == goal) return go_locally(from, to, choice, path);
    const std::int64_t parallel = best_link(from, to, choice);
    const std::int64_t slot = slot_of(group, goal, parallel);
    go_locally(from, switch_of(group, slot), choice, path);
    path.push_back(locals_ + group * slots_ + slot);
    go_locally(switch_of(goal, slot_of(goal, group, parallel)), to, choice, path);
  }

  // Over a switch of a third group; inside a group, over another of its switches.
  std::int64_t detour(std::int64_t from, std::int64_t to, std::uint64_t draw) const override {
    const std::int64_t size = shape_.group_size;
    const std::int64_t inside = static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(size));
    std::int64_t group = from / size;
    if (group != to / size) {
      if (shape_.groups < 3) return to;
      const std::int64_t low = std::min(group, to / size), high = std::max(group, to / size);
      group = static_cast<std::int64_t>(mix(draw) % static_cast<std::uint64_t>(shape_.groups - 2));
      if (group >= low) ++group;
      if (group >= high) ++group;
    }
    return group * size + inside;
  }

 private:
  // Which group the slot of a group leads to, and back.
  std::int64_t group_at(std::int64_t group, std::int64_t slot) const {
    if (shape_.palmtree) return (group + shape_.groups - 1 - slot) % shape_.groups;
    return slot < group ? slot : slot + 1;
  }
  std::int64_t slot_of(std::int64_t group, std::int64_t other, std::int64_t parallel) const {
    const std::int64_t first =
        shape_.palmtree ? (group + shape_.groups - 1 - other) % shape_.groups : (other < group ? other : other - 1);
    return parallel * (shape_.groups - 1) + first;
  }
  std::int64_t switch_of(std::int64_t group, std::int64_t slot) const {
    return group * shape_.group_size + slot / slots_per_switch_;
  }

  // Of the links between the groups of two switches, those with the fewest local links beside them; `choice` picks.
  std::int64_t best_link(std::int64_t from, std::int64_t to, std::uint64_t choice) const {
    const std::int64_t group = from / shape_.group_size, goal = to / shape_.group_size;
    int least = 3;
    std::int64_t equal = 0, best = 0;
    const auto locals = [&](std::int64_t parallel) {
      return (switch_of(group, slot_of(group, goal, parallel)) != from ? 1 : 0) +
             (switch_of(goal, slot_of(goal, group, parallel)) != to ? 1 : 0);
    };
    for (std::int64_t parallel = 0; parallel < shape_.pair_links; ++parallel) {
      if (locals(parallel) < least) least = locals(parallel), equal = 0;
      if (locals(parallel) == least) ++equal;
    }
    auto skip = static_cast<std::int64_t>(mix(choice ^ mix(static_cast<std::uint64_t>(from))) %
                                          static_cast<std::uint64_t>(equal));
    for (std::int64_t parallel = 0; parallel < shape_.pair_links; ++parallel)
      if (locals(parallel) == least && skip-- == 0) best = parallel;
    return best;
  }

  void go_locally(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const {
    if (from == to) return;
    const std::int64_t inside = to % shape_.group_size;
    const std::int64_t port = inside < from % shape_.group_size ? inside : inside - 1;
    const auto parallel = static_cast<std::int64_t>(choice % static_cast<std::uint64_t>(shape_.local_links));
    path.push_back((from * (shape_.group_size - 1) + port) * shape_.local_links + parallel);
  }

  Shape shape_;
  std::int64_t slots_;
  std::int64_t slots_per_switch_;
  std::int64_t locals_;
};

std::unique_ptr<Fabric> make(const TableSettings& settings) {
  const std::string arrangement = settings.text("arrangement", "palmtree");
  if (arrangement != "palmtree" && arrangement != "absolute")
    throw settings.wrong("arrangement", "this arrangement is unknown: \"palmtree\" or \"absolute\" is right");
  const Shape shape{settings.integer("groups"),
                    settings.integer("switches_per_group"),
                    settings.integer("hosts_per_switch"),
                    settings.integer("links_between_groups", 1),
                    settings.integer("links_between_switches", 1),
                    arrangement == "palmtree"};
  const std::int64_t switches = bounded_product(settings, "switches_per_group", "switches", most_switches,
                                                std::array{shape.groups, shape.group_size});
  bounded_product(settings, "hosts_per_switch", "hosts", most_hosts, std::array{switches, shape.hosts_per_switch});
  bounded_product(settings, "links_between_groups", "links", most_links / 2,
                  std::array{shape.groups, shape.groups, shape.pair_links});
  bounded_product(settings, "switches_per_group", "links", most_links / 2,
                  std::array{switches, shape.group_size, shape.local_links});
  return std::make_unique<Dragonfly>(shape);
}

constexpr std::array keys{
    Key{"groups", KeyType::integer, "", "groups of switches", 1, 1 << 20},
    Key{"switches_per_group", KeyType::integer, "", "switches of a group, all joined to each other", 1, 1 << 16},
    Key{"hosts_per_switch", KeyType::integer, "", "hosts on every switch", 1, 65536},
    Key{"links_between_groups", KeyType::integer, "1", "global links between every two groups", 1, 4096},
    Key{"links_between_switches", KeyType::integer, "1", "local links between every two switches of a group", 1, 1024},
    Key{"arrangement", KeyType::text, "palmtree", "which switch of a group leads to which group: palmtree or absolute"},
};
constexpr std::array<std::string_view, 2> classes{"local", "global"};

}  // namespace

const NetworkKind dragonfly = {
    "dragonfly", "fully joined groups, and links between every two groups", keys, classes, true, make};

}  // namespace tutti
