// memfd segments; see segment.hpp.
#include "transports/shm/segment.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "error.hpp"

namespace tutti {

namespace {

// The first page: who is who. The identity is random, told to the peers through the authenticated store.
struct Header {
  std::uint64_t identity;
  std::uint64_t bytes;
};
constexpr std::size_t header_bytes = 4096;

std::string reason() { return std::generic_category().message(errno); }

std::vector<std::uint64_t> numbers(std::string_view text) {
  std::vector<std::uint64_t> found;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    std::uint64_t value = 0;
    auto [next, failure] = std::from_chars(at, end, value);
    if (failure != std::errc{}) {
      ++at;
      continue;
    }
    found.push_back(value);
    at = next;
  }
  return found;
}

}  // namespace

Segment Segment::create(std::size_t bytes, Sharing sharing) {
  Segment segment;
  segment.bytes_ = bytes;
  const std::size_t total = bytes + header_bytes;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  if (sharing == Sharing::between_processes) {
    segment.descriptor_ = memfd_create("tutti", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (segment.descriptor_ < 0) throw error(TUTTI_ERROR_SYSTEM, "memfd_create failed: {}", reason());
    if (ftruncate(segment.descriptor_, static_cast<off_t>(total)) != 0)
      throw error(TUTTI_ERROR_MEMORY, "no {} bytes of shared memory: {}", total, reason());
    // Sealed, a peer cannot shrink it under us; the mode keeps other users out even if they find it.
    if (fchmod(segment.descriptor_, 0600) != 0 ||
        fcntl(segment.descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
      throw error(TUTTI_ERROR_SYSTEM, "sealing a shared segment failed: {}", reason());
    flags = MAP_SHARED;
  }
  void* mapping = mmap(nullptr, total, PROT_READ | PROT_WRITE, flags, segment.descriptor_, 0);
  if (mapping == MAP_FAILED)
    throw error(TUTTI_ERROR_MEMORY, "cannot map {} bytes of shared memory: {}", total, reason());
  segment.mapping_ = static_cast<std::byte*>(mapping);
  segment.data_ = segment.mapping_ + header_bytes;
  segment.mapped_ = true;
  Header header{0, bytes};
  randombytes_buf(&header.identity, sizeof header.identity);
  std::memcpy(mapping, &header, sizeof header);
  return segment;
}

std::string Segment::address() const {
  Header header;
  std::memcpy(&header, mapping_, sizeof header);
  if (descriptor_ < 0)
    return fmt::format("memory {} {} {}", reinterpret_cast<std::uintptr_t>(mapping_), bytes_, header.identity);
  return fmt::format("memfd {} {} {} {}", getpid(), descriptor_, bytes_, header.identity);
}

Segment Segment::open(std::string_view address) {
  const bool inside = address.starts_with("memory ");
  const std::vector<std::uint64_t> values = numbers(address);
  if (values.size() != (inside ? 3u : 4u) || !(inside || address.starts_with("memfd ")))
    throw error(TUTTI_ERROR_START, "\"{}\" is not the address of a shared segment", address);
  Segment segment;
  const std::uint64_t identity = values.back();
  segment.bytes_ = values[values.size() - 2];
  if (inside) {
    segment.mapping_ = reinterpret_cast<std::byte*>(values[0]);
  } else {
    const std::string path = fmt::format("/proc/{}/fd/{}", values[0], values[1]);
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
      throw error(
          TUTTI_ERROR_START,
          "cannot open the shared segment {}: {}; ranks of a node must run as one user and see each other in /proc",
          path, reason());
    struct stat status {};
    const bool good = fstat(descriptor, &status) == 0 && status.st_uid == geteuid() &&
                      static_cast<std::uint64_t>(status.st_size) == segment.bytes_ + header_bytes;
    void* mapping =
        good ? mmap(nullptr, segment.bytes_ + header_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
             : MAP_FAILED;
    const std::string failure = good ? reason() : "its owner or size is not what was announced";
    close(descriptor);
    if (mapping == MAP_FAILED) throw error(TUTTI_ERROR_START, "cannot use the shared segment {}: {}", path, failure);
    segment.mapping_ = static_cast<std::byte*>(mapping);
    segment.mapped_ = true;
  }
  Header header;
  std::memcpy(&header, segment.mapping_, sizeof header);
  if (header.identity != identity || header.bytes != segment.bytes_)
    throw error(TUTTI_ERROR_START, "the shared segment behind \"{}\" is not the one that was announced", address);
  segment.data_ = segment.mapping_ + header_bytes;
  return segment;
}

Segment::~Segment() {
  if (mapped_) munmap(mapping_, bytes_ + header_bytes);
  if (descriptor_ >= 0) close(descriptor_);
}

void Segment::swap(Segment& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(mapped_, other.mapped_);
}

}  // namespace tutti
