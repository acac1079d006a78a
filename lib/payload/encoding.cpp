// The forms of payload by their setting.
#include "lib/payload/encoding.hpp"

#include "lib/error.hpp"
#include "lib/payload/quantised.hpp"
#include "lib/payload/reproducible.hpp"

namespace tutti {

std::unique_ptr<const Encoding> make_encoding(const PayloadSetting& setting, tutti_type type, tutti_op op, int rank) {
  switch (setting.form) {
    case PayloadForm::reproducible:
      return make_reproducible(setting, type, op);
    case PayloadForm::quantised:
      return make_quantised(setting, type, op, rank);
    case PayloadForm::dense:
      break;
  }
  throw error(TUTTI_ERROR_INTERNAL, "a dense payload is not encoded");
}

std::string describe(const PayloadSetting& setting) {
  switch (setting.form) {
    case PayloadForm::reproducible:
      return fmt::format("reproducible, {} summand{}", setting.summands, setting.summands == 1 ? "" : "s");
    case PayloadForm::quantised:
      return fmt::format("{} in blocks of {}, {} rounding{}", format_name(setting.code.format), setting.code.block,
                         setting.code.stochastic ? "stochastic" : "nearest",
                         setting.code.stochastic ? fmt::format(", seed {}", setting.seed) : "");
    case PayloadForm::dense:
      break;
  }
  return {};
}

}  // namespace tutti
