// Names of hosts in Slurm's hostlist syntax: "login,nid[0001-0072],rack[1-4]node[01-10,12]". The lists are kept as they
// were written, so that a million names cost no memory; the last bracket counts fastest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

class Hostlist {
 public:
  Hostlist() = default;
  // Throws Error(TUTTI_ERROR_ARGUMENT): `where` (such as "file:3: "), then the column and what would be right. Names
  // may repeat; require_unique refuses that.
  static Hostlist parse(std::string_view text, const std::string& where);
  // host0, host1, ...
  static Hostlist numbered(std::int64_t count);

  void append(const Hostlist& more);
  // An error that names the first name that stands twice.
  void require_unique(const std::string& where) const;

  std::int64_t size() const { return size_; }
  std::string name(std::int64_t index) const;
  std::optional<std::int64_t> find(std::string_view name) const;

  // The numbers low to high, in so many digits at least.
  struct Range {
    std::int64_t low;
    std::int64_t high;
    int width;
    std::int64_t before = 0;  // numbers of the ranges before it in the same bracket
    std::int64_t reach = 0;   // of the ranges sorted by `low`, the greatest `high` up to this one
  };
  // Some text, and the bracket that follows it; none where `ranges` is empty.
  struct Piece {
    std::string text;
    std::vector<Range> ranges;  // in the order of the list
    std::vector<Range> sorted;  // by low, to be searched
    std::int64_t count = 1;
  };
  struct Entry {
    std::vector<Piece> pieces;
    std::int64_t count = 1;
    std::int64_t first = 0;  // index of its first name
  };

 private:
  void add(Entry entry);
  bool is_plainly_unique() const;

  std::vector<Entry> entries_;
  std::vector<std::size_t> by_text_;    // entries without a bracket, sorted by name
  std::vector<std::size_t> bracketed_;  // the others
  bool sorted_ = true;
  std::int64_t size_ = 0;

  void sort_names();
};

}  // namespace tutti
