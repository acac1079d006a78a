// See environment.hpp.
#include "bootstrap/environment.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <numeric>

#include "bootstrap/log.hpp"
#include "error.hpp"

extern char** environ;

namespace tutti {
namespace {

constexpr std::array table = {
    EnvironmentVariable{"TUTTI_RANK", "the launcher's",
                        "this process's rank; one of a set of four with the next three"},
    EnvironmentVariable{"TUTTI_SIZE", "the launcher's", "how many ranks the job has"},
    EnvironmentVariable{"TUTTI_STORE", "the launcher's", "where the ranks meet: tcp://host:port; rank 0 listens there"},
    EnvironmentVariable{"TUTTI_SECRET_FILE", "made by rank 0 on one host",
                        "file with the job's secret, readable by you alone"},
    EnvironmentVariable{"TUTTI_PORT", "MASTER_PORT + 1", "where rank 0 listens under torchrun and plain srun"},
    EnvironmentVariable{"TUTTI_TRANSPORT", "chosen", "transports that may be used, such as shm,ofi:tcp"},
    EnvironmentVariable{"TUTTI_OFI_PROVIDER", "chosen", "libfabric's provider, where TUTTI_TRANSPORT names none"},
    EnvironmentVariable{"TUTTI_INTERFACE", "all", "network interfaces that may be used, separated by commas"},
    EnvironmentVariable{"TUTTI_NODE", "host name and boot id",
                        "the node that this rank counts as on; ranks of one machine may have several"},
    EnvironmentVariable{"TUTTI_ALGORITHM", "chosen", "forced algorithms: \"allreduce=ring; broadcast@1M-=chain\""},
    EnvironmentVariable{"TUTTI_NETWORK", "none", "file that describes the network"},
    EnvironmentVariable{"TUTTI_TUNING", "none", "file with measured constants, made by `tutti tune`"},
    EnvironmentVariable{"TUTTI_EXPLAIN", "0", "1: say why each algorithm was chosen"},
    EnvironmentVariable{"TUTTI_LOG", "warning", "least level of the lines on stderr: error, warning, info or debug"},
    EnvironmentVariable{"TUTTI_TRACE", "none", "file to which calls are traced"},
    EnvironmentVariable{"TUTTI_CHECK", "0", "1: ranks agree on the arguments before each call"},
    EnvironmentVariable{"TUTTI_TIMEOUT", "60", "seconds without a sign of life after which a peer is dead"},
    EnvironmentVariable{"TUTTI_LATE_TIMEOUT", "0: never", "seconds after which a live peer that is late is an error"},
    EnvironmentVariable{"TUTTI_START_TIMEOUT", "60", "seconds in which all ranks must have found each other"},
    EnvironmentVariable{"TUTTI_CLUSTER_HOSTS", "tools/cluster sets it",
                        "hosts and their slots, h1:2,h2:2, on which `tutti run` starts ranks"},
    EnvironmentVariable{"TUTTI_CLUSTER_AGENT", "tools/cluster sets it", "the program that starts a command on a host"},
    EnvironmentVariable{"TUTTI_CLUSTER_CONTROL", "tools/cluster sets it", "the program that changes its network"},
    EnvironmentVariable{"TUTTI_CLUSTER_DOOR", "tools/cluster sets it", "the socket of these two"},
    EnvironmentVariable{"TUTTI_REPRODUCIBLE", "0", "1: sums whose bits depend on no algorithm and no order"},
};

constexpr std::string_view prefix = "TUTTI_";

bool is_known(std::string_view name) {
  return std::any_of(table.begin(), table.end(), [&](const auto& variable) { return variable.name == name; });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (from[i - 1] == to[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::span<const EnvironmentVariable> environment_variables() { return table; }

std::optional<std::string> environment_text(std::string_view name) {
  // A variable that is read but not in the table would be undocumented, and warned of as unknown.
  if (name.starts_with(prefix) && !is_known(name)) {
    throw error(TUTTI_ERROR_INTERNAL, "{} is read but does not stand in the table of variables", name);
  }
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::optional<long long> environment_integer(std::string_view name, long long least, long long most) {
  const auto text = environment_text(name);
  if (!text) return std::nullopt;
  const auto digits = trimmed(*text);
  long long value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc{} || end != digits.data() + digits.size() || value < least || value > most) {
    throw error(TUTTI_ERROR_ARGUMENT, "{}=\"{}\" is wrong: it must be a whole number from {} to {}", name, *text, least,
                most);
  }
  return value;
}

std::chrono::milliseconds environment_seconds(std::string_view name, std::chrono::milliseconds otherwise) {
  constexpr double most = 1e8;  // three years: beyond it, 0 (never) is meant
  const auto text = environment_text(name);
  if (!text) return otherwise;
  const auto digits = trimmed(*text);
  double seconds = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  const bool whole = failure == std::errc{} && end == digits.data() + digits.size();
  if (!whole || !(seconds >= 0) || seconds > most) {
    throw error(TUTTI_ERROR_ARGUMENT, "{}=\"{}\" is wrong: it must be seconds, such as 60 or 0.5", name, *text);
  }
  return std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
}

bool environment_flag(std::string_view name) {
  const auto text = environment_text(name);
  if (!text || *text == "0") return false;
  if (*text == "1") return true;
  throw error(TUTTI_ERROR_ARGUMENT, "{}=\"{}\" is wrong: it must be 1 or 0", name, *text);
}

std::vector<std::string> environment_list(std::string_view name) {
  std::vector<std::string> parts;
  const std::string text = environment_text(name).value_or("");
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto part = trimmed(std::string_view(text).substr(begin, end - begin));
    if (!part.empty()) parts.emplace_back(part);
    begin = end + 1;
  }
  return parts;
}

std::chrono::milliseconds start_timeout() {
  return environment_seconds("TUTTI_START_TIMEOUT", std::chrono::seconds(60));
}

std::string_view nearest_variable(std::string_view name) {
  return std::min_element(table.begin(), table.end(),
                          [&](const auto& left, const auto& right) {
                            return edit_distance(name, left.name) < edit_distance(name, right.name);
                          })
      ->name;
}

void warn_unknown_variables() {
  static std::atomic<bool> warned = false;
  if (warned.exchange(true)) return;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    if (!name.starts_with(prefix) || is_known(name)) continue;
    log(LogLevel::warning, "{} is not a variable of Tutti; the nearest is {}", name, nearest_variable(name));
  }
}

}  // namespace tutti
