// Ranks as threads of a test, over one transport or another.
#pragma once

#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"
#include "tutti/tutti.h"

namespace tutti::test {

// Runs `body` as each of so many ranks; what they throw fails the test.
inline void on_ranks(int size, const char* transport, const std::function<void(tutti_comm*, int)>& body) {
  setenv("TUTTI_TRANSPORT", transport, 1);
  std::vector<tutti_comm*> comms(static_cast<std::size_t>(size));
  const int made = tutti_init_threads(size, comms.data());
  unsetenv("TUTTI_TRANSPORT");
  REQUIRE(made == TUTTI_OK);
  std::vector<std::string> failures(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      tutti_comm* const comm = comms[static_cast<std::size_t>(rank)];
      try {
        body(comm, rank);
      } catch (const std::exception& wrong) {
        failures[static_cast<std::size_t>(rank)] = wrong.what();
        tutti_comm_abort(comm, "the test failed");
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (tutti_comm* comm : comms) tutti_comm_free(comm);
  for (const std::string& failure : failures) CHECK(failure == "");
}

inline void demand(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what + ": " + tutti_error_message(nullptr));
}

}  // namespace tutti::test
