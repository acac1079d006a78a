// See programs.hpp.
#include "simulator/programs.hpp"

#include <algorithm>
#include <bit>

#include "error.hpp"
#include "scheduler/bytes.hpp"

namespace tutti::simulation {

namespace {

constexpr std::int64_t line = 64;  // blocks are whole cache lines, as the executor cuts them

bool is_receive(StepKind kind) { return kind == StepKind::recv || kind == StepKind::recv_reduce; }

std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0xff51afd7ed558ccdU;
  return hash ^ hash >> 32;
}

std::uint64_t hash_of(const std::vector<std::uint64_t>& words) {
  std::uint64_t hash = 0x9e3779b97f4a7c15U;
  for (std::uint64_t word : words) hash = mixed(hash, word);
  return hash;
}

std::uint64_t mirrored(std::uint64_t bits) {
  std::uint64_t out = 0;
  for (; bits != 0; bits &= bits - 1) out |= std::uint64_t{1} << (63 - std::countr_zero(bits));
  return out;
}

// Equal blocks, the last ones shorter or empty.
struct Cutting {
  std::int64_t block = 0;
  std::int64_t end = 0;

  static Cutting of_vector(std::int64_t bytes, std::int64_t blocks) {
    const std::int64_t block = bytes / blocks + (bytes % blocks != 0);
    return {(block + line - 1) / line * line, bytes};
  }
  static Cutting of_slices(std::int64_t slice, std::int64_t blocks) { return {slice, slice * blocks}; }

  std::int64_t bytes(Interval blocks) const {
    return block == 0 ? 0 : std::min(end, blocks.end * block) - std::min(end, blocks.begin * block);
  }
};

std::int32_t rank_of(const Group& group, int position) {
  const bool rooted = group.key.algorithm->kind == Kind::broadcast || group.key.algorithm->kind == Kind::reduce;
  const int member =
      rooted && !group.key.ordered && group.key.layers.empty() ? (position + group.root) % group.key.size : position;
  return group.ranks.empty() ? member : group.ranks[static_cast<std::size_t>(member)];
}

std::string name_of(const Group& group) {
  return fmt::format("{} {} of {} on {} ranks", kind_name(group.key.algorithm->kind), group.key.algorithm->name,
                     format_bytes(group.bytes), group.key.size);
}

}  // namespace

// Bytes of a set of blocks in the two kinds of windows.
struct Programs::Layout {
  Cutting full;
  Cutting last;
  bool token = false;
  std::int64_t windows = 1;
  std::int64_t blocks = 1;

  Layout(const Group& group, const Collective& collective) : token(collective.token), blocks(collective.blocks) {
    const Question question{group.key.algorithm->kind, group.bytes, 1, group.key.size, group.key.ordered};
    const Cut cutting = cut(question, *group.key.algorithm, group.key.parameter,
                            group.window_bytes == 0 ? group.bytes : group.window_bytes);
    windows = static_cast<std::int64_t>(cutting.windows);
    const auto stride = static_cast<std::int64_t>(cutting.stride_bytes);
    const bool sliced = is_sliced(question.kind);
    const auto bytes = static_cast<std::int64_t>(group.bytes);
    const std::int64_t slices = question.kind == Kind::alltoall ? group.key.size : collective.blocks;
    const std::int64_t whole = sliced ? bytes / slices + (bytes % slices != 0) : bytes;
    const auto cut_up = [&](std::int64_t part) {
      return sliced ? Cutting::of_slices(part, collective.blocks) : Cutting::of_vector(part, collective.blocks);
    };
    full = cut_up(stride);
    last = cut_up(whole - (windows - 1) * stride);
  }

  Size of(std::span<const Interval> intervals) const {
    Size size{0, 0, token};
    for (Interval interval : intervals) {
      size.full += full.bytes(interval);
      size.last += last.bytes(interval);
    }
    if (token) size.full = size.last = 0;
    return size;
  }
};

void Programs::check(const Group& group) const {
  const int size = group.key.size;
  if (group.root < 0 || group.root >= size)
    throw error(TUTTI_ERROR_ARGUMENT, "root {} is not one of the {} ranks", group.root, size);
  if (group.in_flight < 1 || group.in_flight > lookahead)
    throw error(TUTTI_ERROR_ARGUMENT, "{} windows in flight are out of range, it is from 1 to {}", group.in_flight,
                lookahead);
  if (group.ranks.empty() ? size > ranks_ : group.ranks.size() != static_cast<std::size_t>(size))
    throw error(TUTTI_ERROR_ARGUMENT, "{}: the group has {} members, and the job {} ranks", name_of(group),
                group.ranks.empty() ? static_cast<std::size_t>(size) : group.ranks.size(), ranks_);
  std::vector<bool> seen(group.ranks.empty() ? 0 : static_cast<std::size_t>(ranks_));
  for (std::int32_t rank : group.ranks) {
    if (rank < 0 || rank >= ranks_)
      throw error(TUTTI_ERROR_ARGUMENT, "{}: rank {} is not one of the {} ranks of the job", name_of(group), rank,
                  ranks_);
    if (seen[static_cast<std::size_t>(rank)])
      throw error(TUTTI_ERROR_ARGUMENT, "{}: rank {} is in the group twice", name_of(group), rank);
    seen[static_cast<std::size_t>(rank)] = true;
  }
}

// Steps of all ranks, from those of some: listening to all of them might take hours.
std::int64_t Programs::estimate(const Group& group, const Collective& collective, std::int64_t windows) const {
  const int size = group.key.size;
  // Rounds in which every rank takes part tell at once; trees, and all that is not refused here, are listened to.
  double certain = 0;
  if (group.key.layers.empty())
    for (const Round& round : group.key.algorithm->rounds(size, group.key.parameter))
      if (!is_tree(round.pattern))
        certain += static_cast<double>(round.messages) * static_cast<double>(round.times) * size;
  const auto refuse = [&](double steps, double messages) {
    return error(
        TUTTI_ERROR_ARGUMENT,
        "{} is too large to simulate: about {:.4g} messages ({:.4g} events) and {:.4g} steps to hold, where {:.4g} "
        "messages and {:.4g} steps are the most; fewer ranks, larger windows or another algorithm would do",
        name_of(group), messages, 2 * messages, steps, static_cast<double>(limits_.messages),
        static_cast<double>(limits_.steps));
  };
  if (certain > static_cast<double>(limits_.steps)) throw refuse(2 * certain, certain * static_cast<double>(windows));
  constexpr int samples = 16;
  Listener listener(collective);
  ScheduleKey key = group.key;
  double steps = 0, messages = 0;
  int heard = 0;
  for (int i = 0; i < std::min(samples, size); ++i, ++heard) {
    key.position = static_cast<int>(std::int64_t{size} * i / std::min(samples, size));
    listener.turn_to(key.position);
    speak(key, collective, listener);
    steps += static_cast<double>(listener.steps().size());
    messages += static_cast<double>(std::count_if(listener.steps().begin(), listener.steps().end(),
                                                  [](const Heard& step) { return step.peer >= 0; }));
    // A million steps of one rank take a second to hear: the first few must do.
    if (steps > 1e6) {
      ++heard;
      break;
    }
  }
  const double factor = static_cast<double>(size) / heard;
  const double all_messages = messages / 2 * factor * static_cast<double>(windows);
  if (static_cast<double>(steps_.size()) + steps * factor > static_cast<double>(limits_.steps) ||
      static_cast<double>(messages_) + all_messages > static_cast<double>(limits_.messages))
    throw refuse(steps * factor, all_messages);
  return static_cast<std::int64_t>(steps * factor);
}

std::uint32_t Programs::size_index(const Size& size, std::uint32_t guess) {
  if (guess < sizes_.size() && sizes_[guess] == size) return guess;
  const auto words = {static_cast<std::uint64_t>(size.full), static_cast<std::uint64_t>(size.last),
                      std::uint64_t{size.token}};
  std::vector<std::uint32_t>& bucket = size_index_[hash_of(words)];
  for (std::uint32_t index : bucket)
    if (sizes_[index] == size) return index;
  bucket.push_back(static_cast<std::uint32_t>(sizes_.size()));
  sizes_.push_back(size);
  return bucket.back();
}

std::uint32_t Programs::build_outline(const Listener& listener, const ScheduleKey& key) {
  const Schedule schedule = build_schedule(key);
  Outline outline;
  for (const Step& step : schedule.steps) {
    OutlineStep out;
    out.kind = step.kind;
    out.waits = mirrored(step.waits);
    out.match = step.match;
    out.sources = step.source_count;
    out.arrival = outline.receives;
    if (is_receive(step.kind)) ++outline.receives;
    outline.steps.push_back(out);
  }
  for (std::size_t at = 0; at < schedule.steps.size(); ++at)
    for (std::uint64_t left = schedule.steps[at].waits; left != 0; left &= left - 1) {
      const auto distance = static_cast<std::size_t>(std::countr_zero(left));
      outline.steps[at - distance - 1].wakes |= std::uint64_t{1} << distance;
    }
  if (!schedule.steps.empty() && schedule.steps.back().kind == StepKind::copy)
    for (const Part& part : schedule.parts_of(schedule.steps.back())) {
      const std::int64_t turned = part.blocks.begin - listener.rotation();
      const std::int64_t begin = turned < 0 ? turned + schedule.blocks : turned;
      outline.copied.push_back({begin, begin + part.blocks.count()});
    }
  const std::size_t said = listener.steps().size() + (outline.copied.empty() ? 0 : 1);
  if (said != outline.steps.size())
    throw error(TUTTI_ERROR_INTERNAL, "{}: rank {} of {} says {} steps, and its schedule has {}", schedule.name,
                schedule.rank, schedule.size, said, outline.steps.size());
  outlines_.push_back(std::move(outline));
  return static_cast<std::uint32_t>(outlines_.size() - 1);
}

std::uint32_t Programs::outline_of(const Listener& listener, ScheduleKey key) {
  const std::uint64_t hash = hash_of(listener.signature());
  const auto [begin, end] = outline_index_.equal_range(hash);
  for (auto at = begin; at != end; ++at)
    if (signatures_[at->second - first_outline_] == listener.signature()) return at->second;
  const std::uint32_t index = build_outline(listener, key);
  signatures_.push_back(listener.signature());
  outline_index_.emplace(hash, index);
  return index;
}

void Programs::bind(const Listener& listener, const Outline& outline, const Layout& layout, std::size_t base) {
  // The same step of the rank before had most likely the same size.
  std::size_t before = steps_.size() >= outline.steps.size() ? steps_.size() - outline.steps.size() : 0;
  for (const Heard& step : listener.steps()) {
    const std::uint32_t guess = before < steps_.size() ? steps_[before++].size : 0;
    const Size size = layout.of(listener.blocks_of(step));
    const std::size_t peer = step.peer < 0 ? 0 : base + static_cast<std::size_t>(step.peer);
    steps_.push_back({static_cast<std::uint32_t>(peer), size_index(size, guess), no_partner});
  }
  if (outline.copied.empty()) return;
  std::vector<Interval> copied;
  for (Interval interval : outline.copied) {
    const std::int64_t begin = (interval.begin + listener.rotation()) % layout.blocks;
    const std::int64_t end = begin + interval.count();
    copied.push_back({begin, std::min(end, layout.blocks)});
    if (end > layout.blocks) copied.push_back({0, end - layout.blocks});
  }
  steps_.push_back({0, size_index(layout.of(copied), 0), no_partner});
}

void Programs::hear(const Group& group, const Collective& collective, const Layout& layout) {
  const std::size_t base = strands_.size();
  Listener listener(collective);
  ScheduleKey key = group.key;
  std::int64_t sent = 0, received = 0;
  for (key.position = 0; key.position < key.size; ++key.position) {
    listener.turn_to(key.position);
    speak(key, collective, listener);
    const std::uint32_t index = outline_of(listener, key);
    const Outline& outline = outlines_[index];
    strands_.push_back({static_cast<std::int64_t>(steps_.size()), index,
                        static_cast<std::uint32_t>(rank_of(group, key.position)),
                        static_cast<std::uint32_t>(shapes_.size())});
    bind(listener, outline, layout, base);
    received += outline.receives;
    for (const Heard& step : listener.steps()) sent += step.kind == StepKind::send ? 1 : 0;
    if (static_cast<std::int64_t>(steps_.size()) > limits_.steps ||
        messages_ + sent * layout.windows > limits_.messages)
      throw error(TUTTI_ERROR_ARGUMENT,
                  "{} is too large to simulate: its first {} ranks alone send {} messages in {} steps, where {} and {} "
                  "are the most",
                  name_of(group), key.position + 1, sent * layout.windows, steps_.size(), limits_.messages,
                  limits_.steps);
  }
  if (sent != received)
    throw error(TUTTI_ERROR_INTERNAL, "{}: {} sends and {} receives do not match", name_of(group), sent, received);
  messages_ += sent * layout.windows;
}

void Programs::add(const Group& given) {
  check(given);
  Group group = given;
  group.key.root = given.root;
  group.key.position = 0;
  const Collective collective = collective_of(group.key);
  const Layout layout(group, collective);
  const std::int64_t steps = estimate(group, collective, layout.windows);
  const std::size_t first = strands_.size();
  const auto all_strands = first + static_cast<std::size_t>(group.key.size);
  if (shapes_.empty()) {
    strands_.reserve(all_strands);
    steps_.reserve(static_cast<std::size_t>(steps + steps / 16));
  }
  first_outline_ = outlines_.size();
  signatures_.clear();
  outline_index_.clear();
  hear(group, collective, layout);
  shapes_.push_back({static_cast<std::uint32_t>(layout.windows),
                     static_cast<int>(std::min<std::int64_t>(group.in_flight, layout.windows))});
  meet(first);
}

namespace {

// Where a rank's receives stand, by peer and turn: for ranks whose order of receives cannot be guessed.
class Receives {
 public:
  Receives(std::span<const Bound> steps, const Outline& outline) {
    for (std::uint32_t at = 0; at < steps.size(); ++at)
      if (is_receive(outline.steps[at].kind)) entries_.push_back({steps[at].peer, outline.steps[at].match, at});
    std::sort(entries_.begin(), entries_.end());
  }
  std::uint32_t find(std::uint32_t peer, std::int32_t match) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), Entry{peer, match, 0});
    return found != entries_.end() && found->peer == peer && found->match == match ? found->step : no_partner;
  }

 private:
  struct Entry {
    std::uint32_t peer;
    std::int32_t match;
    std::uint32_t step;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries_;
};

}  // namespace

// The k-th send from a to b meets the k-th receive of b from a. Ranks with one outline mostly meet at the same step, so
// where the last one of them met its peer is looked at first.
void Programs::meet(std::size_t first_strand) {
  std::vector<std::vector<std::uint32_t>> guesses(outlines_.size());
  std::unordered_map<std::uint32_t, Receives> indexed;
  for (std::size_t at = first_strand; at < strands_.size(); ++at) {
    const Outline& outline = outlines_[strands_[at].outline];
    std::vector<std::uint32_t>& guess = guesses[strands_[at].outline];
    guess.resize(outline.steps.size());
    Bound* const mine = steps_.data() + strands_[at].first_step;
    for (std::size_t step = 0; step < outline.steps.size(); ++step) {
      if (outline.steps[step].kind != StepKind::send) continue;
      const Strand& peer = strands_[mine[step].peer];
      const Outline& theirs = outlines_[peer.outline];
      Bound* const there = steps_.data() + peer.first_step;
      const std::int32_t match = outline.steps[step].match;
      std::uint32_t found = guess[step];
      if (found >= theirs.steps.size() || !is_receive(theirs.steps[found].kind) || theirs.steps[found].match != match ||
          there[found].peer != at) {
        auto index = indexed.find(mine[step].peer);
        if (index == indexed.end()) index = indexed.try_emplace(mine[step].peer, steps_of(peer), theirs).first;
        found = index->second.find(static_cast<std::uint32_t>(at), match);
        if (found == no_partner)
          throw error(TUTTI_ERROR_INTERNAL, "message {} from rank {} to rank {} has no receive", match,
                      strands_[at].rank, peer.rank);
        guess[step] = found;
      }
      mine[step].partner = found;
      there[found].partner = static_cast<std::uint32_t>(step);
    }
  }
}

}  // namespace tutti::simulation
