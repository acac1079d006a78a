// The identity from plain srun: SLURM_PROCID, SLURM_NTASKS and SLURM_STEP_NODELIST. Slurm puts rank 0 on the first host
// of the list, and there it listens, at TUTTI_PORT or at a port that follows from the numbers of the job and its step.
#include <string>

#include "bootstrap/environment.hpp"
#include "bootstrap/from_environment.hpp"
#include "bootstrap/meeting_at_rank_0.hpp"
#include "bootstrap/slurm_hosts.hpp"
#include "error.hpp"

namespace tutti {
namespace {

// From 16384 to 32767: above what services use, below what kernels give away. Jobs that share a host differ.
std::uint16_t usual_port() {
  constexpr long long first = 16384, count = 16384, steps_apart = 13;
  const auto job = environment_integer("SLURM_JOB_ID").value_or(0);
  const auto step = environment_integer("SLURM_STEP_ID", 0, 0xffffffffLL).value_or(0);
  return static_cast<std::uint16_t>(first + (job * steps_apart + step) % count);
}

}  // namespace

std::optional<Identity> identify_from_slurm() {
  for (const char* name : {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NODELIST"}) {
    if (!environment_text(name)) return std::nullopt;
  }
  Identity identity;
  identity.how = "srun";
  identity.size = static_cast<int>(environment_integer("SLURM_NTASKS", 1).value());
  identity.rank = static_cast<int>(environment_integer("SLURM_PROCID").value());
  if (identity.rank >= identity.size) {
    throw error(TUTTI_ERROR_ARGUMENT, "SLURM_PROCID={} is wrong: with SLURM_NTASKS={} it must be from 0 to {}",
                identity.rank, identity.size, identity.size - 1);
  }
  const auto list = environment_text("SLURM_STEP_NODELIST").value();
  const auto hosts = expand_hosts(list, "SLURM_STEP_NODELIST");
  const auto port = environment_integer("TUTTI_PORT", 1, 65535).value_or(usual_port());
  // On one host nobody else need reach it.
  const StoreAddress address{hosts.size() == 1 ? "localhost" : hosts.front(), static_cast<std::uint16_t>(port), false};
  meet_at_rank_0(identity, address, hosts.size() == 1 ? "" : "SLURM_STEP_NODELIST=" + list);
  return identity;
}

}  // namespace tutti
