// Bad input through the C interface: each mistake gets its documented code and a message that says what was wrong,
// where, and what would be right; and the communicator stays usable. tutti run -n P errors_test
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "expect.h"
#include "tutti/tutti.h"

namespace {

constexpr std::size_t count = 16;
constexpr std::size_t far_too_many = SIZE_MAX / 2;

// What the cases work on.
struct Place {
  tutti_comm* comm = nullptr;
  int rank = 0;
  int size = 1;
  std::array<float, 64 * count> in{};
  std::array<float, 64 * count> out{};
  tutti_request* request = nullptr;

  int allreduce(const void* from, void* to, std::size_t n, int type = TUTTI_FLOAT32, int op = TUTTI_SUM) {
    return tutti_allreduce(from, to, n, static_cast<tutti_type>(type), static_cast<tutti_op>(op), comm);
  }
};

struct Mistake {
  const char* name;
  tutti_result code;
  std::vector<std::string> words;  // that the message must contain
  std::function<int(Place&)> make;
};

const std::vector<Mistake> mistakes = {
    {"a null input",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce", "input", "null", "64 bytes"},
     [](Place& p) { return p.allreduce(nullptr, p.out.data(), count); }},
    {"a null output",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce", "output", "null"},
     [](Place& p) { return p.allreduce(p.in.data(), nullptr, count); }},
    {"a null buffer to broadcast",
     TUTTI_ERROR_ARGUMENT,
     {"broadcast", "null"},
     [](Place& p) { return tutti_broadcast(nullptr, count, TUTTI_FLOAT32, 0, p.comm); }},
    {"a null output at the root of reduce",
     TUTTI_ERROR_ARGUMENT,
     {"reduce", "output", "null"},
     [](Place& p) { return tutti_reduce(p.in.data(), nullptr, count, TUTTI_FLOAT32, TUTTI_SUM, p.rank, p.comm); }},
    {"a null output of allgather",
     TUTTI_ERROR_ARGUMENT,
     {"allgather", "output", "null"},
     [](Place& p) { return tutti_allgather(p.in.data(), nullptr, count, TUTTI_FLOAT32, p.comm); }},
    {"a root beyond the last rank",
     TUTTI_ERROR_ARGUMENT,
     {"broadcast", "root 99", "ranks 0 to"},
     [](Place& p) { return tutti_broadcast(p.in.data(), count, TUTTI_FLOAT32, 99, p.comm); }},
    {"a negative root",
     TUTTI_ERROR_ARGUMENT,
     {"reduce", "root -1", "ranks 0 to"},
     [](Place& p) { return tutti_reduce(p.in.data(), p.out.data(), count, TUTTI_FLOAT32, TUTTI_SUM, -1, p.comm); }},
    {"output that begins inside the input",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce", "overlap", "in place"},
     [](Place& p) { return p.allreduce(p.in.data(), p.in.data() + 1, count); }},
    {"input that begins inside the output",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce", "overlap"},
     [](Place& p) { return p.allreduce(p.in.data() + count - 1, p.in.data(), count); }},
    {"an output that cuts the blocks of reduce-scatter",
     TUTTI_ERROR_ARGUMENT,
     {"reduce-scatter", "overlap"},
     [](Place& p) {
       return tutti_reduce_scatter(p.in.data(), p.in.data() + 1, count, TUTTI_FLOAT32, TUTTI_SUM, p.comm);
     }},
    {"an input inside the output of allgather",
     TUTTI_ERROR_ARGUMENT,
     {"allgather", "overlap"},
     [](Place& p) { return tutti_allgather(p.out.data() + 1, p.out.data(), count, TUTTI_FLOAT32, p.comm); }},
    {"more elements than an address space holds",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce", "address space"},
     [](Place& p) { return p.allreduce(p.in.data(), p.out.data(), far_too_many); }},
    {"blocks that together exceed the address space",
     TUTTI_ERROR_ARGUMENT,
     {"allgather", "address space"},
     [](Place& p) { return tutti_allgather(p.in.data(), p.out.data(), far_too_many, TUTTI_FLOAT32, p.comm); }},
    {"an unknown type",
     TUTTI_ERROR_ARGUMENT,
     {"type 99", "tutti.h"},
     [](Place& p) { return p.allreduce(p.in.data(), p.out.data(), count, 99); }},
    {"an unknown operation",
     TUTTI_ERROR_ARGUMENT,
     {"operation", "77"},
     [](Place& p) { return p.allreduce(p.in.data(), p.out.data(), count, TUTTI_FLOAT32, 77); }},
    {"a bitwise operation on floats",
     TUTTI_ERROR_ARGUMENT,
     {"band", "float32"},
     [](Place& p) { return p.allreduce(p.in.data(), p.out.data(), count, TUTTI_FLOAT32, TUTTI_BAND); }},
    {"the minimum of complex numbers",
     TUTTI_ERROR_ARGUMENT,
     {"min", "complex64"},
     [](Place& p) { return p.allreduce(p.in.data(), p.out.data(), count, TUTTI_COMPLEX64, TUTTI_MIN); }},
    {"minloc without pairs",
     TUTTI_ERROR_ARGUMENT,
     {"minloc", "float64"},
     [](Place& p) { return p.allreduce(p.in.data(), p.out.data(), count, TUTTI_FLOAT64, TUTTI_MINLOC); }},
    {"a null place for a request",
     TUTTI_ERROR_ARGUMENT,
     {"request", "null"},
     [](Place& p) { return tutti_ibarrier(p.comm, nullptr); }},
    {"a nonblocking call with a null input",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce", "input", "null"},
     [](Place& p) {
       return tutti_iallreduce(nullptr, p.out.data(), count, TUTTI_FLOAT32, TUTTI_SUM, p.comm, &p.request);
     }},
    {"a persistent call with a bad root",
     TUTTI_ERROR_ARGUMENT,
     {"broadcast", "root 99"},
     [](Place& p) { return tutti_broadcast_init(p.in.data(), count, TUTTI_FLOAT32, 99, p.comm, &p.request); }},
    {"an unknown algorithm",
     TUTTI_ERROR_ARGUMENT,
     {"no-such", "ring"},
     [](Place& p) { return tutti_comm_set_algorithm(p.comm, "allreduce=no-such"); }},
    {"an unknown collective in a specification",
     TUTTI_ERROR_ARGUMENT,
     {"allshrink", "allreduce"},
     [](Place& p) { return tutti_comm_set_algorithm(p.comm, "allshrink=ring"); }},
    {"overlapping ranges in a specification",
     TUTTI_ERROR_ARGUMENT,
     {"allreduce"},
     [](Place& p) { return tutti_comm_set_algorithm(p.comm, "allreduce@1K-4K=ring; allreduce@2K-8K=ring"); }},
    {"the choice for an unknown collective",
     TUTTI_ERROR_ARGUMENT,
     {"allshrink"},
     [](Place& p) {
       std::array<char, 256> text{};
       return tutti_comm_choice(p.comm, "allshrink", 1, TUTTI_INT8, TUTTI_SUM, 0, text.data(), text.size());
     }},
    {"a null place for a split",
     TUTTI_ERROR_ARGUMENT,
     {"null"},
     [](Place& p) { return tutti_comm_split(p.comm, 0, 0, nullptr); }},
    {"a null place for the rank",
     TUTTI_ERROR_ARGUMENT,
     {"rank", "null"},
     [](Place& p) { return tutti_comm_rank(p.comm, nullptr); }},
};

// Without a communicator, the message is the thread's.
const std::vector<Mistake> mistakes_without_communicator = {
    {"a null communicator",
     TUTTI_ERROR_ARGUMENT,
     {"communicator", "null"},
     [](Place&) { return tutti_barrier(nullptr); }},
    {"zero ranks",
     TUTTI_ERROR_ARGUMENT,
     {"0"},
     [](Place&) {
       tutti_comm* made = nullptr;
       return tutti_init_threads(0, &made);
     }},
    {"a store without functions",
     TUTTI_ERROR_ARGUMENT,
     {"store"},
     [](Place&) {
       const tutti_store_functions none = {};
       tutti_comm* made = nullptr;
       return tutti_init_from_store(&none, 0, 1, &made);
     }},
    {"no store at all",
     TUTTI_ERROR_ARGUMENT,
     {"store", "null"},
     [](Place&) {
       tutti_comm* made = nullptr;
       return tutti_init_from_store(nullptr, 0, 1, &made);
     }},
    {"a null operation",
     TUTTI_ERROR_ARGUMENT,
     {"function", "null"},
     [](Place&) {
       tutti_op op = TUTTI_SUM;
       return tutti_op_create(nullptr, nullptr, 1, &op);
     }},
    {"freeing a built-in operation", TUTTI_ERROR_ARGUMENT, {"sum"}, [](Place&) { return tutti_op_free(TUTTI_SUM); }},
    {"starting nothing", TUTTI_ERROR_ARGUMENT, {"request", "null"}, [](Place&) { return tutti_start(nullptr); }},
    {"a null place for done",
     TUTTI_ERROR_ARGUMENT,
     {"done", "null"},
     [](Place&) { return tutti_test(nullptr, nullptr); }},
    {"a null list of requests",
     TUTTI_ERROR_ARGUMENT,
     {"requests", "null"},
     [](Place&) { return tutti_wait_all(3, nullptr); }},
};

void check_message(const Mistake& mistake, const std::string& message) {
  for (const std::string& word : mistake.words) {
    if (message.find(word) != std::string::npos) continue;
    std::fprintf(stderr, "%s: the message has no \"%s\": %s\n", mistake.name, word.c_str(), message.c_str());
    EXPECT(message.find(word) != std::string::npos);
  }
}

void check(const Mistake& mistake, Place& place) {
  const int code = mistake.make(place);
  if (code != mistake.code) {
    std::fprintf(stderr, "%s: %s instead of %s\n", mistake.name, tutti_result_name(code),
                 tutti_result_name(mistake.code));
    EXPECT(code == mistake.code);
    return;
  }
  check_message(mistake, tutti_error_message(nullptr));
}

// An argument error leaves the communicator as it was.
void check_usable(Place& place) {
  float one = 1;
  EXPECT(place.allreduce(&one, &one, 1) == TUTTI_OK);
  EXPECT(one == static_cast<float>(place.size));
}

void mistakes_get_their_code_and_a_message(Place& place) {
  for (const Mistake& mistake : mistakes) {
    check(mistake, place);
    check_message(mistake, tutti_error_message(place.comm));
    check_usable(place);
  }
  for (const Mistake& mistake : mistakes_without_communicator) check(mistake, place);
  check_usable(place);
}

void a_forced_algorithm_that_cannot_run_is_refused_by_name(Place& place) {
  // Halving needs an operation whose order does not matter.
  tutti_op op = TUTTI_SUM;
  const auto keep = [](const void* left, void* inout, std::size_t n, tutti_type, void*) {
    std::memcpy(inout, left, n * sizeof(float));
  };
  EXPECT(tutti_op_create(keep, nullptr, 0, &op) == TUTTI_OK);
  EXPECT(tutti_comm_set_algorithm(place.comm, "allreduce=ring") == TUTTI_OK);
  const int code = place.allreduce(place.in.data(), place.out.data(), count, TUTTI_FLOAT32, op);
  if (place.size > 1) {
    EXPECT(code == TUTTI_ERROR_UNSUPPORTED);
    EXPECT(std::strstr(tutti_error_message(place.comm), "ring") != nullptr);
  }
  EXPECT(tutti_comm_set_algorithm(place.comm, "") == TUTTI_OK);
  EXPECT(tutti_op_free(op) == TUTTI_OK);
  check_usable(place);
}

void a_persistent_request_is_started_and_freed_in_turn(Place& place) {
  tutti_request* request = nullptr;
  EXPECT(tutti_barrier_init(place.comm, &request) == TUTTI_OK);
  EXPECT(tutti_start(request) == TUTTI_OK);
  EXPECT(tutti_start(request) == TUTTI_ERROR_ARGUMENT);
  EXPECT(tutti_request_free(request) == TUTTI_ERROR_ARGUMENT);
  EXPECT(std::strstr(tutti_error_message(nullptr), "tutti_wait") != nullptr);
  EXPECT(tutti_wait(request) == TUTTI_OK);
  EXPECT(tutti_request_free(request) == TUTTI_OK);
}

// In the child every use is an error; the parent goes on.
void use_after_fork_is_an_error(Place& place) {
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    float value = 0;
    const int code = place.allreduce(&value, &value, 1);
    const std::string message = tutti_error_message(nullptr);
    const bool said = message.find("fork") != std::string::npos;
    if (code != TUTTI_ERROR_FORK || !said) {
      std::fprintf(stderr, "after fork: %s: %s\n", tutti_result_name(code), message.c_str());
    }
    tutti_request* request = nullptr;
    const int later = tutti_ibarrier(place.comm, &request);
    tutti_comm_free(place.comm);  // harmless: it says no goodbye in the parent's name
    _exit(code == TUTTI_ERROR_FORK && later == TUTTI_ERROR_FORK && said ? 0 : 1);
  }
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  check_usable(place);
}

}  // namespace

int main() {
  Place place;
  EXPECT(tutti_init_from_env(&place.comm) == TUTTI_OK);
  if (place.comm == nullptr) return failures_seen();
  EXPECT(tutti_comm_rank(place.comm, &place.rank) == TUTTI_OK);
  EXPECT(tutti_comm_size(place.comm, &place.size) == TUTTI_OK);
  mistakes_get_their_code_and_a_message(place);
  a_forced_algorithm_that_cannot_run_is_refused_by_name(place);
  a_persistent_request_is_started_and_freed_in_turn(place);
  use_after_fork_is_an_error(place);
  EXPECT(tutti_comm_free(place.comm) == TUTTI_OK);
  return failures_seen();
}
