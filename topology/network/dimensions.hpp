// Coordinates of switches in several dimensions, and the names of their links: for tori, meshes and HyperX. The first
// dimension counts fastest.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"

namespace tutti {

inline constexpr std::array<std::string_view, 5> dimension_names{"x", "y", "z", "u", "v"};

struct Dimension {
  std::int64_t size;
  std::int64_t stride;          // between switches that follow each other in this dimension
  std::int64_t parallel = 1;    // links to each neighbour, in each direction
  std::int64_t first_link = 0;  // of this dimension

  std::int64_t coordinate(std::int64_t id) const { return id / stride % size; }
  // The switches that differ in this dimension alone form a line; lines are numbered, and have a switch at each
  // coordinate.
  std::int64_t line(std::int64_t id) const { return id / (stride * size) * stride + id % stride; }
  std::int64_t on_line(std::int64_t line, std::int64_t coordinate) const {
    return line / stride * (stride * size) + coordinate * stride + line % stride;
  }
};

inline std::vector<Dimension> dimensions_of(std::span<const std::int64_t> sizes) {
  std::vector<Dimension> dimensions;
  std::int64_t stride = 1;
  for (const std::int64_t size : sizes) {
    dimensions.push_back({size, stride});
    stride *= size;
  }
  return dimensions;
}

// "(3,0,1)"
inline std::string coordinates_text(std::span<const Dimension> dimensions, std::int64_t id) {
  std::string text;
  for (const Dimension& dimension : dimensions)
    text += fmt::format("{}{}", text.empty() ? "(" : ",", dimension.coordinate(id));
  return text + ")";
}

// The dimension in whose numbers a link lies.
inline std::size_t dimension_of_link(std::span<const Dimension> dimensions, std::int64_t id) {
  std::size_t d = dimensions.size() - 1;
  while (dimensions[d].first_link > id) --d;
  return d;
}

}  // namespace tutti
