// How ranks on one host that were given no secret share one: rank 0 makes it and leaves it in a file that only its user
// can read, under the port at which it listens; the others wait for the file; when all have joined, rank 0 removes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bootstrap/file_descriptor.hpp"
#include "bootstrap/secret.hpp"

namespace tutti {

class SecretMeeting {
 public:
  explicit SecretMeeting(std::uint16_t port);

  const std::string& path() const noexcept { return path_; }
  // Replaces what an earlier job left. Throws tutti::Error(TUTTI_ERROR_START) if the folder cannot be made or is not
  // ours.
  void leave(const Secret& secret);
  // nullopt if there is none yet. Throws if it is there, but not ours or open to others.
  std::optional<Secret> find() const;
  void remove() noexcept;

 private:
  std::optional<FileDescriptor> open_folder() const;

  std::string folder_;
  std::string name_;
  std::string path_;
};

}  // namespace tutti
