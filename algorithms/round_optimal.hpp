// Round-optimal broadcast of c blocks on a circulant graph (Traeff, "Round-optimal n-block broadcast schedules in
// logarithmic time", arXiv 2312.11236): which block arrives at which position in which of the L + c - 1 rounds. Each
// position is computed alone, in time that grows with L^2 and not with p.
#pragma once

#include <cstdint>
#include <vector>

namespace tutti {

// Distances of the circulant graph, doubling up to skips[L] = p, rounded up; L = ceil(log2 p).
std::vector<std::int64_t> skips_of(std::int64_t size);

// Rounds take the skips in turn; the first of the L + c - 1 rounds takes skips[first_skip].
std::int64_t first_skip(std::int64_t length, std::int64_t count);

// Which block arrives at a position in each round, from the position that the round's skip names before it; -1: none.
// Position 0 is the root, to which nothing is sent.
std::vector<std::int64_t> arrivals(const std::vector<std::int64_t>& skips, std::int64_t position, std::int64_t count);

}  // namespace tutti
