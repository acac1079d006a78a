// A device for tests, as strict as a real one may be: the host cannot touch its memory (an access is a segmentation
// fault), and work on it completes later.
//
// The addresses that callers hold are mapped without any permission. The same pages are mapped a second time, and
// only the device itself works on that alias: its worker thread, or, where the moment of completion must be the
// same in each run, the call of done() that is to report it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/payload/memory.hpp"

namespace tutti::test {

class MockDevice final : public Device {
 public:
  struct Options {
    std::string name = "mock";
    std::size_t bytes = std::size_t{256} << 20;  // address space; pages come with their first use
    // 0: a worker thread does the work as soon as it can. k: no thread; each operation is carried out, and reported, by
    // the k-th done() on its own ticket, so operations end in whatever order the caller asks about them.
    int polls = 0;
  };

  MockDevice() : MockDevice(Options{}) {}
  explicit MockDevice(const Options& options);
  ~MockDevice() override;
  MockDevice(const MockDevice&) = delete;
  MockDevice& operator=(const MockDevice&) = delete;

  const char* name() const override { return options_.name.c_str(); }
  bool owns(const void* address) const override;
  void* allocate(std::size_t bytes) override;
  void release(void* address) override;

  // Each throws TUTTI_ERROR_INTERNAL where the caller broke the contract: an address that is not in allocated device
  // memory (or is, where host memory is due), or memory on which an operation is at work that done() has not
  // reported yet, unless both only read it.
  Ticket copy_in(void* device, const void* host, std::size_t bytes) override;
  Ticket copy_out(void* host, const void* device, std::size_t bytes) override;
  Ticket copy(void* device_out, const void* device_in, std::size_t bytes) override;
  Ticket combine(void* out, const void* left, const void* right, std::size_t count, tutti_type type,
                 tutti_op op) override;
  Ticket fold(void* out, const void* const* sources, std::size_t source_count, std::size_t count, tutti_type type,
              tutti_op op) override;
  Ticket divide(void* data, std::size_t count, tutti_type type, std::uint64_t divisor) override;
  bool done(Ticket ticket) override;

  // Returns when done(ticket) has said so; for tests that only fill and read buffers.
  void wait(Ticket ticket);
  std::size_t started() const;    // operations so far
  std::size_t allocated() const;  // buffers that were not released

 private:
  struct Range {
    const unsigned char* begin;
    std::size_t bytes;
    bool written;
  };
  struct Work {
    std::function<void()> run;
    std::vector<Range> ranges;
    int polls_left = 0;
    bool complete = false;
  };

  unsigned char* alias(const void* address, std::size_t bytes) const;  // with the lock held
  Range device_range(const void* address, std::size_t bytes, bool written) const;
  Range host_range(const void* address, std::size_t bytes, bool written) const;
  Ticket start(std::vector<Range> ranges, std::function<void()> run);
  void refuse_conflicts(const std::vector<Range>& ranges) const;
  void work_off();

  Options options_;
  int memory_ = -1;  // file descriptor of the pages
  unsigned char* public_ = nullptr;
  unsigned char* alias_ = nullptr;

  mutable std::mutex mutex_;  // of everything below
  std::condition_variable changed_;
  std::map<std::size_t, std::size_t> buffers_;  // offset to length
  std::map<Ticket, Work> pending_;              // started, and not yet reported as done
  std::deque<Ticket> queue_;                    // for the worker
  Ticket last_ticket_ = 0;
  bool ending_ = false;
  std::thread worker_;
};

}  // namespace tutti::test
