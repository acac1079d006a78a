// See whereabouts.hpp.
#include "bootstrap/whereabouts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"

namespace tutti {

namespace {

// Hosts with one name are common (clones, containers); no two boots have one id.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  std::getline(file, text);
  return text.empty() ? "no-boot-id-of-" + host_name() : text;
}

std::string namespace_of(const char* kind) {
  std::array<char, 64> text{};
  const ssize_t bytes = readlink(fmt::format("/proc/self/ns/{}", kind).c_str(), text.data(), text.size() - 1);
  return bytes < 0 ? std::string("?") : std::string(text.data(), static_cast<std::size_t>(bytes));
}

}  // namespace

Whereabouts own_whereabouts(int rank) {
  const std::string boot = boot_id();
  const std::vector<std::string> names = environment_list("TUTTI_NODE");
  if (!names.empty())
    return {fmt::format("{} called {}", boot, names[static_cast<std::size_t>(rank) % names.size()]), boot};
  return {
      fmt::format("{} {} {} {} {}", host_name(), boot, namespace_of("pid"), namespace_of("ipc"), namespace_of("net")),
      boot};
}

}  // namespace tutti
