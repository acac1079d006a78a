// See settings.hpp.
#include "topology/network/settings.hpp"

namespace tutti {

std::string at(const std::string& file, Position position) {
  if (position.line <= 0) return file + ": ";
  if (position.column <= 0) return fmt::format("{}:{}: ", file, position.line);
  return fmt::format("{}:{}:{}: ", file, position.line, position.column);
}

void TableSettings::set(std::string_view key, Value value, Position position) {
  entries_.insert_or_assign(std::string(key), Entry{std::move(value), position});
}

bool TableSettings::has(std::string_view key) const { return entries_.find(key) != entries_.end(); }

const TableSettings::Value& TableSettings::value(std::string_view key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end())
    throw wrong(key, fmt::format("key \"{}\" is missing in [{}]: it must be given", key, table_));
  return found->second.value;
}

std::int64_t TableSettings::integer(std::string_view key) const { return std::get<std::int64_t>(value(key)); }

std::int64_t TableSettings::integer(std::string_view key, std::int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

std::vector<std::int64_t> TableSettings::integers(std::string_view key) const {
  return std::get<std::vector<std::int64_t>>(value(key));
}

std::vector<std::int64_t> TableSettings::integers(std::string_view key, std::vector<std::int64_t> otherwise) const {
  return has(key) ? integers(key) : std::move(otherwise);
}

std::string TableSettings::text(std::string_view key) const { return std::get<std::string>(value(key)); }

std::vector<std::string> TableSettings::texts(std::string_view key) const {
  return std::get<std::vector<std::string>>(value(key));
}

std::string TableSettings::text(std::string_view key, std::string_view otherwise) const {
  return has(key) ? std::get<std::string>(value(key)) : std::string(otherwise);
}

bool TableSettings::flag(std::string_view key, bool otherwise) const {
  return has(key) ? std::get<bool>(value(key)) : otherwise;
}

Position TableSettings::position_of(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? position_ : found->second.position;
}

Error TableSettings::wrong(std::string_view key, const std::string& what) const {
  return Error(TUTTI_ERROR_ARGUMENT, at(file_, position_of(key)) + what);
}

}  // namespace tutti
