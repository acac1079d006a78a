// The mock device: two mappings of the same pages, a table of buffers, and operations that wait for their time.
#include "tests/mock_device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/error.hpp"
#include "lib/payload/payload.hpp"

namespace tutti::test {
namespace {

constexpr std::size_t kAlignment = 64;  // of buffers, as devices have it

Error system_error(const char* call) { return error(TUTTI_ERROR_SYSTEM, "mock device: {}: {}", call, strerror(errno)); }

unsigned char* map_pages(int memory, std::size_t bytes, int protection) {
  void* address = mmap(nullptr, bytes, protection, MAP_SHARED | MAP_NORESERVE, memory, 0);
  if (address == MAP_FAILED) throw system_error("mmap");
  return static_cast<unsigned char*>(address);
}

}  // namespace

MockDevice::MockDevice(const Options& options) : options_(options) {
  memory_ = memfd_create("tutti-mock-device", MFD_CLOEXEC);
  if (memory_ < 0) throw system_error("memfd_create");
  if (ftruncate(memory_, static_cast<off_t>(options_.bytes)) != 0) throw system_error("ftruncate");
  public_ = map_pages(memory_, options_.bytes, PROT_NONE);
  alias_ = map_pages(memory_, options_.bytes, PROT_READ | PROT_WRITE);
  if (options_.polls == 0) worker_ = std::thread([this] { work_off(); });
}

MockDevice::~MockDevice() {
  if (worker_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }
  munmap(public_, options_.bytes);
  munmap(alias_, options_.bytes);
  close(memory_);
}

// ---- memory ----------------------------------------------------------------------------------------

bool MockDevice::owns(const void* address) const {
  const auto* byte = static_cast<const unsigned char*>(address);
  return byte >= public_ && byte < public_ + options_.bytes;
}

void* MockDevice::allocate(std::size_t bytes) {
  const std::size_t length = (bytes + kAlignment - 1) / kAlignment * kAlignment + (bytes == 0 ? kAlignment : 0);
  const std::lock_guard lock(mutex_);
  std::size_t offset = 0;  // the first gap that is large enough
  for (const auto& [begin, used] : buffers_) {
    if (begin - offset >= length) break;
    offset = begin + used;
  }
  if (options_.bytes - offset < length) {
    throw error(TUTTI_ERROR_MEMORY, "mock device: {} bytes asked for, of {} in all", bytes, options_.bytes);
  }
  buffers_.emplace(offset, length);
  return public_ + offset;
}

void MockDevice::release(void* address) {
  const std::lock_guard lock(mutex_);
  const auto found = owns(address)
                         ? buffers_.find(static_cast<std::size_t>(static_cast<unsigned char*>(address) - public_))
                         : buffers_.end();
  if (found == buffers_.end()) throw error(TUTTI_ERROR_INTERNAL, "mock device: released what was not allocated");
  refuse_conflicts({{public_ + found->first, found->second, true}});
  buffers_.erase(found);
}

std::size_t MockDevice::allocated() const {
  const std::lock_guard lock(mutex_);
  return buffers_.size();
}

unsigned char* MockDevice::alias(const void* address, std::size_t bytes) const {
  if (bytes == 0) return alias_;  // an empty operation may have any address
  if (owns(address)) {
    const auto offset = static_cast<std::size_t>(static_cast<const unsigned char*>(address) - public_);
    auto after = buffers_.upper_bound(offset);
    if (after != buffers_.begin()) {
      const auto& [begin, length] = *--after;
      if (offset + bytes <= begin + length) return alias_ + offset;
    }
  }
  throw error(TUTTI_ERROR_INTERNAL, "mock device: {} bytes at {} are not in allocated device memory", bytes, address);
}

// ---- operations ------------------------------------------------------------------------------------

MockDevice::Range MockDevice::device_range(const void* address, std::size_t bytes, bool written) const {
  alias(address, bytes);  // throws where it is none
  return {static_cast<const unsigned char*>(address), bytes, written};
}

MockDevice::Range MockDevice::host_range(const void* address, std::size_t bytes, bool written) const {
  if (owns(address)) throw error(TUTTI_ERROR_INTERNAL, "mock device: {} is device memory, not the host's", address);
  return {static_cast<const unsigned char*>(address), bytes, written};
}

Device::Ticket MockDevice::copy_in(void* device, const void* host, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  auto* to = alias(device, bytes);
  return start({device_range(device, bytes, true), host_range(host, bytes, false)},
               [=] { copy_bytes(to, host, bytes, false); });
}

Device::Ticket MockDevice::copy_out(void* host, const void* device, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto* from = alias(device, bytes);
  return start({host_range(host, bytes, true), device_range(device, bytes, false)},
               [=] { copy_bytes(host, from, bytes, false); });
}

Device::Ticket MockDevice::copy(void* device_out, const void* device_in, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  auto* to = alias(device_out, bytes);
  const auto* from = alias(device_in, bytes);
  return start({device_range(device_out, bytes, true), device_range(device_in, bytes, false)},
               [=] { copy_bytes(to, from, bytes, false); });
}

Device::Ticket MockDevice::combine(void* out, const void* left, const void* right, std::size_t count, tutti_type type,
                                   tutti_op op) {
  const Operation kernels = operation(type, op);
  const std::size_t bytes = count * type_size(type);
  const std::lock_guard lock(mutex_);
  auto* to = alias(out, bytes);
  const auto* a = alias(left, bytes);
  const auto* b = alias(right, bytes);
  return start({device_range(out, bytes, true), device_range(left, bytes, false), device_range(right, bytes, false)},
               [=] { kernels.combine(to, a, b, count, false, kernels.context); });
}

Device::Ticket MockDevice::fold(void* out, const void* const* sources, std::size_t source_count, std::size_t count,
                                tutti_type type, tutti_op op) {
  const Operation kernels = operation(type, op);
  const std::size_t bytes = count * type_size(type);
  const std::lock_guard lock(mutex_);
  auto* to = alias(out, bytes);
  std::vector<const void*> from;
  std::vector<Range> ranges = {device_range(out, bytes, true)};
  for (std::size_t s = 0; s < source_count; ++s) {
    from.push_back(alias(sources[s], bytes));
    ranges.push_back(device_range(sources[s], bytes, false));
  }
  return start(std::move(ranges), [=, from = std::move(from)] {
    kernels.fold(to, from.data(), from.size(), count, false, kernels.context);
  });
}

Device::Ticket MockDevice::divide(void* data, std::size_t count, tutti_type type, std::uint64_t divisor) {
  const DivideKernel kernel = operation(type, TUTTI_AVG).divide;
  const std::size_t bytes = count * type_size(type);
  const std::lock_guard lock(mutex_);
  auto* both = alias(data, bytes);
  return start({device_range(data, bytes, true)}, [=] { kernel(both, count, divisor); });
}

// ---- time ------------------------------------------------------------------------------------------

void MockDevice::refuse_conflicts(const std::vector<Range>& ranges) const {
  for (const auto& [ticket, work] : pending_) {
    for (const Range& theirs : work.ranges) {
      for (const Range& ours : ranges) {
        const bool apart = ours.bytes == 0 || theirs.bytes == 0 || ours.begin + ours.bytes <= theirs.begin ||
                           theirs.begin + theirs.bytes <= ours.begin;
        if (apart || !(ours.written || theirs.written)) continue;
        throw error(TUTTI_ERROR_INTERNAL, "mock device: operation {} on {} bytes at {} was not seen to be done", ticket,
                    theirs.bytes, static_cast<const void*>(theirs.begin));
      }
    }
  }
}

// With the lock held.
Device::Ticket MockDevice::start(std::vector<Range> ranges, std::function<void()> run) {
  refuse_conflicts(ranges);
  const Ticket ticket = ++last_ticket_;
  pending_.emplace(ticket, Work{std::move(run), std::move(ranges), options_.polls});
  if (options_.polls == 0) {
    queue_.push_back(ticket);
    changed_.notify_all();
  }
  return ticket;
}

std::size_t MockDevice::started() const {
  const std::lock_guard lock(mutex_);
  return last_ticket_;
}

bool MockDevice::done(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  if (ticket == 0 || ticket > last_ticket_) throw error(TUTTI_ERROR_INTERNAL, "mock device: no operation {}", ticket);
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return true;
  Work& work = found->second;
  if (options_.polls > 0 && --work.polls_left == 0) {
    work.run();
    work.complete = true;
  }
  if (!work.complete) return false;
  pending_.erase(found);
  return true;
}

void MockDevice::wait(Ticket ticket) {
  while (!done(ticket)) {
    if (options_.polls > 0) continue;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      const auto found = pending_.find(ticket);
      return found == pending_.end() || found->second.complete;
    });
  }
}

// The worker: runs operations in the order of their start, without the lock, so that the host goes on.
void MockDevice::work_off() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    // Nobody erases it before it is complete, and others that come and go leave it where it is.
    Work& work = pending_.at(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work.run();
    lock.lock();
    work.complete = true;
    changed_.notify_all();
  }
}

}  // namespace tutti::test
