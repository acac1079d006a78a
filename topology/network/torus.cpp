// Tori and meshes of one to five dimensions, routed in the order of the dimensions.
//
// A line of switches along a dimension has a link in each direction between neighbours; in a torus of three and more
// also from its end to its beginning. Two switches are neighbours once: a torus of size 2 is a mesh.
#include "topology/network/dimensions.hpp"
#include "topology/network/fabric.hpp"

namespace tutti {
namespace {

class Torus final : public Fabric {
 public:
  Torus(std::vector<Dimension> dimensions, bool mesh, std::int64_t switches, std::int64_t hosts_per_switch)
      : dimensions_(std::move(dimensions)), mesh_(mesh), switches_(switches), hosts_per_switch_(hosts_per_switch) {
    for (Dimension& dimension : dimensions_) {
      dimension.first_link = links_;
      links_ += 2 * (switches_ / dimension.size) * steps(dimension) * dimension.parallel;
    }
  }

  std::int64_t switches() const override { return switches_; }
  std::int64_t edge_switches() const override { return switches_; }
  std::int64_t hosts_per_switch() const override { return hosts_per_switch_; }
  std::int64_t links() const override { return links_; }
  int classes() const override { return static_cast<int>(dimensions_.size()); }
  std::string switch_name(std::int64_t id) const override { return coordinates_text(dimensions_, id); }

  FabricLink link(std::int64_t id) const override {
    const std::size_t d = dimension_of_link(dimensions_, id);
    const Dimension& dimension = dimensions_[d];
    const std::int64_t inside = (id - dimension.first_link) / 2;
    const std::int64_t cable = inside / dimension.parallel;
    const std::int64_t line = cable / steps(dimension), position = cable % steps(dimension);
    const std::int64_t low = dimension.on_line(line, position);
    const std::int64_t high = dimension.on_line(line, (position + 1) % dimension.size);
    const int link_class = static_cast<int>(d);
    const std::int64_t parallel = inside % dimension.parallel;
    return id % 2 == 0 ? FabricLink{low, high, link_class, parallel} : FabricLink{high, low, link_class, parallel};
  }

  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override {
    std::int64_t here = from;
    for (const Dimension& dimension : dimensions_) {
      walk(dimension, here, dimension.coordinate(to), choice, path);
      here += (dimension.coordinate(to) - dimension.coordinate(here)) * dimension.stride;
    }
  }

 private:
  // Cables along a line.
  std::int64_t steps(const Dimension& dimension) const {
    return mesh_ || dimension.size == 2 ? dimension.size - 1 : dimension.size == 1 ? 0 : dimension.size;
  }

  // Along one line to a coordinate, the shorter way round; where both are equally long, `choice` decides.
  void walk(const Dimension& dimension, std::int64_t from, std::int64_t goal, std::uint64_t choice,
            std::vector<std::int64_t>& path) const {
    const std::int64_t size = dimension.size, line = dimension.line(from);
    const std::int64_t start = dimension.coordinate(from);
    std::int64_t up = goal - start, down = start - goal;
    if (steps(dimension) == size) {
      up = (up + size) % size;
      down = (down + size) % size;
    }
    const bool rises = down < 0 || (up >= 0 && (up < down || (up == down && (mix(choice) & 1) == 0)));
    const auto parallel = static_cast<std::int64_t>(choice % static_cast<std::uint64_t>(dimension.parallel));
    std::int64_t position = start;
    for (std::int64_t step = rises ? up : down; step > 0; --step) {
      if (!rises) position = (position + size - 1) % size;
      const std::int64_t cable = (line * steps(dimension) + position) * dimension.parallel + parallel;
      path.push_back(dimension.first_link + 2 * cable + (rises ? 0 : 1));
      if (rises) position = (position + 1) % size;
    }
  }

  std::vector<Dimension> dimensions_;
  bool mesh_;
  std::int64_t switches_;
  std::int64_t hosts_per_switch_;
  std::int64_t links_ = 0;
};

std::unique_ptr<Fabric> make(const TableSettings& settings) {
  const std::vector<std::int64_t> sizes = settings.integers("sizes");
  if (sizes.size() > dimension_names.size())
    throw settings.wrong("sizes",
                         fmt::format("{} dimensions: 1 to {} are right", sizes.size(), dimension_names.size()));
  const std::int64_t switches = bounded_product(settings, "sizes", "switches", most_switches, sizes);
  const std::int64_t hosts_per_switch = settings.integer("hosts_per_switch", 1);
  bounded_product(settings, "hosts_per_switch", "hosts", most_hosts, std::array{switches, hosts_per_switch});
  std::vector<Dimension> dimensions = dimensions_of(sizes);
  const std::vector<std::int64_t> parallel = settings.integers("parallel", std::vector<std::int64_t>(sizes.size(), 1));
  if (parallel.size() != sizes.size())
    throw settings.wrong("parallel", fmt::format("\"parallel\" has {} numbers and \"sizes\" {}: as many are right",
                                                 parallel.size(), sizes.size()));
  for (std::size_t d = 0; d < sizes.size(); ++d) dimensions[d].parallel = parallel[d];
  return std::make_unique<Torus>(std::move(dimensions), settings.flag("mesh", false), switches, hosts_per_switch);
}

constexpr std::array keys{
    Key{"sizes", KeyType::integers, "", "switches along x, y, z, u, v: one to five numbers; x counts fastest", 1,
        1 << 20},
    Key{"mesh", KeyType::flag, "false", "true: lines end, they do not close to rings"},
    Key{"hosts_per_switch", KeyType::integer, "1", "hosts on every switch", 1, 65536},
    Key{"parallel", KeyType::integers, "all 1", "for each dimension: links to each neighbour", 1, 1024},
};

}  // namespace

const NetworkKind torus = {
    "torus", "rings (or lines) of switches in one to five dimensions", keys, dimension_names, false, make};

}  // namespace tutti
