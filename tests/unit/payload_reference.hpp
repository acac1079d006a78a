// What each operation gives, computed one element at a time by other means than the kernels': the standard library's
// arithmetic, 128-bit integers, and half types through exact float64 numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tutti/tutti.h"

namespace tutti::test {

using Bytes = std::vector<unsigned char>;

const std::vector<tutti_type>& all_types();
const std::vector<tutti_op>& all_operations();
bool has_operation(tutti_type type, tutti_op op);

// ((sources[0] op sources[1]) op sources[2]) ...; half types are rounded once, at the end.
Bytes reference_fold(tutti_type type, tutti_op op, const std::vector<Bytes>& sources);
Bytes reference_divide(tutti_type type, const Bytes& data, std::uint64_t divisor);

// `count` elements, half of them at random from the type's special values (zeros, infinities, NaNs with and
// without sign and payload, subnormals, extremes, small numbers), the others random bits or small numbers.
Bytes random_elements(tutti_type type, std::size_t count, std::mt19937_64& random);

// Half types to float64 (exactly) and back (to nearest, ties to even).
double half_to_double(tutti_type type, std::uint16_t bits);
std::uint16_t double_to_half(tutti_type type, double value);

}  // namespace tutti::test
