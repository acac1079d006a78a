// Finds the kernels of a type and an operation.
#include "lib/error.hpp"
#include "lib/payload/kernels.hpp"

namespace tutti {
namespace {

Operation built_in(tutti_type type, tutti_op op) {
  for (const auto family :
       {floating_arithmetic, half_arithmetic, integer_arithmetic, integer_logic, located_extremum}) {
    const Operation found = family(type, op);
    if (found.combine != nullptr) return found;
  }
  return {};
}

std::string_view types_of(tutti_op op) {
  switch (op) {
    case TUTTI_SUM:
    case TUTTI_AVG:
    case TUTTI_PROD:
      return "integers, floating and complex numbers";
    case TUTTI_MIN:
    case TUTTI_MAX:
      return "integers and floating numbers";
    case TUTTI_MINLOC:
    case TUTTI_MAXLOC:
      return "(value, index) pairs such as float32_int32";
    default:
      return "integers";
  }
}

}  // namespace

Operation operation(tutti_type type, tutti_op op) {
  if (type_size(type) == 0) {
    throw error(TUTTI_ERROR_ARGUMENT, "type {} is unknown; see tutti_type for those that exist",
                static_cast<int>(type));
  }
  if (!is_built_in(op)) return user_operation(type, op);
  const Operation found = built_in(type, op);
  if (found.combine == nullptr) {
    throw error(TUTTI_ERROR_ARGUMENT, "operation {} does not exist for {}: it is for {}", op_name(op), type_name(type),
                types_of(op));
  }
  return found;
}

}  // namespace tutti
