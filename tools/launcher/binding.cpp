// See binding.hpp. hwloc knows the cores; those that this process may not use (affinity, cgroup) do not count.
#include "tools/launcher/binding.hpp"

#include <hwloc.h>
#include <hwloc/glibc-sched.h>

#include <memory>
#include <type_traits>

#include "error.hpp"

namespace tutti {
namespace {

using Topology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, decltype(&hwloc_topology_destroy)>;
using Bitmap = std::unique_ptr<std::remove_pointer_t<hwloc_bitmap_t>, decltype(&hwloc_bitmap_free)>;

Topology load_topology() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return {nullptr, &hwloc_topology_destroy};
  Topology owner(topology, &hwloc_topology_destroy);
  if (hwloc_topology_load(topology) != 0) owner.reset();
  return owner;
}

std::vector<CpuMask> allowed_cores() {
  std::vector<CpuMask> masks;
  const Topology topology = load_topology();
  const Bitmap allowed(hwloc_bitmap_alloc(), &hwloc_bitmap_free);
  if (!topology || hwloc_get_cpubind(topology.get(), allowed.get(), HWLOC_CPUBIND_PROCESS) != 0) return masks;
  const Bitmap own(hwloc_bitmap_alloc(), &hwloc_bitmap_free);
  hwloc_obj_t core = nullptr;
  while ((core = hwloc_get_next_obj_by_type(topology.get(), HWLOC_OBJ_CORE, core)) != nullptr) {
    hwloc_bitmap_and(own.get(), core->cpuset, allowed.get());
    if (hwloc_bitmap_iszero(own.get())) continue;
    CpuMask mask{};
    hwloc_cpuset_to_glibc_sched_affinity(topology.get(), own.get(), mask.data(), sizeof mask);
    masks.push_back(mask);
  }
  return masks;
}

}  // namespace

std::vector<CpuMask> bind_ranks(int ranks, Binding binding) {
  if (binding == Binding::none) return {};
  auto cores = allowed_cores();
  if (cores.size() >= static_cast<std::size_t>(ranks)) {
    cores.resize(static_cast<std::size_t>(ranks));
    return cores;
  }
  if (binding == Binding::core) {
    throw error(TUTTI_ERROR_ARGUMENT,
                "run: --bind core gives each rank a core of its own, but {} ranks are more than the {} cores that may "
                "be used here",
                ranks, cores.size());
  }
  return {};
}

}  // namespace tutti
