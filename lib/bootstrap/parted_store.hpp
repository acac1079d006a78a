// A store over somebody else's put, get and fence that take short values only: the caller's functions, PMI. A long
// value is cut into parts with keys of their own; the first part begins with the length of the whole.
//
// Such functions cannot be made to compare (two ranks may both find a key absent, then both put it), so compares() is
// false and compare_and_put an error.
#pragma once

#include "bootstrap/socket.hpp"
#include "bootstrap/store.hpp"
#include "error.hpp"

namespace tutti {

class PartedStore : public Store {
 public:
  // `room`: bytes that a part may have. `source` is for messages: "the get function given to tutti_init_from_store".
  PartedStore(std::size_t room, std::string source) : room_(room), source_(std::move(source)) {}

  void put(std::string_view key, std::string_view value) override;
  std::string get(std::string_view key, std::chrono::milliseconds limit) override;
  std::string compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                              std::string_view desired) override;
  bool compares() const noexcept override { return false; }

 protected:
  virtual void put_part(const std::string& key, std::string_view value) = 0;
  virtual std::string get_part(const std::string& key, Deadline deadline) = 0;
  // What was read under this key is not what a rank had put.
  Error torn(std::string_view key) const;
  std::size_t room() const noexcept { return room_; }

 private:
  std::size_t room_;
  std::string source_;
};

}  // namespace tutti
