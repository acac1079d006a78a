// See log.hpp.
#include "bootstrap/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <exception>

#include "bootstrap/environment.hpp"
#include "error.hpp"

namespace tutti {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"error", "warning", "info", "debug"};

std::atomic<int> log_rank = -1;

// A logger cannot throw: a bad TUTTI_LOG is reported by whoever asks log_level_from_environment().
LogLevel level_or_warning() noexcept {
  try {
    return log_level_from_environment();
  } catch (const std::exception&) {
    return LogLevel::warning;
  }
}

}  // namespace

LogLevel log_level_from_environment() {
  const auto text = environment_text("TUTTI_LOG");
  if (!text) return LogLevel::warning;
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (*text == level_names[i]) return static_cast<LogLevel>(i);
  }
  throw error(TUTTI_ERROR_ARGUMENT, "TUTTI_LOG=\"{}\" is wrong: it must be error, warning, info or debug", *text);
}

bool logs(LogLevel level) noexcept {
  static const LogLevel least = level_or_warning();
  return level <= least;
}

void set_log_rank(int rank) noexcept { log_rank = rank; }

const std::string& host_name() {
  static const std::string name = [] {
    std::array<char, HOST_NAME_MAX + 1> text{};
    return gethostname(text.data(), text.size() - 1) == 0 ? std::string(text.data()) : std::string("unknown-host");
  }();
  return name;
}

void log_line(LogLevel level, std::string_view text) noexcept {
  try {
    const int rank = log_rank;
    const auto who = rank < 0 ? host_name() : fmt::format("{}@{}", rank, host_name());
    auto line = fmt::format("tutti[{}] {}: {}", who, level_names[static_cast<std::size_t>(level)], text);
    for (char& letter : line) letter = letter == '\n' ? ' ' : letter;
    line += '\n';
    // Nothing is left to be done where even stderr cannot be written.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace tutti
