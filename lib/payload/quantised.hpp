// Vectors that travel as blocks in few bits: see docs/quantised.md.
#pragma once

#include <vector>

#include "lib/payload/encoding.hpp"

namespace tutti {

std::unique_ptr<const Encoding> make_quantised(const PayloadSetting& setting, tutti_type type, tutti_op op, int rank);

// What the caller of the C interface said, for one part of a vector. Throws TUTTI_ERROR_ARGUMENT for what does not
// exist.
PayloadSetting quantised_setting(tutti_wire wire, const tutti_quantisation& how);

// Parts of a vector with their own wire, in order, without gaps: the segments of `how`, and `how.wire` between them.
struct WirePart {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  tutti_wire wire = TUTTI_WIRE_DENSE;
};
std::vector<WirePart> wire_parts(const tutti_quantisation& how, std::uint64_t count);

}  // namespace tutti
