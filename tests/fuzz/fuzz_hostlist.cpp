// Fuzz target: hostlists. Names that a list has are found in it again.
#include "tests/fuzz/exercise.hpp"
#include "topology/network/hostlist.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return tutti::run_on(data, size, [](std::string_view text) {
    const tutti::Hostlist list = tutti::Hostlist::parse(text, "fuzz: ");
    const std::int64_t step = list.size() / 50 + 1;
    for (std::int64_t i = 0; i < list.size(); i += step) {
      const auto found = list.find(list.name(i));
      if (!found || list.name(*found) != list.name(i)) std::abort();
    }
    if (list.size() > 65536) return;
    list.require_unique("fuzz: ");
    for (std::int64_t i = 0; i < list.size(); i += step)
      if (list.find(list.name(i)) != i) std::abort();
  });
}
