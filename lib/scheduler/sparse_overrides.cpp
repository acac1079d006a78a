// The entries of TUTTI_ALGORITHM that are about sparse calls; see sparse_choice.hpp.
#include <vector>

#include "error.hpp"
#include "nearest.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/sparse_choice.hpp"

namespace tutti {
namespace {

constexpr std::string_view blanks = " \t\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

// One entry, which begins at `column` of the whole text.
class EntryParser {
 public:
  EntryParser(std::string_view entry, std::size_t column, std::string_view origin)
      : entry_(entry), column_(column), origin_(origin) {}

  // Empty where the entry is about something else.
  bool is_sparse() const { return name() == "topk-allreduce" || name() == "sparse-allreduce"; }

  SparseOverrides::Entry parse() const {
    SparseOverrides::Entry out;
    out.top_k = name() == "topk-allreduce";
    out.column = column_;
    out.text = entry_;
    const std::size_t equals = entry_.find('=');
    if (equals == std::string_view::npos) fail("expected '=', as in \"{}=split-sparse\"", name());
    const std::size_t at = entry_.find('@');
    if (at < equals) parse_range(trimmed(entry_.substr(at + 1, equals - at - 1)), out);
    out.algorithm = &algorithm(trimmed(entry_.substr(equals + 1)));
    return out;
  }

 private:
  std::string_view name() const { return trimmed(entry_.substr(0, entry_.find_first_of("@="))); }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw error(TUTTI_ERROR_ARGUMENT, "{}, column {} (\"{}\"): {}", origin_, column_, entry_,
                fmt::format(format, std::forward<Args>(args)...));
  }

  void parse_range(std::string_view range, SparseOverrides::Entry& out) const {
    const std::size_t dash = range.find('-');
    if (dash == std::string_view::npos) fail("expected a range as in \"{}@64K-1M=dense\"", name());
    const std::string_view low = trimmed(range.substr(0, dash)), high = trimmed(range.substr(dash + 1));
    try {
      if (!low.empty()) out.low = parse_bytes(low);
      if (!high.empty()) out.high = parse_bytes(high);
    } catch (const Error& wrong) {
      fail("{}", wrong.what());
    }
    if (out.low >= out.high) fail("the range is empty; the first size is inclusive, the second exclusive and larger");
  }

  const Algorithm& algorithm(std::string_view wanted) const {
    std::vector<std::string_view> names;
    for (const Algorithm& each : sparse_algorithms()) {
      if (each.name == wanted) return each;
      names.push_back(each.name);
    }
    fail("\"{}\" is not an algorithm of {}; the nearest is {}; there are {}, without parameters", wanted, name(),
         nearest_name(wanted, names), fmt::join(names, ", "));
  }

  std::string_view entry_;
  std::size_t column_;
  std::string_view origin_;
};

}  // namespace

SparseOverrides SparseOverrides::take(std::string& text, std::string_view origin) {
  SparseOverrides overrides;
  overrides.origin_ = origin;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string entry(trimmed(std::string_view(text).substr(begin, end - begin)));
    const std::size_t column = std::min(text.find_first_not_of(blanks, begin), end) + 1;
    const EntryParser parser(entry, column, origin);
    if (parser.is_sparse()) {
      Entry parsed = parser.parse();
      for (const Entry& earlier : overrides.entries_)
        if (earlier.top_k == parsed.top_k && earlier.low < parsed.high && parsed.low < earlier.high)
          throw error(TUTTI_ERROR_ARGUMENT,
                      "{}: \"{}\" (column {}) overlaps \"{}\" (column {}); two ranges of one "
                      "collective must have no size in common",
                      origin, parsed.text, parsed.column, earlier.text, earlier.column);
      overrides.entries_.push_back(std::move(parsed));
      text.replace(begin, end - begin, end - begin, ' ');
    }
    begin = end + 1;
  }
  return overrides;
}

const SparseOverrides::Entry* SparseOverrides::find(bool top_k, std::uint64_t bytes) const {
  for (const Entry& entry : entries_)
    if (entry.top_k == top_k && bytes >= entry.low && bytes < entry.high) return &entry;
  return nullptr;
}

}  // namespace tutti
