// Circulant pipelined broadcast (Traeff, "Round-optimal n-block broadcast schedules in logarithmic time", arXiv
// 2312.11236 and 2407.18004): c blocks reach all ranks in L + c - 1 rounds, which is the least that is possible with
// one port, and every rank sends and receives in every round.
//   broadcast  (L + c - 1) (a + n b/c) in c blocks;   best c about sqrt((L - 1) n b / a)
// Any number of ranks, any root. The algorithm is its own pipeline: run it in one window.
#include "algorithms/pieces.hpp"
#include "algorithms/round_optimal.hpp"

namespace tutti {

namespace {

void steps(View& v, std::int64_t count) {
  if (v.size() == 1) return;
  const std::vector<std::int64_t> skips = skips_of(v.size());
  const auto length = skips.size() - 1;
  const auto first = static_cast<std::size_t>(first_skip(static_cast<std::int64_t>(length), count));
  const std::vector<std::int64_t> mine = arrivals(skips, v.rank(), count);
  std::vector<std::vector<std::int64_t>> theirs;
  for (std::size_t k = 0; k < length; ++k) theirs.push_back(arrivals(skips, (v.rank() + skips[k]) % v.size(), count));
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const std::size_t k = (i + first) % length;
    if (theirs[k][i] >= 0) v.send(v.rank() + skips[k], v.block(theirs[k][i]));
    if (mine[i] >= 0) v.recv(v.rank() - skips[k], v.block(mine[i]));
  }
}

std::vector<Round> rounds(std::int64_t size, std::int64_t count) {
  if (size == 1) return {};
  const std::vector<std::int64_t> skips = skips_of(size);
  const auto length = static_cast<std::int64_t>(skips.size() - 1);
  const std::int64_t first = first_skip(length, count);
  std::vector<Round> list;
  for (std::int64_t k = 0; k < length; ++k) {
    const std::int64_t turns = (length + count - 1 + first) / length - (k < first ? 1 : 0);
    if (turns > 0) list.push_back({Pattern::shift, skips[static_cast<std::size_t>(k)], 1, {1, count}, {0, 1}, turns});
  }
  return list;
}

}  // namespace

extern const Algorithm circulant_for_broadcast{Kind::broadcast,
                                               "circulant",
                                               "Traeff, arXiv 2312.11236 and 2407.18004",
                                               "(L + c - 1) (a + n b/c) in c blocks",
                                               {"blocks", 16, 1, 1024},
                                               true,
                                               [](std::int64_t, std::int64_t count) { return count; },
                                               &steps,
                                               &rounds,
                                               &no_combine,
                                               &never};

}  // namespace tutti
