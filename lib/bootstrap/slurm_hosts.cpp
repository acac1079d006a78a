// See slurm_hosts.hpp.
#include "bootstrap/slurm_hosts.hpp"

#include <algorithm>
#include <charconv>

#include "error.hpp"

namespace tutti {
namespace {

constexpr std::size_t most_hosts = 1u << 20;
constexpr std::size_t most_digits = 18;  // of a number in brackets: what 64 bits hold

class HostList {
 public:
  HostList(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  std::vector<std::string> hosts() {
    std::vector<std::string> all;
    while (true) {
      auto some = name();
      if (all.size() + some.size() > most_hosts) throw wrong("it names more than 1048576 hosts");
      std::move(some.begin(), some.end(), std::back_inserter(all));
      if (at_ == text_.size()) return all;
      if (text_[at_] != ',') throw wrong("a comma was expected");
      ++at_;
    }
  }

 private:
  Error wrong(std::string_view what) const {
    return error(TUTTI_ERROR_ARGUMENT,
                 "{}=\"{}\" is wrong at character {}: {}; it must be a list such as node1,nid[001-004,7]", source_,
                 text_, at_ + 1, what);
  }

  // One name, or as many as its brackets make of it.
  std::vector<std::string> name() {
    std::vector<std::string> names = {""};
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',') {
      if (text_[at_] == '[') {
        ++at_;
        multiply(names, numbers());
      } else if (text_[at_] == ']' || text_[at_] <= ' ' || text_[at_] > '~') {
        throw wrong("this has no place in a name");
      } else {
        for (auto& each : names) each += text_[at_];
        ++at_;
      }
    }
    if (at_ == begin) throw wrong("a name is missing");
    return names;
  }

  void multiply(std::vector<std::string>& names, const std::vector<std::string>& endings) const {
    if (names.size() * endings.size() > most_hosts) throw wrong("it names more than 1048576 hosts");
    std::vector<std::string> product;
    for (const auto& name : names)
      for (const auto& ending : endings) product.push_back(name + ending);
    names = std::move(product);
  }

  // What stands in brackets, up to and with the closing one: 001-004,7
  std::vector<std::string> numbers() {
    std::vector<std::string> all;
    while (true) {
      const auto first = digits();
      auto last = first;
      if (at_ < text_.size() && text_[at_] == '-') {
        ++at_;
        last = digits();
      }
      range(first, last, all);
      if (at_ == text_.size()) throw wrong("the closing bracket is missing");
      const char next = text_[at_++];
      if (next == ']') return all;
      if (next != ',') throw wrong("a comma or the closing bracket was expected");
    }
  }

  std::string_view digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == begin) throw wrong("a number was expected");
    if (at_ - begin > most_digits) throw wrong("the number before is too long");
    return text_.substr(begin, at_ - begin);
  }

  // As wide as the first number is written: 08-10 is 08, 09, 10.
  void range(std::string_view first, std::string_view last, std::vector<std::string>& all) const {
    std::uint64_t from = 0, to = 0;
    std::from_chars(first.data(), first.data() + first.size(), from);
    std::from_chars(last.data(), last.data() + last.size(), to);
    if (to < from) throw wrong("the range before ends below its beginning");
    if (to - from >= most_hosts - all.size()) throw wrong("it names more than 1048576 hosts");
    for (std::uint64_t number = from; number <= to; ++number)
      all.push_back(fmt::format("{:0{}}", number, first.size()));
  }

  std::string_view text_;
  std::string_view source_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::string> expand_hosts(std::string_view list, std::string_view source) {
  return HostList(list, source).hosts();
}

}  // namespace tutti
