// A piece of memory that the ranks of a node share: a sealed memfd, which other ranks of the same user open
// through /proc. Nothing has a name in a file system, so nothing remains after a crash, and nobody else can
// open it. Inside one process (threads, sanitizers) the same memory is shared by its address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tutti {

enum class Sharing { between_processes, within_process };

class Segment {
 public:
  // Makes zeroed memory of this size. Throws TUTTI_ERROR_MEMORY or TUTTI_ERROR_SYSTEM.
  static Segment create(std::size_t bytes, Sharing sharing);
  // Opens what address() of another rank's segment says. Throws TUTTI_ERROR_START if it cannot be opened, belongs to
  // another user, has another size or another identity than the address claims.
  static Segment open(std::string_view address);

  Segment() = default;
  Segment(Segment&& other) noexcept { swap(other); }
  Segment& operator=(Segment&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Segment();

  std::byte* data() const { return data_; }  // behind the identity; aligned to 64 bytes
  std::size_t bytes() const { return bytes_; }
  std::string address() const;

 private:
  void swap(Segment& other) noexcept;
  std::byte* mapping_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  int descriptor_ = -1;
  bool mapped_ = false;  // ours to unmap
};

}  // namespace tutti
