// See node.hpp.
#include "topology/node/node.hpp"

#include <hwloc.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "error.hpp"

namespace tutti {
namespace {

struct FreeTopology {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, FreeTopology>;
struct FreeBitmap {
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

std::string list_of(hwloc_const_bitmap_t bitmap) {
  char* text = nullptr;
  if (bitmap == nullptr || hwloc_bitmap_list_asprintf(&text, bitmap) < 0) return "";
  const std::unique_ptr<char, decltype(&std::free)> owner(text, std::free);
  return text;
}

std::string info_of(hwloc_obj_t object, const char* name) {
  const char* value = hwloc_obj_get_info_by_name(object, name);
  return value == nullptr ? "" : value;
}

// Collects a Node from a loaded topology.
class Reader {
 public:
  Reader(hwloc_topology_t topology, hwloc_const_bitmap_t allowed, Node& node)
      : topology_(topology), allowed_(allowed), node_(node) {}

  void read() {
    const hwloc_obj_t package = hwloc_get_obj_by_type(topology_, HWLOC_OBJ_PACKAGE, 0);
    node_.packages = std::max(1, hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_PACKAGE));
    if (package != nullptr) node_.processor = info_of(package, "CPUModel");
    node_.allowed = list_of(allowed_);
    read_memories();
    read_caches(HWLOC_OBJ_L3CACHE, node_.l3s);
    read_caches(HWLOC_OBJ_L2CACHE, node_.l2s);
    read_cores();
    read_pci_devices();
    read_other_interfaces();
  }

 private:
  // The number of the ancestor of a type that holds these units, or -1.
  int number_of(hwloc_obj_type_t type, hwloc_const_bitmap_t units) const {
    for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_obj_by_type(topology_, type, object)) != nullptr;)
      if (hwloc_bitmap_isincluded(units, object->cpuset)) return static_cast<int>(object->logical_index);
    return -1;
  }

  // Where the system tells of no packages, the machine counts as one.
  int package_of(hwloc_const_bitmap_t units) const {
    return hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_PACKAGE) > 0 ? number_of(HWLOC_OBJ_PACKAGE, units) : 0;
  }

  void read_memories() {
    for (hwloc_obj_t object = nullptr;
         (object = hwloc_get_next_obj_by_type(topology_, HWLOC_OBJ_NUMANODE, object)) != nullptr;)
      node_.memories.push_back({static_cast<int>(object->os_index),
                                static_cast<std::int64_t>(object->attr->numanode.local_memory),
                                object->subtype == nullptr ? "" : object->subtype, list_of(object->cpuset),
                                hwloc_bitmap_iszero(object->cpuset) ? -1 : package_of(object->cpuset)});
  }

  void read_caches(hwloc_obj_type_t type, std::vector<Node::Cache>& caches) {
    for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_obj_by_type(topology_, type, object)) != nullptr;)
      caches.push_back({static_cast<std::int64_t>(object->attr->cache.size), list_of(object->cpuset)});
  }

  // Where the system tells of no cores, each unit counts as one.
  void read_cores() {
    const bool told = hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_CORE) > 0;
    const hwloc_obj_type_t type = told ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_obj_by_type(topology_, type, object)) != nullptr;) {
      Node::Core core;
      core.package = std::max(0, package_of(object->cpuset));
      core.numa = first_memory(object->nodeset);
      core.l3 = number_of(HWLOC_OBJ_L3CACHE, object->cpuset);
      core.l2 = number_of(HWLOC_OBJ_L2CACHE, object->cpuset);
      for (int unit = hwloc_bitmap_first(object->cpuset); unit >= 0; unit = hwloc_bitmap_next(object->cpuset, unit)) {
        core.units.push_back(unit);
        core.speed = std::max(core.speed, speed_of(unit));
        core.allowed += hwloc_bitmap_isset(allowed_, static_cast<unsigned>(unit)) ? 1 : 0;
      }
      node_.cores.push_back(std::move(core));
    }
  }

  int speed_of(int unit) const {
    const Bitmap one(hwloc_bitmap_alloc());
    hwloc_bitmap_only(one.get(), static_cast<unsigned>(unit));
    return hwloc_cpukinds_get_by_cpuset(topology_, one.get(), 0);
  }

  int first_memory(hwloc_const_bitmap_t nodeset) const { return nodeset == nullptr ? -1 : hwloc_bitmap_first(nodeset); }

  // What a device is attached to: a package and a NUMA domain, where it is one of each.
  void locate(hwloc_obj_t object, Node::Device& device) const {
    const hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology_, object);
    if (place == nullptr || hwloc_bitmap_iszero(place->cpuset)) return;
    device.package = package_of(place->cpuset);
    for (const Node::Memory& memory : node_.memories) {
      const Bitmap units(hwloc_bitmap_alloc());
      hwloc_bitmap_list_sscanf(units.get(), memory.units.c_str());
      if (!hwloc_bitmap_isincluded(place->cpuset, units.get())) continue;
      device.numa = memory.number;
      return;
    }
  }

  static bool is_kind(hwloc_obj_osdev_type_t type, Node::DeviceKind kind) {
    return kind == Node::DeviceKind::interface ? type == HWLOC_OBJ_OSDEV_NETWORK || type == HWLOC_OBJ_OSDEV_OPENFABRICS
                                               : type == HWLOC_OBJ_OSDEV_GPU || type == HWLOC_OBJ_OSDEV_COPROC;
  }

  static std::vector<std::string> names_below(hwloc_obj_t pci, Node::DeviceKind kind) {
    std::vector<std::string> names;
    for (hwloc_obj_t child = pci->io_first_child; child != nullptr; child = child->next_sibling)
      if (child->type == HWLOC_OBJ_OS_DEVICE && child->name != nullptr && is_kind(child->attr->osdev.type, kind))
        names.emplace_back(child->name);
    return names;
  }

  void read_pci_devices() {
    constexpr unsigned network = 0x02, display = 0x03, accelerator = 0x12, plain_screen = 0x0300, infiniband = 0x0c06;
    for (hwloc_obj_t pci = nullptr; (pci = hwloc_get_next_pcidev(topology_, pci)) != nullptr;) {
      const hwloc_obj_attr_u::hwloc_pcidev_attr_s& attributes = pci->attr->pcidev;
      const bool fabric = attributes.class_id == infiniband;
      const unsigned group = fabric ? network : static_cast<unsigned>(attributes.class_id) >> 8;
      if (group != network && group != display && group != accelerator) continue;
      Node::Device device;
      device.kind = group == network ? Node::DeviceKind::interface : Node::DeviceKind::accelerator;
      device.names = names_below(pci, device.kind);
      // The chip that drives a server's screen computes nothing.
      if (attributes.class_id == plain_screen && device.names.empty()) continue;
      device.bus = fmt::format("{:04x}:{:02x}:{:02x}.{:x}", static_cast<unsigned>(attributes.domain), attributes.bus,
                               attributes.dev, attributes.func);
      const std::string vendor = info_of(pci, "PCIVendor"), model = info_of(pci, "PCIDevice");
      device.model = vendor.empty() ? model : model.empty() ? vendor : vendor + " " + model;
      device.link_gigabytes_per_second = static_cast<double>(attributes.linkspeed);
      locate(pci, device);
      node_.devices.push_back(std::move(device));
    }
  }

  // Interfaces that sit on no PCI bus; the loopback is none.
  void read_other_interfaces() {
    for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_osdev(topology_, object)) != nullptr;) {
      if (!is_kind(object->attr->osdev.type, Node::DeviceKind::interface) || object->name == nullptr) continue;
      if (object->parent != nullptr && object->parent->type == HWLOC_OBJ_PCI_DEVICE) continue;
      if (std::string_view(object->name) == "lo") continue;
      Node::Device device;
      device.names.emplace_back(object->name);
      locate(object, device);
      node_.devices.push_back(std::move(device));
    }
  }

  hwloc_topology_t topology_;
  hwloc_const_bitmap_t allowed_;
  Node& node_;
};

Topology new_topology(Devices devices) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw error(TUTTI_ERROR_INTERNAL, "hwloc cannot start: it is out of memory");
  Topology topology(raw);
  if (devices == Devices::looked_for) hwloc_topology_set_io_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
  return topology;
}

bool holds(const Node::Core& core, hwloc_const_bitmap_t units) {
  return std::any_of(core.units.begin(), core.units.end(),
                     [&](int unit) { return hwloc_bitmap_isset(units, static_cast<unsigned>(unit)) != 0; });
}

std::vector<const Node::Core*> cores_of(const Node& node, std::string_view list) {
  const Bitmap units(hwloc_bitmap_alloc());
  std::vector<const Node::Core*> cores;
  if (hwloc_bitmap_list_sscanf(units.get(), std::string(list).c_str()) == 0)
    for (const Node::Core& core : node.cores)
      if (holds(core, units.get())) cores.push_back(&core);
  if (cores.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "\"{}\" names no processing unit of {}; right is a list such as 0-3,8", list,
                node.origin);
  return cores;
}

}  // namespace

Node this_node(Devices devices) {
  const Topology topology = new_topology(devices);
  hwloc_topology_set_flags(topology.get(), HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  if (hwloc_topology_load(topology.get()) != 0) throw error(TUTTI_ERROR_INTERNAL, "hwloc cannot read this machine");
  const Bitmap allowed(hwloc_bitmap_alloc());
  // Where the binding cannot be asked for, all that the cgroup allows may be used.
  if (hwloc_get_cpubind(topology.get(), allowed.get(), HWLOC_CPUBIND_PROCESS) != 0) hwloc_bitmap_fill(allowed.get());
  hwloc_bitmap_and(allowed.get(), allowed.get(), hwloc_topology_get_allowed_cpuset(topology.get()));
  Node node;
  node.origin = "this machine";
  Reader(topology.get(), allowed.get(), node).read();
  return node;
}

Node node_of_file(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0)
    throw error(TUTTI_ERROR_ARGUMENT,
                "{}: cannot be opened; an XML file of hwloc is right, as lstopo --of xml makes it", path);
  const Topology topology = new_topology(Devices::looked_for);
  if (hwloc_topology_set_xml(topology.get(), path.c_str()) != 0 || hwloc_topology_load(topology.get()) != 0)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: hwloc cannot read it; an XML file is right, as lstopo --of xml makes it",
                path);
  Node node;
  node.origin = path;
  Reader(topology.get(), hwloc_topology_get_allowed_cpuset(topology.get()), node).read();
  return node;
}

std::string_view distance_name(Distance distance) {
  switch (distance) {
    case Distance::core:
      return "core";
    case Distance::l2:
      return "L2";
    case Distance::l3:
      return "L3";
    case Distance::numa:
      return "NUMA";
    case Distance::package:
      return "package";
    case Distance::machine:
      break;
  }
  return "machine";
}

Distance Node::distance(const Core& one, const Core& other) const {
  if (one.units == other.units) return Distance::core;
  if (one.l2 >= 0 && one.l2 == other.l2) return Distance::l2;
  if (one.l3 >= 0 && one.l3 == other.l3) return Distance::l3;
  if (one.numa == other.numa) return Distance::numa;
  return one.package == other.package ? Distance::package : Distance::machine;
}

Distance Node::distance(std::string_view one, std::string_view other) const {
  Distance farthest = Distance::core;
  const std::vector<const Core*> others = cores_of(*this, other);
  for (const Core* here : cores_of(*this, one))
    for (const Core* there : others) farthest = std::max(farthest, distance(*here, *there));
  return farthest;
}

}  // namespace tutti
