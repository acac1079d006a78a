// One switch that carries everything its hosts can send: a small cluster, or a network of which no more is known.
#include "topology/network/fabric.hpp"

namespace tutti {
namespace {

class SingleSwitch final : public Fabric {
 public:
  std::int64_t switches() const override { return 1; }
  std::int64_t links() const override { return 0; }
  FabricLink link(std::int64_t) const override { return {}; }
  int classes() const override { return 0; }
  std::string switch_name(std::int64_t) const override { return "switch"; }
  std::int64_t edge_switches() const override { return 1; }
  std::int64_t hosts_per_switch() const override { return most_hosts; }
  void route(std::int64_t, std::int64_t, std::uint64_t, std::vector<std::int64_t>&) const override {}
};

std::unique_ptr<Fabric> make(const TableSettings&) { return std::make_unique<SingleSwitch>(); }

}  // namespace

const NetworkKind single_switch = {
    "switch", "one switch; every host reaches every other at its own rate", {}, {}, false, make};

}  // namespace tutti
