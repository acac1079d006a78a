// What travels and how two of them combine: element types, operations, and the dense kernels for them.
// The executor never touches bytes itself; it asks for a kernel once, when a plan is made, and calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tutti/tutti.h"

namespace tutti {

// out[i] = left[i] (op) right[i] for i < count. `out` may be `left` or `right`; no other overlap. No
// alignment is assumed. `streaming` asks for stores that pass the caches (large results nobody reads soon).
// `context` is what Operation::context says (user functions); the built-in kernels ignore it.
using CombineKernel = void (*)(void* out, const void* left, const void* right, std::size_t count, bool streaming,
                               const void* context);

// The same result written to two places in one pass, `out` (streaming where asked) and `copy` (always cached).
using CombineTwiceKernel = void (*)(void* out, void* copy, const void* left, const void* right, std::size_t count,
                                    bool streaming, const void* context);

// out[i] = ((sources[0][i] op sources[1][i]) op sources[2][i]) ...; `out` may be any one of the sources.
// Half types round to their own precision only once, after the last source: the running value is float32.
using FoldKernel = void (*)(void* out, const void* const* sources, std::size_t source_count, std::size_t count,
                            bool streaming, const void* context);

// data[i] = data[i] / divisor: the end of TUTTI_AVG.
using DivideKernel = void (*)(void* data, std::size_t count, std::uint64_t divisor);

// An operation on a type, resolved to kernels for this machine.
struct Operation {
  CombineKernel combine = nullptr;
  CombineTwiceKernel combine_twice = nullptr;
  FoldKernel fold = nullptr;
  DivideKernel divide = nullptr;   // not null for TUTTI_AVG only
  const void* context = nullptr;   // handed to each kernel
  bool commutative = true;
};

// Throws TUTTI_ERROR_ARGUMENT, naming both, where the type does not have the operation.
Operation operation(tutti_type type, tutti_op op);

std::size_t type_size(tutti_type type);             // 0 if unknown
std::string_view type_name(tutti_type type);        // "float32"
std::string_view op_name(tutti_op op);              // "sum"; "user" for a user's operation
tutti_type parse_type(std::string_view name);       // throws, listing the known names
tutti_op parse_op(std::string_view name);

// User operations: small integers from a process-wide table (thread safe).
tutti_op create_operation(tutti_combine_function function, void* context, bool commutative);
void free_operation(tutti_op op);

// Copies bytes; streaming stores pass the caches. Any alignment; no overlap.
void copy_bytes(void* out, const void* in, std::size_t bytes, bool streaming);

// The SIMD target in use, such as "AVX3"; for `tutti info` and the benchmark's record of the set-up.
std::string_view simd_target();

}  // namespace tutti
