// What the ranks of a case have before, and what they must have afterwards. Each rank's vector repeats a short pattern,
// of a length that no block has, so that the reference is folded for the pattern alone and a block that went astray
// still shows.
#pragma once

#include <algorithm>

#include "payload/payload.hpp"
#include "tests/processes/agreement.hpp"
#include "tests/unit/payload_reference.hpp"

namespace tutti::testing {

inline constexpr std::size_t pattern_elements = 1009;  // a prime

// The shape of a case on one rank.
struct Shape {
  explicit Shape(const Case& c) : element(type_size(c.type)) {
    const auto size = static_cast<std::size_t>(c.size);
    block = sliced(c.algorithm->kind) && c.count > 1000 ? (c.count + size - 1) / size : c.count;
    const Kind kind = c.algorithm->kind;
    in = kind == Kind::barrier ? 0 : block * (kind == Kind::reduce_scatter || kind == Kind::alltoall ? size : 1);
    out = kind == Kind::barrier ? 0 : block * (kind == Kind::allgather || kind == Kind::alltoall ? size : 1);
    period = std::min(in, pattern_elements);
  }
  std::size_t element;  // bytes
  std::size_t block;    // the count of the call
  std::size_t in, out;  // elements
  std::size_t period;
};

// One period of each rank's vector.
std::vector<test::Bytes> patterns_of(const Case& c, const Shape& shape);
// The exact result, for one period.
test::Bytes combined(const Case& c, const std::vector<test::Bytes>& patterns);
// `bytes` of the endless repetition of a pattern, from its byte `first` on: writes them; throws where others are found.
void repeat(unsigned char* to, std::size_t bytes, const test::Bytes& pattern, std::size_t first = 0);
void compare(const unsigned char* found, std::size_t bytes, const test::Bytes& pattern, std::size_t first,
             std::size_t element, const std::string& what);
// Throws unless `elements` of a result are as near to the exact one as the case's operation allows in any order. The
// first of them stands at `first` of the whole vector.
void compare_bounded(const Case& c, const unsigned char* found, std::size_t elements,
                     const std::vector<test::Bytes>& patterns, std::size_t first, const Shape& shape);

}  // namespace tutti::testing
