// See store_session.hpp.
#include "bootstrap/store_session.hpp"

#include <algorithm>

#include "error.hpp"

namespace tutti {

void StoreSession::join(int rank, std::string host) {
  presence_[static_cast<std::size_t>(rank)] = Presence::here;
  hosts_[rank] = std::move(host);
}

void StoreSession::leave(int rank, Answers& answers) {
  presence_[static_cast<std::size_t>(rank)] = Presence::gone;
  waiting_.erase(rank);
  fail_fences_without(rank, answers);
}

bool StoreSession::is_over() const {
  return std::all_of(presence_.begin(), presence_.end(), [](Presence each) { return each == Presence::gone; });
}

void StoreSession::handle(int rank, const StoreRequest& request, Clock::time_point now, Answers& answers) {
  try {
    check_store_key(request.key);
    check_store_value(request.key, request.value);
    switch (request.operation) {
      case StoreOperation::put:
        board_.put(request.key, request.value);
        answers.push_back({rank, {}});
        answer_getters(request.key, answers);
        break;
      case StoreOperation::compare_and_put:
        answers.push_back({rank, {true, board_.compare_and_put(request.key, request.expected, request.value)}});
        answer_getters(request.key, answers);
        break;
      case StoreOperation::get:
        if (const auto* value = board_.find(request.key)) {
          answers.push_back({rank, {true, *value}});
        } else {
          wait(rank, request, 0, now);
        }
        break;
      case StoreOperation::fence:
        enter_fence(rank, request, now, answers);
        break;
      case StoreOperation::join:
        answers.push_back({rank, {false, "this connection has joined already"}});
        break;
    }
  } catch (const Error& failure) {
    answers.push_back({rank, {false, failure.what()}});
  }
}

void StoreSession::wait(int rank, const StoreRequest& request, std::uint64_t ticket, Clock::time_point now) {
  waiting_.insert_or_assign(rank, Wait{request.operation, request.key, ticket, request.limit, now + request.limit});
}

void StoreSession::answer_getters(const std::string& key, Answers& answers) {
  const auto* value = board_.find(key);
  if (value == nullptr) return;
  std::erase_if(waiting_, [&](const auto& entry) {
    const auto& [rank, wait] = entry;
    if (wait.operation != StoreOperation::get || wait.name != key) return false;
    answers.push_back({rank, {true, *value}});
    return true;
  });
}

void StoreSession::enter_fence(int rank, const StoreRequest& request, Clock::time_point now, Answers& answers) {
  const auto ticket = board_.enter(request.key, rank);
  if (!board_.passed(request.key, ticket)) {
    if (auto text = left_text(request.key); !text.empty()) {
      answers.push_back({rank, {false, std::move(text)}});
    } else {
      wait(rank, request, ticket, now);
    }
    return;
  }
  answers.push_back({rank, {}});
  std::erase_if(waiting_, [&](const auto& entry) {
    const auto& [waiter, wait] = entry;
    if (wait.operation != StoreOperation::fence || !(wait.name == request.key)) return false;
    if (!board_.passed(wait.name, wait.ticket)) return false;
    answers.push_back({waiter, {}});
    return true;
  });
  // Rank 0 often holds the server and may end once it is through, so it is told last.
  std::sort(answers.begin(), answers.end(),
            [](const auto& left, const auto& right) { return left.first > right.first; });
}

// What is wrong with a fence at which ranks are missing that have gone; empty if there are none.
std::string StoreSession::left_text(const std::string& fence) const {
  std::vector<int> gone = board_.missing(fence);
  std::erase_if(gone, [&](int rank) { return presence_[static_cast<std::size_t>(rank)] != Presence::gone; });
  if (gone.empty()) return "";
  return fmt::format("{} (on {}{}) left the store before arriving at the fence \"{}\"", rank_list(gone, board_.size()),
                     hosts_.at(gone.front()), gone.size() == 1 ? "" : " and others", fence);
}

void StoreSession::fail_fences_without(int gone, Answers& answers) {
  std::erase_if(waiting_, [&](const auto& entry) {
    const auto& [rank, wait] = entry;
    if (wait.operation != StoreOperation::fence || board_.has_entered(wait.name, gone)) return false;
    answers.push_back({rank, {false, left_text(wait.name)}});
    return true;
  });
}

StoreReply StoreSession::too_late(const Wait& wait) const {
  const double seconds = static_cast<double>(wait.limit.count()) / 1000;
  if (wait.operation == StoreOperation::get) {
    return {false, fmt::format("nobody put the key \"{}\" within {} s", wait.name, seconds)};
  }
  const auto missing = board_.missing(wait.name);
  return {false, fmt::format("{} {} not arrived at the fence \"{}\" within {} s", rank_list(missing, board_.size()),
                             missing.size() == 1 ? "has" : "have", wait.name, seconds)};
}

void StoreSession::expire(Clock::time_point now, Answers& answers) {
  std::erase_if(waiting_, [&](const auto& entry) {
    const auto& [rank, wait] = entry;
    if (wait.deadline > now) return false;
    answers.push_back({rank, too_late(wait)});
    return true;
  });
}

std::optional<StoreSession::Clock::time_point> StoreSession::next_deadline() const {
  std::optional<Clock::time_point> first;
  for (const auto& [rank, wait] : waiting_) first = std::min(first.value_or(wait.deadline), wait.deadline);
  return first;
}

}  // namespace tutti
