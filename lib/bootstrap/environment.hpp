// The TUTTI_ environment variables: one table that names them all, and typed reading with errors that say
// which variable, what it held, and what would be right. An empty variable counts as not set.
#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

struct EnvironmentVariable {
  std::string_view name;
  std::string_view otherwise;  // what holds when it is not set
  std::string_view meaning;
};

// Every variable Tutti reads that begins with TUTTI_; reading another one is an internal error.
std::span<const EnvironmentVariable> environment_variables();

// Each throws tutti::Error(TUTTI_ERROR_ARGUMENT) for a value that cannot be understood.
std::optional<std::string> environment_text(std::string_view name);
std::optional<long long> environment_integer(std::string_view name, long long least = 0,
                                             long long most = std::numeric_limits<int>::max());
// Seconds, with a fraction if wanted ("0.5").
std::chrono::milliseconds environment_seconds(std::string_view name, std::chrono::milliseconds otherwise);
// 1 or 0.
bool environment_flag(std::string_view name);
// Parts between commas, without blanks around them and without empty ones.
std::vector<std::string> environment_list(std::string_view name);

// TUTTI_START_TIMEOUT: how long ranks may take to find each other.
std::chrono::milliseconds start_timeout();

// The known variable whose name takes the fewest single-letter edits to reach.
std::string_view nearest_variable(std::string_view name);
// Warns, once in the life of the process, of each TUTTI_ variable that nobody reads.
void warn_unknown_variables();

}  // namespace tutti
