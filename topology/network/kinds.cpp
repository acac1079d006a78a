// The kinds of networks that a description may name, except `graph`, whose switches the description lists itself.
#include <array>

#include "topology/network/fabric.hpp"

namespace tutti {

std::span<const NetworkKind> network_kinds() {
  static const std::array kinds{single_switch, fat_tree, dragonfly, torus, hyperx, slim_fly, hamming_mesh};
  return kinds;
}

std::int64_t bounded_product(const TableSettings& settings, std::string_view key, std::string_view what,
                             std::int64_t most, std::span<const std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (factor != 0 && product > most / factor)
      throw settings.wrong(key, fmt::format("this asks for more than {} {}: at most so many are right", most, what));
    product *= factor;
  }
  return product;
}

}  // namespace tutti
