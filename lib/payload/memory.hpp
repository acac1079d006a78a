// Memory kinds: where a buffer lies, and who can touch it. The host's own memory needs nothing of this;
// a device's memory may be out of the host's reach, and work on it completes later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tutti/tutti.h"

namespace tutti {

// One kind of device memory. Calls come from one thread at a time for one communicator, but several
// communicators may call at the same time. Work is started by a call and is complete when done(ticket) says
// so; operations on overlapping memory are started by the caller only after the earlier ones are done.
class Device {
 public:
  using Ticket = std::uint64_t;
  virtual ~Device() = default;
  virtual const char* name() const = 0;
  virtual bool owns(const void* address) const = 0;  // is this address in the device's memory?
  virtual void* allocate(std::size_t bytes) = 0;     // device memory, for scratch and staging; throws Error
  virtual void release(void* address) = 0;
  virtual Ticket copy_in(void* device, const void* host, std::size_t bytes) = 0;
  virtual Ticket copy_out(void* host, const void* device, std::size_t bytes) = 0;
  virtual Ticket copy(void* device_out, const void* device_in, std::size_t bytes) = 0;
  // out[i] = left[i] op right[i], all in device memory; the same aliasing as the host kernels allow.
  virtual Ticket combine(void* out, const void* left, const void* right, std::size_t count, tutti_type type,
                         tutti_op op) = 0;
  virtual Ticket fold(void* out, const void* const* sources, std::size_t source_count, std::size_t count,
                      tutti_type type, tutti_op op) = 0;
  virtual Ticket divide(void* data, std::size_t count, tutti_type type, std::uint64_t divisor) = 0;
  virtual bool done(Ticket ticket) = 0;
};

// The devices that this process knows. A buffer owned by none of them is host memory. Registration happens
// before the first collective on such memory; lookups take no lock, so unregister only while no collective runs.
void register_device(std::shared_ptr<Device> device);
void unregister_device(const Device* device);
Device* device_of(const void* address);  // nullptr: host memory. Costs one load while no device is registered.

}  // namespace tutti
