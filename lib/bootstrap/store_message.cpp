// See store_message.hpp. Numbers are little endian; texts are preceded by their length.
#include "bootstrap/store_message.hpp"

#include <type_traits>

namespace tutti {
namespace {

template <class Number>
void append(std::string& bytes, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
  }
}

void append(std::string& bytes, std::string_view text) {
  append(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

// Reads on from where it stands; after the first read that does not fit, everything is empty and good() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  Number number() {
    std::uint64_t value = 0;
    const auto part = take(sizeof(Number));
    for (std::size_t i = 0; i < part.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[i])) << (8 * i);
    }
    return static_cast<Number>(value);
  }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  bool complete() const { return good_ && bytes_.empty(); }

 private:
  std::string_view take(std::size_t count) {
    if (!good_ || count > bytes_.size()) {
      good_ = false;
      return {};
    }
    const auto part = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return part;
  }

  std::string_view bytes_;
  bool good_ = true;
};

}  // namespace

std::string encode(const StoreRequest& request) {
  std::string bytes;
  append(bytes, static_cast<std::uint8_t>(request.operation));
  append(bytes, static_cast<std::uint64_t>(request.limit.count()));
  append(bytes, request.rank);
  append(bytes, request.size);
  append(bytes, std::string_view(request.key));
  append(bytes, static_cast<std::uint8_t>(request.expected.has_value()));
  append(bytes, std::string_view(request.expected.value_or("")));
  append(bytes, std::string_view(request.value));
  return bytes;
}

std::string encode(const StoreReply& reply) {
  std::string bytes;
  append(bytes, static_cast<std::uint8_t>(reply.good));
  append(bytes, std::string_view(reply.text));
  return bytes;
}

std::optional<StoreRequest> decode_request(std::string_view bytes) {
  Reader reader(bytes);
  StoreRequest request;
  const auto operation = reader.number<std::uint8_t>();
  const auto limit = reader.number<std::uint64_t>();
  request.operation = static_cast<StoreOperation>(operation);
  request.limit = std::chrono::milliseconds(limit);
  request.rank = reader.number<std::uint32_t>();
  request.size = reader.number<std::uint32_t>();
  request.key = reader.text();
  const auto expects = reader.number<std::uint8_t>();
  auto expected = reader.text();
  if (expects != 0) request.expected = std::move(expected);
  request.value = reader.text();
  const bool known = operation <= static_cast<std::uint8_t>(StoreOperation::compare_and_put);
  if (!reader.complete() || !known || expects > 1 || limit > static_cast<std::uint64_t>(longest_store_limit.count()))
    return std::nullopt;
  return request;
}

std::optional<StoreReply> decode_reply(std::string_view bytes) {
  Reader reader(bytes);
  StoreReply reply;
  const auto good = reader.number<std::uint8_t>();
  reply.good = good == 1;
  reply.text = reader.text();
  if (!reader.complete() || good > 1) return std::nullopt;
  return reply;
}

}  // namespace tutti
