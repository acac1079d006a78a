// See toml_document.hpp.
#include "topology/network/toml_document.hpp"

#include <algorithm>
#include <array>

#include "nearest.hpp"
#include "topology/network/units.hpp"

namespace tutti {
namespace {

Position position_of(const toml::source_region& source) {
  return {static_cast<std::int64_t>(source.begin.line), static_cast<std::int64_t>(source.begin.column)};
}

toml::table parsed(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& failure) {
    throw Error(TUTTI_ERROR_ARGUMENT,
                at(file, position_of(failure.source())) + "this is not TOML: " + std::string(failure.description()));
  }
}

}  // namespace

std::string quoted(std::string_view name) {
  std::string clean = "\"";
  for (const char character : name.substr(0, 60)) clean += character >= ' ' && character < 127 ? character : '?';
  return clean + (name.size() > 60 ? "...\"" : "\"");
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

TomlDocument::TomlDocument(std::string_view text, const std::string& file) : file_(file), root_(parsed(text, file)) {}

void TomlDocument::wrong(const toml::source_region& source, const std::string& what) const {
  throw Error(TUTTI_ERROR_ARGUMENT, at(file_, position_of(source)) + what);
}

std::string TomlDocument::where(const toml::node& node) const { return at(file_, position_of(node.source())); }

void TomlDocument::require_known(const toml::table& table, const std::string& name,
                                 std::span<const std::string_view> known) const {
  for (const auto& [key, value] : table)
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      wrong(key.source(), fmt::format("{} knows no {}; the nearest is {}; known are {}", name, quoted(key.str()),
                                      nearest_name(key.str().substr(0, 60), known), listed(known)));
}

const toml::table& TomlDocument::table(std::string_view name) const {
  const toml::node* node = root_.get(name);
  if (node == nullptr)
    throw error(TUTTI_ERROR_ARGUMENT, "{}table [{}] is missing: a description of a network has it", at(file_, {}),
                name);
  if (!node->is_table()) wrong(node->source(), fmt::format("\"{}\" must be a table: [{}]", name, name));
  return *node->as_table();
}

TableSettings TomlDocument::settings_of(const toml::table& table, const std::string& name,
                                        std::span<const Key> keys) const {
  std::vector<std::string_view> names;
  for (const Key& key : keys) names.push_back(key.name);
  require_known(table, "[" + name + "]", names);
  TableSettings settings(file_, name, position_of(table.source()));
  for (const Key& key : keys)
    if (const toml::node* node = table.get(key.name); node != nullptr && key.type != KeyType::table)
      settings.set(key.name, value_of(key, *node), position_of(node->source()));
  return settings;
}

TableSettings::Value TomlDocument::value_of(const Key& key, const toml::node& node) const {
  const bool integer_or_text = key.type == KeyType::integer_or_text;
  if (const auto* number = node.as_integer(); number && (key.type == KeyType::integer || integer_or_text))
    return bounded(key, *number);
  if (const auto* text = node.as_string(); text && (key.type == KeyType::text || integer_or_text)) return text->get();
  if (const auto* flag = node.as_boolean(); flag && key.type == KeyType::flag) return flag->get();
  if (const auto* array = node.as_array(); array && key.type == KeyType::integers) return integers_of(key, *array);
  if (const auto* array = node.as_array(); array && key.type == KeyType::texts) return texts_of(key, *array);
  constexpr std::array<std::string_view, 6> right{
      "a whole number", "a list of whole numbers, such as [4, 4, 2]", "a text in quotes",
      "true or false",  "a whole number or a text in quotes",         "a list of texts in quotes"};
  wrong(node.source(), fmt::format("\"{}\" must be {}", key.name, right[static_cast<std::size_t>(key.type)]));
}

std::int64_t TomlDocument::bounded(const Key& key, const toml::value<std::int64_t>& number) const {
  if (number.get() < key.least || number.get() > key.most)
    wrong(number.source(),
          fmt::format("\"{}\" = {} is out of range: {} to {} is right", key.name, number.get(), key.least, key.most));
  return number.get();
}

std::vector<std::int64_t> TomlDocument::integers_of(const Key& key, const toml::array& array) const {
  constexpr std::size_t most = 16;
  std::vector<std::int64_t> numbers;
  if (array.empty() || array.size() > most)
    wrong(array.source(), fmt::format("\"{}\" has {} numbers: 1 to {} are right", key.name, array.size(), most));
  for (const toml::node& element : array) {
    if (!element.is_integer())
      wrong(element.source(), fmt::format("\"{}\" must be a list of whole numbers, such as [4, 4, 2]", key.name));
    numbers.push_back(bounded(key, *element.as_integer()));
  }
  return numbers;
}

std::vector<std::string> TomlDocument::texts_of(const Key& key, const toml::array& array) const {
  std::vector<std::string> texts;
  for (const toml::node& element : array) {
    if (!element.is_string())
      wrong(element.source(), fmt::format("\"{}\" must be a list of texts in quotes", key.name));
    texts.push_back(element.as_string()->get());
  }
  return texts;
}

Network::Link TomlDocument::rate_of(std::string_view name, const toml::node& node) const {
  constexpr std::array<std::string_view, 2> known{"bandwidth", "latency"};
  const toml::table* table = node.as_table();
  constexpr std::string_view right = "{ bandwidth = \"200 Gb/s\", latency = \"300 ns\" }";
  if (table == nullptr) wrong(node.source(), fmt::format("\"{}\" must be a table such as {}", name, right));
  require_known(*table, fmt::format("link \"{}\"", name), known);
  std::array<std::string, 2> texts;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const toml::node* value = table->get(known[i]);
    if (value == nullptr || !value->is_string())
      wrong(value ? value->source() : node.source(),
            fmt::format("link \"{}\" needs a {} in quotes; right is {}", name, known[i], right));
    texts[i] = value->as_string()->get();
  }
  return {parse_bandwidth(texts[0], where(*table->get(known[0]))), parse_time(texts[1], where(*table->get(known[1])))};
}

std::vector<const toml::table*> TomlDocument::tables(std::string_view name, std::size_t most) const {
  std::vector<const toml::table*> found;
  const toml::node* node = root_.get(name);
  if (node == nullptr) return found;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->empty() || array->size() > most)
    wrong(node->source(), fmt::format("\"{}\" must be 1 to {} tables with the head [[{}]]", name, most, name));
  for (const toml::node& element : *array) {
    if (!element.is_table())
      wrong(element.source(), fmt::format("\"{}\" must be tables with the head [[{}]]", name, name));
    found.push_back(element.as_table());
  }
  return found;
}

}  // namespace tutti
