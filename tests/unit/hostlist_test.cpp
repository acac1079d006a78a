// Hostlists: every form of Slurm's syntax, names found without a list of them, and what is refused.
#include "topology/network/hostlist.hpp"

#include "error.hpp"
#include "tests/catch.hpp"
#include "topology/network/limits.hpp"

using namespace tutti;

namespace {

std::string expanded(const std::string& text) {
  const Hostlist list = Hostlist::parse(text, "");
  std::string names;
  for (std::int64_t i = 0; i < list.size(); ++i) names.append(i == 0 ? "" : " ").append(list.name(i));
  return names;
}

}  // namespace

TEST_CASE("hostlists expand as Slurm's do") {
  struct Case {
    std::string list, names;
  };
  for (const Case& example : std::vector<Case>{
           {"a", "a"},
           {"login,nid1", "login nid1"},
           {" a , b ", "a b"},
           {"dev[0-3]", "dev0 dev1 dev2 dev3"},
           {"n[9-11]", "n9 n10 n11"},
           {"n[09-11]", "n09 n10 n11"},
           {"n[008-010,12,0001]", "n008 n009 n010 n12 n0001"},
           {"n[98-101]x", "n98x n99x n100x n101x"},
           {"rack[1-2]node[01-02]", "rack1node01 rack1node02 rack2node01 rack2node02"},
           {"r[0-1]c[0-1]n[0-1]", "r0c0n0 r0c0n1 r0c1n0 r0c1n1 r1c0n0 r1c0n1 r1c1n0 r1c1n1"},
           {"[1-2][3-4]", "13 14 23 24"},
           {"a[1-2],b,c[3,5]-x", "a1 a2 b c3-x c5-x"},
           {"host-1.example.org,x_y", "host-1.example.org x_y"},
           {"n[999999999999998-999999999999999]", "n999999999999998 n999999999999999"},
       }) {
    CHECK(expanded(example.list) == example.names);
  }
}

TEST_CASE("every name of a hostlist is found at its place, and no other is") {
  for (const std::string text : {"nid[0001-0072]", "login,rack[1-12]node[01-10,20-29],x", "a[1-11][1-3]",
                                 "n[1,01,001,3-7,0005]", "c,b,a,c[1-2]"}) {
    const Hostlist list = Hostlist::parse(text, "");
    for (std::int64_t i = 0; i < list.size(); ++i) {
      INFO(list.name(i));
      const auto found = list.find(list.name(i));
      REQUIRE(found);
      REQUIRE(list.name(*found) == list.name(i));
      if (text != std::string("a[1-11][1-3]")) REQUIRE(*found == i);
    }
    for (const std::string stranger :
         {"", "nid", "nid1", "nid00001", "nid0073", "rack13node01", "rack1node11", "n2", "n"})
      CHECK_FALSE(list.find(stranger));
  }
}

TEST_CASE("a hostlist of millions keeps no name") {
  const Hostlist list = Hostlist::parse("n[0000000-9999999]", "");
  CHECK(list.size() == 10000000);
  list.require_unique("");
  CHECK(list.name(1234567) == "n1234567");
  CHECK(list.find("n9999999") == 9999999);
}

TEST_CASE("lists that plainly repeat no name are told without looking at each") {
  for (const std::string text :
       {"r[1-2000]n[1-2000]", "a[1-4000000],b[1-4000000]", "n[1-4000000],nid[1-4000000]", "n[1-9],n[10-5000000]"})
    Hostlist::parse(text, "").require_unique("");
  for (const std::string text : {"r[1-2000][1-2000]", "n[1-4000000,4000000]", "n[1-4000000],n1[1-400]"})
    CHECK_THROWS_WITH(Hostlist::parse(text, "").require_unique("f: "),
                      ContainsSubstring("f: the hostlist names more than"));
}

TEST_CASE("a host that stands twice is named") {
  for (const auto& [text, name] : std::vector<std::pair<std::string, std::string>>{{"a,b,a", "a"},
                                                                                   {"n[1-5,3]", "n3"},
                                                                                   {"n[1-5],n4", "n4"},
                                                                                   {"a[1-2]1,a[11,21]", "a11"},
                                                                                   {"a[1-11][1,11]", "a111"}}) {
    const Hostlist list = Hostlist::parse(text, "");
    CHECK_THROWS_WITH(list.require_unique("f:1: "), ContainsSubstring("f:1: host " + name + " is named twice"));
  }
  Hostlist::parse("n[1,01,001],n2", "").require_unique("");
}

TEST_CASE("a hostlist that is wrong is refused with the place and what is right") {
  struct Case {
    std::string list, message;
  };
  for (const Case& example : std::vector<Case>{
           {"", "character 1: the list ends: the name of a host"},
           {"a,", "character 3: the list ends"},
           {",a", "character 1: ',': the name of a host"},
           {"a b", "character 3: 'b': a comma"},
           {"a[", "character 3: the list ends: a number"},
           {"a[1", "character 4: the list ends: a number, ',', '-' or ']'"},
           {"a[1-", "character 5: the list ends: a number"},
           {"a[]", "character 3: ']': a number"},
           {"a[1-2-3]", "character 6: '-'"},
           {"a[b[1-2]]", "character 3: 'b': a number"},
           {"a[[1-2]]", "character 3: '[': a number"},
           {"a]", "character 2: ']': a comma"},
           {"a[5-1]", "character 5: the range 5-1 runs backwards"},
           {"a[1-9999999999999999]", "more than 15 digits"},
           {"a[1-999999999]", "more than 16777216 hosts"},
           {"a[1-9999],b[1-9999999],c[1-9999999]", "more than 16777216 hosts"},
           {"a[1-9999]b[1-9999]", "more than 16777216 hosts"},
           {"a[1]b[1]c[1]d[1]e[1]", "more than 4 brackets"},
           {"a\x01", "character 2: byte 1"},
           {std::string(300, 'a'), "more than 255 characters"},
       }) {
    INFO(example.list);
    CHECK_THROWS_WITH(Hostlist::parse(example.list, "file:7: "),
                      ContainsSubstring("file:7: ") && ContainsSubstring(example.message));
  }
}
