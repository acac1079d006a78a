// HyperX (Ahn et al., SC09): switches in a grid, all those of a line joined to each other, in every dimension. A
// flattened butterfly and a Hamming graph are the same.
#include "topology/network/dimensions.hpp"
#include "topology/network/fabric.hpp"

namespace tutti {
namespace {

class HyperX final : public Fabric {
 public:
  HyperX(std::vector<Dimension> dimensions, std::int64_t switches, std::int64_t hosts_per_switch)
      : dimensions_(std::move(dimensions)), switches_(switches), hosts_per_switch_(hosts_per_switch) {
    for (Dimension& dimension : dimensions_) {
      dimension.first_link = links_;
      links_ += switches_ * (dimension.size - 1) * dimension.parallel;
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
    const std::int64_t inside = id - dimension.first_link;
    const std::int64_t port = inside / dimension.parallel % (dimension.size - 1);
    const std::int64_t from = inside / dimension.parallel / (dimension.size - 1);
    const std::int64_t start = dimension.coordinate(from);
    const std::int64_t goal = port < start ? port : port + 1;
    return {from, from + (goal - start) * dimension.stride, static_cast<int>(d), inside % dimension.parallel};
  }

  // One link in each dimension in which the two differ; `choice` says which dimension is the first.
  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override {
    const std::uint64_t draw = mix(choice);
    const std::size_t count = dimensions_.size();
    std::int64_t here = from;
    for (std::size_t i = 0; i < count; ++i) {
      const Dimension& dimension = dimensions_[(draw + i) % count];
      const std::int64_t start = dimension.coordinate(here), goal = dimension.coordinate(to);
      if (start == goal) continue;
      const std::int64_t port = goal < start ? goal : goal - 1;
      const auto parallel = static_cast<std::int64_t>(choice % static_cast<std::uint64_t>(dimension.parallel));
      path.push_back(dimension.first_link + (here * (dimension.size - 1) + port) * dimension.parallel + parallel);
      here += (goal - start) * dimension.stride;
    }
  }

  std::int64_t detour(std::int64_t /*from*/, std::int64_t /*to*/, std::uint64_t draw) const override {
    return static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(switches_));
  }

 private:
  std::vector<Dimension> dimensions_;
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
  const std::int64_t hosts_per_switch = settings.integer("hosts_per_switch");
  bounded_product(settings, "hosts_per_switch", "hosts", most_hosts, std::array{switches, hosts_per_switch});
  const std::vector<std::int64_t> parallel = settings.integers("parallel", std::vector<std::int64_t>(sizes.size(), 1));
  if (parallel.size() != sizes.size())
    throw settings.wrong("parallel", fmt::format("\"parallel\" has {} numbers and \"sizes\" {}: as many are right",
                                                 parallel.size(), sizes.size()));
  std::vector<Dimension> dimensions = dimensions_of(sizes);
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    dimensions[d].parallel = parallel[d];
    bounded_product(settings, "sizes", "links", most_links / 8, std::array{switches, sizes[d], parallel[d]});
  }
  return std::make_unique<HyperX>(std::move(dimensions), switches, hosts_per_switch);
}

constexpr std::array keys{
    Key{"sizes", KeyType::integers, "", "switches along x, y, z, u, v: one to five numbers; x counts fastest", 1,
        1 << 20},
    Key{"hosts_per_switch", KeyType::integer, "", "hosts on every switch", 1, 65536},
    Key{"parallel", KeyType::integers, "all 1", "for each dimension: links between each two switches of a line", 1,
        1024},
};

}  // namespace

const NetworkKind hyperx = {"hyperx", "a grid whose lines are fully joined", keys, dimension_names, true, make};

}  // namespace tutti
