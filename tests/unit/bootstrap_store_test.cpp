// The stores: what every one of them holds, and what the one over TCP holds besides.
#include <atomic>
#include <functional>
#include <future>
#include <random>
#include <stdexcept>

#include "bootstrap/function_store.hpp"
#include "bootstrap/local_store.hpp"
#include "bootstrap/secure_channel.hpp"
#include "bootstrap/store_message.hpp"
#include "bootstrap/store_session.hpp"
#include "bootstrap/tcp_store.hpp"
#include "bootstrap/tcp_store_server.hpp"
#include "error.hpp"
#include "tests/catch.hpp"

using namespace tutti;
using namespace std::chrono_literals;

namespace {

using Stores = std::vector<std::unique_ptr<Store>>;

const Secret secret("the secret of this test's job");

// A server and a store for each rank.
struct TcpJob {
  explicit TcpJob(int size, const std::string& host = "127.0.0.1") : server(Listener(host, 0), secret, size) {
    for (int rank = 0; rank < size; ++rank) stores.push_back(join(rank, size));
  }
  std::unique_ptr<Store> join(int rank, int size, const Secret& with = secret) const {
    return std::make_unique<TcpStore>(server.reached_at(), with, rank, size, 10s);
  }
  TcpStoreServer server;
  Stores stores;
};

// tutti_store_functions over another store.
struct FunctionJob {
  explicit FunctionJob(int size) : inner(make_local_stores(size)) {
    for (int rank = 0; rank < size; ++rank) {
      tutti_store_functions functions{};
      functions.context = inner[static_cast<std::size_t>(rank)].get();
      functions.put = [](void* context, const char* key, const void* value, size_t bytes) {
        if (bytes >= 4096) return 1;
        static_cast<Store*>(context)->put(key, {static_cast<const char*>(value), bytes});
        return 0;
      };
      functions.get = [](void* context, const char* key, void* value, size_t* bytes) {
        const auto text = static_cast<Store*>(context)->get(key, 10s);
        if (text.size() > *bytes) return 2;
        std::copy(text.begin(), text.end(), static_cast<char*>(value));
        *bytes = text.size();
        return 0;
      };
      functions.fence = [](void* context) {
        static_cast<Store*>(context)->fence("one", 10s);
        return 0;
      };
      stores.push_back(make_function_store(functions, rank, size));
    }
  }
  Stores inner;
  Stores stores;
};

// Some containers have none; the check of the project runs where there is.
bool has_ipv6() {
  try {
    const Listener any("::1", 0);
    return true;
  } catch (const Error&) {
    WARN("this machine has no IPv6: the store is not tested over it");
    return false;
  }
}

// Runs what is true of any store on each kind, for `size` ranks.
void on_every_store(int size, const std::function<void(Stores&)>& check) {
  SECTION("local") {
    auto stores = make_local_stores(size);
    check(stores);
  }
  for (const std::string host : {"127.0.0.1", "::1", "localhost"}) {
    if (host == "::1" && !has_ipv6()) continue;
    SECTION("TCP at " + host) {
      TcpJob job(size, host);
      check(job.stores);
    }
  }
  SECTION("the caller's functions") {
    FunctionJob job(size);
    check(job.stores);
  }
}

// The assertions of Catch2 are for one thread; in the others this one throws.
void demand(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

std::string failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& failure) {
    return failure.what();
  }
  return "no error";
}

// Each rank in a thread of its own; the first error is thrown here.
void on_ranks(Stores& stores, const std::function<void(int, Store&)>& body) {
  std::vector<std::future<void>> ranks;
  for (std::size_t rank = 0; rank < stores.size(); ++rank) {
    ranks.push_back(std::async(std::launch::async, [&, rank] { body(static_cast<int>(rank), *stores[rank]); }));
  }
  for (auto& rank : ranks) rank.get();
}

// A connection that proves nothing, to the same server.
FileDescriptor stranger(const TcpStoreServer& server) {
  auto connected = try_connect(server.reached_at(), std::chrono::steady_clock::now() + 5s);
  REQUIRE(std::holds_alternative<FileDescriptor>(connected));
  return std::move(std::get<FileDescriptor>(connected));
}

// Waits for the other side to close, taking what it sends before; false after `limit`.
bool closes(const FileDescriptor& socket, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  char byte = 0;
  while (true) {
    const auto transfer = receive_all(socket.number(), {&byte, 1}, deadline);
    if (transfer != Transfer::done) return transfer == Transfer::closed;
  }
}

}  // namespace

TEST_CASE("a value that one rank puts is what every rank gets, and a get waits for it") {
  on_every_store(3, [](Stores& stores) {
    std::string binary(3000, '\0');
    for (std::size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<char>(i);
    on_ranks(stores, [&](int rank, Store& store) {
      if (rank == 2) store.put("key", binary);
      if (rank == 2) store.put("nothing", "");
      demand(store.get("key", 10s) == binary, "another value");
      demand(store.get("nothing", 10s).empty(), "a value where none was");
    });
  });
}

TEST_CASE("values up to a mebibyte pass whole, and longer ones or bad keys are refused") {
  on_every_store(2, [](Stores& stores) {
    for (const std::size_t bytes :
         {std::size_t{4086}, std::size_t{4087}, std::size_t{4088}, std::size_t{8183}, Store::longest_value}) {
      std::string value(bytes, 'v');
      value.back() = 'e';
      const auto key = "long/" + std::to_string(bytes);
      stores[0]->put(key, value);
      CHECK(stores[1]->get(key, 10s) == value);
    }
    CHECK_THROWS_AS(stores[0]->put("key", std::string(Store::longest_value + 1, 'v')), Error);
    CHECK_THROWS_AS(stores[0]->put("", "v"), Error);
    CHECK_THROWS_AS(stores[0]->put("two\nlines", "v"), Error);
    CHECK_THROWS_AS(stores[0]->get(std::string(128, 'k'), 1s), Error);
    CHECK_THROWS_AS(stores[0]->fence("\n", 1s), Error);
  });
}

TEST_CASE("nobody passes a fence before all have entered it, again and again") {
  on_every_store(4, [](Stores& stores) {
    std::atomic<int> entered = 0;
    on_ranks(stores, [&](int, Store& store) {
      for (int round = 1; round <= 20; ++round) {
        ++entered;
        store.fence("round", 10s);
        demand(entered >= 4 * round, "passed too early");
        store.fence("end of round", 10s);
      }
    });
  });
}

TEST_CASE("compare-and-put has one winner, and says who it is") {
  const auto check = [](Stores& stores) {
    std::atomic<int> winners = 0;
    on_ranks(stores, [&](int rank, Store& store) {
      demand(store.compares(), "a store that compares says so");
      const auto own = std::to_string(rank);
      if (store.compare_and_put("leader", std::nullopt, own) == own) ++winners;
    });
    CHECK(winners == 1);
    const auto leader = stores[0]->get("leader", 10s);
    CHECK(stores[1]->compare_and_put("leader", "nobody", "other") == leader);
    CHECK(stores[1]->compare_and_put("leader", leader, "other") == "other");
    CHECK(stores[1]->compare_and_put("absent", "something", "other").empty());
  };
  SECTION("local") {
    auto stores = make_local_stores(4);
    check(stores);
  }
  SECTION("TCP") {
    TcpJob job(4);
    check(job.stores);
  }
  SECTION("the caller's functions cannot, and say so") {
    FunctionJob job(1);
    CHECK_FALSE(job.stores[0]->compares());
    CHECK_THROWS_WITH(job.stores[0]->compare_and_put("key", std::nullopt, "v"), ContainsSubstring("cannot compare"));
  }
}

TEST_CASE("a wait that ends says for whom or for what it waited") {
  const auto check = [](Stores& stores) {
    CHECK_THROWS_WITH(stores[0]->get("missing/key", 20ms),
                      ContainsSubstring("\"missing/key\"") && ContainsSubstring("0.02 s"));
    auto early = std::async(std::launch::async, [&] { return failure_of([&] { stores[3]->fence("meeting", 50ms); }); });
    CHECK_THROWS_WITH(stores[0]->fence("meeting", 200ms),
                      ContainsSubstring("ranks 1, 2 of 4 have not arrived at the fence \"meeting\""));
    CHECK_THAT(early.get(), ContainsSubstring("of 4 have not arrived"));
    stores[0]->put("still", "served");
    CHECK(stores[1]->get("still", 10s) == "served");
  };
  SECTION("local") {
    auto stores = make_local_stores(4);
    check(stores);
  }
  SECTION("TCP") {
    TcpJob job(4);
    check(job.stores);
  }
}

TEST_CASE("errors of the caller's functions come back with their code") {
  tutti_store_functions functions{};
  CHECK_THROWS_WITH(make_function_store(functions, 0, 1), ContainsSubstring("put is null"));
  functions.put = [](void*, const char*, const void*, size_t) { return 17; };
  functions.get = [](void*, const char*, void*, size_t* bytes) {
    *bytes = 3;  // less than any part has
    return 0;
  };
  functions.fence = [](void*) { return 19; };
  const auto store = make_function_store(functions, 0, 1);
  CHECK_THROWS_WITH(store->put("key", "v"), ContainsSubstring("returned 17 for key \"key\""));
  CHECK_THROWS_WITH(store->get("key", 1s), ContainsSubstring("what no rank had put"));
  CHECK_THROWS_WITH(store->fence("f", 1s), ContainsSubstring("returned 19"));
  CHECK_THROWS_AS(make_function_store(functions, 2, 2), Error);
}

TEST_CASE("a rank that leaves before a fence is named to those who wait there, at once") {
  TcpJob job(3);
  auto waiting = std::async(std::launch::async, [&] { return failure_of([&] { job.stores[0]->fence("end", 60s); }); });
  job.stores[2].reset();
  CHECK_THAT(waiting.get(), ContainsSubstring("rank 2 of 3") && ContainsSubstring("left the store"));
  CHECK_THROWS_WITH(job.stores[1]->fence("end", 60s), ContainsSubstring("left the store"));
}

TEST_CASE("ranks that wait at a fence already are told of one that leaves, unless it had arrived") {
  const auto now = StoreSession::Clock::now();
  StoreSession session(4);
  for (int rank = 0; rank < 4; ++rank) session.join(rank, "node");
  StoreRequest fence;
  fence.operation = StoreOperation::fence;
  fence.key = "end";
  fence.limit = 60s;
  StoreSession::Answers answers;
  for (const int rank : {0, 1}) session.handle(rank, fence, now, answers);
  session.leave(1, answers);
  CHECK(answers.empty());
  session.leave(2, answers);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].first == 0);
  CHECK_THAT(answers[0].second.text, ContainsSubstring("rank 2 of 4 (on node) left the store"));
}

TEST_CASE("ranks that join again meet on a board of their own") {
  TcpJob job(2);
  job.stores[0]->put("address", "old");
  const auto again0 = job.join(0, 2);
  const auto again1 = job.join(1, 2);
  CHECK_THROWS_AS(again1->get("address", 1ms), Error);
  again0->put("address", "new");
  CHECK(again1->get("address", 10s) == "new");
  CHECK(job.stores[1]->get("address", 10s) == "old");
}

TEST_CASE("a rank that is not of the job is told so") {
  TcpJob job(2);
  CHECK_THROWS_WITH(job.join(2, 3), ContainsSubstring("does not belong to this job of 2 ranks"));
  CHECK_THROWS_WITH(job.join(0, 3), ContainsSubstring("rank 0 of 3"));
}

TEST_CASE("a store where nobody listens is an error that names it, after the limit") {
  StoreAddress nowhere = Listener("127.0.0.1", 0).reached_at();  // closed again by now
  CHECK_THROWS_WITH(TcpStore(nowhere, secret, 1, 2, 50ms), ContainsSubstring(nowhere.text()) &&
                                                               ContainsSubstring("Connection refused") &&
                                                               ContainsSubstring("rank 0"));
}

TEST_CASE("a port that is taken is an error that names it") {
  const Listener first("127.0.0.1", 0);
  CHECK_THROWS_WITH(Listener("127.0.0.1", first.reached_at().port), ContainsSubstring("Address already in use"));
}

TEST_CASE("a rank comes before the store does and waits for it") {
  auto listener = std::make_unique<Listener>("127.0.0.1", std::uint16_t{0});
  const auto address = listener->reached_at();
  listener.reset();
  auto early = std::async(std::launch::async, [&] { return TcpStore(address, secret, 0, 1, 30s).get("key", 10ms); });
  const TcpStoreServer server(Listener("127.0.0.1", address.port), secret, 1);
  CHECK_THROWS_WITH(early.get(), ContainsSubstring("nobody put the key"));
}

TEST_CASE("a wrong secret is refused by name, and the job is served on") {
  TcpJob job(2);
  CHECK_THROWS_AS(job.join(0, 2, Secret("quite another secret")), SecretRefused);
  CHECK_THROWS_WITH(job.join(1, 2, Secret("quite another secret")), ContainsSubstring("refused the job's secret"));
  job.stores[0]->put("key", "value");
  CHECK(job.stores[1]->get("key", 10s) == "value");
}

TEST_CASE("the server closes whoever proves another secret, whatever the client thinks") {
  TcpJob job(1);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  const auto socket = stranger(job.server);
  send_all(socket.number(), std::string(channel_magic) + fresh_nonce() + std::string(proof_bytes, 'x'), deadline);
  CHECK(closes(socket, TcpStoreServer::proof_limit / 2));
}

TEST_CASE("random bytes never harm the server, at any point of the protocol") {
  TcpJob job(2);
  std::mt19937 random(7);
  const auto noise = [&](std::size_t bytes) {
    std::string text(bytes, '\0');
    for (auto& letter : text) letter = static_cast<char>(random());
    return text;
  };
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  for (int i = 0; i < 60; ++i) {
    const auto socket = stranger(job.server);
    const Handshake handshake{secret, noise(nonce_bytes), ""};
    if (i % 3 == 0) send_all(socket.number(), noise(1 + random() % 5000), deadline);
    if (i % 3 != 0) send_all(socket.number(), std::string(channel_magic) + handshake.client_nonce, deadline);
    if (i % 3 == 1) send_all(socket.number(), noise(proof_bytes + random() % 100), deadline);
    if (i % 3 == 2) {
      // Knows the secret, and then sends frames that are none.
      std::array<char, server_hello_bytes> hello;
      REQUIRE(receive_all(socket.number(), hello, deadline) == Transfer::done);
      Handshake whole = handshake;
      whole.server_nonce = std::string(hello.data() + channel_magic.size(), nonce_bytes);
      SecureChannel channel(whole, ChannelSide::client);
      send_all(socket.number(), whole.proof(ChannelSide::client), deadline);
      send_all(socket.number(), i % 2 == 0 ? channel.seal(noise(random() % 300)) : noise(300), deadline);
      CHECK(closes(socket, 10s));
    }
  }
  job.stores[0]->put("key", "value");
  CHECK(job.stores[1]->get("key", 10s) == "value");
}

TEST_CASE("whoever proves nothing is closed, in number and in time") {
  TcpJob job(2);
  std::vector<FileDescriptor> crowd;
  for (std::size_t i = 0; i < TcpStoreServer::unproven_connections + 10; ++i) crowd.push_back(stranger(job.server));
  CHECK(closes(crowd.front(), TcpStoreServer::proof_limit / 2));  // pushed out by the last
  const auto late = job.join(0, 2);   // a rank of the job gets through the crowd
  const auto since = std::chrono::steady_clock::now();
  CHECK(closes(crowd.back(), TcpStoreServer::proof_limit + 10s));
  CHECK(std::chrono::steady_clock::now() - since < TcpStoreServer::proof_limit + 10s);
  job.stores[0]->put("key", "value");
  CHECK(job.stores[1]->get("key", 10s) == "value");
}

TEST_CASE("a frame cannot be changed, repeated, left out or sent back") {
  const Handshake handshake{secret, fresh_nonce(), fresh_nonce()};
  SecureChannel client(handshake, ChannelSide::client);
  const auto open = [](SecureChannel& channel, const std::string& frame) {
    const std::string_view text = frame;
    return channel.open(text.substr(0, SecureChannel::header_bytes), text.substr(SecureChannel::header_bytes));
  };
  const auto server = [&] { return SecureChannel(handshake, ChannelSide::server); };
  const auto first = client.seal("one");
  const auto second = client.seal("two");
  auto in_order = server();
  CHECK(open(in_order, first) == "one");
  CHECK(open(in_order, second) == "two");
  auto repeated = server();
  CHECK(open(repeated, first).has_value());
  CHECK_FALSE(open(repeated, first).has_value());
  auto left_out = server();
  CHECK_FALSE(open(left_out, second).has_value());
  CHECK_FALSE(open(client, first).has_value());
  for (std::size_t i = 0; i < first.size(); ++i) {
    auto changed = first;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    auto channel = server();
    CHECK_FALSE(open(channel, changed).has_value());
  }
  CHECK(first.find("one") == std::string::npos);
}

TEST_CASE("a proof holds for its side, its nonces and its secret alone") {
  const Handshake handshake{secret, fresh_nonce(), fresh_nonce()};
  const auto proof = handshake.proof(ChannelSide::client);
  CHECK(handshake.holds(proof, ChannelSide::client));
  CHECK_FALSE(handshake.holds(proof, ChannelSide::server));
  CHECK_FALSE(Handshake{secret, handshake.client_nonce, fresh_nonce()}.holds(proof, ChannelSide::client));
  CHECK_FALSE(Handshake{secret, fresh_nonce(), handshake.server_nonce}.holds(proof, ChannelSide::client));
  CHECK_FALSE(
      Handshake{Secret("another"), handshake.client_nonce, handshake.server_nonce}.holds(proof, ChannelSide::client));
  CHECK_FALSE(handshake.holds("", ChannelSide::client));
}

TEST_CASE("a request survives its bytes, and no part or surplus of them is one") {
  StoreRequest request;
  request.operation = StoreOperation::compare_and_put;
  request.limit = 1234ms;
  request.key = "key";
  request.expected = "";
  request.value = std::string("v\0w", 3);
  request.rank = 3;
  request.size = 70000;
  const auto bytes = encode(request);
  const auto back = decode_request(bytes);
  REQUIRE(back.has_value());
  CHECK(back->operation == request.operation);
  CHECK(back->limit == request.limit);
  CHECK(back->key == request.key);
  CHECK(back->expected == request.expected);
  CHECK(back->value == request.value);
  CHECK(back->rank == request.rank);
  CHECK(back->size == request.size);
  for (std::size_t length = 0; length < bytes.size(); ++length) CHECK_FALSE(decode_request(bytes.substr(0, length)));
  CHECK_FALSE(decode_request(bytes + "x"));
  const auto reply = decode_reply(encode(StoreReply{false, "why"}));
  REQUIRE(reply.has_value());
  CHECK_FALSE(reply->good);
  CHECK(reply->text == "why");
  CHECK_FALSE(decode_reply(""));
}
