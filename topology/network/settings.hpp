// The settings of a network's description, each with its place in the file, for kinds to be made from. Which keys there
// are is a table of the kind: the reader refuses all others, the documents list the same ones.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "error.hpp"

namespace tutti {

// Where something stands in a file; line 0 where the whole file is meant.
struct Position {
  std::int64_t line = 0;
  std::int64_t column = 0;
};

// "file:line:column: ", as far as it is known.
std::string at(const std::string& file, Position position);

enum class KeyType { integer, integers, text, flag, integer_or_text, texts, table };

struct Key {
  std::string_view name;
  KeyType type;
  std::string_view otherwise;  // what holds where it is not given; empty: it must be given
  std::string_view meaning;
  std::int64_t least = 1;  // bounds of the integers
  std::int64_t most = std::numeric_limits<std::int32_t>::max();
};

class TableSettings {
 public:
  using Value = std::variant<std::int64_t, std::vector<std::int64_t>, std::string, bool, std::vector<std::string>>;

  TableSettings(std::string file, std::string table, Position position)
      : file_(std::move(file)), table_(std::move(table)), position_(position) {}

  void set(std::string_view key, Value value, Position position);
  bool has(std::string_view key) const;
  // Each is an error where the key is missing and no other value is given.
  std::int64_t integer(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t otherwise) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> otherwise) const;
  std::string text(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
  bool flag(std::string_view key, bool otherwise) const;
  const Value& value(std::string_view key) const;

  // An error at a key, or at the head of the table where the key is not given.
  Error wrong(std::string_view key, const std::string& what) const;
  Position position_of(std::string_view key) const;
  const std::string& file() const { return file_; }

 private:
  struct Entry {
    Value value;
    Position position;
  };
  std::string file_;
  std::string table_;
  Position position_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace tutti
