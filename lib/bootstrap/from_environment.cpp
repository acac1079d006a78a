// See from_environment.hpp. A new launcher is one function and one line in the table here.
#include "bootstrap/from_environment.hpp"

#include <array>
#include <cstdlib>
#include <string>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"
#include "error.hpp"

namespace tutti {
namespace {

struct Launcher {
  std::string_view name;
  std::array<const char*, 4> variables;  // that say it is there; null: no more of them
  std::optional<Identity> (*identify)();
};

// In the order in which they are asked: the first that is there decides.
constexpr std::array launchers = {
    Launcher{
        "TUTTI_*", {"TUTTI_RANK", "TUTTI_SIZE", "TUTTI_STORE", "TUTTI_SECRET_FILE"}, identify_from_tutti_variables},
    Launcher{"PMIx", {"PMIX_RANK", "PMIX_NAMESPACE"}, identify_from_pmix},
    Launcher{"PMI", {"PMI_RANK", "PMI_SIZE", "PMI_FD", "PMI_PORT"}, identify_from_pmi},
    Launcher{"torchrun", {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}, identify_from_torchrun},
    Launcher{"srun", {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NODELIST"}, identify_from_slurm},
};

std::string what_was_found() {
  std::string text;
  for (const auto& launcher : launchers) {
    text += fmt::format("{}{} (", text.empty() ? "" : "; ", launcher.name);
    for (const char* name : launcher.variables) {
      if (name == nullptr) break;
      const char* value = std::getenv(name);
      const bool set = value != nullptr && *value != '\0';
      text += fmt::format("{}{} {}", name == launcher.variables.front() ? "" : ", ", name, set ? "set" : "not set");
    }
    text += ")";
  }
  return text;
}

}  // namespace

Identity identify_from_environment() {
  log_level_from_environment();  // an error now rather than a log without the lines that were asked for
  warn_unknown_variables();
  for (const auto& launcher : launchers) {
    if (auto identity = launcher.identify()) {
      set_log_rank(identity->rank);
      log(LogLevel::info, "rank {} of {}, by {}", identity->rank, identity->size, identity->how);
      return std::move(*identity);
    }
  }
  throw error(
      TUTTI_ERROR_ARGUMENT,
      "no launcher's variables say which rank this process is. Looked for: {}. Start it with: tutti run -n 4 PROGRAM",
      what_was_found());
}

}  // namespace tutti
