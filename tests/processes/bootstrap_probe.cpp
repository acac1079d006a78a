// A rank that says who it is and meets the others in the store: the program that the tests of starting run.
//   bootstrap_probe [meet [TIMES] | pmi2 | hold | absent RANK]
// meet: puts, gets and fences with all ranks, TIMES times over (1). pmi2: as meet, with a PMI server that is asked for
// version two. hold: as meet, then waits to be ended. absent: as meet, but the rank of this number leaves before the
// fence. Values are short ones and one of 20,000 bytes, among them every byte there is.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bootstrap/from_environment.hpp"
#include "bootstrap/pmi_connection.hpp"
#include "error.hpp"

namespace {

using namespace std::chrono_literals;

void say(const std::string& line) {
  const std::string text = line + "\n";
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) std::exit(3);
}

std::string long_value(int rank) {
  std::string value(20000, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 7 + static_cast<std::size_t>(rank));
  return value;
}

void elect(tutti::Store& store, int rank) {
  if (!store.compares()) return;
  const auto leader = store.compare_and_put("leader", std::nullopt, fmt::format("{}", rank));
  store.fence("leader", 10s);
  if (store.get("leader", 10s) != leader) throw tutti::error(TUTTI_ERROR_INTERNAL, "the leader changed");
}

void meet(int absent) {
  auto identity = tutti::identify_from_environment();
  auto& store = *identity.store;
  store.put(fmt::format("greeting/{}", identity.rank), fmt::format("from {}", identity.rank));
  store.put(fmt::format("long/{}", identity.rank), long_value(identity.rank));
  if (identity.rank == identity.size - 1) store.put("the last", "is not the least");  // whose key does not tell
  if (identity.rank == absent) return;
  store.fence("greetings", 10s);
  for (int peer = 0; peer < identity.size; ++peer) {
    const auto greeting = store.get(fmt::format("greeting/{}", peer), 10s);
    if (greeting != fmt::format("from {}", peer)) {
      throw tutti::error(TUTTI_ERROR_INTERNAL, "rank {} greets with \"{}\"", peer, greeting);
    }
    if (store.get(fmt::format("long/{}", peer), 10s) != long_value(peer)) {
      throw tutti::error(TUTTI_ERROR_INTERNAL, "the long value of rank {} came back otherwise", peer);
    }
  }
  if (store.get("the last", 10s) != "is not the least") throw tutti::error(TUTTI_ERROR_INTERNAL, "the last is wrong");
  elect(store, identity.rank);
  store.fence("end", 10s);  // rank 0 may hold the store, so nobody leaves before all have read
  say(fmt::format("rank {} of {} by {}", identity.rank, identity.size, identity.how));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "meet";
  const int number = argc > 2 ? std::atoi(argv[2]) : -1;
  try {
    if (mode == "pmi2") tutti::PmiConnection::of_process(tutti::PmiVersion::two);
    const int times = mode == "meet" && number > 0 ? number : 1;
    for (int i = 0; i < times; ++i) meet(mode == "absent" ? number : -1);
  } catch (const tutti::Error& failure) {
    fmt::print(stderr, "error {}: {}\n", static_cast<int>(failure.code()), failure.what());
    return 1;
  }
  while (mode == "hold") pause();
  return 0;
}
