// See overrides.hpp. The parser keeps the position of what it reads, so that each error can point at it.
#include "scheduler/overrides.hpp"

#include <charconv>

#include "error.hpp"
#include "nearest.hpp"
#include "scheduler/bytes.hpp"

namespace tutti {
namespace {

constexpr Kind kinds[] = {Kind::allreduce, Kind::broadcast, Kind::reduce,  Kind::reduce_scatter,
                          Kind::allgather, Kind::barrier,   Kind::alltoall};

bool is_blank(char letter) { return letter == ' ' || letter == '\t' || letter == '\n'; }

// Names, keys and values; '-' belongs to names ("two-shot") but not to sizes ("1K-2K").
bool is_of_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
         letter == '-' || letter == '_';
}
bool is_of_size(char letter) { return is_of_name(letter) && letter != '-'; }

// Text from outside, fit for a line of an error message.
std::string printable(std::string_view text) {
  std::string clean(text);
  for (char& letter : clean)
    if (letter < ' ' || letter == '\x7f') letter = '?';
  return clean;
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view origin) : text_(text), origin_(origin) {}

  std::vector<Override> parse() {
    std::vector<Override> entries;
    while (true) {
      skip_blanks();
      if (at_end()) return entries;
      if (take(';')) continue;
      Override entry = parse_entry();
      refuse_overlap(entries, entry);
      entries.push_back(std::move(entry));
      if (!at_end() && !take(';')) fail(position_, "expected ';' or the end, found {}", what_is_here());
    }
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(std::size_t position, fmt::format_string<Args...> format, Args&&... args) const {
    throw error(TUTTI_ERROR_ARGUMENT, "{}, column {} of \"{}\": {}", origin_, position + 1, printable(text_),
                fmt::format(format, std::forward<Args>(args)...));
  }

  bool at_end() const { return position_ == text_.size(); }

  void skip_blanks() {
    while (!at_end() && is_blank(text_[position_])) ++position_;
  }

  // Takes a mark and the blanks around it.
  bool take(char mark) {
    skip_blanks();
    if (at_end() || text_[position_] != mark) return false;
    ++position_;
    skip_blanks();
    return true;
  }

  void expect(char mark, std::string_view example) {
    if (!take(mark)) fail(position_, "expected '{}', as in \"{}\", found {}", mark, example, what_is_here());
  }

  std::string what_is_here() const {
    return at_end() ? std::string("the end") : fmt::format("\"{}\"", printable(text_.substr(position_, 1)));
  }

  std::string_view word(bool (*belongs)(char)) {
    const std::size_t begin = position_;
    while (!at_end() && belongs(text_[position_])) ++position_;
    return text_.substr(begin, position_ - begin);
  }

  [[noreturn]] void unknown(std::size_t position, std::string_view what, std::string_view name,
                            const std::vector<std::string_view>& names) const {
    if (names.empty()) fail(position, "\"{}\" is not {}; there is none", name, what);
    if (name.empty())
      fail(position, "expected {}, found {}; there are {}", what, what_is_here(), fmt::join(names, ", "));
    fail(position, "\"{}\" is not {}; the nearest is {}; there are {}", name, what, nearest_name(name, names),
         fmt::join(names, ", "));
  }

  Override parse_entry() {
    Override entry;
    const std::size_t begin = position_;
    entry.origin = origin_;
    entry.column = begin + 1;
    entry.kind = parse_collective();
    if (take('@')) parse_range(entry);
    expect('=', "allreduce=ring");
    parse_what(entry, true);
    std::size_t end = position_;
    while (is_blank(text_[end - 1])) --end;
    entry.text = printable(text_.substr(begin, end - begin));
    return entry;
  }

  Kind parse_collective() {
    const std::size_t begin = position_;
    const std::string_view name = word(is_of_name);
    std::vector<std::string_view> names;
    for (Kind kind : kinds) {
      if (kind_name(kind) == name) return kind;
      names.push_back(kind_name(kind));
    }
    unknown(begin, "a collective", name, names);
  }

  void parse_range(Override& entry) {
    const std::size_t begin = position_;
    if (entry.kind == Kind::barrier)
      fail(begin, "a barrier has no bytes; right would be barrier=name, without a range");
    entry.low = parse_size().value_or(0);
    expect('-', "broadcast@64K-1M=chain");
    entry.high = parse_size().value_or(no_limit);
    if (entry.low >= entry.high)
      fail(begin, "the range {}-{} is empty; the first size is inclusive, the second exclusive and larger",
           format_bytes(entry.low), format_bytes(entry.high));
  }

  std::optional<std::uint64_t> parse_size() {
    const std::size_t begin = position_;
    const std::string_view digits = word(is_of_size);
    if (digits.empty()) return std::nullopt;
    return size_of(begin, digits);
  }

  std::uint64_t size_of(std::size_t begin, std::string_view digits) const {
    try {
      return parse_bytes(digits);
    } catch (const Error& wrong) {
      fail(begin, "{}", wrong.what());
    }
  }

  // An algorithm or a hierarchy, with what stands in its brackets. `outermost`: not inside another's.
  void parse_what(Override& entry, bool outermost) {
    const std::size_t begin = position_;
    const std::string_view name = word(is_of_name);
    for (Form form : {Form::leader, Form::lanes})
      if (name == form_name(form) && !inner_layers(entry.kind, form).empty())
        return parse_hierarchy(entry, form, begin, outermost);
    entry.algorithm = &algorithm_of(entry.kind, name, begin);
    parse_settings([&](std::size_t at, std::string_view key) {
      const std::string_view own = entry.algorithm->parameter.name;
      if (!key.empty() && key == own)
        return set(entry.parameter, key, at, [&] { return parse_parameter(entry.algorithm->parameter); });
      std::vector<std::string_view> names;
      if (!own.empty()) names.push_back(own);
      parse_running(entry, entry.algorithm->name, key, at, outermost, names);
    });
  }

  void parse_hierarchy(Override& entry, Form form, std::size_t begin, bool outermost) {
    if (entry.layers.size() == most_layers) fail(begin, "there are at most {} levels of groups", most_layers);
    const std::size_t level = entry.layers.size();
    entry.layers.push_back({form, {}});
    bool outer_given = false;
    parse_settings([&](std::size_t at, std::string_view key) {
      if (key == "inner") return set(entry.layers[level].inner, key, at, [&] { return parse_inner(entry.kind, form); });
      if (key != "outer") return parse_running(entry, form_name(form), key, at, outermost, {"inner", "outer"});
      if (outer_given) fail(at, "outer is given twice");
      expect('=', "lanes(inner=two-shot, outer=circulant)");
      parse_what(entry, false);
      outer_given = true;
    });
  }

  Layer parse_inner(Kind kind, Form form) {
    const std::size_t begin = position_;
    const std::string_view name = word(is_of_name);
    std::vector<std::string_view> names;
    for (const Layer& layer : inner_layers(kind, form)) {
      names.push_back(layer.inner);
      if (layer.inner != name) continue;
      Layer found = layer;
      bool given = false;
      parse_settings([&](std::size_t at, std::string_view key) {
        const Parameter own = inner_parameter(layer);
        if (key.empty() || key != own.name)
          unknown(at, fmt::format("a parameter of {} inside a hierarchy", name), key,
                  own.name.empty() ? std::vector<std::string_view>{} : std::vector{own.name});
        if (given) fail(at, "{} is given twice", key);
        expect('=', "knomial(k=4)");
        set_inner_parameter(found, parse_parameter(own));
        given = true;
      });
      return found;
    }
    unknown(begin, fmt::format("what can run inside the groups of {} by {}", kind_name(kind), form_name(form)), name,
            names);
  }

  const Algorithm& algorithm_of(Kind kind, std::string_view name, std::size_t begin) const {
    std::vector<std::string_view> names;
    for (const Algorithm& algorithm : catalogue()) {
      if (algorithm.kind != kind) continue;
      if (algorithm.name == name) return algorithm;
      names.push_back(algorithm.name);
    }
    for (Form form : {Form::leader, Form::lanes})
      if (!inner_layers(kind, form).empty()) names.push_back(form_name(form));
    unknown(begin, fmt::format("an algorithm of {}", kind_name(kind)), name, names);
  }

  // (key=value, ...) where it is there: `setting(begin, key)` takes "=value".
  template <class Setting>
  void parse_settings(Setting setting) {
    if (!take('(') || take(')')) return;
    do {
      const std::size_t begin = position_;
      setting(begin, word(is_of_name));
    } while (take(','));
    expect(')', "chain(window=256K)");
  }

  template <class Value, class Parse>
  void set(std::optional<Value>& value, std::string_view key, std::size_t begin, Parse parse) {
    if (value) fail(begin, "{} is given twice", key);
    expect('=', "chain(window=256K, in-flight=4)");
    value = parse();
  }

  // How the whole is run, which only the outermost may say.
  void parse_running(Override& entry, std::string_view owner, std::string_view key, std::size_t begin, bool outermost,
                     std::vector<std::string_view> names) {
    if (!outermost && (key == "window" || key == "in-flight"))
      fail(begin, "{} belongs to the whole, not to a part of it; right would be lanes(outer={}, {}=...)", key, owner,
           key);
    if (key == "window") return set(entry.window_bytes, key, begin, [&] { return parse_window(); });
    if (key == "in-flight")
      return set(entry.in_flight, key, begin,
                 [&] { return static_cast<int>(parse_number("in-flight", 1, most_in_flight)); });
    if (outermost) names.insert(names.end(), {"window", "in-flight"});
    unknown(begin, fmt::format("a parameter of {}", owner), key, names);
  }

  std::int64_t parse_parameter(const Parameter& parameter) {
    return parse_number(parameter.name, parameter.least, parameter.most);
  }

  std::uint64_t parse_window() {
    const std::size_t begin = position_;
    const std::uint64_t window = size_of(begin, word(is_of_size));
    if (window < least_window) fail(begin, "window={} is too small; at least {} is right", window, least_window);
    return window;
  }

  std::int64_t parse_number(std::string_view key, std::int64_t least, std::int64_t most) {
    const std::size_t begin = position_;
    const std::string_view digits = word(is_of_name);
    std::int64_t number = 0;
    const auto [rest, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (failure != std::errc{} || rest != digits.data() + digits.size() || number < least || number > most)
      fail(begin, "{}={} is not right; it is a whole number from {} to {}", key, digits, least, most);
    return number;
  }

  void refuse_overlap(const std::vector<Override>& entries, const Override& entry) const {
    for (const Override& earlier : entries) {
      if (earlier.kind != entry.kind || earlier.low >= entry.high || entry.low >= earlier.high) continue;
      fail(entry.column - 1,
           "\"{}\" overlaps \"{}\" of column {}; two ranges of one collective must have no size in common", entry.text,
           earlier.text, earlier.column);
    }
  }

  std::string_view text_;
  std::string_view origin_;
  std::size_t position_ = 0;
};

}  // namespace

Overrides Overrides::parse(std::string_view text, std::string_view origin) {
  Overrides overrides;
  overrides.entries_ = Parser(text, origin).parse();
  return overrides;
}

const Override* Overrides::find(Kind kind, std::uint64_t bytes) const {
  for (const Override& entry : entries_)
    if (entry.kind == kind && bytes >= entry.low && bytes < entry.high) return &entry;
  return nullptr;
}

}  // namespace tutti
