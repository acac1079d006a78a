// The grammar of forced choices: what it accepts, and that each mistake is named, placed and set right.
#include "error.hpp"
#include "nearest.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/overrides.hpp"
#include "tests/catch.hpp"

using namespace tutti;

namespace {

std::string complaint(std::string_view text) {
  try {
    Overrides::parse(text, "TUTTI_ALGORITHM");
  } catch (const Error& wrong) {
    CHECK(wrong.code() == TUTTI_ERROR_ARGUMENT);
    return wrong.what();
  }
  return "accepted";
}

std::string name_found(const Overrides& overrides, Kind kind, std::uint64_t bytes) {
  const Override* entry = overrides.find(kind, bytes);
  return entry == nullptr ? "none" : std::string(entry->algorithm->name);
}

}  // namespace

TEST_CASE("a size is digits and one suffix, and is read back from its own text") {
  const std::pair<std::string_view, std::uint64_t> good[] = {{"0", 0},
                                                             {"1", 1},
                                                             {"5000", 5000},
                                                             {"1K", 1024},
                                                             {"3M", 3 * 1048576},
                                                             {"1536", 1536},
                                                             {"2G", 2147483648},
                                                             {"8191M", 8589934592 - 1048576}};
  for (auto [text, bytes] : good) {
    CAPTURE(text);
    CHECK(parse_bytes(text) == bytes);
    CHECK(parse_bytes(format_bytes(bytes)) == bytes);
  }
  CHECK(format_bytes(262144) == "256K");
  CHECK(format_bytes(1536) == "1536");
  CHECK(format_bytes(0) == "0");
  CHECK(parse_bytes("9223372036854775807") == 9223372036854775807u);
  for (std::string_view bad : {"", "K", "1k", "1KB", "-1", "+1", "1.5M", " 1", "1 ", "0x10", "9223372036854775808",
                               "8589934592G", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_bytes(bad), Error);
  }
}

TEST_CASE("an override holds for its collective and its range, lo inclusive and hi exclusive") {
  const Overrides overrides = Overrides::parse(
      "allreduce@-1K=one-shot; allreduce@1K-64K=ring;allreduce@1M-=two-shot; barrier=dissemination", "TUTTI_ALGORITHM");
  const std::pair<std::uint64_t, std::string_view> expected[] = {
      {0, "one-shot"}, {1023, "one-shot"}, {1024, "ring"},        {65535, "ring"},
      {65536, "none"}, {1048575, "none"},  {1048576, "two-shot"}, {std::uint64_t{1} << 62, "two-shot"}};
  for (auto [bytes, name] : expected) {
    CAPTURE(bytes);
    CHECK(name_found(overrides, Kind::allreduce, bytes) == name);
  }
  CHECK(name_found(overrides, Kind::barrier, 0) == "dissemination");
  CHECK(name_found(overrides, Kind::broadcast, 1024) == "none");
}

TEST_CASE("an override keeps its parameters, text, column and origin") {
  const Overrides overrides =
      Overrides::parse("  allreduce = ring ( window = 256K , in-flight=4 ) ; barrier=dissemination(ways=3) ;", "here");
  const Override* ring = overrides.find(Kind::allreduce, 8);
  REQUIRE(ring != nullptr);
  CHECK(ring->window_bytes == 262144u);
  CHECK(ring->in_flight == 4);
  CHECK(!ring->parameter);
  CHECK(ring->column == 3);
  CHECK(ring->text == "allreduce = ring ( window = 256K , in-flight=4 )");
  CHECK(ring->origin == "here");
  const Override* barrier = overrides.find(Kind::barrier, 0);
  REQUIRE(barrier != nullptr);
  CHECK(barrier->parameter == 3);
  CHECK(!barrier->window_bytes);
  CHECK(!barrier->in_flight);
}

TEST_CASE("a hierarchy is read level by level, the finest first, and what it does not say stays open") {
  const Overrides overrides = Overrides::parse(
      "allreduce=lanes(inner=two-shot, outer=leader(inner=knomial(k=3), outer=knomial(k=5)), window=1M); "
      "broadcast=lanes(outer=chain); reduce=leader; barrier=leader(in-flight=2)",
      "here");
  const Override* deep = overrides.find(Kind::allreduce, 8);
  REQUIRE(deep != nullptr);
  REQUIRE(deep->layers.size() == 2);
  CHECK(deep->layers[0].form == Form::lanes);
  CHECK(deep->layers[0].inner->inner == "two-shot");
  CHECK(deep->layers[1].form == Form::leader);
  CHECK(deep->layers[1].inner->before.parameter == 3);
  CHECK(deep->layers[1].inner->after.parameter == 3);
  CHECK(deep->algorithm->name == "knomial");
  CHECK(deep->parameter == 5);
  CHECK(deep->window_bytes == 1048576u);
  const Override* broadcast = overrides.find(Kind::broadcast, 8);
  REQUIRE(broadcast != nullptr);
  CHECK(!broadcast->layers[0].inner);
  CHECK(broadcast->algorithm->name == "chain");
  const Override* reduce = overrides.find(Kind::reduce, 8);
  REQUIRE(reduce != nullptr);
  CHECK(reduce->algorithm == nullptr);
  CHECK(reduce->layers.size() == 1);
  CHECK(overrides.find(Kind::barrier, 0)->in_flight == 2);
}

TEST_CASE("nothing forces nothing") {
  for (std::string_view text : {"", "   ", ";", " ; ;"}) {
    CAPTURE(text);
    CHECK(Overrides::parse(text, "TUTTI_ALGORITHM").empty());
  }
  CHECK(!Overrides::parse("allreduce=ring()", "TUTTI_ALGORITHM").empty());
}

TEST_CASE("a mistake in an override is named with its column and what would be right") {
  struct Mistake {
    std::string_view text;
    int column;
    std::vector<std::string> says;
  };
  const Mistake mistakes[] = {
      {"alreduce=ring", 1, {"\"alreduce\" is not a collective", "nearest is allreduce", "reduce-scatter"}},
      {"allreduce=rng", 11, {"\"rng\" is not an algorithm of allreduce", "nearest is ring", "two-shot"}},
      {"allreduce=binomial", 11, {"\"binomial\" is not an algorithm of allreduce"}},
      {"barrier=dissemination(way=2)", 23, {"\"way\" is not a parameter", "nearest is ways", "window, in-flight"}},
      {"allreduce=ring(k=2)", 16, {"\"k\" is not a parameter of ring"}},
      {"barrier=dissemination(ways=17)", 28, {"ways=17", "from 1 to 16"}},
      {"barrier=dissemination(ways=0)", 28, {"ways=0", "from 1 to 16"}},
      {"barrier=dissemination(ways=two)", 28, {"ways=two", "whole number"}},
      {"barrier=dissemination(ways=99999999999999999999)", 28, {"from 1 to 16"}},
      {"barrier=dissemination(ways=)", 28, {"whole number"}},
      {"allreduce=ring(in-flight=0)", 26, {"from 1 to 64"}},
      {"allreduce=ring(in-flight=65)", 26, {"from 1 to 64"}},
      {"allreduce=ring(window=63)", 23, {"window=63", "64"}},
      {"allreduce=ring(window=1X)", 23, {"\"1X\" is not a size"}},
      {"allreduce=ring(window=)", 23, {"is not a size"}},
      {"allreduce=ring(window=1K, window=2K)", 27, {"window is given twice"}},
      {"allreduce=ring(window)", 22, {"expected '='"}},
      {"allreduce=ring(window=1K", 25, {"expected ')'", "the end"}},
      {"allreduce=ring(window=1K;", 25, {"expected ')'", "\";\""}},
      {"allreduce=ring(window=1K,)", 26, {"expected a parameter of ring"}},
      {"allreduce", 10, {"expected '='", "the end"}},
      {"allreduce=", 11, {"expected an algorithm of allreduce", "the end"}},
      {"=ring", 1, {"expected a collective", "\"=\""}},
      {"allreduce=ring broadcast=binomial", 16, {"expected ';'", "\"b\""}},
      {"allreduce=ring)", 15, {"expected ';'", "\")\""}},
      {"allreduce@1K=ring", 13, {"expected '-'"}},
      {"allreduce@1Q-=ring", 11, {"\"1Q\" is not a size"}},
      {"allreduce@2K-1K=ring", 11, {"2K-1K is empty"}},
      {"allreduce@1K-1K=ring", 11, {"1K-1K is empty"}},
      {"barrier@1K-=dissemination", 9, {"a barrier has no bytes"}},
      {"allreduce=ring; allreduce=two-shot", 17, {"\"allreduce=two-shot\" overlaps \"allreduce=ring\" of column 1"}},
      {"allreduce@-2K=ring; allreduce@2047-=two-shot", 21, {"overlaps \"allreduce@-2K=ring\""}},
      {"allreduce=lane(outer=ring)", 11, {"\"lane\" is not an algorithm of allreduce", "lanes"}},
      {"barrier=lanes(outer=one-shot)", 9, {"\"lanes\" is not an algorithm of barrier", "leader"}},
      {"allreduce=lanes(iner=ring)", 17, {"\"iner\" is not a parameter of lanes", "nearest is inner"}},
      {"allreduce=lanes(inner=rng)", 23, {"can run inside", "nearest is ring", "two-shot"}},
      {"allreduce=lanes(inner=ring(k=2))", 28, {"a parameter of ring inside a hierarchy", "there is none"}},
      {"allreduce=leader(inner=knomial(k=1))", 34, {"k=1", "from 2 to 64"}},
      {"allreduce=leader(inner=knomial(k=2, k=3))", 37, {"k is given twice"}},
      {"allreduce=lanes(inner=ring, inner=ring)", 29, {"inner is given twice"}},
      {"allreduce=lanes(outer=ring, outer=ring)", 29, {"outer is given twice"}},
      {"allreduce=lanes(outer=rng)", 23, {"\"rng\" is not an algorithm of allreduce"}},
      {"allreduce=lanes(outer=ring(window=1K))", 28, {"window belongs to the whole"}},
      {"allreduce=lanes(outer=lanes(outer=lanes(outer=lanes(outer=lanes))))", 59, {"at most 4 levels"}},
      {"allreduce=lanes(outer)", 22, {"expected '='"}},
      {"allreduce=lanes(outer=ring", 27, {"expected ')'", "the end"}},
      {"allreduce=r\x01ng", 12, {"\"allreduce=r?ng\"", "column"}},
  };
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.text);
    const std::string message = complaint(mistake.text);
    INFO(message);
    if (mistake.text.find('\x01') == std::string_view::npos)
      CHECK(message.starts_with("TUTTI_ALGORITHM, column " + std::to_string(mistake.column) + " of \""));
    for (const std::string& part : mistake.says) CHECK_THAT(message, ContainsSubstring(part));
  }
}

TEST_CASE("ranges that only touch do not overlap, nor do those of different collectives") {
  CHECK(complaint("allreduce@-2K=ring; allreduce@2K-=two-shot; reduce-scatter=ring") == "accepted");
}

TEST_CASE("no text of few letters breaks the parser") {
  // Every string of up to 5 letters of the grammar's alphabet: it is accepted or it is an argument error.
  constexpr std::string_view letters = "a1K@=-(),; ";
  std::vector<std::string> texts = {""};
  for (std::size_t begin = 0, length = 0; length < 5; ++length) {
    const std::size_t end = texts.size();
    for (; begin < end; ++begin)
      for (char letter : letters) texts.push_back(texts[begin] + letter);
  }
  std::size_t wrong = 0;
  for (const std::string& text : texts) {
    for (const std::string& spec : {text, "allreduce" + text, "allreduce=ring" + text}) {
      try {
        Overrides::parse(spec, "test");
      } catch (const Error& error) {
        if (error.code() != TUTTI_ERROR_ARGUMENT) FAIL(spec);
        ++wrong;
      }
    }
  }
  CHECK(wrong > texts.size());
}

TEST_CASE("the nearest name takes the fewest edits") {
  const std::vector<std::string_view> names = {"ring", "one-shot", "two-shot"};
  CHECK(nearest_name("rnig", names) == "ring");
  CHECK(nearest_name("towshot", names) == "two-shot");
  CHECK(nearest_name("", names) == "ring");
  CHECK(nearest_name("x", {}).empty());
  CHECK(edit_distance("kitten", "sitting") == 3);
}
