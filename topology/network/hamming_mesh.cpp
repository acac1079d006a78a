// HammingMesh (Hoefler et al., SC22): boards that are small meshes of hosts, each host with a switch of its own; the
// two ends of every row of a board lead to a network of that row across all boards, and so for the columns.
//
// A row's network is one switch while both ends of all its boards fit its ports, else a two-level fat tree of such
// switches. The route goes in rows first, then in columns; in each it stays on the mesh where that is no longer.
#include <algorithm>
#include <array>

#include "topology/network/fabric.hpp"

namespace tutti {
namespace {

enum : int { board_class = 0, row_class = 1, column_class = 2 };

// The lines of one direction: all hosts of a global row, board by board, and the switches that join the boards' ends.
struct Line {
  std::int64_t boards;      // along it
  std::int64_t length;      // hosts of a board along it
  std::int64_t lines;       // how many there are
  std::int64_t stride;      // between hosts along it
  std::int64_t leaf_ports;  // boards' ends on one leaf
  std::int64_t leaves;
  std::int64_t spines;  // none where one leaf carries all
  std::int64_t first_switch = 0;
  std::int64_t first_link = 0;

  std::int64_t hosts() const { return boards * length; }
  std::int64_t ends() const { return 2 * boards; }
  std::int64_t switches() const { return leaves + spines; }
  // Of one line: mesh links, links of the ends, links to the spines; each there and back.
  std::int64_t mesh_links() const { return boards * (length - 1); }
  std::int64_t cables() const { return mesh_links() + ends() + leaves * spines; }
};

class HammingMesh final : public Fabric {
 public:
  HammingMesh(const Line& rows, const Line& columns) : lines_{rows, columns} {
    hosts_ = rows.hosts() * columns.hosts();
    std::int64_t next = hosts_;
    for (Line& line : lines_) {
      line.first_switch = next;
      next += line.lines * line.switches();
      line.first_link = links_;
      links_ += 2 * line.lines * line.cables();
    }
  }

  std::int64_t switches() const override { return lines_[1].first_switch + lines_[1].lines * lines_[1].switches(); }
  std::int64_t edge_switches() const override { return hosts_; }
  std::int64_t hosts_per_switch() const override { return 1; }
  std::int64_t links() const override { return links_; }
  int classes() const override { return 3; }

  std::string switch_name(std::int64_t id) const override {
    if (id < hosts_) return fmt::format("({},{})", id % lines_[0].hosts(), id / lines_[0].hosts());
    const std::size_t d = id >= lines_[1].first_switch ? 1 : 0;
    const Line& line = lines_[d];
    const std::int64_t number = (id - line.first_switch) / line.switches();
    const std::int64_t inside = (id - line.first_switch) % line.switches();
    const bool leaf = inside < line.leaves;
    return fmt::format("{}{}.{}{}", d == 0 ? "row" : "column", number, leaf ? "leaf" : "spine",
                       leaf ? inside : inside - line.leaves);
  }

  FabricLink link(std::int64_t id) const override {
    const std::size_t d = id >= lines_[1].first_link ? 1 : 0;
    const Line& line = lines_[d];
    const std::int64_t cable = (id - line.first_link) / 2;
    const std::int64_t number = cable / line.cables();
    const auto [low, high, on_board] = ends_of(line, number, cable % line.cables());
    const int link_class = on_board ? board_class : d == 0 ? row_class : column_class;
    // A board of one host has both its ends on that host: two links between the same two.
    const std::int64_t inside = cable % line.cables() - line.mesh_links();
    const std::int64_t parallel = !on_board && line.length == 1 && inside < line.ends() ? inside % 2 : 0;
    return id % 2 == 0 ? FabricLink{low, high, link_class, parallel} : FabricLink{high, low, link_class, parallel};
  }

  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override {
    std::int64_t here = from;
    for (std::size_t d = 0; d < 2; ++d) {
      const std::int64_t start = along(d, here), goal = along(d, to);
      walk(lines_[d], number_of(d, here), start, goal, choice, path);
      here += (goal - start) * lines_[d].stride;
    }
  }

 private:
  struct Joined {
    std::int64_t low, high;
    bool on_board;
  };

  std::int64_t along(std::size_t d, std::int64_t host) const {
    return d == 0 ? host % lines_[0].hosts() : host / lines_[0].hosts();
  }
  std::int64_t number_of(std::size_t d, std::int64_t host) const { return along(1 - d, host); }
  std::int64_t host_at(const Line& line, std::int64_t number, std::int64_t position) const {
    return position * line.stride + number * (line.stride == 1 ? line.hosts() : 1);
  }
  std::int64_t switch_of(const Line& line, std::int64_t number, std::int64_t inside) const {
    return line.first_switch + number * line.switches() + inside;
  }

  Joined ends_of(const Line& line, std::int64_t number, std::int64_t cable) const {
    if (cable < line.mesh_links()) {
      const std::int64_t position = cable / (line.length - 1) * line.length + cable % (line.length - 1);
      return {host_at(line, number, position), host_at(line, number, position + 1), true};
    }
    cable -= line.mesh_links();
    if (cable < line.ends()) {
      const std::int64_t position = cable / 2 * line.length + (cable % 2 == 0 ? 0 : line.length - 1);
      return {host_at(line, number, position), switch_of(line, number, cable / line.leaf_ports), false};
    }
    cable -= line.ends();
    return {switch_of(line, number, cable / line.spines), switch_of(line, number, line.leaves + cable % line.spines),
            false};
  }

  std::int64_t id_of(const Line& line, std::int64_t number, std::int64_t cable, bool back) const {
    return line.first_link + 2 * (number * line.cables() + cable) + (back ? 1 : 0);
  }

  // Inside a board, from one position to another.
  void step(const Line& line, std::int64_t number, std::int64_t from, std::int64_t to,
            std::vector<std::int64_t>& path) const {
    const bool back = to < from;
    for (std::int64_t position = from; position != to; position += back ? -1 : 1) {
      const std::int64_t low = back ? position - 1 : position;
      path.push_back(id_of(line, number, low / line.length * (line.length - 1) + low % line.length, back));
    }
  }

  // From one end of a board to another over the line's switches; ends are numbered along the line.
  std::int64_t hops_between(const Line& line, std::int64_t from, std::int64_t to) const {
    return from / line.leaf_ports == to / line.leaf_ports ? 2 : 4;
  }

  // Out at an end of the one board and in at an end of the other: the pair that needs the fewest links.
  void walk(const Line& line, std::int64_t number, std::int64_t from, std::int64_t to, std::uint64_t choice,
            std::vector<std::int64_t>& path) const {
    if (from == to) return;
    const std::int64_t board = from / line.length, goal = to / line.length;
    const std::int64_t start = from % line.length, stop = to % line.length;
    const auto to_end = [&](std::int64_t position, std::int64_t end) {
      return end == 0 ? position : line.length - 1 - position;
    };
    std::int64_t least = board == goal ? std::abs(to - from) : std::numeric_limits<std::int64_t>::max();
    std::int64_t best_out = -1, best_in = -1;
    for (std::uint64_t i = 0; i < 4; ++i) {
      const auto pair = static_cast<std::int64_t>((i + choice) % 4);
      const std::int64_t out = pair / 2, in = pair % 2;
      if (board == goal && out == in) continue;
      const std::int64_t hops =
          to_end(start, out) + to_end(stop, in) + hops_between(line, 2 * board + out, 2 * goal + in);
      if (hops >= least) continue;
      least = hops, best_out = out, best_in = in;
    }
    if (best_out < 0) return step(line, number, from, to, path);
    const std::int64_t leave = board * line.length + (best_out == 0 ? 0 : line.length - 1);
    const std::int64_t enter = goal * line.length + (best_in == 0 ? 0 : line.length - 1);
    step(line, number, from, leave, path);
    cross(line, number, 2 * board + best_out, 2 * goal + best_in, choice, path);
    step(line, number, enter, to, path);
  }

  void cross(const Line& line, std::int64_t number, std::int64_t out, std::int64_t in, std::uint64_t choice,
             std::vector<std::int64_t>& path) const {
    path.push_back(id_of(line, number, line.mesh_links() + out, false));
    const std::int64_t leaf = out / line.leaf_ports, other = in / line.leaf_ports;
    if (leaf != other) {
      const auto spine = static_cast<std::int64_t>(choice % static_cast<std::uint64_t>(line.spines));
      const std::int64_t first = line.mesh_links() + line.ends();
      path.push_back(id_of(line, number, first + leaf * line.spines + spine, false));
      path.push_back(id_of(line, number, first + other * line.spines + spine, true));
    }
    path.push_back(id_of(line, number, line.mesh_links() + in, true));
  }

  std::array<Line, 2> lines_;
  std::int64_t hosts_ = 0;
  std::int64_t links_ = 0;
};

Line line_of(const TableSettings& settings, std::string_view key, std::int64_t boards, std::int64_t length) {
  const std::int64_t ports = settings.integer("switch_ports", 64);
  Line line{boards, length, 0, 0, ports, 1, 0};
  if (line.ends() <= ports) return line;
  line.leaf_ports = ports / 2;
  line.leaves = (line.ends() + line.leaf_ports - 1) / line.leaf_ports;
  line.spines = ports / 2;
  if (line.leaves > ports)
    throw settings.wrong(
        key, fmt::format("a line of {} boards needs more than two levels of switches with {} ports", boards, ports));
  return line;
}

std::unique_ptr<Fabric> make(const TableSettings& settings) {
  const std::vector<std::int64_t> board = settings.integers("board"), boards = settings.integers("boards");
  if (board.size() != 2) throw settings.wrong("board", "\"board\" must be two numbers: hosts in a row and in a column");
  if (boards.size() != 2)
    throw settings.wrong("boards", "\"boards\" must be two numbers: boards in a row and in a column");
  bounded_product(settings, "boards", "hosts", most_hosts, std::array{board[0], board[1], boards[0], boards[1]});
  if (settings.integer("switch_ports", 64) % 2 != 0)
    throw settings.wrong("switch_ports", "switch_ports is odd: an even number is right");
  Line rows = line_of(settings, "boards", boards[0], board[0]),
       columns = line_of(settings, "boards", boards[1], board[1]);
  rows.lines = columns.hosts(), rows.stride = 1;
  columns.lines = rows.hosts(), columns.stride = rows.hosts();
  return std::make_unique<HammingMesh>(rows, columns);
}

constexpr std::array keys{
    Key{"board", KeyType::integers, "", "hosts of a board: in a row, in a column", 1, 1024},
    Key{"boards", KeyType::integers, "", "boards: in a row, in a column", 1, 1 << 16},
    Key{"switch_ports", KeyType::integer, "64", "ports of the switches that join the boards of a row or a column", 2,
        4096},
};
constexpr std::array<std::string_view, 3> classes{"board", "row", "column"};

}  // namespace

const NetworkKind hamming_mesh = {
    "hammingmesh", "boards of meshes, their rows and columns joined by switches", keys, classes, false, make};

}  // namespace tutti
