// The stamp of the machine that this process runs on: of all it has, not of what a rank is bound to, so that it is the
// same for every rank.
#include <set>

#include "error.hpp"
#include "scheduler/tuning.hpp"
#include "topology/node/node.hpp"

namespace tutti {
namespace {

std::string count(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string what_differs(const TuningStamp& made, const TuningStamp& here) {
  std::string differences;
  const auto compare = [&](std::string_view what, const std::string& there, const std::string& now) {
    if (there == now) return;
    differences += fmt::format("{}{} \"{}\", here \"{}\"", differences.empty() ? "" : "; ", what, there, now);
  };
  compare("version", made.version, here.version);
  compare("processor", made.processor, here.processor);
  compare("topology", made.topology, here.topology);
  compare("transport", made.transport, here.transport);
  return differences;
}

}  // namespace

TuningStamp stamp_here(std::string transport) {
  const Node node = this_node(Devices::left_out);
  std::set<int> domains;
  std::size_t units = 0;
  for (const Node::Core& core : node.cores) {
    domains.insert(core.numa);
    units += core.units.size();
  }
  return {tutti_version(), node.processor,
          fmt::format("{}, {}, {}, {}", count(static_cast<std::size_t>(node.packages), "package"),
                      count(domains.size(), "NUMA domain"), count(node.cores.size(), "core"), count(units, "unit")),
          std::move(transport)};
}

void require_made_here(const Tuning& tuning, const TuningStamp& here) {
  const std::string differences = what_differs(tuning.made, here);
  if (!differences.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "{} was made elsewhere: {}; measure here with `tutti tune`, or take it all the same with "
                "TUTTI_TUNING=force:{}",
                tuning.file, differences, tuning.file);
}

std::string tuning_for_job(const TuningWish& wish, std::string transport) {
  if (wish.path.find('\n') != std::string::npos)
    throw error(TUTTI_ERROR_ARGUMENT, "TUTTI_TUNING has a line break; FILE or force:FILE is right");
  std::string text = read_tuning_text(wish.path);
  const Tuning tuning = Tuning::parse(text, wish.path);
  const TuningStamp here = stamp_here(std::move(transport));
  if (!wish.forced) require_made_here(tuning, here);
  return text;
}

}  // namespace tutti
