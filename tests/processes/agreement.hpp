// The agreement test: every executor gives what a scalar reference gives, for every algorithm, type, operation, number
// of ranks, length, root, in place and not. The whole product takes hours; a slice in which every two values of any
// two axes meet takes a minute.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "algorithms/hierarchy.hpp"
#include "tutti/tutti.h"

namespace tutti::testing {

// ---- what is tried (agreement_cases.cpp) ----

enum class Values : std::uint8_t { exact, random };  // random: floating types, held to the bound of their error
enum class Form : std::uint8_t { blocking, nonblocking, persistent };
enum class Combine : std::uint8_t { built_in, any_order, rank_order };  // the last two: a user's operation

struct Case {
  const Algorithm* algorithm = nullptr;
  std::int64_t parameter = -1;     // -1: left to the scheduler
  std::vector<Layer> layers = {};  // of a hierarchy, which `algorithm` runs across
  tutti_type type = TUTTI_INT8;
  Combine combine = Combine::built_in;
  tutti_op op = TUTTI_SUM;
  int size = 1;
  std::uint64_t count = 0;  // of the whole vector; of one block, where blocks are counted, at most so many in all
  bool in_place = false;
  int root = 0;
  std::string_view window;  // further settings of the algorithm
  Values values = Values::exact;
  Form form = Form::blocking;
};

bool combines(Kind kind);
bool rooted(Kind kind);
bool sliced(Kind kind);
std::string describe(const Case& c);
// As TUTTI_ALGORITHM would say it.
std::string setting(const Case& c);
// The algorithm says that it cannot run so: the call must, too.
bool must_be_refused(const Case& c);

// Cases in which all values of any two axes meet, drawn from the seed.
std::vector<Case> pairwise_slice(std::uint64_t seed);
// Every combination of algorithm, parameter, type, operation, size, count, in place and root, in an order that is
// always the same; `visit` gets the number of each.
void visit_product(const std::function<void(std::uint64_t number, const Case&)>& visit);

// ---- how it is tried ----

// One rank, in a thread or a process of its own.
struct Rank {
  tutti_comm* comm = nullptr;
  tutti_comm* control = nullptr;  // for the test's own messages
  int rank = 0;
  int size = 1;
  tutti_op any_order{}, rank_order{};
};

// Throws where a call fails.
void call(int result, const std::string& what);
// Throws unless the condition holds.
void demand(bool condition, const std::string& what);

// Runs a case on all ranks and compares with the reference (agreement_case.cpp); throws where they differ.
void run_case(const Case& c, Rank& rank);
// Operations that overlap, on one communicator and several (agreement_scenarios.cpp).
void run_scenarios(Rank& rank, std::uint64_t seed);

// A user's operations, for elements of any type: commutative, and not.
void combine_any_order(const void* left, void* inout, std::size_t count, tutti_type type, void* context);
void combine_rank_order(const void* left, void* inout, std::size_t count, tutti_type type, void* context);

}  // namespace tutti::testing
