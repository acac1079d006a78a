// See reordering.hpp.
#include "topology/network/reordering.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <unordered_map>

namespace tutti {
namespace {

std::vector<std::int32_t> as_they_are(std::size_t ranks) {
  std::vector<std::int32_t> seats(ranks);
  std::iota(seats.begin(), seats.end(), 0);
  return seats;
}

// Keeps the best order that it was shown.
class Search {
 public:
  Search(const Seats& seats, std::span<const RankPair> pairs)
      : seats_(seats), pairs_(pairs), best_(as_they_are(seats.host.size())), times_(link_times(seats, pairs, best_)) {}

  LinkTimes look_at(const std::vector<std::int32_t>& seat_of_rank) {
    const LinkTimes times = link_times(seats_, pairs_, seat_of_rank);
    if (times < times_) {
      best_ = seat_of_rank;
      times_ = times;
    }
    return times;
  }
  const std::vector<std::int32_t>& best() const { return best_; }

 private:
  const Seats& seats_;
  std::span<const RankPair> pairs_;
  std::vector<std::int32_t> best_;
  LinkTimes times_;
};

// A prime factor of an axis: the coordinate along the axis, divided by `stride`, modulo `size`.
struct Digit {
  int axis;
  int stride;
  int size;
};

std::vector<Digit> digits_of(std::span<const int> sizes) {
  std::vector<Digit> digits;
  for (std::size_t axis = sizes.size(); axis-- > 0;)
    for (int left = sizes[axis], factor = 2, stride = 1; left > 1;) {
      if (factor * factor > left) factor = left;
      if (left % factor != 0) {
        ++factor;
        continue;
      }
      digits.push_back({static_cast<int>(axis), stride, factor});
      stride *= factor;
      left /= factor;
    }
  return digits;
}

// Ranks take the seats in an order in which the first digit counts fastest.
std::vector<std::int32_t> seats_by(std::span<const Digit> digits, std::span<const int> sizes) {
  std::vector<int> stride_of_axis(sizes.size(), 1);
  for (std::size_t axis = sizes.size() - 1; axis-- > 0;)
    stride_of_axis[axis] = stride_of_axis[axis + 1] * sizes[axis + 1];
  const int ranks = std::accumulate(sizes.begin(), sizes.end(), 1, std::multiplies<>());
  std::vector<std::int32_t> seats(static_cast<std::size_t>(ranks));
  for (int seat = 0; seat < ranks; ++seat) {
    int left = seat, rank = 0;
    for (const Digit& digit : digits) {
      rank += left % digit.size * digit.stride * stride_of_axis[static_cast<std::size_t>(digit.axis)];
      left /= digit.size;
    }
    seats[static_cast<std::size_t>(rank)] = seat;
  }
  return seats;
}

// Exchanges two digits as long as that helps.
void climb(std::vector<Digit> digits, std::span<const int> sizes, Search& search) {
  LinkTimes best = search.look_at(seats_by(digits, sizes));
  for (bool better = true; better;) {
    better = false;
    for (std::size_t i = 0; i < digits.size(); ++i)
      for (std::size_t j = i + 1; j < digits.size(); ++j) {
        std::swap(digits[i], digits[j]);
        const LinkTimes times = search.look_at(seats_by(digits, sizes));
        if (times < best) {
          best = times;
          better = true;
        } else {
          std::swap(digits[i], digits[j]);
        }
      }
  }
}

// Seats are filled in their order; the next rank is the one with most bytes to those that sit already, recent ones
// first.
std::vector<std::int32_t> grown(std::size_t ranks, std::span<const RankPair> pairs) {
  struct Peer {
    std::size_t rank;
    double bytes;
  };
  std::vector<std::vector<Peer>> peers(ranks);
  for (const RankPair& pair : pairs) {
    const auto from = static_cast<std::size_t>(pair.from), to = static_cast<std::size_t>(pair.to);
    peers[from].push_back({to, pair.bytes});
    peers[to].push_back({from, pair.bytes});
  }
  struct Wish {
    double bytes;
    std::size_t rank;
    bool operator<(const Wish& other) const { return bytes != other.bytes ? bytes < other.bytes : rank > other.rank; }
  };
  std::vector<std::int32_t> seats(ranks, -1);
  std::vector<double> bytes(ranks);
  std::priority_queue<Wish> wishes;
  std::size_t next_alone = 0;
  for (std::int32_t seat = 0; seat < static_cast<std::int32_t>(ranks); ++seat) {
    while (!wishes.empty() && (seats[wishes.top().rank] >= 0 || wishes.top().bytes < bytes[wishes.top().rank]))
      wishes.pop();
    std::size_t rank = 0;
    if (wishes.empty()) {
      while (seats[next_alone] >= 0) ++next_alone;
      rank = next_alone;
    } else {
      rank = wishes.top().rank;
      wishes.pop();
    }
    seats[rank] = seat;
    for (const Peer& peer : peers[rank]) {
      if (seats[peer.rank] >= 0) continue;
      bytes[peer.rank] += peer.bytes;
      wishes.push({bytes[peer.rank], peer.rank});
    }
  }
  return seats;
}

}  // namespace

bool LinkTimes::operator<(const LinkTimes& other) const {
  constexpr double nearly = 1e-9;  // sums of the same bytes in another order
  if (busiest < other.busiest * (1 - nearly)) return true;
  return busiest <= other.busiest * (1 + nearly) && sum < other.sum * (1 - nearly);
}

LinkTimes link_times(const Seats& seats, std::span<const RankPair> pairs, std::span<const std::int32_t> seat_of_rank) {
  std::unordered_map<std::int64_t, double> loads;
  std::vector<std::int64_t> path;
  for (const RankPair& pair : pairs) {
    route(seats, static_cast<std::size_t>(seat_of_rank[static_cast<std::size_t>(pair.from)]),
          static_cast<std::size_t>(seat_of_rank[static_cast<std::size_t>(pair.to)]), path);
    for (const std::int64_t link : path) loads[link] += pair.bytes;
  }
  LinkTimes times;
  for (const auto& [link, bytes] : loads) {
    const double seconds = bytes / static_cast<double>(seats.network->link(link).bytes_per_second);
    times.busiest = std::max(times.busiest, seconds);
    times.sum += seconds;
  }
  return times;
}

std::vector<std::int32_t> reorder_graph(const Seats& seats, std::span<const RankPair> pairs) {
  Search search(seats, pairs);
  search.look_at(grown(seats.host.size(), pairs));
  return search.best();
}

std::vector<std::int32_t> reorder_grid(const Seats& seats, std::span<const RankPair> pairs,
                                       std::span<const int> sizes) {
  Search search(seats, pairs);
  search.look_at(grown(seats.host.size(), pairs));
  std::vector<Digit> digits = digits_of(sizes);
  climb(digits, sizes, search);
  // From each axis as the fastest too.
  for (int axis = 0; axis < static_cast<int>(sizes.size()); ++axis) {
    std::stable_partition(digits.begin(), digits.end(), [axis](const Digit& digit) { return digit.axis == axis; });
    climb(digits, sizes, search);
  }
  return search.best();
}

}  // namespace tutti
