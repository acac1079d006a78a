// A rank that does what its driver says, line by line: what the tests of faults run.
//
// Each line of standard input is answered by one line of output, "ok ..." or "error NAME MESSAGE":
//   init                              joins the job of the environment; "ok RANK SIZE"
//   KIND COUNT TYPE OP ROOT HOW       a collective; HOW: run (blocking), wait (nonblocking), poll (tested until it is
//                                     complete), persistent, each of them checked against the right result
//   loop COUNT HOW                    answers "looping" after the first, then calls allreduces until one fails
//   outstanding TIMES COUNT [abort]   so many nonblocking allreduces at once, then waits for all, or aborts after the
//                                     first
//   duplicate | shrink                goes on with the new communicator; the old one is kept
//   split COLOR                       likewise
//   abort REASON | free | exit | fork
//   address                           "ok" and where this rank's segments lie: "PID DESCRIPTOR..."
// An operation prints "begun" on standard error before it starts, so that the driver knows when to strike.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "tutti/tutti.h"

namespace {

tutti_comm* comm = nullptr;
std::vector<tutti_comm*> earlier;  // communicators that this one was made of
int rank = -1;
int size = 0;

void answer(const std::string& text) { std::cout << text << std::endl; }

void answer(int result, const std::string& text = "") {
  if (result == TUTTI_OK)
    answer("ok " + text);
  else
    answer(std::string("error ") + tutti_result_name(result) + " " + tutti_error_message(comm));
}

void adopt(tutti_comm* made) {
  earlier.push_back(comm);
  comm = made;
  tutti_comm_rank(comm, &rank);
  tutti_comm_size(comm, &size);
}

struct Operation {
  std::string kind = "allreduce";
  std::size_t count = 1;
  int type = TUTTI_FLOAT32;
  int op = TUTTI_SUM;
  int root = 0;
  std::string how = "run";
};

// Ends an operation that was begun; a reference, for the request is made while the arguments are.
int complete(int begun, tutti_request*& request, const std::string& how) {
  if (begun != TUTTI_OK || how == "wait") return begun != TUTTI_OK ? begun : tutti_wait(request);
  int result = TUTTI_OK;
  for (int done = 0; !done && result == TUTTI_OK;) result = tutti_test(request, &done);
  return result;
}

int run_persistent(const Operation& what, const void* in, void* out) {
  tutti_request* request = nullptr;
  int result = tutti_allreduce_init(in, out, what.count, static_cast<tutti_type>(what.type),
                                    static_cast<tutti_op>(what.op), comm, &request);
  if (result == TUTTI_OK) result = tutti_start(request);
  if (result == TUTTI_OK) result = tutti_wait(request);
  tutti_request_free(request);
  return result;
}

int call(const Operation& what, const void* in, void* out) {
  const auto type = static_cast<tutti_type>(what.type);
  const auto op = static_cast<tutti_op>(what.op);
  if (what.how == "persistent") return run_persistent(what, in, out);
  const bool blocking = what.how == "run";
  tutti_request* request = nullptr;
  if (what.kind == "allreduce")
    return blocking ? tutti_allreduce(in, out, what.count, type, op, comm)
                    : complete(tutti_iallreduce(in, out, what.count, type, op, comm, &request), request, what.how);
  if (what.kind == "reduce")
    return blocking
               ? tutti_reduce(in, out, what.count, type, op, what.root, comm)
               : complete(tutti_ireduce(in, out, what.count, type, op, what.root, comm, &request), request, what.how);
  if (what.kind == "broadcast")
    return blocking ? tutti_broadcast(out, what.count, type, what.root, comm)
                    : complete(tutti_ibroadcast(out, what.count, type, what.root, comm, &request), request, what.how);
  return blocking ? tutti_barrier(comm) : complete(tutti_ibarrier(comm, &request), request, what.how);
}

// An allreduce of float32 sums, the operation whose result is known here, is checked; its error is a wrong result.
std::string run(const Operation& what, int& result) {
  std::vector<float> in(what.count * 2 + 1, static_cast<float>(rank + 1)), out(what.count * 2 + 1);
  result = call(what, in.data(), out.data());
  if (result != TUTTI_OK || what.kind != "allreduce" || what.type != TUTTI_FLOAT32 || what.op != TUTTI_SUM) return "";
  const auto expected = static_cast<float>(size * (size + 1) / 2);
  for (std::size_t i = 0; i < what.count; ++i)
    if (out[i] != expected) return "element " + std::to_string(i) + " is " + std::to_string(out[i]);
  return "right";
}

void loop(const Operation& what) {
  int result = TUTTI_OK;
  for (bool first = true; result == TUTTI_OK; first = false) {
    const std::string verdict = run(what, result);
    if (result == TUTTI_OK && verdict != "right") return answer("wrong: " + verdict);
    if (first && result == TUTTI_OK) answer("looping");
  }
  answer(result);
}

void outstanding(std::size_t times, std::size_t count, bool aborts) {
  std::vector<float> in(count, 1), out(count * times);
  std::vector<tutti_request*> requests(times);
  int result = TUTTI_OK;
  for (std::size_t i = 0; i < times && result == TUTTI_OK; ++i)
    result = tutti_iallreduce(in.data(), out.data() + i * count, count, TUTTI_FLOAT32, TUTTI_SUM, comm, &requests[i]);
  if (result == TUTTI_OK && aborts) {
    result = tutti_wait(requests[0]);
    requests[0] = nullptr;
    tutti_comm_abort(comm, "in the midst");
  }
  const int waited = tutti_wait_all(times, requests.data());
  answer(result != TUTTI_OK ? result : waited);
}

// What a forked child gets from each way to use what is its parent's.
void use_after_fork() {
  const pid_t child = fork();
  if (child == 0) {
    float value = 1;
    tutti_comm* made = nullptr;
    const bool refused = tutti_allreduce(&value, &value, 1, TUTTI_FLOAT32, TUTTI_SUM, comm) == TUTTI_ERROR_FORK &&
                         tutti_barrier(comm) == TUTTI_ERROR_FORK &&
                         tutti_comm_duplicate(comm, &made) == TUTTI_ERROR_FORK &&
                         tutti_comm_abort(comm, "from a child") == TUTTI_ERROR_FORK &&
                         tutti_comm_shrink(comm, &made) == TUTTI_ERROR_FORK;
    std::cerr << tutti_error_message(comm) << std::endl;
    tutti_comm_free(comm);
    std::exit(refused ? 7 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  answer(WIFEXITED(status) && WEXITSTATUS(status) == 7 ? "ok" : "the child was not refused");
}

// The memfd descriptors of this process.
void tell_address() {
  std::string text = "ok " + std::to_string(getpid());
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.find("memfd:tutti") != std::string::npos) text += " ", text += entry.path().filename();
  }
  answer(text);
}

bool obey(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  Operation what;
  std::size_t times = 0;
  if (verb == "init") {
    const int result = tutti_init_from_env(&comm);
    if (result == TUTTI_OK) tutti_comm_rank(comm, &rank), tutti_comm_size(comm, &size);
    answer(result, std::to_string(rank) + " " + std::to_string(size));
  } else if (verb == "loop") {
    words >> what.count >> what.how;
    loop(what);
  } else if (verb == "outstanding") {
    words >> times >> what.count >> what.how;
    outstanding(times, what.count, what.how == "abort");
  } else if (verb == "duplicate" || verb == "shrink") {
    tutti_comm* made = nullptr;
    const int result = verb == "shrink" ? tutti_comm_shrink(comm, &made) : tutti_comm_duplicate(comm, &made);
    if (result == TUTTI_OK) adopt(made);
    answer(result, std::to_string(rank) + " " + std::to_string(size));
  } else if (verb == "split") {
    int color = 0;
    words >> color;
    tutti_comm* made = nullptr;
    const int result = tutti_comm_split(comm, color, 0, &made);
    if (result == TUTTI_OK) adopt(made);
    answer(result, std::to_string(rank) + " " + std::to_string(size));
  } else if (verb == "back") {  // to the communicator before this one
    tutti_comm_free(comm);
    comm = earlier.back();
    earlier.pop_back();
    answer("ok");
  } else if (verb == "abort") {
    answer(tutti_comm_abort(comm, line.substr(verb.size() + 1).c_str()));
  } else if (verb == "free") {
    for (tutti_comm* old : earlier) tutti_comm_free(old);
    earlier.clear();
    answer(tutti_comm_free(comm));
    comm = nullptr;
  } else if (verb == "fork") {
    use_after_fork();
  } else if (verb == "address") {
    tell_address();
  } else if (verb == "exit") {
    return false;
  } else {
    what.kind = verb;
    words >> what.count >> what.type >> what.op >> what.root >> what.how;
    int result = TUTTI_OK;
    std::cerr << "begun" << std::endl;
    const std::string verdict = run(what, result);
    answer(result, verdict);
  }
  return true;
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line) && obey(line)) {
  }
  std::_Exit(0);  // without goodbye, unless `free` said it
}
