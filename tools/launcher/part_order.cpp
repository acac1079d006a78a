// See part_order.hpp. Also the part's side of hosts_job.hpp.
#include "tools/launcher/part_order.hpp"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bootstrap/log.hpp"
#include "error.hpp"
#include "tools/launcher/hosts_job.hpp"

extern char** environ;

namespace tutti {
namespace {

constexpr std::size_t longest_order = 16u << 20;  // bytes

bool belongs_to_a_host(std::string_view variable) {
  for (const std::string_view prefix : {"SSH_", "XDG_", "TUTTI_CLUSTER_"})
    if (variable.starts_with(prefix)) return true;
  const auto name = variable.substr(0, variable.find('='));
  constexpr std::array own = {"HOME",   "USER",   "LOGNAME",  "SHELL",   "PWD",
                              "OLDPWD", "TMPDIR", "HOSTNAME", "DISPLAY", "_"};
  return std::find(own.begin(), own.end(), name) != own.end();
}

std::string read_line(int descriptor) {
  std::string line;
  char letter = 0;
  while (line.size() < longest_order) {
    const ssize_t got = read(descriptor, &letter, 1);  // byte by byte: what follows is for the job
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (letter == '\n') return line;
    line += letter;
  }
  throw error(TUTTI_ERROR_ARGUMENT,
              "run-part: standard input ended before it said what to run; `tutti run --hosts` starts this");
}

}  // namespace

std::string fresh_secret() {
  if (sodium_init() < 0) throw error(TUTTI_ERROR_SYSTEM, "libsodium found no source of random numbers");
  std::array<unsigned char, 32> bytes{};
  std::array<char, 2 * bytes.size() + 1> text{};
  randombytes_buf(bytes.data(), bytes.size());
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  return text.data();
}

std::string encode(const PartOrder& order) {
  nlohmann::json environment = nlohmann::json::array();
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!belongs_to_a_host(*entry)) environment.push_back(*entry);
  const auto& job = order.job;
  const nlohmann::json text = {{"version", tutti_version()},
                               {"folder", std::filesystem::current_path().string()},
                               {"environment", environment},
                               {"ranks", job.ranks},
                               {"command", job.command},
                               {"label", job.label},
                               {"binding", static_cast<int>(job.binding)},
                               {"grace_ms", job.grace.count()},
                               {"first", job.part->first},
                               {"size", job.part->size},
                               {"store", job.part->store},
                               {"secret", job.part->secret}};
  return text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

PartOrder take_on(const std::string& line) {
  PartOrder order;
  std::string folder;
  try {
    const auto text = nlohmann::json::parse(line);
    if (text.at("version") != tutti_version()) {
      throw error(TUTTI_ERROR_ARGUMENT, "run: the launcher is Tutti {}, {} has {}: all hosts need one version",
                  text.at("version").get<std::string>(), host_name(), tutti_version());
    }
    text.at("folder").get_to(folder);
    for (std::string variable : text.at("environment")) {
      const auto equals = variable.find('=');
      if (equals != std::string::npos && equals > 0)
        setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    }
    text.at("ranks").get_to(order.job.ranks);
    text.at("command").get_to(order.job.command);
    text.at("label").get_to(order.job.label);
    order.job.binding = static_cast<Binding>(text.at("binding").get<int>());
    order.job.grace = std::chrono::milliseconds(text.at("grace_ms").get<long long>());
    order.job.part = JobPart{text.at("first"), text.at("size"), text.at("store"), text.at("secret"), -1};
  } catch (const nlohmann::json::exception& problem) {
    throw error(TUTTI_ERROR_ARGUMENT, "run-part: {}; `tutti run --hosts` starts this", problem.what());
  }
  if (chdir(folder.c_str()) != 0) {
    throw error(TUTTI_ERROR_ARGUMENT, "run: the folder {} is not on host {}: {}", folder, host_name(),
                std::strerror(errno));
  }
  return order;
}

bool run_part_of_job() {
  auto order = take_on(read_line(STDIN_FILENO));
  order.job.part->orders = STDIN_FILENO;
  return run_job(order.job);
}

}  // namespace tutti
