// A description in TOML as a document whose every complaint names file, line and column: the tables, keys of known
// types, and rates of links. What the tables mean is said by the files that read them.
#pragma once

#include <toml++/toml.h>

#include <span>
#include <string>
#include <string_view>

#include "topology/network/network.hpp"
#include "topology/network/settings.hpp"

namespace tutti {

// A name of a file for a message: short, in quotes, and without what a terminal would obey.
std::string quoted(std::string_view name);
std::string listed(std::span<const std::string_view> names);

// The whole of a file of bounded size.
std::string text_of_file(const std::string& path);

class TomlDocument {
 public:
  TomlDocument(std::string_view text, const std::string& file);

  const std::string& file() const { return file_; }
  const toml::table& root() const { return root_; }
  // A table that must be there.
  const toml::table& table(std::string_view name) const;
  // The tables of [[name]]; none where there are none.
  std::vector<const toml::table*> tables(std::string_view name, std::size_t most) const;

  [[noreturn]] void wrong(const toml::source_region& source, const std::string& what) const;
  std::string where(const toml::node& node) const;
  // Every key of the table is one of these; `name` is the table's in the message.
  void require_known(const toml::table& table, const std::string& name, std::span<const std::string_view> known) const;
  // The values of a table that may have these keys and no others. Tables among them are left to the caller.
  TableSettings settings_of(const toml::table& table, const std::string& name, std::span<const Key> keys) const;
  // { bandwidth = "200 Gb/s", latency = "300 ns" }
  Network::Link rate_of(std::string_view name, const toml::node& node) const;

 private:
  TableSettings::Value value_of(const Key& key, const toml::node& node) const;
  std::int64_t bounded(const Key& key, const toml::value<std::int64_t>& number) const;
  std::vector<std::int64_t> integers_of(const Key& key, const toml::array& array) const;
  std::vector<std::string> texts_of(const Key& key, const toml::array& array) const;

  std::string file_;
  toml::table root_;
};

}  // namespace tutti
