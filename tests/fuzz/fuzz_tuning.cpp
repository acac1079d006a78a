// Fuzz target: tuning files. What is read must be written and read again as the same.
#include "scheduler/tuning.hpp"
#include "tests/fuzz/exercise.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tutti::run_on(data, size, [](std::string_view text) {
    const std::string written = tutti::Tuning::parse(text, "fuzz").text();
    if (tutti::Tuning::parse(written, "fuzz").text() != written) std::abort();
  });
}
