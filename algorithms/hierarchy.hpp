// Hierarchies: any algorithm inside the groups of a shape (nodes) and any other across them, composed by views of
// views. An algorithm knows nothing of it, and what is here knows nothing of the algorithms' steps.
//
//   leader   one rank of each group speaks for it: the group's values are combined at it, leaders talk to each other,
//            and hand the result on to their groups. Fewest messages between groups: for small vectors.
//   lanes    every rank of a group speaks for a share of the vector, its lane: ranks of a group divide the vector
//            among themselves, each lane talks across the groups by itself, and groups put the vector together again
//            (Traeff and Hunold, "Decomposing MPI collectives for exploiting multi-lane communication", 2020). Each
//            byte crosses once for a whole group, and all ranks work at once: for large vectors.
//
//   collective      leader: inside, across, inside          lanes: inside, across each lane, inside
//   allreduce       reduce, allreduce, broadcast            reduce-scatter, allreduce, allgather
//   broadcast       broadcast, broadcast                    scatter (root's group), broadcast, allgather
//   reduce          reduce, reduce                          reduce-scatter, reduce, gather (root's group)
//   reduce-scatter  reduce, reduce-scatter, scatter         reduce-scatter, reduce-scatter
//   allgather       gather, allgather, broadcast            allgather, allgather
//   barrier         reduce, barrier, broadcast of a token   -
//
// (a broadcast goes across first, an allgather by lanes too). Scatter and gather are the binomial ones. Groups may
// differ in size: there are as many lanes as ranks in the largest group, and rank j of a smaller one, with s ranks,
// serves the lanes j, j + s, ...  Across the groups there may be a hierarchy of the next level again.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "algorithms/algorithm.hpp"

namespace tutti {

std::string_view form_name(Form form);

// "knomial(k=3)".
std::string stage_name(const Stage& stage);
// "lanes(inner=two-shot, outer=circulant)"; without layers the name of what runs across.
std::string hierarchy_name(std::span<const Layer> layers, const Stage& across);

// Everything that can run inside the groups of a collective in this form, each with its parameter's default. What runs
// before and after goes by one name: "ring" is a ring both ways, "two-shot" direct both ways, and "recursive-halving"
// comes back by recursive doubling. Empty where a collective has no such form.
std::span<const Layer> inner_layers(Kind kind, Form form);
// The number that the inside takes; its name is empty where it takes none.
Parameter inner_parameter(const Layer& layer);
void set_inner_parameter(Layer& layer, std::int64_t value);

// A hierarchy over ranks that have a shape; without layers, an algorithm on all of them.
struct Hierarchy {
  std::span<const Layer> layers;  // the finest first
  Stage across;                   // what runs on the groups of the coarsest level
  const Shape* shape = nullptr;   // may be null where there are no layers
  int size = 1;                   // ranks

  // What is left across the groups of the finest layer.
  Hierarchy above() const;
};

// Why it cannot run; empty where it can.
std::string refuses(const Hierarchy& hierarchy, bool ordered);
// Blocks of the whole vector, such that both inside and across each gets as many parts as it wants.
std::int64_t blocks_of(const Hierarchy& hierarchy);
// What one phase does, as the time model sees it: the rounds of one group of ranks, for its busiest rank.
struct Phase {
  std::vector<Round> rounds;
  bool across = false;           // between groups of the finest level, or inside them
  Share share;                   // of the whole vector: what `rounds` call the whole
  std::int64_t streams = 1;      // lanes that the busiest rank serves at one time, each with its own rounds
  std::int64_t of_group = 1;     // lanes of one finest group together
  std::int64_t parts = 1;        // into which what `rounds` call the whole is cut,
  std::int64_t part_blocks = 1;  // and how many blocks the largest of them has
  std::int64_t all_blocks = 1;   // that all of them have
};
// In groups of different sizes, of the largest.
std::vector<Phase> phases_of(const Hierarchy& hierarchy);
// The blocks of the largest message that any rank sends, or a few more where groups differ in size.
std::int64_t largest_message(const Hierarchy& hierarchy);

// How many combines follow one another on the longest way of a contribution.
std::int64_t depth_of(const Hierarchy& hierarchy);
// One rank's steps. Positions of the view are ranks of the shape; `root` is one of them.
void compose(View& view, const Hierarchy& hierarchy, int root, bool ordered);

}  // namespace tutti
