// Fuzz target: the output of ibnetdiscover.
#include "tests/fuzz/exercise.hpp"
#include "topology/network/forms.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tutti::run_on(data, size,
                       [](std::string_view text) { tutti::exercise(tutti::network_of_infiniband(text, "fuzz", {})); });
}
