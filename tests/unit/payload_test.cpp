// The dense kernels against the scalar reference: every type, operation, SIMD target, form, aliasing and alignment, to
// the last bit.
#include "lib/payload/payload.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "lib/error.hpp"
#include "tests/catch.hpp"
#include "tests/simd_targets.hpp"
#include "tests/unit/payload_reference.hpp"

namespace tutti::test {
namespace {

template <class Function>
void for_each_kernel(Function function) {
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    REQUIRE(simd_target() == hwy::TargetName(target));
    for (const tutti_type type : all_types()) {
      for (const tutti_op op : all_operations()) {
        if (has_operation(type, op)) function(type, op, operation(type, op));
      }
    }
  }
}

// A buffer whose first element lies at a chosen distance from a cache line, with guards before and after.
class Guarded {
 public:
  Guarded(std::size_t bytes, std::size_t offset) : bytes_(bytes), store_(bytes + 3 * kLine, kGuard) {
    const auto address = reinterpret_cast<std::uintptr_t>(store_.data());
    begin_ = (kLine - address % kLine) + offset;
  }
  Guarded(const Bytes& content, std::size_t offset) : Guarded(content.size(), offset) {
    std::copy(content.begin(), content.end(), data());
  }
  unsigned char* data() { return store_.data() + begin_; }
  bool holds(const Bytes& expected) { return std::equal(expected.begin(), expected.end(), data()); }
  bool guards_intact() const {
    const auto intact = [](unsigned char byte) { return byte == kGuard; };
    const auto begin = store_.begin() + static_cast<std::ptrdiff_t>(begin_);
    return std::all_of(store_.begin(), begin, intact) &&
           std::all_of(begin + static_cast<std::ptrdiff_t>(bytes_), store_.end(), intact);
  }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr unsigned char kGuard = 0xa5;
  std::size_t bytes_;
  Bytes store_;
  std::size_t begin_;
};

std::string described(tutti_type type, tutti_op op, std::size_t count, const std::string& form) {
  return std::string(simd_target()) + " " + std::string(type_name(type)) + " " + std::string(op_name(op)) + " of " +
         std::to_string(count) + " elements, " + form;
}

// Every count around the widths of vectors, and some that reach the unrolled loops and the streaming ones.
std::vector<std::size_t> counts() {
  std::vector<std::size_t> all;
  for (std::size_t count = 0; count <= 70; ++count) all.push_back(count);
  for (const std::size_t count : {127, 256, 1000, 1023, 4099}) all.push_back(count);
  return all;
}

// Byte distances from a cache line: on it, on no element at all, on an element, just before the next line.
std::size_t offset_of(std::size_t choice, tutti_type type) {
  const std::array<std::size_t, 4> offsets = {0, 1, type_size(type), 63};
  return offsets[choice % offsets.size()];
}

void check(Guarded& buffer, const Bytes& expected, const std::string& what) {
  if (!buffer.holds(expected)) FAIL("wrong result: " << what);
  if (!buffer.guards_intact()) FAIL("wrote outside of the result: " << what);
}

TEST_CASE("every type and operation combines two operands as the scalar reference does, on every SIMD target") {
  std::mt19937_64 random(1);
  std::size_t turn = 0;
  for_each_kernel([&](tutti_type type, tutti_op op, const Operation& kernels) {
    for (const std::size_t count : counts()) {
      const Bytes a = random_elements(type, count, random), b = random_elements(type, count, random);
      const Bytes expected = reference_fold(type, op, {a, b});
      for (int variant = 0; variant < 4; ++variant, ++turn) {
        const bool streaming = variant % 2 == 0;
        Guarded left(a, offset_of(turn / 4, type)), right(b, offset_of(turn / 16, type)),
            out(expected.size(), offset_of(turn, type));
        kernels.combine(out.data(), left.data(), right.data(), count, streaming, kernels.context);
        check(out, expected, described(type, op, count, "three operands"));
        check(left, a, described(type, op, count, "left operand"));
        kernels.combine(left.data(), left.data(), right.data(), count, streaming, kernels.context);
        check(left, expected, described(type, op, count, "onto the left operand"));
        Guarded again(a, offset_of(turn / 4, type));
        kernels.combine(right.data(), again.data(), right.data(), count, streaming, kernels.context);
        check(right, expected, described(type, op, count, "onto the right operand"));
      }
      Guarded both(a, 0);
      kernels.combine(both.data(), both.data(), both.data(), count, false, kernels.context);
      check(both, reference_fold(type, op, {a, a}), described(type, op, count, "onto both operands"));
    }
  });
}

TEST_CASE("left and right may be exchanged without changing a bit") {
  std::mt19937_64 random(2);
  for_each_kernel([&](tutti_type type, tutti_op op, const Operation& kernels) {
    REQUIRE(kernels.commutative);
    const std::size_t count = 3000;
    Bytes a = random_elements(type, count, random), b = random_elements(type, count, random);
    Bytes ab(a.size()), ba(a.size());
    kernels.combine(ab.data(), a.data(), b.data(), count, false, kernels.context);
    kernels.combine(ba.data(), b.data(), a.data(), count, false, kernels.context);
    if (ab != ba) FAIL(described(type, op, count, "exchanged"));
  });
}

TEST_CASE("combine_twice writes the same result to two places, on every SIMD target") {
  std::mt19937_64 random(3);
  std::size_t turn = 0;
  for_each_kernel([&](tutti_type type, tutti_op op, const Operation& kernels) {
    for (const std::size_t count : counts()) {
      const Bytes a = random_elements(type, count, random), b = random_elements(type, count, random);
      const Bytes expected = reference_fold(type, op, {a, b});
      for (const bool streaming : {false, true}) {
        ++turn;
        Guarded left(a, offset_of(turn, type)), right(b, 0), out(a.size(), offset_of(turn / 4, type)),
            copy(a.size(), offset_of(turn / 2, type));
        kernels.combine_twice(out.data(), copy.data(), left.data(), right.data(), count, streaming, kernels.context);
        check(out, expected, described(type, op, count, "first place"));
        check(copy, expected, described(type, op, count, "second place"));
        Guarded other(a.size(), 0);
        kernels.combine_twice(left.data(), other.data(), left.data(), right.data(), count, streaming, kernels.context);
        check(left, expected, described(type, op, count, "first place is the left operand"));
        check(other, expected, described(type, op, count, "second place beside the left operand"));
      }
    }
  });
}

TEST_CASE("a fold takes its sources in their order, rounds half types once, and may overwrite any source") {
  std::mt19937_64 random(4);
  std::size_t turn = 0;
  for_each_kernel([&](tutti_type type, tutti_op op, const Operation& kernels) {
    for (const std::size_t source_count : {1, 2, 3, 5, 9}) {
      for (const std::size_t count : {0, 1, 2, 3, 7, 15, 16, 17, 33, 64, 65, 130, 257, 1500}) {
        ++turn;
        std::vector<Bytes> contents;
        std::vector<Guarded> buffers;
        std::vector<const void*> sources;
        for (std::size_t s = 0; s < source_count; ++s) {
          contents.push_back(random_elements(type, count, random));
          buffers.emplace_back(contents.back(), offset_of(turn + s, type));
        }
        for (Guarded& buffer : buffers) sources.push_back(buffer.data());
        const Bytes expected = reference_fold(type, op, contents);
        Guarded out(expected.size(), offset_of(turn / 3, type));
        kernels.fold(out.data(), sources.data(), source_count, count, turn % 2 == 0, kernels.context);
        if (source_count == 1) {
          check(out, contents[0], described(type, op, count, "fold of one source"));
          continue;
        }
        check(out, expected, described(type, op, count, "fold of " + std::to_string(source_count)));
        Guarded& overwritten = buffers[turn % source_count];
        kernels.fold(overwritten.data(), sources.data(), source_count, count, turn % 4 < 2, kernels.context);
        check(overwritten, expected, described(type, op, count, "fold onto a source"));
      }
    }
  });
}

TEST_CASE("every float16 and bfloat16 survives the way to float32 and back") {
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    for (const tutti_type type : {TUTTI_FLOAT16, TUTTI_BFLOAT16}) {
      std::vector<std::uint16_t> all(65536), negative_zero(65536, 0x8000), out(65536);
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
      const Operation sum = operation(type, TUTTI_SUM);
      sum.combine(out.data(), all.data(), negative_zero.data(), all.size(), false, sum.context);
      for (std::size_t i = 0; i < all.size(); ++i) {
        const bool nan = std::isnan(half_to_double(type, all[i]));
        const int expected = nan ? (type == TUTTI_FLOAT16 ? 0x7e00 : 0x7fc0) : all[i];
        if (out[i] != expected) FAIL(simd_target() << " " << type_name(type) << " " << i << " became " << out[i]);
      }
    }
  }
}

TEST_CASE("half types round products and sums of random bits to nearest, ties to even") {
  std::mt19937_64 random(5);
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    for (const tutti_type type : {TUTTI_FLOAT16, TUTTI_BFLOAT16}) {
      for (const tutti_op op : {TUTTI_SUM, TUTTI_PROD}) {
        Bytes a(2 * 200000), b(a.size()), out(a.size());
        std::generate(a.begin(), a.end(), [&] { return static_cast<unsigned char>(random()); });
        std::generate(b.begin(), b.end(), [&] { return static_cast<unsigned char>(random()); });
        const Operation kernels = operation(type, op);
        kernels.combine(out.data(), a.data(), b.data(), a.size() / 2, true, kernels.context);
        if (out != reference_fold(type, op, {a, b})) FAIL(described(type, op, a.size() / 2, "random bits"));
      }
    }
  }
}

TEST_CASE("an average divides as its type does: integers truncate towards zero, half types round once") {
  std::mt19937_64 random(6);
  for_each_kernel([&](tutti_type type, tutti_op op, const Operation& kernels) {
    REQUIRE((kernels.divide != nullptr) == (op == TUTTI_AVG));
    if (op != TUTTI_AVG) return;
    for (const std::uint64_t divisor : std::vector<std::uint64_t>{1, 2, 3, 7, 64, 1000003, 1ull << 31, 1ull << 62}) {
      for (const std::size_t count : {0, 1, 5, 16, 31, 777}) {
        const Bytes content = random_elements(type, count, random);
        Guarded data(content, offset_of(count, type));
        kernels.divide(data.data(), count, divisor);
        check(data, reference_divide(type, content, divisor),
              described(type, op, count, "divided by " + std::to_string(divisor)));
      }
    }
  });
}

TEST_CASE("minimum and maximum tell the zeros apart, and a NaN is the canonical one") {
  const auto combined = [](tutti_op op, float left, float right) {
    float out;
    const Operation kernels = operation(TUTTI_FLOAT32, op);
    kernels.combine(&out, &left, &right, 1, false, kernels.context);
    std::uint32_t bits;
    std::memcpy(&bits, &out, sizeof bits);
    return bits;
  };
  const float nan = -std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    CHECK(combined(TUTTI_MIN, -0.0f, 0.0f) == 0x80000000);
    CHECK(combined(TUTTI_MIN, 0.0f, -0.0f) == 0x80000000);
    CHECK(combined(TUTTI_MAX, -0.0f, 0.0f) == 0);
    CHECK(combined(TUTTI_MAX, 0.0f, -0.0f) == 0);
    CHECK(combined(TUTTI_MIN, nan, -infinity) == 0x7fc00000);
    CHECK(combined(TUTTI_MAX, infinity, nan) == 0x7fc00000);
    CHECK(combined(TUTTI_SUM, infinity, -infinity) == 0x7fc00000);
    CHECK(combined(TUTTI_PROD, 0.0f, infinity) == 0x7fc00000);
  }
}

TEST_CASE("copies are exact for every size, alignment and kind of store") {
  std::mt19937_64 random(7);
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    for (const std::size_t bytes : {0, 1, 63, 64, 4095, 4096, 4097, 5000, 70001, 1 << 20}) {
      for (const std::size_t offset : {0, 1, 8, 63}) {
        for (const bool streaming : {false, true}) {
          const Bytes content = random_elements(TUTTI_UINT8, bytes, random);
          Guarded in(content, offset * 3 % 64), out(bytes, offset);
          copy_bytes(out.data(), in.data(), bytes, streaming);
          check(out, content, "copy of " + std::to_string(bytes));
        }
      }
    }
  }
  copy_bytes(nullptr, nullptr, 0, true);
}

TEST_CASE("a type that does not have an operation is refused, and both are named") {
  for (const tutti_type type : all_types()) {
    for (const tutti_op op : all_operations()) {
      if (has_operation(type, op)) continue;
      try {
        operation(type, op);
        FAIL(type_name(type) << " has " << op_name(op));
      } catch (const Error& error) {
        CHECK(error.code() == TUTTI_ERROR_ARGUMENT);
        CHECK_THAT(error.what(), ContainsSubstring(std::string(type_name(type))));
        CHECK_THAT(error.what(), ContainsSubstring(std::string(op_name(op))));
      }
    }
  }
  CHECK_THROWS_AS(operation(static_cast<tutti_type>(18), TUTTI_SUM), Error);
}

TEST_CASE("names of types and operations are read back, and an unknown one is answered with the known") {
  for (const tutti_type type : all_types()) CHECK(parse_type(type_name(type)) == type);
  for (const tutti_op op : all_operations()) CHECK(parse_op(op_name(op)) == op);
  CHECK(type_name(TUTTI_COMPLEX128) == "complex128");
  CHECK(type_size(TUTTI_COMPLEX128) == 16);
  CHECK(type_size(static_cast<tutti_type>(18)) == 0);
  CHECK_THROWS_WITH(parse_type("float23"), ContainsSubstring("float23") && ContainsSubstring("bfloat16"));
  CHECK_THROWS_WITH(parse_op("mean"), ContainsSubstring("mean") && ContainsSubstring("avg"));
}

}  // namespace
}  // namespace tutti::test
