// SPDX-License-Identifier: BSD-3-Clause
//
// How two elements combine, in Tutti's C++ face: the built-in operations as typed constants, so that an
// operation that a type does not have is an error of the compiler, and operations of the user's own.
//
//   sum, prod, avg                       integers, floating point, halves, complex
//   min, max                             the same without complex
//   minloc, maxloc                       tutti::Located<V>
//   land, lor, lxor                      logical: integers and bool; the result is 0 or 1
//   band, bor, bxor                      bitwise: integers and std::byte
//
// Integers wrap in sums and products; avg truncates towards zero; a NaN gives NaN in min and max.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include "elements.hpp"
#include "failure.hpp"
#include "tutti.h"

namespace tutti::inline v0 {

namespace detail {

template <tutti_op Code, class T>
consteval bool has_operation() {
  if (Code == TUTTI_SUM || Code == TUTTI_PROD || Code == TUTTI_AVG) return Real<T> || Complex<T>;
  if (Code == TUTTI_MIN || Code == TUTTI_MAX) return Real<T>;
  if (Code == TUTTI_MINLOC || Code == TUTTI_MAXLOC) return Pair<T>;
  if (Code == TUTTI_LAND || Code == TUTTI_LOR || Code == TUTTI_LXOR) return Integer<T> || std::same_as<T, bool>;
  return Integer<T> || std::same_as<T, std::byte>;
}

// A callable on two elements. The operation itself is ruled out first: to ask of it whether it can be copied into
// one of its own constructors has no end.
template <class F, class T, class Operation>
concept CombineFunction = !std::same_as<F, Operation> && std::is_invocable_r_v<T, F&, const T&, const T&>;

}  // namespace detail

template <tutti_op Code>
struct BuiltIn {
  template <class T>
  static constexpr bool supports = detail::has_operation<Code, T>();
  static constexpr tutti_op code() noexcept { return Code; }
};

inline constexpr BuiltIn<TUTTI_SUM> sum{};
inline constexpr BuiltIn<TUTTI_AVG> avg{};
inline constexpr BuiltIn<TUTTI_PROD> prod{};
inline constexpr BuiltIn<TUTTI_MIN> min{};
inline constexpr BuiltIn<TUTTI_MAX> max{};
inline constexpr BuiltIn<TUTTI_MINLOC> minloc{};
inline constexpr BuiltIn<TUTTI_MAXLOC> maxloc{};
inline constexpr BuiltIn<TUTTI_LAND> land{};
inline constexpr BuiltIn<TUTTI_LOR> lor{};
inline constexpr BuiltIn<TUTTI_LXOR> lxor{};
inline constexpr BuiltIn<TUTTI_BAND> band{};
inline constexpr BuiltIn<TUTTI_BOR> bor{};
inline constexpr BuiltIn<TUTTI_BXOR> bxor{};

// Operation Op combines elements of type T.
template <class Op, class T>
concept Combines = Element<T> && requires(const Op& op) {
  requires Op::template supports<T>;
  { op.code() } -> std::convertible_to<tutti_op>;
};

// Whether contributions may be combined in any order, or in that of the ranks alone.
enum class Commutes { no, yes };

// A user's associative operation on T, released with the object; it must outlive every call that uses it.
//
//   tutti::UserOperation<double> hypotenuse([](double left, double right) { return std::hypot(left, right); });
//   world.allreduce(std::span(lengths), hypotenuse);
//
// `left` comes from lower ranks than `right`. The callable may hold state, which it keeps to itself: any
// thread that makes progress on the communicator may call it. An exception that leaves it ends the program.
// Throws Failure with TUTTI_ERROR_MEMORY when the table of operations is full.
template <Element T>
class UserOperation {
 public:
  template <class T2>
  static constexpr bool supports = std::same_as<T, T2>;

  template <detail::CombineFunction<T, UserOperation> F>
  explicit UserOperation(F function, Commutes commutes = Commutes::yes)
      : function_(new F(std::move(function)), [](void* held) { delete static_cast<F*>(held); }) {
    detail::check(tutti_op_create(&combine<F>, function_.get(), commutes == Commutes::yes ? 1 : 0, &code_));
  }
  UserOperation(UserOperation&&) noexcept = default;
  UserOperation& operator=(UserOperation&& other) noexcept {
    std::swap(function_, other.function_);
    std::swap(code_, other.code_);
    return *this;
  }
  ~UserOperation() {
    if (function_) tutti_op_free(code_);
  }

  tutti_op code() const noexcept { return code_; }

 private:
  template <class F>
  static void combine(const void* left, void* inout, std::size_t count, tutti_type, void* context) noexcept {
    F& function = *static_cast<F*>(context);
    auto* lower = static_cast<const std::byte*>(left);
    auto* both = static_cast<std::byte*>(inout);
    for (std::size_t i = 0; i < count; ++i, lower += sizeof(T), both += sizeof(T)) {
      T a, b;  // copied, since the library promises no alignment
      std::memcpy(&a, lower, sizeof(T));
      std::memcpy(&b, both, sizeof(T));
      const T result = function(std::as_const(a), std::as_const(b));
      std::memcpy(both, &result, sizeof(T));
    }
  }

  std::unique_ptr<void, void (*)(void*)> function_;
  tutti_op code_{};
};

}  // namespace tutti::inline v0
