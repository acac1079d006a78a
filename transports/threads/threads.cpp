// Queues under a lock; see threads.hpp.
#include "transports/threads/threads.hpp"

#include <algorithm>
#include <cstring>

namespace tutti {

namespace {

constexpr std::size_t channels = 4096;
constexpr std::uint64_t active = 1;  // Send: queued; Receive: posted
constexpr std::uint64_t leased = 2;  // Receive

std::int32_t ahead(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>((a - b) << (32 - sequence_bits)) >> (32 - sequence_bits);
}

// A table of shared pointers whose index fits into a request's detail.
template <class Pointer>
std::uint64_t keep(std::vector<Pointer>& table, Pointer pointer) {
  auto free = std::find(table.begin(), table.end(), nullptr);
  if (free == table.end()) free = table.insert(free, nullptr);
  *free = std::move(pointer);
  return static_cast<std::uint64_t>(free - table.begin());
}

}  // namespace

ThreadsExchange::Rank::Rank() : opened(channels) {}

ThreadsExchange::ThreadsExchange(int size)
    : size_(size),
      pairs_(static_cast<std::size_t>(size) * static_cast<std::size_t>(size)),
      ranks_(static_cast<std::size_t>(size)) {}

void ThreadsExchange::notify(int rank) {
  Rank& target = ranks_[static_cast<std::size_t>(rank)];
  std::lock_guard guard(target.lock);
  ++target.events;
  target.arrived.notify_one();
}

ThreadsTransport::ThreadsTransport(int rank, std::shared_ptr<ThreadsExchange> exchange)
    : rank_(rank), exchange_(std::move(exchange)) {
  early_messages = 1;  // a look into the queues tells
}

void ThreadsTransport::open(std::uint32_t channel, std::uint32_t sequence) {
  exchange_->ranks_[static_cast<std::size_t>(rank_)].opened[channel % channels].store(sequence);
}

std::shared_ptr<ThreadsExchange::Message> ThreadsTransport::make(const Send& send, bool copied) const {
  auto message = std::make_shared<Message>();
  message->tag = send.tag;
  message->bytes = send.bytes;
  if (!copied) {
    message->address = send.pieces.front().address;
    return message;
  }
  message->copy = std::make_unique_for_overwrite<std::byte[]>(send.bytes + 1);
  std::byte* out = message->copy.get();
  for (const Piece& piece : send.pieces) {
    if (piece.bytes) std::memcpy(out, piece.address, piece.bytes);
    out += piece.bytes;
  }
  message->address = message->copy.get();
  return message;
}

bool ThreadsTransport::send(Send& send) {
  ThreadsExchange::Pair& pair = exchange_->pair(rank_, send.peer);
  if (send.state == active) {
    std::lock_guard guard(pair.lock);
    if (!sending_[send.detail]->done) return false;
    sending_[send.detail] = nullptr;
    return true;
  }
  const bool is_short = send.bytes <= inline_bytes;
  if (is_short) {
    const std::uint32_t opened =
        exchange_->ranks_[static_cast<std::size_t>(send.peer)].opened[channel_of(send.tag.match) % channels].load();
    if (ahead(sequence_of(send.tag.match), opened) > static_cast<std::int32_t>(early_operations)) return false;
  }
  const bool copied = is_short || send.pieces.size() != 1;
  {
    std::lock_guard guard(pair.lock);
    if (!is_short) {
      auto call = std::find(pair.calls.begin(), pair.calls.end(), send.tag.match);
      if (call == pair.calls.end()) return false;
      pair.calls.erase(call);
    }
    auto message = make(send, copied);
    if (!copied) send.detail = keep(sending_, message);
    pair.queue.push_back(std::move(message));
  }
  exchange_->notify(send.peer);
  send.state = active;
  return copied;
}

bool ThreadsTransport::receive(Receive& receive) {
  ThreadsExchange::Pair& pair = exchange_->pair(receive.peer, rank_);
  std::unique_lock guard(pair.lock);
  if (receive.state == 0) {
    receive.state = active;
    if (receive.bytes > inline_bytes) {
      pair.calls.push_back(receive.tag.match);
      guard.unlock();
      exchange_->notify(receive.peer);
      guard.lock();
    }
  }
  auto found = std::find_if(pair.queue.begin(), pair.queue.end(), [&](const std::shared_ptr<Message>& message) {
    return message->tag.match == receive.tag.match;
  });
  if (found == pair.queue.end()) return false;
  (*found)->leased = true;
  receive.address = (*found)->address;
  receive.bytes_arrived = (*found)->bytes;
  receive.check = (*found)->tag.check;
  receive.detail = keep(leased_, *found);
  receive.state = leased;
  pair.queue.erase(found);
  return true;
}

void ThreadsTransport::release(Receive& receive) {
  {
    std::lock_guard guard(exchange_->pair(receive.peer, rank_).lock);
    leased_[receive.detail]->done = true;
    leased_[receive.detail] = nullptr;
  }
  receive.state = 0;
  receive.address = nullptr;
  exchange_->notify(receive.peer);
}

void ThreadsTransport::cancel(Send& send) {
  if (send.state != active) return;
  ThreadsExchange::Pair& pair = exchange_->pair(rank_, send.peer);
  std::unique_lock guard(pair.lock);
  const std::shared_ptr<Message> message = sending_[send.detail];
  sending_[send.detail] = nullptr;
  send.state = 0;
  if (!message->leased) {
    pair.queue.remove(message);
    return;
  }
  const bool forgotten = std::find(forgotten_.begin(), forgotten_.end(), send.peer) != forgotten_.end();
  while (!message->done && !forgotten) {  // the receiver reads it just now
    guard.unlock();
    wait(std::chrono::microseconds(100));
    guard.lock();
  }
}

void ThreadsTransport::cancel(Receive& receive) {
  if (receive.state == leased) {
    release(receive);
  } else if (receive.state == active) {
    ThreadsExchange::Pair& pair = exchange_->pair(receive.peer, rank_);
    std::lock_guard guard(pair.lock);
    auto call = std::find(pair.calls.begin(), pair.calls.end(), receive.tag.match);
    if (receive.bytes > inline_bytes && call != pair.calls.end()) pair.calls.erase(call);
    receive.state = 0;
  }
}

bool ThreadsTransport::stray(std::uint32_t channel, std::uint32_t oldest, int& peer, Tag& tag) {
  for (int source = 0; source < exchange_->size_; ++source) {
    ThreadsExchange::Pair& pair = exchange_->pair(source, rank_);
    std::lock_guard guard(pair.lock);
    auto found = std::find_if(pair.queue.begin(), pair.queue.end(), [&](const std::shared_ptr<Message>& message) {
      return channel_of(message->tag.match) == channel && ahead(sequence_of(message->tag.match), oldest) < 0;
    });
    if (found == pair.queue.end()) continue;
    peer = source;
    tag = (*found)->tag;
    (*found)->done = true;
    pair.queue.erase(found);
    return true;
  }
  return false;
}

void ThreadsTransport::wait(std::chrono::microseconds limit) {
  ThreadsExchange::Rank& mine = exchange_->ranks_[static_cast<std::size_t>(rank_)];
  std::unique_lock guard(mine.lock);
  mine.arrived.wait_for(guard, limit, [&] { return mine.events != seen_events_; });
  seen_events_ = mine.events;
}

}  // namespace tutti
