// Types and operations by name, size and number: one table of each.
#include <array>
#include <string>

#include "lib/error.hpp"
#include "lib/payload/kernels.hpp"

namespace tutti {
namespace {

struct TypeRow {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<TypeRow, 18> kTypes = {{
    {"int8", 1},
    {"int16", 2},
    {"int32", 4},
    {"int64", 8},
    {"uint8", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
    {"float16", 2},
    {"bfloat16", 2},
    {"float32", 4},
    {"float64", 8},
    {"complex64", 8},
    {"complex128", 16},
    {"float32_int32", 8},
    {"float64_int64", 16},
    {"int32_int32", 8},
    {"int64_int64", 16},
}};
static_assert(kTypes.size() == TUTTI_INT64_INT64 + 1);

constexpr std::array<std::string_view, 13> kOperations = {"sum",  "avg", "prod", "min",  "max", "minloc", "maxloc",
                                                          "land", "lor", "lxor", "band", "bor", "bxor"};
static_assert(kOperations.size() == TUTTI_BXOR + 1);

std::string_view name_in(const TypeRow& row) { return row.name; }
std::string_view name_in(std::string_view row) { return row; }

template <class Rows>
std::size_t find_name(const Rows& rows, std::string_view kind, std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (name_in(rows[i]) == name) return i;
    known += known.empty() ? "" : ", ";
    known += name_in(rows[i]);
  }
  throw error(TUTTI_ERROR_ARGUMENT, "unknown {} \"{}\"; known are {}", kind, name, known);
}

}  // namespace

std::size_t type_size(tutti_type type) {
  const auto row = static_cast<std::size_t>(type);
  return row < kTypes.size() ? kTypes[row].bytes : 0;
}

std::string_view type_name(tutti_type type) {
  const auto row = static_cast<std::size_t>(type);
  return row < kTypes.size() ? kTypes[row].name : "unknown";
}

std::string_view op_name(tutti_op op) {
  const auto row = static_cast<std::size_t>(op);
  if (row < kOperations.size()) return kOperations[row];
  return is_user_operation(op) ? "user" : "unknown";
}

tutti_type parse_type(std::string_view name) { return static_cast<tutti_type>(find_name(kTypes, "type", name)); }

tutti_op parse_op(std::string_view name) { return static_cast<tutti_op>(find_name(kOperations, "operation", name)); }

}  // namespace tutti
