// What the C++ face must refuse when it is compiled, and must not refuse: compiling this file is the test.
#include <complex>
#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "tutti/tutti.hpp"

namespace {

template <class Op, class T>
constexpr bool allreduces = requires(tutti::Communicator& comm, std::vector<T>& values, const Op& op) {
  comm.allreduce(std::span<T>(values.data(), 0), op);
  comm.allreduce(std::declval<T>(), op);
};
template <auto Op, class T>
constexpr bool combines = tutti::Combines<std::remove_const_t<decltype(Op)>, T>;

// Types that can travel, and types that cannot.
static_assert(tutti::type_of<int> == TUTTI_INT32 && tutti::type_of<unsigned long long> == TUTTI_UINT64);
static_assert(tutti::type_of<signed char> == TUTTI_INT8 && tutti::type_of<unsigned short> == TUTTI_UINT16);
static_assert(tutti::type_of<std::complex<float>> == TUTTI_COMPLEX64 && tutti::type_of<bool> == TUTTI_UINT8);
static_assert(tutti::type_of<tutti::Located<double>> == TUTTI_FLOAT64_INT64);
static_assert(!tutti::Element<long double> && !tutti::Element<std::complex<long double>>);
static_assert(!tutti::Element<std::string> && !tutti::Element<int*> && !tutti::Element<std::nullptr_t>);

// Operations that a type has, and those that it has not.
static_assert(combines<tutti::sum, float> && combines<tutti::sum, tutti::bfloat16> && combines<tutti::avg, int>);
static_assert(combines<tutti::prod, std::complex<double>> && combines<tutti::max, std::uint8_t>);
static_assert(combines<tutti::land, bool> && combines<tutti::band, std::byte> && combines<tutti::bxor, long>);
static_assert(combines<tutti::minloc, tutti::Located<float>>);
static_assert(!combines<tutti::sum, bool> && !combines<tutti::max, bool> && !combines<tutti::sum, std::byte>);
static_assert(!combines<tutti::band, float> && !combines<tutti::lor, double> && !combines<tutti::bor, tutti::float16>);
static_assert(!combines<tutti::min, std::complex<float>> && !combines<tutti::band, bool>);
static_assert(!combines<tutti::maxloc, float> && !combines<tutti::sum, tutti::Located<double>>);
static_assert(!combines<tutti::sum, long double>);

// The calls themselves refuse what the concepts refuse.
using Sum = tutti::BuiltIn<TUTTI_SUM>;
using BitAnd = tutti::BuiltIn<TUTTI_BAND>;
static_assert(allreduces<Sum, float> && !allreduces<Sum, long double> && !allreduces<BitAnd, float>);
static_assert(allreduces<BitAnd, int> && !allreduces<Sum, tutti::Located<float>>);
static_assert(allreduces<tutti::UserOperation<double>, double> && !allreduces<tutti::UserOperation<double>, float>);

// Buffers: contiguous, of one type, not const where they are written, not temporary where they must last.
template <class In, class Out>
constexpr bool gathers = requires(tutti::Communicator& comm, In in, Out out) {
  comm.allgather(in, out);
};
static_assert(gathers<std::vector<int>, std::vector<int>> && gathers<std::span<const int>, std::span<int>>);
static_assert(!gathers<std::vector<int>, std::vector<float>> && !gathers<std::vector<int>, std::span<const int>>);
static_assert(!gathers<std::list<int>, std::vector<int>> && !gathers<std::vector<bool>, std::vector<bool>>);

template <class Buffer>
constexpr bool starts = requires(tutti::Communicator& comm) {
  comm.iallreduce(std::declval<Buffer>(), tutti::sum);
};
static_assert(starts<std::vector<int>&> && starts<std::span<int>> && starts<int (&)[4]>);
static_assert(!starts<std::vector<int>> && !starts<const std::vector<int>&> && !starts<std::span<const int>>);

// Handles have one owner.
template <class T>
constexpr bool moves_only = std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T> &&
                            !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(moves_only<tutti::Communicator> && moves_only<tutti::Request> && moves_only<tutti::PersistentRequest>);
static_assert(moves_only<tutti::UserOperation<int>>);

// A user's operation is a callable on two elements.
template <class F>
constexpr bool makes_operation = std::is_constructible_v<tutti::UserOperation<int>, F>;
static_assert(makes_operation<int (*)(int, int)> && !makes_operation<int (*)(int)> && !makes_operation<int>);

}  // namespace
