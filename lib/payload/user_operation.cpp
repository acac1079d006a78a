// Operations given by the user: the table of them, and kernels that bring the form out = left op right, with its
// freedom of aliasing and alignment, to the user's form inout = left op inout.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>

#include "lib/error.hpp"
#include "lib/payload/kernels.hpp"

namespace tutti {
namespace {

struct UserOperation;

// What a kernel's context points to: the operation and the type it was asked for.
struct TypedOperation {
  const UserOperation* operation = nullptr;
  tutti_type type = TUTTI_INT8;
  std::size_t element_bytes = 0;
};

constexpr std::size_t kTypeCount = TUTTI_INT64_INT64 + 1;

struct UserOperation {
  tutti_combine_function function = nullptr;
  void* context = nullptr;
  bool commutative = true;
  std::array<TypedOperation, kTypeCount> typed;
};

// Numbers are not used again, so that a number kept beyond its operation's end is found out. The first stands well
// apart from the built-in ones, which leaves room for more of those.
constexpr int kFirstNumber = 1024;

struct Table {
  std::mutex mutex;
  std::map<int, std::unique_ptr<UserOperation>> operations;
  int next = kFirstNumber;
};

// The operations belong to the process (tutti_op_create says so), and so does their table.
Table& table() {
  static Table the_table;
  return the_table;
}

// Elements pass through the stack in pieces of this size: small beside L1 and beside any thread's stack, large beside
// the cost of a call.
constexpr std::size_t kPieceBytes = 4096;
// User functions read elements as the type they are, so they get them aligned for the largest.
constexpr std::size_t kAlignment = 64;

struct alignas(kAlignment) Piece {
  std::array<unsigned char, kPieceBytes> bytes;
};

// result = sources[0] op sources[1] op ..., on up to kPieceBytes from `offset` on. The running value lies where the
// last call left it: in one of two pieces, which take turns, because the function overwrites its right operand.
const Piece& fold_piece(const TypedOperation& typed, const void* const* sources, std::size_t source_count,
                        std::size_t offset, std::size_t bytes, std::array<Piece, 2>& pieces) {
  const auto load = [&](Piece& piece, std::size_t source) {
    std::memcpy(piece.bytes.data(), static_cast<const unsigned char*>(sources[source]) + offset, bytes);
  };
  std::size_t running = 0;
  load(pieces[running], 0);
  for (std::size_t s = 1; s < source_count; ++s) {
    Piece& next = pieces[1 - running];
    load(next, s);
    typed.operation->function(pieces[running].bytes.data(), next.bytes.data(), bytes / typed.element_bytes, typed.type,
                              typed.operation->context);
    running = 1 - running;
  }
  return pieces[running];
}

void fold_to(void* out, void* copy, const void* const* sources, std::size_t source_count, std::size_t count,
             const void* context) {
  const auto& typed = *static_cast<const TypedOperation*>(context);
  const std::size_t total = count * typed.element_bytes;
  std::array<Piece, 2> pieces;
  for (std::size_t offset = 0; offset < total; offset += kPieceBytes) {
    const std::size_t bytes = std::min(kPieceBytes, total - offset);
    const Piece& result = fold_piece(typed, sources, source_count, offset, bytes, pieces);
    std::memcpy(static_cast<unsigned char*>(out) + offset, result.bytes.data(), bytes);
    if (copy != nullptr) std::memcpy(static_cast<unsigned char*>(copy) + offset, result.bytes.data(), bytes);
  }
}

// As a C array of the type would be: complex numbers and pairs are aligned as their halves.
bool aligned(const void* address, const TypedOperation& typed) {
  return reinterpret_cast<std::uintptr_t>(address) % std::min<std::size_t>(typed.element_bytes, 8) == 0;
}

// Where the right operand is the output the function can work on it directly, in one call.
void user_combine(void* out, const void* left, const void* right, std::size_t count, bool, const void* context) {
  const auto& typed = *static_cast<const TypedOperation*>(context);
  if (count == 0) return;
  if (out == left || !aligned(out, typed) || !aligned(left, typed)) {
    const std::array<const void*, 2> sources = {left, right};
    fold_to(out, nullptr, sources.data(), sources.size(), count, context);
    return;
  }
  if (out != right) std::memcpy(out, right, count * typed.element_bytes);
  typed.operation->function(left, out, count, typed.type, typed.operation->context);
}

void user_combine_twice(void* out, void* copy, const void* left, const void* right, std::size_t count, bool,
                        const void* context) {
  const std::array<const void*, 2> sources = {left, right};
  fold_to(out, copy, sources.data(), sources.size(), count, context);
}

void user_fold(void* out, const void* const* sources, std::size_t source_count, std::size_t count, bool,
               const void* context) {
  if (source_count > 0) fold_to(out, nullptr, sources, source_count, count, context);
}

Error unknown_operation(tutti_op op) {
  return error(TUTTI_ERROR_ARGUMENT,
               "operation {} is unknown: it is neither built in nor one from tutti_op_create that was not freed",
               static_cast<int>(op));
}

}  // namespace

tutti_op create_operation(tutti_combine_function function, void* context, bool commutative) {
  if (function == nullptr) throw error(TUTTI_ERROR_ARGUMENT, "the function of a new operation is null");
  auto created = std::make_unique<UserOperation>();
  created->function = function;
  created->context = context;
  created->commutative = commutative;
  for (std::size_t i = 0; i < kTypeCount; ++i) {
    const auto type = static_cast<tutti_type>(i);
    created->typed[i] = {created.get(), type, type_size(type)};
  }
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (all.next == std::numeric_limits<int>::max()) {
    throw error(TUTTI_ERROR_MEMORY, "all {} numbers for operations have been used in this process",
                all.next - kFirstNumber);
  }
  const int number = all.next++;
  all.operations.emplace(number, std::move(created));
  return static_cast<tutti_op>(number);
}

void free_operation(tutti_op op) {
  if (is_built_in(op)) {
    throw error(TUTTI_ERROR_ARGUMENT, "operation {} is built in and cannot be freed", op_name(op));
  }
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (all.operations.erase(static_cast<int>(op)) == 0) throw unknown_operation(op);
}

bool is_user_operation(tutti_op op) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  return all.operations.contains(static_cast<int>(op));
}

Operation user_operation(tutti_type type, tutti_op op) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto found = all.operations.find(static_cast<int>(op));
  if (found == all.operations.end()) throw unknown_operation(op);
  Operation result;
  result.combine = &user_combine;
  result.combine_twice = &user_combine_twice;
  result.fold = &user_fold;
  result.context = &found->second->typed[static_cast<std::size_t>(type)];
  result.commutative = found->second->commutative;
  return result;
}

}  // namespace tutti
