// Lines for people, on stderr: `tutti[3@node7] warning: ...`. Each line is one write(2), so that lines of
// several ranks do not mix. TUTTI_LOG sets the least level: error, warning (otherwise), info or debug.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace tutti {

enum class LogLevel { error, warning, info, debug };

// TUTTI_LOG; throws tutti::Error(TUTTI_ERROR_ARGUMENT) for a level that does not exist.
LogLevel log_level_from_environment();
bool logs(LogLevel level) noexcept;
// What this process is called in its lines; until then they bear the host alone.
void set_log_rank(int rank) noexcept;
void log_line(LogLevel level, std::string_view text) noexcept;

// This machine's name, for messages.
const std::string& host_name();

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (logs(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tutti
