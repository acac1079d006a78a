// What a rank asks of the store and what it answers, as bytes. Decoding trusts nothing: a message that does not
// fit exactly is nullopt.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tutti {

// The longest that a rank may wait: three years, far from what a clock overflows at.
inline constexpr std::chrono::milliseconds longest_store_limit{100'000'000'000};

enum class StoreOperation : std::uint8_t { join, put, get, fence, compare_and_put };

struct StoreRequest {
  StoreOperation operation = StoreOperation::join;
  std::chrono::milliseconds limit{0};   // get, fence
  std::string key;                      // or the fence's name; for join, the host that asks
  std::optional<std::string> expected;  // compare_and_put
  std::string value;                    // put, compare_and_put
  std::uint32_t rank = 0;               // join
  std::uint32_t size = 0;               // join
};

struct StoreReply {
  bool good = true;
  std::string text;  // the value, or what was wrong
};

std::string encode(const StoreRequest& request);
std::string encode(const StoreReply& reply);
std::optional<StoreRequest> decode_request(std::string_view bytes);
std::optional<StoreReply> decode_reply(std::string_view bytes);

}  // namespace tutti
