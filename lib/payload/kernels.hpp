// The families of built-in kernels, each in a file of its own to bound the time of compiling one. Each gives the
// kernels of the best SIMD target of this machine, or empty ones where the family does not have the pair.
#pragma once

#include "lib/payload/payload.hpp"

namespace tutti {

Operation integer_arithmetic(tutti_type type, tutti_op op);   // sum, avg, prod, min, max
Operation integer_logic(tutti_type type, tutti_op op);        // logical and bitwise and, or, xor
Operation floating_arithmetic(tutti_type type, tutti_op op);  // float32, float64 and complex of both
Operation half_arithmetic(tutti_type type, tutti_op op);      // float16, bfloat16
Operation located_extremum(tutti_type type, tutti_op op);     // minloc, maxloc
DivideKernel integer_division(tutti_type type);

inline bool is_built_in(tutti_op op) { return static_cast<unsigned>(op) <= TUTTI_BXOR; }

// Throws TUTTI_ERROR_ARGUMENT if `op` is not from create_operation or was freed.
Operation user_operation(tutti_type type, tutti_op op);
bool is_user_operation(tutti_op op);

}  // namespace tutti
