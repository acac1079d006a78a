// See secret_meeting.hpp.
#include "bootstrap/secret_meeting.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "error.hpp"

namespace tutti {
namespace {

bool is_ours_alone(const struct stat& facts) { return facts.st_uid == geteuid() && (facts.st_mode & 077) == 0; }

// The session's runtime folder where there is one; /tmp with the user's number in the name otherwise.
std::string folder_path() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  struct stat facts {};
  if (runtime != nullptr && *runtime == '/' && stat(runtime, &facts) == 0 && S_ISDIR(facts.st_mode) &&
      is_ours_alone(facts) && access(runtime, W_OK) == 0) {
    return fmt::format("{}/tutti", runtime);
  }
  return fmt::format("/tmp/tutti-{}", geteuid());
}

}  // namespace

SecretMeeting::SecretMeeting(std::uint16_t port)
    : folder_(folder_path()), name_(fmt::format("secret-{}", port)), path_(folder_ + "/" + name_) {}

// Through a descriptor of the folder, so that nobody can put another one in its place between the look and the use.
std::optional<FileDescriptor> SecretMeeting::open_folder() const {
  FileDescriptor folder(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder && errno == ENOENT) return std::nullopt;
  struct stat facts {};
  if (!folder || fstat(folder.number(), &facts) != 0 || !is_ours_alone(facts)) {
    throw error(TUTTI_ERROR_START,
                "the folder {} for the job's secret is not a folder of user {} alone (mode 0700): remove it, or give a "
                "TUTTI_SECRET_FILE",
                folder_, geteuid());
  }
  return folder;
}

void SecretMeeting::leave(const Secret& secret) {
  const std::string draft = fmt::format("{}.{}", name_, getpid());
  // Another job may remove the empty folder between our making it and our using it.
  for (int tries = 0; tries < 100; ++tries) {
    if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) break;
    const auto folder = open_folder();
    if (!folder) continue;
    const FileDescriptor file(
        openat(folder->number(), draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file && errno == ENOENT) continue;
    if (!file) break;
    secret.write(file.number());
    if (renameat(folder->number(), draft.c_str(), folder->number(), name_.c_str()) == 0) return;
    break;
  }
  throw error(TUTTI_ERROR_START, "cannot leave the job's secret in {}: {}; give a TUTTI_SECRET_FILE instead", path_,
              std::strerror(errno));
}

std::optional<Secret> SecretMeeting::find() const {
  const auto folder = open_folder();
  if (!folder) return std::nullopt;
  const FileDescriptor file(openat(folder->number(), name_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) throw error(TUTTI_ERROR_START, "cannot open the job's secret {}: {}", path_, std::strerror(errno));
  return Secret::read(file.number(), path_);
}

void SecretMeeting::remove() noexcept {
  unlink(path_.c_str());
  rmdir(folder_.c_str());  // stays if another job still uses it
}

}  // namespace tutti
