// Where tutti-perf finds what belongs to it.
#include "perf/files.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "error.hpp"

namespace tutti::perf {
namespace fs = std::filesystem;
namespace {

fs::path own_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

fs::path first_of(const std::vector<fs::path>& places, const std::string& what) {
  std::string tried;
  for (const fs::path& place : places) {
    if (fs::exists(place)) return place.lexically_normal();
    tried += "\n  " + place.lexically_normal().string();
  }
  throw error(TUTTI_ERROR_START, "{} is missing; it should be at one of:{}", what, tried);
}

}  // namespace

fs::path driver_program(const std::string& library) {
  const std::string name = library == "tutti" ? "tutti-perf-driver" : "tutti-perf-" + library;
  return first_of({own_folder() / name, own_folder() / TUTTI_PERF_LIBEXEC / name}, "the driver " + name);
}

fs::path tutti_command() {
  return first_of({own_folder() / "../tools/tutti", own_folder() / "tutti"}, "the command tutti");
}

fs::path driver_sources() {
  return first_of({fs::path(TUTTI_PERF_SOURCES), own_folder() / TUTTI_PERF_DATA}, "the folder of the driver's sources");
}

fs::path driver_cache() {
  std::error_code failure;
  // Only a build folder holds our own driver beside the command; where tutti-perf is installed, nothing is written.
  if (fs::exists(own_folder() / "tutti-perf-driver")) {
    const fs::path beside = own_folder() / "drivers";
    fs::create_directories(beside, failure);
    if (!failure && access(beside.c_str(), W_OK) == 0) return beside;
  }
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path base = cache && *cache ? fs::path(cache) : fs::path(home ? home : "/tmp") / ".cache";
  fs::create_directories(base / "tutti/drivers", failure);
  if (failure) throw error(TUTTI_ERROR_START, "no folder for compiled drivers can be made: {}", failure.message());
  return base / "tutti/drivers";
}

std::vector<fs::path> peer_folders() {
  return {own_folder() / "../peers", own_folder() / "../../build/peers", fs::current_path() / "build/peers"};
}

Printed run_command(const std::vector<std::string>& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw error(TUTTI_ERROR_SYSTEM, "pipe2 failed: {}", std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) throw error(TUTTI_ERROR_SYSTEM, "fork failed: {}", std::strerror(errno));
  if (child == 0) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    execvp(arguments[0], arguments.data());
    dprintf(2, "%s: %s\n", arguments[0], std::strerror(errno));
    _exit(127);
  }
  close(ends[1]);
  Printed printed;
  char part[4096];
  for (ssize_t got; (got = read(ends[0], part, sizeof part)) > 0;)
    printed.text.append(part, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  printed.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return printed;
}

}  // namespace tutti::perf
