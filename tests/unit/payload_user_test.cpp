// Operations given by the user: order of the operands, aliasing, alignment, lifetime.
#include <array>
#include <cstring>
#include <thread>

#include "lib/error.hpp"
#include "lib/payload/payload.hpp"
#include "tests/catch.hpp"
#include "tests/unit/payload_reference.hpp"

namespace tutti::test {
namespace {

// Composition of x -> a x + b over the integers modulo 2^32: associative, and far from commutative.
struct Affine {
  std::uint32_t a, b;
  bool operator==(const Affine&) const = default;
};
static_assert(sizeof(Affine) == 8);

Affine compose(Affine left, Affine right) { return {left.a * right.a, left.a * right.b + left.b}; }

void compose_all(const void* left, void* inout, std::size_t count, tutti_type type, void* context) {
  if (type != TUTTI_UINT64) throw std::logic_error("another type was asked for");
  const auto* a = static_cast<const Affine*>(left);
  auto* b = static_cast<Affine*>(inout);
  for (std::size_t i = 0; i < count; ++i) b[i] = compose(a[i], b[i]);
  *static_cast<std::size_t*>(context) += count;
}

std::vector<Affine> random_affines(std::size_t count, std::mt19937_64& random) {
  std::vector<Affine> all(count);
  for (Affine& one : all) one = {static_cast<std::uint32_t>(random()) | 1u, static_cast<std::uint32_t>(random())};
  return all;
}

std::vector<Affine> composed(const std::vector<Affine>& left, const std::vector<Affine>& right) {
  std::vector<Affine> result(left.size());
  for (std::size_t i = 0; i < left.size(); ++i) result[i] = compose(left[i], right[i]);
  return result;
}

TEST_CASE("a user's operation keeps left and right apart under every aliasing") {
  std::size_t combined = 0;
  const tutti_op op = create_operation(compose_all, &combined, false);
  const Operation kernels = operation(TUTTI_UINT64, op);
  CHECK_FALSE(kernels.commutative);
  CHECK(op_name(op) == "user");
  std::mt19937_64 random(1);
  for (const std::size_t count : {0, 1, 3, 512, 513, 5000}) {
    const auto a = random_affines(count, random), b = random_affines(count, random), c = random_affines(count, random);
    const auto expected = composed(a, b);
    auto left = a, right = b;
    std::vector<Affine> out(count), copy(count);
    combined = 0;
    kernels.combine(out.data(), left.data(), right.data(), count, false, kernels.context);
    CHECK(out == expected);
    CHECK(combined == count);
    kernels.combine_twice(out.data(), copy.data(), left.data(), right.data(), count, false, kernels.context);
    CHECK((out == expected && copy == expected));
    kernels.combine(left.data(), left.data(), right.data(), count, true, kernels.context);
    CHECK(left == expected);
    left = a;
    kernels.combine(right.data(), left.data(), right.data(), count, true, kernels.context);
    CHECK((right == expected && left == a));
    kernels.combine(left.data(), left.data(), left.data(), count, false, kernels.context);
    CHECK(left == composed(a, a));

    auto first = a, second = b, third = c;
    const std::array<const void*, 3> sources = {first.data(), second.data(), third.data()};
    kernels.fold(out.data(), sources.data(), sources.size(), count, false, kernels.context);
    CHECK(out == composed(composed(a, b), c));
    kernels.fold(second.data(), sources.data(), sources.size(), count, false, kernels.context);
    CHECK(second == composed(composed(a, b), c));
  }
  free_operation(op);
}

TEST_CASE("a user's operation gets aligned elements, whatever the buffers' alignment") {
  const auto add_aligned = [](const void* left, void* inout, std::size_t count, tutti_type, void*) {
    for (const void* address : {left, static_cast<const void*>(inout)}) {
      if (reinterpret_cast<std::uintptr_t>(address) % alignof(double) != 0) return;  // the sum will be missing
    }
    for (std::size_t i = 0; i < count; ++i) static_cast<double*>(inout)[i] += static_cast<const double*>(left)[i];
  };
  const tutti_op op = create_operation(add_aligned, nullptr, true);
  const Operation kernels = operation(TUTTI_FLOAT64, op);
  const std::array<double, 3> a = {1, 2, 3}, b = {10, 20, 30}, expected = {11, 22, 33};
  for (const std::size_t offset : {0, 1, 4, 7}) {
    alignas(8) std::array<unsigned char, 40> left, right, out;
    std::memcpy(left.data() + offset, a.data(), sizeof a);
    std::memcpy(right.data() + offset, b.data(), sizeof b);
    kernels.combine(out.data() + offset, left.data() + offset, right.data() + offset, 3, false, kernels.context);
    CHECK(std::memcmp(out.data() + offset, expected.data(), sizeof expected) == 0);
  }
  free_operation(op);
}

TEST_CASE("an operation that was freed or never made is an argument error that names its number") {
  const auto nothing = [](const void*, void*, std::size_t, tutti_type, void*) {};
  const tutti_op op = create_operation(nothing, nullptr, true);
  const tutti_op other = create_operation(nothing, nullptr, true);
  CHECK(op > TUTTI_BXOR);
  CHECK(other != op);
  free_operation(op);
  CHECK_NOTHROW(operation(TUTTI_FLOAT32, other));
  const auto code_of = [](auto function) {
    try {
      function();
    } catch (const Error& error) {
      return error.code();
    }
    return TUTTI_OK;
  };
  CHECK(code_of([&] { operation(TUTTI_FLOAT32, op); }) == TUTTI_ERROR_ARGUMENT);
  CHECK(code_of([&] { free_operation(op); }) == TUTTI_ERROR_ARGUMENT);
  CHECK(code_of([&] { free_operation(TUTTI_SUM); }) == TUTTI_ERROR_ARGUMENT);
  CHECK(code_of([&] { operation(TUTTI_FLOAT32, static_cast<tutti_op>(13)); }) == TUTTI_ERROR_ARGUMENT);
  CHECK(code_of([&] { create_operation(nullptr, nullptr, true); }) == TUTTI_ERROR_ARGUMENT);
  CHECK_THROWS_WITH(operation(TUTTI_FLOAT32, op), ContainsSubstring(std::to_string(static_cast<int>(op))));
  CHECK(op_name(op) == "unknown");
  // A number is not given again: somebody may still hold it.
  CHECK(create_operation(nothing, nullptr, true) != op);
}

TEST_CASE("threads create, use and free operations at the same time") {
  const auto add = [](const void* left, void* inout, std::size_t, tutti_type, void* context) {
    *static_cast<std::int32_t*>(inout) += *static_cast<const std::int32_t*>(left) + *static_cast<const int*>(context);
  };
  std::array<int, 4> sums{};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&, t] {
      int extra = static_cast<int>(t);
      for (int i = 0; i < 200; ++i) {
        const tutti_op op = create_operation(add, &extra, true);
        const Operation kernels = operation(TUTTI_INT32, op);
        const std::int32_t one = 1;
        kernels.combine(&sums[t], &one, &sums[t], 1, false, kernels.context);
        free_operation(op);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < sums.size(); ++t) CHECK(sums[t] == 200 * (1 + static_cast<int>(t)));
}

}  // namespace
}  // namespace tutti::test
