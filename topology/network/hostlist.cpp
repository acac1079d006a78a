// See hostlist.hpp.
#include "topology/network/hostlist.hpp"

#include <algorithm>
#include <numeric>

#include "error.hpp"
#include "topology/network/limits.hpp"

namespace tutti {
namespace {

using Range = Hostlist::Range;
using Piece = Hostlist::Piece;
using Entry = Hostlist::Entry;

constexpr std::size_t most_entries = std::size_t{1} << 20;
constexpr std::size_t most_brackets = 4;
constexpr std::size_t longest_name = 255;
constexpr std::size_t most_digits = 15;
constexpr std::int64_t most_names_compared = std::int64_t{1} << 21;

int digits_of(std::int64_t number) {
  int digits = 1;
  for (; number >= 10; number /= 10) ++digits;
  return digits;
}

bool is_digit(char character) { return character >= '0' && character <= '9'; }

bool may_stand_in_a_name(char character) {
  return is_digit(character) || (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         character == '-' || character == '_' || character == '.';
}

// Reads one list from left to right.
class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  // Calls `take` with each entry.
  template <class Take>
  void run(Take take) {
    for (;;) {
      skip_spaces();
      take(entry());
      skip_spaces();
      if (at_end()) return;
      if (!accept(',')) wrong(describe() + ": a comma or the end of the list is right here");
    }
  }

 private:
  bool at_end() const { return next_ == text_.size(); }
  bool accept(char character) {
    if (at_end() || text_[next_] != character) return false;
    ++next_;
    return true;
  }
  void skip_spaces() {
    while (!at_end() && (text_[next_] == ' ' || text_[next_] == '\t')) ++next_;
  }

  std::string describe() const {
    if (at_end()) return "the list ends";
    const char character = text_[next_];
    return character > ' ' && character < 127 ? fmt::format("'{}'", character)
                                              : fmt::format("byte {}", static_cast<unsigned char>(character));
  }

  [[noreturn]] void wrong(const std::string& what) const {
    constexpr std::size_t shown = 60;
    const std::string text(text_.substr(0, shown));
    std::string clean;
    for (const char character : text) clean += character >= ' ' && character < 127 ? character : '?';
    throw error(TUTTI_ERROR_ARGUMENT, "{}hostlist \"{}{}\", character {}: {}", where_, clean,
                text_.size() > shown ? "..." : "", next_ + 1, what);
  }

  Entry entry() {
    Entry entry;
    std::size_t brackets = 0;
    do {
      Piece piece;
      while (!at_end() && may_stand_in_a_name(text_[next_])) piece.text += text_[next_++];
      if (piece.text.size() > longest_name) wrong(fmt::format("a name of more than {} characters", longest_name));
      if (accept('[')) {
        if (++brackets > most_brackets) wrong(fmt::format("more than {} brackets in one name", most_brackets));
        bracket(piece);
      }
      if (piece.text.empty() && piece.ranges.empty()) break;
      if (piece.count > most_hosts / entry.count) wrong(fmt::format("more than {} hosts", most_hosts));
      entry.count *= piece.count;
      entry.pieces.push_back(std::move(piece));
    } while (!at_end() && (may_stand_in_a_name(text_[next_]) || text_[next_] == '['));
    if (entry.pieces.empty()) wrong(describe() + ": the name of a host is right here, such as nid[001-128]");
    return entry;
  }

  void bracket(Piece& piece) {
    std::int64_t count = 0;
    do {
      Range range = this->range();
      range.before = count;
      const std::int64_t more = range.high - range.low;  // one less, which cannot overflow
      if (more >= most_hosts - count) wrong(fmt::format("more than {} hosts", most_hosts));
      count += more + 1;
      piece.ranges.push_back(range);
    } while (accept(','));
    if (!accept(']')) wrong(describe() + ": a number, ',', '-' or ']' is right here");
    piece.count = count;
    piece.sorted = piece.ranges;
    std::sort(piece.sorted.begin(), piece.sorted.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
    std::int64_t reach = 0;
    for (Range& range : piece.sorted) range.reach = reach = std::max(reach, range.high);
  }

  Range range() {
    const std::size_t begin = next_;
    const std::int64_t low = number();
    const int width = static_cast<int>(next_ - begin);
    if (!accept('-')) return {low, low, width};
    const std::size_t second = next_;
    const std::int64_t high = number();
    if (high < low) {
      next_ = second;
      wrong(fmt::format("the range {}-{} runs backwards: the smaller number comes first", low, high));
    }
    return {low, high, width};
  }

  std::int64_t number() {
    if (at_end() || !is_digit(text_[next_])) wrong(describe() + ": a number is right here");
    std::int64_t value = 0;
    const std::size_t begin = next_;
    for (; !at_end() && is_digit(text_[next_]); ++next_) {
      if (next_ - begin == most_digits) wrong(fmt::format("a number of more than {} digits", most_digits));
      value = value * 10 + (text_[next_] - '0');
    }
    return value;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t next_ = 0;
};

std::int64_t number_at(const Piece& piece, std::int64_t index, int& width) {
  const auto after = std::upper_bound(piece.ranges.begin(), piece.ranges.end(), index,
                                      [](std::int64_t wanted, const Range& range) { return wanted < range.before; });
  const Range& range = *(after - 1);
  width = range.width;
  return range.low + (index - range.before);
}

// The place in a bracket of a number that is written with so many digits.
std::optional<std::int64_t> place_in(const Piece& piece, std::int64_t number, int digits) {
  auto range = std::upper_bound(piece.sorted.begin(), piece.sorted.end(), number,
                                [](std::int64_t wanted, const Range& candidate) { return wanted < candidate.low; });
  const int least = digits_of(number);
  while (range != piece.sorted.begin()) {
    --range;
    if (range->reach < number) return std::nullopt;
    if (number <= range->high && std::max(range->width, least) == digits) return range->before + (number - range->low);
  }
  return std::nullopt;
}

// The index within an entry of a name, whose rest from piece `p` on is `rest`.
std::optional<std::int64_t> match(const Entry& entry, std::size_t p, std::string_view rest, std::int64_t index) {
  if (p == entry.pieces.size()) return rest.empty() ? std::optional(index) : std::nullopt;
  const Piece& piece = entry.pieces[p];
  if (!rest.starts_with(piece.text)) return std::nullopt;
  rest.remove_prefix(piece.text.size());
  if (piece.ranges.empty()) return match(entry, p + 1, rest, index);
  std::int64_t number = 0;
  for (std::size_t digits = 1; digits <= std::min(rest.size(), most_digits) && is_digit(rest[digits - 1]); ++digits) {
    number = number * 10 + (rest[digits - 1] - '0');
    const auto place = place_in(piece, number, static_cast<int>(digits));
    if (!place) continue;
    if (const auto found = match(entry, p + 1, rest.substr(digits), index * piece.count + *place)) return found;
  }
  return std::nullopt;
}

bool is_single(const Entry& entry) { return entry.pieces.size() == 1 && entry.pieces[0].ranges.empty(); }

}  // namespace

void Hostlist::add(Entry entry) {
  entry.first = size_;
  size_ += entry.count;
  if (is_single(entry)) {
    by_text_.push_back(entries_.size());
    sorted_ = false;
  } else {
    bracketed_.push_back(entries_.size());
  }
  entries_.push_back(std::move(entry));
}

void Hostlist::sort_names() {
  if (sorted_) return;
  std::stable_sort(by_text_.begin(), by_text_.end(), [&](std::size_t a, std::size_t b) {
    return entries_[a].pieces[0].text < entries_[b].pieces[0].text;
  });
  sorted_ = true;
}

Hostlist Hostlist::parse(std::string_view text, const std::string& where) {
  Hostlist list;
  Parser(text, where).run([&](Entry entry) {
    if (entry.count > most_hosts - list.size_)
      throw error(TUTTI_ERROR_ARGUMENT, "{}the hostlist names more than {} hosts", where, most_hosts);
    if (list.entries_.size() == most_entries)
      throw error(TUTTI_ERROR_ARGUMENT, "{}the hostlist has more than {} entries: ranges in brackets are shorter",
                  where, most_entries);
    list.add(std::move(entry));
  });
  list.sort_names();
  return list;
}

Hostlist Hostlist::numbered(std::int64_t count) {
  return count <= 0 ? Hostlist() : parse(fmt::format("host[0-{}]", count - 1), "");
}

void Hostlist::append(const Hostlist& more) {
  for (const Entry& entry : more.entries_) add(entry);
  sort_names();
}

std::string Hostlist::name(std::int64_t index) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), index,
                                      [](std::int64_t wanted, const Entry& entry) { return wanted < entry.first; });
  const Entry& entry = *(after - 1);
  std::int64_t inside = index - entry.first, below = entry.count;
  std::string name;
  for (const Piece& piece : entry.pieces) {
    name += piece.text;
    if (piece.ranges.empty()) continue;
    below /= piece.count;
    int width = 0;
    const std::int64_t number = number_at(piece, inside / below, width);
    inside %= below;
    name.append(static_cast<std::size_t>(std::max(0, width - digits_of(number))), '0');
    name += std::to_string(number);
  }
  return name;
}

std::optional<std::int64_t> Hostlist::find(std::string_view name) const {
  std::optional<std::int64_t> first;
  const auto single = std::lower_bound(by_text_.begin(), by_text_.end(), name, [&](std::size_t entry, auto wanted) {
    return entries_[entry].pieces[0].text < wanted;
  });
  if (single != by_text_.end() && entries_[*single].pieces[0].text == name) first = entries_[*single].first;
  for (const std::size_t entry : bracketed_) {
    if (first && *first < entries_[entry].first) break;
    if (const auto found = match(entries_[entry], 0, name, 0)) return entries_[entry].first + *found;
  }
  return first;
}

namespace {

bool overlap(const Piece& one, const Piece& other) {
  std::vector<Range> all = one.sorted;
  all.insert(all.end(), other.sorted.begin(), other.sorted.end());
  std::sort(all.begin(), all.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i].low <= all[i - 1].high) return true;
  return false;
}

// Whether no two names of an entry are the same, as far as its text says so: no ranges of a bracket overlap, and the
// text behind a bracket does not go on with digits.
bool is_plainly_unique(const Entry& entry) {
  for (std::size_t p = 0; p < entry.pieces.size(); ++p) {
    const Piece& piece = entry.pieces[p];
    if (overlap(piece, {})) return false;
    if (p > 0 && (piece.text.empty() || is_digit(piece.text.front()))) return false;
  }
  return true;
}

// Whether two entries cannot have a name in common, as far as their beginnings say so.
bool are_plainly_apart(const Entry& one, const Entry& other) {
  const Piece &left = one.pieces[0], &right = other.pieces[0];
  const auto [a, b] = std::mismatch(left.text.begin(), left.text.end(), right.text.begin(), right.text.end());
  if (a != left.text.end() && b != right.text.end()) return true;
  if (a == left.text.end() && b == right.text.end())
    return one.pieces.size() == 1 && other.pieces.size() == 1 && !left.ranges.empty() && !right.ranges.empty() &&
           !overlap(left, right);
  // The one goes on with text where the other has a number.
  return a == left.text.end() ? !left.ranges.empty() && !is_digit(*b) : !right.ranges.empty() && !is_digit(*a);
}

}  // namespace

// Where nothing more than a look at the list says so.
bool Hostlist::is_plainly_unique() const {
  constexpr std::size_t most_compared = 64;
  if (entries_.size() > most_compared) return false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!tutti::is_plainly_unique(entries_[i])) return false;
    for (std::size_t j = 0; j < i; ++j)
      if (!are_plainly_apart(entries_[i], entries_[j])) return false;
  }
  return true;
}

void Hostlist::require_unique(const std::string& where) const {
  if (is_plainly_unique()) return;
  if (size_ > most_names_compared)
    throw error(
        TUTTI_ERROR_ARGUMENT,
        "{}the hostlist names more than {} hosts in a way that may repeat some: text between the brackets, and no "
        "ranges that overlap, are right",
        where, most_names_compared);
  // By fingerprints, so that millions of names need eight bytes each; names are compared where fingerprints are equal.
  std::vector<std::uint64_t> prints(static_cast<std::size_t>(size_));
  for (std::int64_t i = 0; i < size_; ++i) prints[static_cast<std::size_t>(i)] = std::hash<std::string>()(name(i));
  std::vector<std::uint64_t> ordered = prints;
  std::sort(ordered.begin(), ordered.end());
  if (std::adjacent_find(ordered.begin(), ordered.end()) == ordered.end()) return;
  std::vector<std::int64_t> index(prints.size());
  std::iota(index.begin(), index.end(), std::int64_t{0});
  const auto print = [&](std::int64_t i) { return prints[static_cast<std::size_t>(i)]; };
  std::stable_sort(index.begin(), index.end(), [&](auto a, auto b) { return print(a) < print(b); });
  std::int64_t first = size_;
  for (std::size_t i = 1; i < index.size(); ++i)
    if (print(index[i - 1]) == print(index[i]) && name(index[i - 1]) == name(index[i]))
      first = std::min(first, index[i]);
  if (first < size_)
    throw error(TUTTI_ERROR_ARGUMENT, "{}host {} is named twice: each host has one place in the network", where,
                name(first));
}

}  // namespace tutti
