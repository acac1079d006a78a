// The finite field of q elements, q a power of a prime: arithmetic by tables, for graphs that are built over it.
//
// Element e stands for the polynomial over Z_p whose coefficients are the digits of e in base p. Multiplication is that
// of powers of a primitive element, which is found by trial: fields here have at most a few hundred elements.
#pragma once

#include <cstddef>
#include <vector>

namespace tutti {

class GaloisField {
 public:
  // Whether there is a field of so many elements.
  static bool exists(int q) { return q >= 2 && power_of(q, smallest_factor(q)); }

  explicit GaloisField(int q) : q_(q), p_(smallest_factor(q)), powers_(at(q)), logarithms_(at(q)) {
    // x is primitive for some polynomial of each degree; for a prime, some number is.
    for (int candidate = 1; candidate < q_ && !generate(candidate); ++candidate) continue;
  }

  int size() const { return q_; }
  int add(int a, int b) const { return combine(a, b, 1); }
  int subtract(int a, int b) const { return combine(a, b, p_ - 1); }
  int multiply(int a, int b) const {
    if (a == 0 || b == 0) return 0;
    return powers_[at((logarithms_[at(a)] + logarithms_[at(b)]) % (q_ - 1))];
  }
  int divide(int a, int b) const {
    return a == 0 ? 0 : powers_[at((logarithms_[at(a)] + q_ - 1 - logarithms_[at(b)]) % (q_ - 1))];
  }
  // The power of the primitive element.
  int power(int exponent) const { return powers_[at(exponent % (q_ - 1))]; }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  static int smallest_factor(int number) {
    for (int factor = 2; factor * factor <= number; ++factor)
      if (number % factor == 0) return factor;
    return number;
  }
  static bool power_of(int number, int base) {
    while (number % base == 0) number /= base;
    return number == 1;
  }

  // a + scale * b, digit by digit.
  int combine(int a, int b, int scale) const {
    int sum = 0;
    for (int place = 1; place < q_; place *= p_) sum += (a / place + scale * (b / place)) % p_ * place;
    return sum;
  }

  // x * a, where x^degree is replaced by `reduction`; for a prime, the number `reduction` times a.
  int step(int a, int reduction) const {
    if (q_ == p_) return a * reduction % p_;
    const int top = q_ / p_;
    int product = a % top * p_;
    for (int times = a / top; times > 0; --times) product = combine(product, reduction, 1);
    return product;
  }

  // Whether the powers of x (or of the number `reduction`) are all elements but zero; fills the tables.
  bool generate(int reduction) {
    int element = 1;
    for (int exponent = 0; exponent < q_ - 1; ++exponent) {
      if (element == 0 || (exponent > 0 && element == 1)) return false;
      powers_[at(exponent)] = element;
      logarithms_[at(element)] = exponent;
      element = step(element, reduction);
    }
    return element == 1;
  }

  int q_;
  int p_;
  std::vector<int> powers_;
  std::vector<int> logarithms_;
};

}  // namespace tutti
