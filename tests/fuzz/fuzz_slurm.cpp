// Fuzz target: Slurm's topology.conf.
#include "tests/fuzz/exercise.hpp"
#include "topology/network/forms.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tutti::run_on(data, size,
                       [](std::string_view text) { tutti::exercise(tutti::network_of_slurm(text, "fuzz", {})); });
}
