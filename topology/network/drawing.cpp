// See drawing.hpp.
#include "topology/network/drawing.hpp"

#include <algorithm>
#include <map>

#include "error.hpp"

namespace tutti {
namespace {

constexpr std::int64_t most_counted = std::int64_t{1} << 21;
constexpr std::int64_t most_links_drawn = std::int64_t{1} << 22;

// What is drawn as one vertex: every vertex, the switches alone, or groups of switches.
enum class Detail { all, switches, groups };

std::int64_t drawn_vertices(const Network& network, Detail detail) {
  if (detail == Detail::all) return network.hosts() + network.switches();
  return detail == Detail::switches ? network.switches() : network.groups();
}

Detail detail_for(const Network& network) {
  if (drawn_vertices(network, Detail::all) <= most_drawn) return Detail::all;
  if (drawn_vertices(network, Detail::switches) <= most_drawn) return Detail::switches;
  const std::int64_t groups = drawn_vertices(network, Detail::groups);
  if (groups > 0 && groups <= most_drawn && network.links() <= most_links_drawn) return Detail::groups;
  throw error(
      TUTTI_ERROR_ARGUMENT,
      "{}: {} switches are too many for a picture, which has at most {} vertices; --format text or json is right",
      network.file(), network.switches(), most_drawn);
}

std::int64_t drawn_as(const Network& network, Detail detail, std::int64_t vertex) {
  return detail == Detail::groups && vertex >= network.hosts()
             ? network.hosts() + network.group_of(vertex - network.hosts())
             : vertex;
}

struct Line {
  std::int64_t links = 0;
  std::int64_t bytes_per_second = 0;
  double load = 0;
};

using Lines = std::map<std::pair<std::int64_t, std::int64_t>, Line>;

Lines lines_of(const Network& network, Detail detail, LinkLoad load) {
  Lines lines;
  for (std::int64_t id = 0; id < network.links(); ++id) {
    const Network::Ends ends = network.ends(id);
    if (detail != Detail::all && (ends.from < network.hosts() || ends.to < network.hosts())) continue;
    const auto pair = std::minmax({drawn_as(network, detail, ends.from), drawn_as(network, detail, ends.to)});
    if (pair.first == pair.second) continue;
    Line& line = lines[pair];
    ++line.links;
    line.bytes_per_second += network.link(id).bytes_per_second;
    if (static_cast<std::size_t>(id) < load.size()) line.load = std::max(line.load, load[static_cast<std::size_t>(id)]);
  }
  return lines;
}

// From grey over yellow to red, as Graphviz writes hue, saturation and value.
std::string colour(double share) {
  return share <= 0 ? "\"0 0 0.8\"" : fmt::format("\"{:.3f} 0.9 0.85\"", 0.16 * (1 - share));
}

std::string vertex_line(const Network& network, Detail detail, std::int64_t vertex) {
  const bool host = vertex < network.hosts();
  const std::string name =
      detail == Detail::groups ? fmt::format("group {}", vertex - network.hosts()) : network.vertex_name(vertex);
  return fmt::format("  v{} [label=\"{}\", shape={}];\n", vertex, name, host ? "box" : "ellipse");
}

std::string line_line(const std::pair<std::int64_t, std::int64_t>& pair, const Line& line, double greatest) {
  const double share = greatest > 0 ? line.load / greatest : 0;
  const std::string load = greatest > 0 ? fmt::format(", color={}, penwidth={:.2f}, tooltip=\"load {:.6g}\"",
                                                      colour(share), 0.5 + 3.5 * share, line.load)
                                        : "";
  // Each line stands for both directions.
  const std::string label = line.links > 2 ? fmt::format(", label=\"{}\"", line.links / 2) : "";
  return fmt::format("  v{} -- v{} [penwidth=1{}{}];\n", pair.first, pair.second, label, load);
}

std::string remark_on(const Network& network, Detail detail) {
  if (detail == Detail::all) return "";
  return fmt::format("{} hosts{} are left out of the picture, which has at most {} vertices", network.hosts(),
                     detail == Detail::groups ? " and the insides of groups" : "", most_drawn);
}

}  // namespace

std::optional<std::vector<LinkClass>> link_classes(const Network& network) {
  if (network.links() > most_counted) return std::nullopt;
  std::vector<LinkClass> classes;
  for (std::int64_t id = 0; id < network.links(); ++id) {
    const Network::Link rate = network.link(id);
    const std::string name = network.link_class(id);
    const auto found = std::find_if(classes.begin(), classes.end(),
                                    [&](const LinkClass& known) { return known.rate == rate && known.name == name; });
    if (found != classes.end())
      ++found->links;
    else
      classes.push_back({name, rate, 1});
  }
  return classes;
}

Drawing draw(const Network& network, LinkLoad load) {
  const Detail detail = detail_for(network);
  const Lines lines = lines_of(network, detail, load);
  double greatest = 0;
  for (const auto& [pair, line] : lines) greatest = std::max(greatest, line.load);
  std::string dot =
      "graph network {\n  layout=sfdp; overlap=prism; outputorder=edgesfirst;\n"
      "  node [fontsize=10, style=filled, fillcolor=white];\n  edge [fontsize=8];\n";
  const std::int64_t first = detail == Detail::all ? 0 : network.hosts();
  const std::int64_t end =
      detail == Detail::all ? drawn_vertices(network, detail) : network.hosts() + drawn_vertices(network, detail);
  for (std::int64_t vertex = first; vertex < end; ++vertex) dot += vertex_line(network, detail, vertex);
  for (const auto& [pair, line] : lines) dot += line_line(pair, line, greatest);
  return {dot + "}\n", remark_on(network, detail)};
}

}  // namespace tutti
