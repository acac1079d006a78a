// The axes of the agreement test, and how they are crossed: all with all, or every two values of two axes at least
// once.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "bootstrap/environment.hpp"
#include "payload/payload.hpp"
#include "tests/processes/agreement.hpp"
#include "tests/unit/payload_reference.hpp"

namespace tutti::testing {

namespace {

constexpr int most_ranks = 9;
constexpr std::uint64_t counts[] = {0, 1, 7, 257, 1310721};
constexpr std::string_view windows[] = {"", "window=16K, in-flight=3", "window=64K, in-flight=2"};

struct Entry {
  const Algorithm* algorithm;
  std::int64_t parameter;
  std::vector<Layer> layers = {};
};

struct Operator {
  Combine combine;
  tutti_op op;
};

// Each form of each collective, with all that can run inside and across at least once.
std::vector<Entry> hierarchies() {
  std::vector<Entry> list;
  for (Kind kind :
       {Kind::allreduce, Kind::broadcast, Kind::reduce, Kind::reduce_scatter, Kind::allgather, Kind::barrier}) {
    std::vector<const Algorithm*> across;
    for (const Algorithm& algorithm : catalogue())
      if (algorithm.kind == kind) across.push_back(&algorithm);
    for (tutti::Form way : {tutti::Form::leader, tutti::Form::lanes}) {
      const auto inner = inner_layers(kind, way);
      for (std::size_t i = 0; i < (inner.empty() ? 0 : std::max(inner.size(), across.size())); ++i)
        list.push_back({across[i % across.size()], -1, {inner[i % inner.size()]}});
    }
  }
  return list;
}

// Of threads that play nodes. A single name is that of a process of its own.
const std::vector<std::string>& nodes() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list = environment_list("TUTTI_NODE");
    return list.size() > 1 ? list : std::vector<std::string>{};
  }();
  return names;
}

// As Context::play_nodes gives them to ranks.
ShapePtr shape_of(int size) {
  std::vector<int> numbers;
  for (int rank = 0; rank < size; ++rank) {
    const std::string& name = nodes()[static_cast<std::size_t>(rank) % nodes().size()];
    numbers.push_back(static_cast<int>(std::find(nodes().begin(), nodes().end(), name) - nodes().begin()));
  }
  return tutti::Shape::of({numbers});
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> list;
    if (!nodes().empty()) return hierarchies();
    for (const Algorithm& algorithm : catalogue()) {
      list.push_back({&algorithm, -1});
      const Parameter& parameter = algorithm.parameter;
      if (parameter.name.empty()) continue;
      for (std::int64_t value : {parameter.least, parameter.least + 1, std::int64_t{5}})
        list.push_back({&algorithm, value});
    }
    return list;
  }();
  return all;
}

const std::vector<Operator>& operators() {
  static const std::vector<Operator> all = [] {
    std::vector<Operator> list = {{Combine::any_order, TUTTI_SUM}, {Combine::rank_order, TUTTI_SUM}};
    for (tutti_op op : test::all_operations()) list.push_back({Combine::built_in, op});
    return list;
  }();
  return all;
}

bool valid(tutti_type type, const Operator& each) {
  return each.combine != Combine::built_in || test::has_operation(type, each.op);
}

bool floating(tutti_type type) { return type >= TUTTI_FLOAT16 && type <= TUTTI_COMPLEX128; }
bool rounds(const Operator& each) {
  return each.combine == Combine::built_in && (each.op == TUTTI_SUM || each.op == TUTTI_AVG || each.op == TUTTI_PROD);
}

// ---- pairs ----

enum Axis { algorithm, type, op, ranks, count, in_place, root, window, values, form, axes };
using Levels = std::array<int, axes>;

int levels_of(int axis) {
  switch (axis) {
    case algorithm:
      return static_cast<int>(entries().size());
    case type:
      return static_cast<int>(test::all_types().size());
    case op:
      return static_cast<int>(operators().size());
    case ranks:
    case root:
      return most_ranks;
    case count:
      return static_cast<int>(std::size(counts));
    case in_place:
    case values:
      return 2;
    default:
      return 3;
  }
}

template <class T>
const auto& at(const T& list, int index) {
  return list[static_cast<std::size_t>(index)];
}

// May these two values stand in one case? `a` is the axis that comes first.
bool possible(int a, int x, int b, int y) {
  if (a == algorithm) {
    const Algorithm& chosen = *at(entries(), x).algorithm;
    if (b == root) return y == 0 || rooted(chosen.kind);
    if (b == op) return combines(chosen.kind) || y == 0;
    if (b == values) return combines(chosen.kind) || y == 0;
    if (chosen.kind == Kind::barrier && (b == type || b == count || b == in_place || b == window)) return y == 0;
    if (chosen.kind == Kind::broadcast && b == in_place) return y == 1;
  }
  if (a == type && b == op) return valid(at(test::all_types(), x), at(operators(), y));
  if (a == type && b == values) return y == 0 || floating(at(test::all_types(), x));
  if (a == op && b == values) return y == 0 || rounds(at(operators(), x));
  if (a == ranks && b == root) return y <= x;
  return true;
}

bool fits(const Levels& levels, int axis, int value) {
  for (int other = 0; other < axes; ++other) {
    if (other == axis || levels[static_cast<std::size_t>(other)] < 0) continue;
    const int chosen = levels[static_cast<std::size_t>(other)];
    if (!(other < axis ? possible(other, chosen, axis, value) : possible(axis, value, other, chosen))) return false;
  }
  return true;
}

Case case_of(const Levels& levels) {
  const auto level = [&](Axis axis) { return levels[axis]; };
  Case c;
  c.algorithm = at(entries(), level(algorithm)).algorithm;
  c.parameter = at(entries(), level(algorithm)).parameter;
  c.layers = at(entries(), level(algorithm)).layers;
  c.type = at(test::all_types(), level(type));
  c.combine = at(operators(), level(op)).combine;
  c.op = at(operators(), level(op)).op;
  c.size = level(ranks) + 1;
  c.count = counts[level(count)];
  c.in_place = level(in_place) != 0;
  c.root = level(root);
  c.window = windows[level(window)];
  c.values = static_cast<Values>(level(values));
  c.form = static_cast<Form>(level(form));
  return c;
}

class Slice {
 public:
  explicit Slice(std::uint64_t seed) : random_(seed) {}

  std::vector<Case> draw() {
    std::vector<std::array<int, 4>> pairs;
    for (int a = 0; a < axes; ++a)
      for (int b = a + 1; b < axes; ++b)
        for (int x = 0; x < levels_of(a); ++x)
          for (int y = 0; y < levels_of(b); ++y)
            if (possible(a, x, b, y)) pairs.push_back({a, x, b, y});
    std::shuffle(pairs.begin(), pairs.end(), random_);
    std::vector<Case> cases;
    for (const auto& pair : pairs) {
      if (covered_.count(pair)) continue;
      const Levels best = complete(pair);
      const Case c = case_of(best);
      cover(best, must_be_refused(c), pair);
      cases.push_back(c);
    }
    return cases;
  }

 private:
  static constexpr int tries = 20;

  // A case with this pair in it, and as many others as a few tries find.
  Levels complete(const std::array<int, 4>& pair) {
    Levels best{};
    int most = -1;
    for (int i = 0; i < tries; ++i) {
      Levels levels;
      levels.fill(-1);
      levels[static_cast<std::size_t>(pair[0])] = pair[1];
      levels[static_cast<std::size_t>(pair[2])] = pair[3];
      if (!fill(levels)) continue;
      const int gained = refused(levels) ? 0 : gain(levels);
      if (gained <= most) continue;
      most = gained;
      best = levels;
    }
    return best;
  }

  bool fill(Levels& levels) {
    std::array<int, axes> order;
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_);
    for (int axis : order) {
      if (levels[static_cast<std::size_t>(axis)] >= 0) continue;
      std::vector<int> open;
      // The largest count costs most of the time: only where it is asked for.
      const int last = axis == count ? levels_of(axis) - 1 : levels_of(axis);
      for (int value = 0; value < last; ++value)
        if (fits(levels, axis, value)) open.push_back(value);
      if (open.empty()) return false;
      levels[static_cast<std::size_t>(axis)] = open[random_() % open.size()];
    }
    return true;
  }

  static bool refused(const Levels& levels) { return must_be_refused(case_of(levels)); }

  template <class Visit>
  static void pairs_of(const Levels& levels, Visit visit) {
    for (int a = 0; a < axes; ++a)
      for (int b = a + 1; b < axes; ++b)
        visit(std::array<int, 4>{a, levels[static_cast<std::size_t>(a)], b, levels[static_cast<std::size_t>(b)]});
  }
  int gain(const Levels& levels) const {
    int gained = 0;
    pairs_of(levels, [&](const auto& pair) { gained += covered_.count(pair) == 0; });
    return gained;
  }
  // A case that must be refused proves its own pair alone.
  void cover(const Levels& levels, bool is_refused, const std::array<int, 4>& own) {
    if (is_refused)
      covered_.insert(own);
    else
      pairs_of(levels, [&](const auto& pair) { covered_.insert(pair); });
  }

  std::mt19937_64 random_;
  std::set<std::array<int, 4>> covered_;
};

}  // namespace

bool combines(Kind kind) { return kind == Kind::allreduce || kind == Kind::reduce || kind == Kind::reduce_scatter; }
bool rooted(Kind kind) { return kind == Kind::broadcast || kind == Kind::reduce; }
bool sliced(Kind kind) { return is_sliced(kind); }

std::string setting(const Case& c) {
  std::string inside;
  if (c.parameter >= 0) inside = fmt::format("{}={}", c.algorithm->parameter.name, c.parameter);
  std::string name(c.algorithm->name);
  if (!c.layers.empty()) {
    // "lanes(inner=ring, outer=chain)" without its last bracket, but with that of a parameter before it.
    name = hierarchy_name(c.layers, {c.algorithm, c.algorithm->parameter.fallback});
    inside = name.substr(name.find('(') + 1, name.size() - name.find('(') - 2);
    name = form_name(c.layers[0].form);
  }
  if (!c.window.empty()) inside += fmt::format("{}{}", inside.empty() ? "" : ", ", c.window);
  return fmt::format("{}={}{}", kind_name(c.algorithm->kind), name, inside.empty() ? "" : "(" + inside + ")");
}

std::string describe(const Case& c) {
  constexpr std::string_view forms[] = {"blocking", "nonblocking", "persistent"};
  const std::string operation = c.combine == Combine::built_in    ? std::string(op_name(c.op))
                                : c.combine == Combine::any_order ? "a commutative user operation"
                                                                  : "a user operation in rank order";
  return fmt::format("{} on {} ranks: {} x {}, {}, {}, root {}, {}, {} values", setting(c), c.size, c.count,
                     type_name(c.type), combines(c.algorithm->kind) ? operation : "no operation",
                     c.in_place ? "in place" : "out of place", c.root, forms[static_cast<int>(c.form)],
                     c.values == Values::exact ? "exact" : "random");
}

bool must_be_refused(const Case& c) {
  const bool ordered = combines(c.algorithm->kind) && c.combine == Combine::rank_order;
  const std::int64_t parameter = c.parameter < 0 ? c.algorithm->parameter.fallback : c.parameter;
  if (!c.layers.empty()) {
    const ShapePtr shape = shape_of(c.size);
    return shape->groups() == 1 || !refuses({c.layers, {c.algorithm, parameter}, shape.get(), c.size}, ordered).empty();
  }
  return (ordered && !c.algorithm->keeps_order) || !c.algorithm->refuses(c.size, parameter).empty();
}

std::vector<Case> pairwise_slice(std::uint64_t seed) { return Slice(seed).draw(); }

void visit_product(const std::function<void(std::uint64_t, const Case&)>& visit) {
  std::uint64_t number = 0;
  for (const Entry& entry : entries())
    for (int size = 1; size <= most_ranks; ++size)
      for (tutti_type each : test::all_types())
        for (const Operator& operation : operators())
          for (std::uint64_t elements : counts)
            for (bool same : {false, true})
              for (int from = 0; from < size; ++from) {
                const Kind kind = entry.algorithm->kind;
                if (from > 0 && !rooted(kind)) continue;
                if (!combines(kind) && &operation != &operators().front()) continue;
                if (!valid(each, operation)) continue;
                if (kind == Kind::broadcast && !same) continue;
                if (kind == Kind::barrier && (each != TUTTI_INT8 || elements || same)) continue;
                visit(number++, {entry.algorithm, entry.parameter, entry.layers, each, operation.combine, operation.op,
                                 size, elements, same, from, "", Values::exact, Form::blocking});
              }
}

}  // namespace tutti::testing
