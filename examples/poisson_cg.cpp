// SPDX-License-Identifier: BSD-3-Clause
//
// Solves Poisson's equation in a cube with conjugate gradients (Hestenes and Stiefel, 1952), on all ranks.
//
//   tutti run -n 4 ./poisson_cg [inner points a side, 48]
//
// -laplace(u) = f in the unit cube, u = 0 on its faces, by the seven-point stencil on n^3 inner points. The exact
// solution is u = x(1-x) y(1-y) z(1-z). It is of degree two along each axis, so the stencil is exact for it, and
// what the program finds may differ from it by the solver's tolerance alone: a check that hides nothing.
//
// Each rank owns a slab of whole planes and nobody holds the whole vector, so memory shrinks with the number of
// ranks. A slab needs its neighbours' nearest planes. They travel in one allgather of everybody's first and last plane,
// 2 p n^2 values to each rank instead of the n^3 that gathering the whole vector would cost; it flies while the planes
// inside the slab are computed. The two dot products of an iteration are allreduces of one value.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <tutti/tutti.hpp>
#include <vector>

namespace {

constexpr double tolerance = 1e-10;  // of the residual's norm, relative to the right-hand side's

using Vector = std::vector<double>;

// A cube's inner points and the planes of them that this rank owns.
struct Slab {
  int side;
  int first;
  int planes;
  double step;

  Slab(int points, int rank, int ranks)
      : side(points), first(begin(rank, ranks)), planes(begin(rank + 1, ranks) - first), step(1.0 / (points + 1)) {}

  int begin(int rank, int ranks) const { return static_cast<int>(static_cast<long long>(side) * rank / ranks); }
  std::size_t plane() const { return static_cast<std::size_t>(side) * static_cast<std::size_t>(side); }
  std::size_t points() const { return plane() * static_cast<std::size_t>(planes); }
};

// Calls visit(index in the slab, x, y, z) for each point of it.
template <class Visit>
void for_each_point(const Slab& slab, Visit visit) {
  std::size_t index = 0;
  for (int k = 0; k < slab.planes; ++k) {
    for (int j = 0; j < slab.side; ++j) {
      for (int i = 0; i < slab.side; ++i) {
        visit(index++, (i + 1) * slab.step, (j + 1) * slab.step, (slab.first + k + 1) * slab.step);
      }
    }
  }
}

// Everybody's first and last plane, as rank r's at position 2 r.
class Halo {
 public:
  Halo(tutti::Communicator& world, const Slab& slab)
      : world_(world),
        slab_(slab),
        mine_(2 * slab.plane()),
        all_(mine_.size() * static_cast<std::size_t>(world.size())),
        zeros_(slab.plane()) {}

  tutti::Request exchange(std::span<const double> values) {
    const std::size_t plane = slab_.plane();
    std::copy_n(values.begin(), plane, mine_.begin());
    std::copy_n(values.end() - static_cast<std::ptrdiff_t>(plane), plane,
                mine_.begin() + static_cast<std::ptrdiff_t>(plane));
    return world_.iallgather(mine_, all_);
  }
  // The plane below the slab and that above it; zeros outside the cube.
  const double* below() const { return world_.rank() == 0 ? zeros_.data() : plane_at(2 * world_.rank() - 1); }
  const double* above() const {
    return world_.rank() == world_.size() - 1 ? zeros_.data() : plane_at(2 * world_.rank() + 2);
  }

 private:
  const double* plane_at(int position) const {
    return all_.data() + static_cast<std::size_t>(position) * slab_.plane();
  }

  tutti::Communicator& world_;
  const Slab& slab_;
  Vector mine_, all_, zeros_;
};

// One plane of the stencil, times the square of the step.
void apply_plane(int side, const double* below, const double* here, const double* above, double* result) {
  const auto at = [side](int i, int j) {
    return static_cast<std::size_t>(j) * static_cast<std::size_t>(side) + static_cast<std::size_t>(i);
  };
  for (int j = 0; j < side; ++j) {
    for (int i = 0; i < side; ++i) {
      const std::size_t index = at(i, j);
      double neighbours = below[index] + above[index];
      if (i > 0) neighbours += here[at(i - 1, j)];
      if (i < side - 1) neighbours += here[at(i + 1, j)];
      if (j > 0) neighbours += here[at(i, j - 1)];
      if (j < side - 1) neighbours += here[at(i, j + 1)];
      result[index] = 6 * here[index] - neighbours;
    }
  }
}

void apply(const Slab& slab, Halo& halo, std::span<const double> in, std::span<double> out) {
  tutti::Request planes = halo.exchange(in);
  const auto apply_at = [&](int k) {
    const std::size_t plane = slab.plane();
    const std::size_t begin = static_cast<std::size_t>(k) * plane;
    apply_plane(slab.side, k > 0 ? in.data() + begin - plane : halo.below(), in.data() + begin,
                k < slab.planes - 1 ? in.data() + begin + plane : halo.above(), out.data() + begin);
  };
  for (int k = 1; k < slab.planes - 1; ++k) apply_at(k);
  planes.wait();
  apply_at(0);
  if (slab.planes > 1) apply_at(slab.planes - 1);
}

double dot(tutti::Communicator& world, std::span<const double> a, std::span<const double> b) {
  double local = 0;
  for (std::size_t i = 0; i < a.size(); ++i) local += a[i] * b[i];
  return world.allreduce(local, tutti::sum);
}

// Solves A x = b from x = 0; returns the number of iterations, or -1 if it does not converge.
int conjugate_gradients(tutti::Communicator& world, const Slab& slab, std::span<const double> b, std::span<double> x) {
  Halo halo(world, slab);
  Vector residual(b.begin(), b.end());
  Vector direction = residual;
  Vector product(b.size());
  double squared = dot(world, residual, residual);
  const double goal = tolerance * tolerance * squared;
  const int limit = 10 * slab.side;
  for (int iteration = 1; iteration <= limit; ++iteration) {
    apply(slab, halo, direction, product);
    const double alpha = squared / dot(world, direction, product);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] += alpha * direction[i];
      residual[i] -= alpha * product[i];
    }
    const double next = dot(world, residual, residual);
    if (next <= goal) return iteration;
    const double beta = next / squared;
    for (std::size_t i = 0; i < x.size(); ++i) direction[i] = residual[i] + beta * direction[i];
    squared = next;
  }
  return -1;
}

int solve(tutti::Communicator& world, int side) {
  const Slab slab(side, world.rank(), world.size());
  Vector b(slab.points()), exact(slab.points()), x(slab.points());
  for_each_point(slab, [&](std::size_t i, double px, double py, double pz) {
    const double u = px * (1 - px), v = py * (1 - py), w = pz * (1 - pz);
    exact[i] = u * v * w;
    b[i] = 2 * (v * w + u * w + u * v) * slab.step * slab.step;
  });

  const int iterations = conjugate_gradients(world, slab, b, x);

  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(x[i] - exact[i]));
  worst = world.allreduce(worst, tutti::max);
  const bool good = iterations > 0 && worst < 1e-8;  // the solution's largest value is 1/64
  if (world.rank() == 0) {
    std::printf("%d^3 points on %d ranks: %d iterations, largest error %.2e: %s\n", side, world.size(), iterations,
                worst, good ? "correct" : "WRONG");
  }
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto world = tutti::Communicator::from_env();
    const int side = argc > 1 ? std::atoi(argv[1]) : 48;
    if (side < world.size() || side > 1000) {
      if (world.rank() == 0) {
        std::fprintf(stderr, "%s: points a side must be a number from %d, one plane for each rank, to 1000\n", argv[0],
                     world.size());
      }
      return 2;
    }
    return solve(world, side);
  } catch (const tutti::Failure& failure) {
    std::fprintf(stderr, "%s: %s\n", argv[0], failure.what());
    return 1;
  }
}
