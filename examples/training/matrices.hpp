// SPDX-License-Identifier: BSD-3-Clause
//
// The three matrix products of a dense layer, as plain loops over tiles that stay in registers: the compiler vectorises
// the innermost ones. All matrices lie row by row without gaps.
#pragma once

#include <cstddef>

namespace training {

// c (m x n) += a (m x k) b (k x n)
void add_product(const float* a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n);
// c (m x n) += a^T b, a (k x m), b (k x n)
void add_product_of_transposed(const float* a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n);
// c (m x n) = a b^T, a (m x k), b (n x k)
void product_with_transposed(const float* a, const float* b, float* c, std::size_t m, std::size_t k, std::size_t n);

}  // namespace training
