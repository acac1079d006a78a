// SPDX-License-Identifier: BSD-3-Clause
#include "matrices.hpp"

#include <algorithm>

namespace training {
namespace {

// A tile of 4 x 32 sums takes 8 registers of 512 bits, or 16 of 256.
constexpr std::size_t tile_rows = 4;
constexpr std::size_t tile_columns = 32;
constexpr std::size_t lanes = 16;

// Where element (row, inner) of the left factor lies.
struct Left {
  const float* first;
  std::size_t row_step;
  std::size_t inner_step;
};

void add_full_tile(Left a, const float* b, float* c, std::size_t k, std::size_t n) {
  float sums[tile_rows][tile_columns];
  for (std::size_t row = 0; row < tile_rows; ++row)
    for (std::size_t column = 0; column < tile_columns; ++column) sums[row][column] = c[row * n + column];
  for (std::size_t inner = 0; inner < k; ++inner) {
    for (std::size_t row = 0; row < tile_rows; ++row) {
      const float factor = a.first[row * a.row_step + inner * a.inner_step];
      for (std::size_t column = 0; column < tile_columns; ++column) sums[row][column] += factor * b[inner * n + column];
    }
  }
  for (std::size_t row = 0; row < tile_rows; ++row)
    for (std::size_t column = 0; column < tile_columns; ++column) c[row * n + column] = sums[row][column];
}

void add_edge_tile(Left a, const float* b, float* c, std::size_t rows, std::size_t k, std::size_t columns,
                   std::size_t n) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t inner = 0; inner < k; ++inner) {
      const float factor = a.first[row * a.row_step + inner * a.inner_step];
      for (std::size_t column = 0; column < columns; ++column) c[row * n + column] += factor * b[inner * n + column];
    }
  }
}

// Column tiles outside: the panel of b that one tile reads stays in the cache for all rows.
void add_tiles(Left a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n) {
  for (std::size_t column = 0; column < n; column += tile_columns) {
    const std::size_t columns = std::min(tile_columns, n - column);
    for (std::size_t row = 0; row < m; row += tile_rows) {
      const std::size_t rows = std::min(tile_rows, m - row);
      const Left part{a.first + row * a.row_step, a.row_step, a.inner_step};
      if (rows == tile_rows && columns == tile_columns) {
        add_full_tile(part, b + column, c + row * n + column, k, n);
      } else {
        add_edge_tile(part, b + column, c + row * n + column, rows, k, columns, n);
      }
    }
  }
}

// One row of a with `Columns` rows of b; sums in lanes, since the compiler may not reorder a single one.
template <std::size_t Columns>
void dot_rows(const float* a, const float* b, float* c, std::size_t k) {
  float sums[Columns][lanes] = {};
  std::size_t inner = 0;
  for (; inner + lanes <= k; inner += lanes) {
    for (std::size_t column = 0; column < Columns; ++column)
      for (std::size_t lane = 0; lane < lanes; ++lane)
        sums[column][lane] += a[inner + lane] * b[column * k + inner + lane];
  }
  for (std::size_t column = 0; column < Columns; ++column) {
    float total = 0;
    for (std::size_t lane = 0; lane < lanes; ++lane) total += sums[column][lane];
    for (std::size_t rest = inner; rest < k; ++rest) total += a[rest] * b[column * k + rest];
    c[column] = total;
  }
}

}  // namespace

void add_product(const float* a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n) {
  add_tiles({a, k, 1}, b, c, m, k, n);
}

void add_product_of_transposed(const float* a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n) {
  add_tiles({a, 1, m}, b, c, m, k, n);
}

void product_with_transposed(const float* a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n) {
  constexpr std::size_t together = 8;
  std::size_t column = 0;
  // Rows of a inside: the rows of b that are in the cache serve them all.
  for (; column + together <= n; column += together)
    for (std::size_t row = 0; row < m; ++row) dot_rows<together>(a + row * k, b + column * k, c + row * n + column, k);
  for (; column < n; ++column)
    for (std::size_t row = 0; row < m; ++row) dot_rows<1>(a + row * k, b + column * k, c + row * n + column, k);
}

}  // namespace training
