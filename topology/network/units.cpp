// See units.hpp. Numbers are kept exact: what is not a whole number of bytes per second or picoseconds is refused.
#include "topology/network/units.hpp"

#include <array>
#include <span>

#include "error.hpp"

namespace tutti {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t size;
};
constexpr std::int64_t kilo = 1000, mega = kilo * kilo, giga = kilo * mega, tera = kilo * giga;
constexpr std::array bandwidths{
    Unit{"b/s", 1}, Unit{"kb/s", kilo},     Unit{"Mb/s", mega},     Unit{"Gb/s", giga},     Unit{"Tb/s", tera},
    Unit{"B/s", 8}, Unit{"kB/s", 8 * kilo}, Unit{"MB/s", 8 * mega}, Unit{"GB/s", 8 * giga}, Unit{"TB/s", 8 * tera}};
constexpr std::array times{Unit{"ps", 1}, Unit{"ns", kilo}, Unit{"us", mega}, Unit{"ms", giga}, Unit{"s", tera}};
constexpr std::int64_t most_bits = 8 * kilo * tera;  // a thousand TB/s
constexpr std::int64_t most_picoseconds = 100 * tera;

struct Quantity {
  std::string_view what;
  std::string_view example;
  std::span<const Unit> units;
  std::int64_t most;
};
constexpr Quantity bandwidth{"bandwidth", "200 Gb/s", bandwidths, most_bits};
constexpr Quantity duration{"time", "300 ns", times, most_picoseconds};

[[noreturn]] void wrong(const Quantity& quantity, std::string_view text, const std::string& where,
                        const std::string& why) {
  std::string units;
  for (const Unit& unit : quantity.units) units += (units.empty() ? "" : ", ") + std::string(unit.name);
  std::string clean;
  for (const char character : text.substr(0, 40)) clean += character >= ' ' && character < 127 ? character : '?';
  throw error(TUTTI_ERROR_ARGUMENT,
              "{}\"{}\" is not a {}: {}; right is a number, a space and a unit ({}), such as \"{}\"", where, clean,
              quantity.what, why, units, quantity.example);
}

bool is_digit(char character) { return character >= '0' && character <= '9'; }

// Exactly text = number * unit, in the unit of size 1.
std::int64_t parse(const Quantity& quantity, std::string_view text, const std::string& where) {
  std::int64_t number = 0, divisor = 1;
  std::size_t i = 0, digits = 0;
  bool fraction = false;
  for (; i < text.size() && (is_digit(text[i]) || (text[i] == '.' && !fraction && i > 0)); ++i) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    if (++digits > 15) wrong(quantity, text, where, "the number has more than 15 digits");
    number = number * 10 + (text[i] - '0');
    if (fraction) divisor *= 10;
  }
  if (digits == 0 || text[i - 1] == '.') wrong(quantity, text, where, "it does not begin with a number");
  if (i == text.size() || text[i] != ' ') wrong(quantity, text, where, "there is no space between number and unit");
  const std::string_view name = text.substr(i + 1);
  for (const Unit& unit : quantity.units) {
    if (unit.name != name) continue;
    while (divisor > 1 && number % 10 == 0) number /= 10, divisor /= 10;
    if (unit.size % divisor != 0) wrong(quantity, text, where, "it is finer than the smallest unit");
    const std::int64_t scale = unit.size / divisor;
    if (number > quantity.most / scale) wrong(quantity, text, where, "it is more than any machine has");
    return number * scale;
  }
  wrong(quantity, text, where, "the unit is unknown");
}

std::string short_number(double value) {
  std::string text = fmt::format("{:.3f}", value);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

// The last of the units of which there is at least one.
std::string text_of(std::int64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units)
    if (value >= unit.size) best = &unit;
  return fmt::format("{} {}", short_number(static_cast<double>(value) / static_cast<double>(best->size)), best->name);
}

}  // namespace

std::int64_t parse_bandwidth(std::string_view text, const std::string& where) {
  const std::int64_t bits = parse(bandwidth, text, where);
  if (bits == 0) wrong(bandwidth, text, where, "it is nothing");
  if (bits % 8 != 0) wrong(bandwidth, text, where, "it is not a whole number of bytes per second");
  return bits / 8;
}

std::int64_t parse_time(std::string_view text, const std::string& where) { return parse(duration, text, where); }

std::string bandwidth_text(std::int64_t bytes_per_second) {
  constexpr std::array bytes{Unit{"B/s", 1}, Unit{"kB/s", kilo}, Unit{"MB/s", mega}, Unit{"GB/s", giga},
                             Unit{"TB/s", tera}};
  return text_of(bytes_per_second, bytes);
}

std::string time_text(std::int64_t picoseconds) { return text_of(picoseconds, times); }

}  // namespace tutti
