// The known name that is closest to one nobody knows, for error messages: distance by single-letter edits.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace tutti {

// Levenshtein's distance, one row at a time.
inline std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (from[i - 1] == to[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

// The first of the closest names; empty where there are none.
inline std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names) {
  const auto found = std::min_element(names.begin(), names.end(), [&](std::string_view left, std::string_view right) {
    return edit_distance(name, left) < edit_distance(name, right);
  });
  return found == names.end() ? std::string_view{} : *found;
}

}  // namespace tutti
