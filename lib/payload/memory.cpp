// The devices that this process knows, and which of them owns an address.
//
// Lookups take no lock: they read a small array of pointers, up to a count that is 0 while there was never a device.
// So a device may only be unregistered while no collective runs in the process: nobody else is looking then.
#include "lib/payload/memory.hpp"

#include <array>
#include <atomic>
#include <mutex>

#include "lib/error.hpp"

namespace tutti {
namespace {

// One for each kind of accelerator in a process, and some to spare for tests.
constexpr std::size_t kMostDevices = 16;

struct Registry {
  std::atomic<std::size_t> used{0};  // places that hold a device or once did; zero again when the last has gone
  std::array<std::atomic<Device*>, kMostDevices> devices{};
  std::mutex mutex;  // of everything below, and of all changes above
  std::array<std::shared_ptr<Device>, kMostDevices> owners;
};

constinit Registry registry;

// With the lock held.
void place(std::size_t at, std::shared_ptr<Device> device) {
  registry.devices[at].store(device.get(), std::memory_order_release);
  registry.owners[at] = std::move(device);
  std::size_t used = kMostDevices;
  while (used > 0 && registry.owners[used - 1] == nullptr) --used;
  registry.used.store(used, std::memory_order_release);
}

}  // namespace

void register_device(std::shared_ptr<Device> device) {
  if (device == nullptr) throw error(TUTTI_ERROR_ARGUMENT, "the device to register is null");
  const std::lock_guard lock(registry.mutex);
  for (const auto& owner : registry.owners) {
    if (owner == device) throw error(TUTTI_ERROR_ARGUMENT, "device {} is registered already", device->name());
  }
  for (std::size_t i = 0; i < kMostDevices; ++i) {
    if (registry.owners[i] == nullptr) return place(i, std::move(device));
  }
  throw error(TUTTI_ERROR_ARGUMENT, "device {} is one too many: {} can be registered", device->name(), kMostDevices);
}

void unregister_device(const Device* device) {
  const std::lock_guard lock(registry.mutex);
  for (std::size_t i = 0; i < kMostDevices; ++i) {
    if (registry.owners[i].get() == device && device != nullptr) return place(i, nullptr);
  }
  throw error(TUTTI_ERROR_ARGUMENT, "the device to unregister is not registered");
}

Device* device_of(const void* address) {
  const std::size_t used = registry.used.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < used; ++i) {
    Device* device = registry.devices[i].load(std::memory_order_acquire);
    if (device != nullptr && device->owns(address)) return device;
  }
  return nullptr;
}

}  // namespace tutti
