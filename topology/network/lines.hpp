// A text line by line, with their numbers; for the readers of other systems' files.
#pragma once

#include <cstdint>
#include <string_view>

namespace tutti {

inline std::string_view without_spaces(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Calls `take(line, number)` with each line, without the spaces around it; numbers count from 1.
template <class Take>
void for_each_line(std::string_view text, Take take) {
  std::int64_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    take(without_spaces(text.substr(0, end)), ++number);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

// The text before the first space, and `text` is what follows it.
inline std::string_view next_word(std::string_view& text) {
  text = without_spaces(text);
  const std::size_t end = text.find_first_of(" \t");
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

}  // namespace tutti
