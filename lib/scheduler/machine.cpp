// See machine.hpp.
#include "scheduler/machine.hpp"

namespace tutti {

std::int64_t Machine::correction_1024(Kind kind, std::string_view name) const {
  for (const Correction& each : corrections)
    if (each.kind == kind && each.name == name) return each.factor_1024;
  return 1024;
}

Machine described_machine(int ranks, int cores) {
  Machine machine;
  machine.ranks = ranks;
  machine.cores = cores;
  machine.hop_ps = 100'000;            // between two cores of one package: 70 ns measured on AMD, 180 on Intel
  machine.message_ps = 180'000;        // a step of the executor, and a line that comes from another core's cache
  machine.byte_ps_1024 = 80 * 1024;    // 64 KiB to 1 MiB between two ranks: 50 ps a byte on AMD, 150 on Intel
  machine.copy_ps_1024 = 75 * 1024;    // 64 MiB copied by all ranks at once: 4.9 to 5.7 ms
  machine.combine_ps_1024 = 5 * 1024;  // what it adds to the pass that reads the arriving bytes anyway
  machine.switch_ps = 1'000'000;       // sched_yield to a rank that waits on the same core
  machine.inline_bytes = 4 * 1024;     // shared memory's, for up to 128 ranks
  machine.max_message = 256 * 1024;    // a slot of shared memory
  machine.cache_bytes = 1024 * 1024;   // a core's second-level cache
  return machine;
}

NetworkCosts described_network() {
  NetworkCosts network;
  network.hop_ps = 5'000'000;         // a one-way hop over sockets took 7 to 9 us, of which the two ends are the rest
  network.message_ps = 1'500'000;     // a system call and a walk through the kernel
  network.gap_ps = 200'000;           // 5 million messages a second
  network.byte_ps_1024 = 800 * 1024;  // 10 Gbit/s
  network.inline_bytes = 8 * 1024;    // what libfabric and UCX commonly send without asking
  return network;
}

}  // namespace tutti
