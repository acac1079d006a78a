// A job over several hosts. An agent such as ssh starts `tutti run-part` on each of them, which runs the ranks of that
// host; the launcher holds the store. All that a part must know, the job's secret too, goes to it through the agent's
// standard input, never on a command line; the end of that input is the end of the ranks there.
#pragma once

#include <string>
#include <vector>

#include "tools/launcher/hosts.hpp"
#include "tools/launcher/job.hpp"

namespace tutti {

struct HostsOptions {
  std::vector<JobHost> hosts;
  std::vector<std::string> agent;  // the words before the host's name
  std::string address;             // where the hosts reach the launcher; empty: as the routes to them say
};

// As run_job; an agent that fails is a failure of the job that names the host.
bool run_job_on_hosts(const JobOptions& options, const HostsOptions& hosts);

// The part on this host: reads what it must do from standard input, and does it.
bool run_part_of_job();

}  // namespace tutti
