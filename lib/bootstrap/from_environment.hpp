// Who this process is, as the environment says: its rank, how many ranks there are, and the store where they meet.
#pragma once

#include <optional>

#include "bootstrap/store.hpp"

namespace tutti {

// Asks each launcher's variables in turn, a complete TUTTI_ set first, and joins the job's store. Collective: it
// returns when the store is reached (under torchrun and srun without a secret file, when all ranks have). Throws
// tutti::Error(TUTTI_ERROR_ARGUMENT) for variables that are wrong, half a set, or none at all, and TUTTI_ERROR_START if
// the ranks do not find each other within TUTTI_START_TIMEOUT.
Identity identify_from_environment();

// The launchers; each is nullopt if its variables are not there, and throws if they are there and wrong.
std::optional<Identity> identify_from_tutti_variables();
std::optional<Identity> identify_from_pmix();
std::optional<Identity> identify_from_pmi();
std::optional<Identity> identify_from_torchrun();
std::optional<Identity> identify_from_slurm();

}  // namespace tutti
