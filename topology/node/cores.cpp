// Affinity by hwloc; see cores.hpp.
#include "topology/node/cores.hpp"

#include <hwloc.h>

#include <memory>

namespace tutti {

namespace {

struct FreeBitmap {
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

}  // namespace

std::string allowed_cores() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return "";
  Bitmap bitmap(hwloc_bitmap_alloc());
  std::string text;
  if (hwloc_topology_load(topology) == 0 && hwloc_get_cpubind(topology, bitmap.get(), HWLOC_CPUBIND_PROCESS) == 0) {
    hwloc_bitmap_and(bitmap.get(), bitmap.get(), hwloc_topology_get_allowed_cpuset(topology));
    char* list = nullptr;
    if (hwloc_bitmap_list_asprintf(&list, bitmap.get()) >= 0) {
      text = list;
      free(list);
    }
  }
  hwloc_topology_destroy(topology);
  return text;
}

int count_cores(const std::vector<std::string>& lists) {
  Bitmap all(hwloc_bitmap_alloc()), one(hwloc_bitmap_alloc());
  for (const std::string& list : lists)
    if (hwloc_bitmap_list_sscanf(one.get(), list.c_str()) == 0) hwloc_bitmap_or(all.get(), all.get(), one.get());
  return hwloc_bitmap_weight(all.get());
}

}  // namespace tutti
