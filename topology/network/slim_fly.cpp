// Slim Fly (Besta and Hoefler, SC14): the graphs of McKay, Miller and Siran, of 2q^2 switches no two of which are more
// than two links apart, for q = 4w + d a power of a prime with d in {-1, 0, 1}.
//
// Switch (0, x, y) is joined to (0, x, y') where y - y' is in X, switch (1, m, c) to (1, m, c') where c - c' is in X',
// and (0, x, y) to (1, m, c) where y = m x + c; all in the field of q elements. X are even powers of its primitive
// element, X' odd ones, and for d = -1 each has the negatives of its own.
#include <array>

#include "topology/network/fabric.hpp"
#include "topology/network/galois_field.hpp"

namespace tutti {
namespace {

enum : int { local_class = 0, global_class = 1 };
constexpr int most_q = 256;

struct Place {
  int half;
  int column;  // x or m
  int row;     // y or c
};

class SlimFly final : public Fabric {
 public:
  SlimFly(int q, std::int64_t hosts_per_switch) : field_(q), q_(q), hosts_per_switch_(hosts_per_switch) {
    fill_generators();
    for (int half = 0; half < 2; ++half) {
      port_[half].assign(static_cast<std::size_t>(q), -1);
      for (std::size_t i = 0; i < generators_[half].size(); ++i)
        port_[half][static_cast<std::size_t>(generators_[half][i])] = static_cast<int>(i);
    }
    radix_ = static_cast<std::int64_t>(generators_[0].size()) + q;
  }

  std::int64_t switches() const override { return std::int64_t{2} * q_ * q_; }
  std::int64_t edge_switches() const override { return switches(); }
  std::int64_t hosts_per_switch() const override { return hosts_per_switch_; }
  std::int64_t links() const override { return switches() * radix_; }
  int classes() const override { return 2; }
  std::string switch_name(std::int64_t id) const override {
    const Place place = place_of(id);
    return fmt::format("({},{},{})", place.half, place.column, place.row);
  }

  std::int64_t groups() const override { return std::int64_t{2} * q_; }
  std::int64_t group_of(std::int64_t id) const override { return id / q_; }

  FabricLink link(std::int64_t id) const override {
    const std::int64_t from = id / radix_, port = id % radix_;
    const Place here = place_of(from);
    const auto& own = generators_[here.half];
    const auto locals = static_cast<std::int64_t>(own.size());
    if (port < locals) {
      const int row = field_.add(here.row, own[static_cast<std::size_t>(port)]);
      return {from, switch_at({here.half, here.column, row}), local_class, 0};
    }
    return {from, switch_at(across(here, static_cast<int>(port - locals))), global_class, 0};
  }

  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override {
    if (from == to) return;
    const Place start = place_of(from), goal = place_of(to);
    if (const std::int64_t direct = port_to(start, goal); direct >= 0) {
      path.push_back(from * radix_ + direct);
      return;
    }
    const std::int64_t port = port_over(start, goal, choice);
    const Place middle = place_of(link(from * radix_ + port).to);
    path.push_back(from * radix_ + port);
    path.push_back(switch_at(middle) * radix_ + port_to(middle, goal));
  }

  std::int64_t detour(std::int64_t /*from*/, std::int64_t /*to*/, std::uint64_t draw) const override {
    return static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(switches()));
  }

 private:
  void fill_generators() {
    if (q_ % 4 == 3) {
      const int w = (q_ + 1) / 4;
      for (int i = 0; i < w; ++i) generators_[0].push_back(field_.power(2 * i));
      for (int i = 0; i < w; ++i) generators_[0].push_back(field_.power(2 * w - 1 + 2 * i));
      for (int i = 0; i < w; ++i) generators_[1].push_back(field_.power(2 * i + 1));
      for (int i = 0; i < w; ++i) generators_[1].push_back(field_.power(2 * w + 2 * i));
      return;
    }
    // Of a field of 2^n elements the exponents 0, 2, ..., q-2 and 1, 3, ..., q-1; power(q - 1) is power(0).
    const int half = q_ % 2 == 0 ? q_ / 2 : (q_ - 1) / 2;
    for (int i = 0; i < half; ++i) generators_[0].push_back(field_.power(2 * i));
    for (int i = 0; i < half; ++i) generators_[1].push_back(field_.power(2 * i + 1));
  }

  Place place_of(std::int64_t id) const {
    return {static_cast<int>(id / q_ / q_), static_cast<int>(id / q_ % q_), static_cast<int>(id % q_)};
  }
  std::int64_t switch_at(const Place& place) const {
    return (std::int64_t{place.half} * q_ + place.column) * q_ + place.row;
  }
  // The neighbour in column `column` of the other half.
  Place across(const Place& place, int column) const {
    const int product = field_.multiply(place.column, column);
    return place.half == 0 ? Place{1, column, field_.subtract(place.row, product)}
                           : Place{0, column, field_.add(place.row, product)};
  }

  // The port of a switch that leads straight to another, or -1.
  std::int64_t port_to(const Place& from, const Place& to) const {
    const auto& own = generators_[from.half];
    if (from.half != to.half)
      return across(from, to.column).row == to.row ? static_cast<std::int64_t>(own.size()) + to.column : -1;
    if (from.column != to.column) return -1;
    return port_[from.half][static_cast<std::size_t>(field_.subtract(to.row, from.row))];
  }

  // A port towards a switch that neighbours both; `choice` picks where there are several.
  std::int64_t port_over(const Place& from, const Place& to, std::uint64_t choice) const {
    const auto locals = static_cast<std::int64_t>(generators_[from.half].size());
    std::vector<std::int64_t> ports;
    if (from.half == to.half && from.column != to.column) {
      // Lines of different slope meet once: (y - y') / (x - x'), and (c' - c) / (m - m') from the other half.
      const int rise = from.half == 0 ? field_.subtract(from.row, to.row) : field_.subtract(to.row, from.row);
      return locals + field_.divide(rise, field_.subtract(from.column, to.column));
    }
    for (std::int64_t port = 0; port < locals; ++port) {
      const int row = field_.add(from.row, generators_[from.half][static_cast<std::size_t>(port)]);
      if (port_to({from.half, from.column, row}, to) >= 0) ports.push_back(port);
    }
    if (from.half != to.half && port_to(across(from, to.column), to) >= 0) ports.push_back(locals + to.column);
    return ports[mix(choice) % ports.size()];
  }

  GaloisField field_;
  int q_;
  std::int64_t hosts_per_switch_;
  std::int64_t radix_ = 0;
  std::array<std::vector<int>, 2> generators_;
  std::array<std::vector<int>, 2> port_;  // by difference of rows: which local port, or -1
};

std::unique_ptr<Fabric> make(const TableSettings& settings) {
  const auto q = static_cast<int>(settings.integer("q"));
  if (q < 3 || q % 4 == 2 || !GaloisField::exists(q))
    throw settings.wrong("q",
                         fmt::format("q = {}: a power of a prime of 3 and more is right, such as 5, 7, 8, 9, 11, 13, "
                                     "16, 17, 19",
                                     q));
  const std::int64_t hosts_per_switch = settings.integer("hosts_per_switch");
  bounded_product(settings, "hosts_per_switch", "hosts", most_hosts,
                  std::array{std::int64_t{2} * q * q, hosts_per_switch});
  return std::make_unique<SlimFly>(q, hosts_per_switch);
}

constexpr std::array keys{
    Key{"q", KeyType::integer, "", "a power of a prime: there are 2q^2 switches", 3, most_q},
    Key{"hosts_per_switch", KeyType::integer, "", "hosts on every switch", 1, 65536},
};
constexpr std::array<std::string_view, 2> classes{"local", "global"};

}  // namespace

const NetworkKind slim_fly = {"slim-fly", "2q^2 switches, no two more than two links apart", keys, classes, true, make};

}  // namespace tutti
