// The environment: typed variables, and who a process is by them.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "bootstrap/environment.hpp"
#include "bootstrap/from_environment.hpp"
#include "bootstrap/log.hpp"
#include "bootstrap/secret.hpp"
#include "bootstrap/secret_meeting.hpp"
#include "bootstrap/slurm_hosts.hpp"
#include "error.hpp"
#include "tests/catch.hpp"

using namespace tutti;
using namespace std::chrono_literals;

namespace {

using Values = std::map<std::string, std::string>;

// Sets variables for one test, and only these of all that begin a rank.
class Variables {
 public:
  explicit Variables(const Values& values) : values_(values) {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_WORLD_SIZE", "PMIX_RANK", "PMIX_NAMESPACE",
          "PMI_RANK", "PMI_SIZE", "PMI_FD", "PMI_PORT", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NODELIST"})
      unsetenv(name);
    for (const auto& variable : environment_variables()) unsetenv(std::string(variable.name).c_str());
    for (const auto& [name, value] : values_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Variables() {
    for (const auto& [name, value] : values_) unsetenv(name.c_str());
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  Values values_;
};

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text, mode_t mode = 0600) {
    const int file = mkstemp(path_.data());
    REQUIRE(file >= 0);
    REQUIRE(write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    fchmod(file, mode);
    close(file);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/tutti-test-XXXXXX";
};

std::string complaint(const Values& values) {
  const Variables variables(values);
  try {
    identify_from_environment();
  } catch (const Error& failure) {
    CHECK(failure.code() == TUTTI_ERROR_ARGUMENT);
    return failure.what();
  }
  return "no error";
}

const std::string good_secret = "0123456789abcdef0123456789abcdef\n";

}  // namespace

TEST_CASE("a number is read whole or refused by name, value and range") {
  const Variables variables({{"TUTTI_RANK", "12"}, {"TUTTI_SIZE", "4x"}, {"TUTTI_PORT", "-1"}, {"TUTTI_NETWORK", ""}});
  CHECK(environment_integer("TUTTI_RANK") == 12);
  CHECK_FALSE(environment_integer("TUTTI_TIMEOUT").has_value());
  CHECK_FALSE(environment_text("TUTTI_NETWORK").has_value());
  CHECK_THROWS_WITH(environment_integer("TUTTI_SIZE"),
                    ContainsSubstring("TUTTI_SIZE=\"4x\"") && ContainsSubstring("whole number from 0"));
  CHECK_THROWS_WITH(environment_integer("TUTTI_PORT", 1, 65535), ContainsSubstring("from 1 to 65535"));
}

TEST_CASE("seconds take fractions and refuse what is not a time") {
  const Variables variables({{"TUTTI_TIMEOUT", "0.25"}, {"TUTTI_LATE_TIMEOUT", "nan"}, {"TUTTI_START_TIMEOUT", "-3"}});
  CHECK(environment_seconds("TUTTI_TIMEOUT", 60s) == 250ms);
  CHECK_THROWS_WITH(environment_seconds("TUTTI_LATE_TIMEOUT", 0s), ContainsSubstring("must be seconds"));
  CHECK_THROWS_AS(start_timeout(), Error);
}

TEST_CASE("flags and lists say what would be right") {
  const Variables variables({{"TUTTI_CHECK", "1"}, {"TUTTI_EXPLAIN", "yes"}, {"TUTTI_TRANSPORT", " shm, ofi:tcp,,"}});
  CHECK(environment_flag("TUTTI_CHECK"));
  CHECK_FALSE(environment_flag("TUTTI_REPRODUCIBLE"));
  CHECK_THROWS_WITH(environment_flag("TUTTI_EXPLAIN"), ContainsSubstring("must be 1 or 0"));
  CHECK(environment_list("TUTTI_TRANSPORT") == std::vector<std::string>{"shm", "ofi:tcp"});
}

TEST_CASE("no variable is read that the table does not have") {
  CHECK_THROWS_WITH(environment_text("TUTTI_SECRET"), ContainsSubstring("table"));
}

TEST_CASE("a misspelt variable is told apart by its nearest name") {
  CHECK(nearest_variable("TUTTI_ALGORITM") == "TUTTI_ALGORITHM");
  CHECK(nearest_variable("TUTTI_START_TIMEOT") == "TUTTI_START_TIMEOUT");
  CHECK(nearest_variable("TUTTI_RNAK") == "TUTTI_RANK");
}

TEST_CASE("a log level that does not exist is an error") {
  const Variables variables(Values{{"TUTTI_LOG", "loud"}});
  CHECK_THROWS_WITH(log_level_from_environment(), ContainsSubstring("error, warning, info or debug"));
}

TEST_CASE("without a launcher the error lists what was looked for and how to start") {
  CHECK_THAT(complaint({}), ContainsSubstring("TUTTI_RANK") && ContainsSubstring("MASTER_ADDR not set") &&
                                ContainsSubstring("tutti run -n 4 PROGRAM"));
  CHECK_THAT(complaint({{"RANK", "0"}, {"TUTTI_SECRET_FILE", "/x"}}),
             ContainsSubstring("RANK set") && ContainsSubstring("TUTTI_SECRET_FILE set"));
  CHECK_THAT(complaint({{"PMIX_RANK", "0"}, {"PMI_FD", "5"}, {"SLURM_PROCID", "1"}}),
             ContainsSubstring("PMIx (PMIX_RANK set, PMIX_NAMESPACE not set)") && ContainsSubstring("PMI_FD set") &&
                 ContainsSubstring("srun (SLURM_PROCID set, SLURM_NTASKS not set"));
}

TEST_CASE("half a set is an error that says which are set and which are missing") {
  CHECK_THAT(
      complaint({{"TUTTI_RANK", "0"}, {"TUTTI_SECRET_FILE", "/x"}}),
      ContainsSubstring("TUTTI_RANK, TUTTI_SECRET_FILE set") && ContainsSubstring("TUTTI_SIZE, TUTTI_STORE missing"));
}

TEST_CASE("wrong values of a complete set are refused by name") {
  const TemporaryFile secret(good_secret);
  const auto with = [&](const std::string& name, const std::string& value) {
    Values set = {{"TUTTI_RANK", "0"},
                  {"TUTTI_SIZE", "2"},
                  {"TUTTI_STORE", "tcp://127.0.0.1:1"},
                  {"TUTTI_SECRET_FILE", secret.path()}};
    set[name] = value;
    return complaint(set);
  };
  CHECK_THAT(with("TUTTI_RANK", "2"), ContainsSubstring("TUTTI_RANK=2") && ContainsSubstring("from 0 to 1"));
  CHECK_THAT(with("TUTTI_RANK", "-1"), ContainsSubstring("TUTTI_RANK=\"-1\""));
  CHECK_THAT(with("TUTTI_SIZE", "0"), ContainsSubstring("TUTTI_SIZE=\"0\""));
  CHECK_THAT(with("TUTTI_SIZE", "many"), ContainsSubstring("whole number"));
  CHECK_THAT(with("TUTTI_STORE", "127.0.0.1:1"), ContainsSubstring("tcp://host:port"));
  CHECK_THAT(with("TUTTI_STORE", "tcp://host:0"), ContainsSubstring("1 to 65535"));
  CHECK_THAT(with("TUTTI_STORE", "tcp://host"), ContainsSubstring("the port is missing"));
  CHECK_THAT(with("TUTTI_STORE", "tcp://::1:5"), ContainsSubstring("brackets"));
  CHECK_THAT(with("TUTTI_STORE", "tcp://host:5?x"), ContainsSubstring("held-by=launcher"));
  CHECK_THAT(with("TUTTI_SECRET_FILE", "/does/not/exist"), ContainsSubstring("cannot open the secret file"));
}

TEST_CASE("torchrun's variables are checked, and several hosts need a secret file") {
  const Values good = {{"RANK", "1"},
                       {"WORLD_SIZE", "4"},
                       {"LOCAL_WORLD_SIZE", "2"},
                       {"MASTER_ADDR", "127.0.0.1"},
                       {"MASTER_PORT", "29500"}};
  CHECK_THAT(complaint(good), ContainsSubstring("TUTTI_SECRET_FILE is required"));
  auto bad = good;
  bad.insert_or_assign("RANK", std::string("4"));
  CHECK_THAT(complaint(bad), ContainsSubstring("RANK=4") && ContainsSubstring("from 0 to 3"));
  bad = good;
  bad.insert_or_assign("MASTER_PORT", std::string("65535"));
  CHECK_THAT(complaint(bad), ContainsSubstring("set TUTTI_PORT"));
}

TEST_CASE("srun's variables are checked, and several hosts need a secret file") {
  const Values good = {{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "4"}, {"SLURM_STEP_NODELIST", "nid[07-08]"}};
  CHECK_THAT(complaint(good),
             ContainsSubstring("SLURM_STEP_NODELIST=nid[07-08]") && ContainsSubstring("TUTTI_SECRET_FILE is required"));
  auto bad = good;
  bad.insert_or_assign("SLURM_PROCID", std::string("4"));
  CHECK_THAT(complaint(bad), ContainsSubstring("SLURM_PROCID=4") && ContainsSubstring("from 0 to 3"));
  bad = good;
  bad.insert_or_assign("SLURM_STEP_NODELIST", std::string("nid[07"));
  CHECK_THAT(complaint(bad), ContainsSubstring("SLURM_STEP_NODELIST=\"nid[07\"") && ContainsSubstring("bracket"));
}

TEST_CASE("Slurm's short lists of hosts are the names that they stand for") {
  using Names = std::vector<std::string>;
  const auto expanded = [](const char* list) { return expand_hosts(list, "HOSTS"); };
  CHECK(expanded("login") == Names{"login"});
  CHECK(expanded("a,b-1,c.d") == Names{"a", "b-1", "c.d"});
  CHECK(expanded("nid[008-010,7],x") == Names{"nid008", "nid009", "nid010", "nid7", "x"});
  CHECK(expanded("r[1-2]c[3,05]-ib") == Names{"r1c3-ib", "r1c05-ib", "r2c3-ib", "r2c05-ib"});
  CHECK(expanded("n[9-11]") == Names{"n9", "n10", "n11"});
  CHECK(expanded("n[0-999999]").size() == 1000000);
}

TEST_CASE("a list of hosts that is wrong is an error that says where") {
  const auto complaint_of = [](const std::string& list) -> std::string {
    try {
      expand_hosts(list, "HOSTS");
    } catch (const Error& failure) {
      CHECK(failure.code() == TUTTI_ERROR_ARGUMENT);
      return failure.what();
    }
    return "no error";
  };
  CHECK_THAT(complaint_of(""), ContainsSubstring("character 1: a name is missing"));
  CHECK_THAT(complaint_of("a,,b"), ContainsSubstring("character 3: a name is missing"));
  CHECK_THAT(complaint_of("a,"), ContainsSubstring("a name is missing"));
  CHECK_THAT(complaint_of("a[1-2"), ContainsSubstring("closing bracket"));
  CHECK_THAT(complaint_of("a[1;2]"), ContainsSubstring("character 5"));
  CHECK_THAT(complaint_of("a[]"), ContainsSubstring("character 3: a number was expected"));
  CHECK_THAT(complaint_of("a[3-1]"), ContainsSubstring("ends below its beginning"));
  CHECK_THAT(complaint_of("a]b"), ContainsSubstring("character 2"));
  CHECK_THAT(complaint_of("a b"), ContainsSubstring("character 2"));
  CHECK_THAT(complaint_of("a[0-99999999999999999]"), ContainsSubstring("more than 1048576"));
  CHECK_THAT(complaint_of("a[0-999][0-9999]"), ContainsSubstring("more than 1048576"));
  CHECK_THAT(complaint_of("a[00000000000000000000001]"), ContainsSubstring("too long"));
}

TEST_CASE("a secret file must be ours, closed to others and long enough") {
  CHECK(Secret::read(TemporaryFile(good_secret).path()).key() == Secret(good_secret).key());
  CHECK(Secret("0123456789abcdef").key() == Secret("0123456789abcdef\r\n").key());
  CHECK(Secret("0123456789abcdef").key() != Secret("0123456789abcdeg").key());
  CHECK_THROWS_WITH(Secret::read(TemporaryFile(good_secret, 0640).path()), ContainsSubstring("0640"));
  CHECK_THROWS_WITH(Secret::read(TemporaryFile(good_secret, 0604).path()), ContainsSubstring("chmod 600"));
  CHECK_THROWS_WITH(Secret::read(TemporaryFile("short").path()), ContainsSubstring("5 bytes"));
  CHECK_THROWS_WITH(Secret::read("/tmp"), ContainsSubstring("not a regular file"));
  const TemporaryFile foreign(good_secret);
  if (geteuid() == 0) {
    REQUIRE(chown(foreign.path().c_str(), 65534, 65534) == 0);
    CHECK_THROWS_WITH(Secret::read(foreign.path()), ContainsSubstring("belongs to user 65534"));
  } else {
    CHECK_THROWS_WITH(Secret::read("/etc/passwd"), ContainsSubstring("belongs to user 0"));
  }
}

TEST_CASE("a secret that is left for the others is found, replaced and removed") {
  std::string runtime = "/tmp/tutti-test-XXXXXX";
  REQUIRE(mkdtemp(runtime.data()) != nullptr);
  setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
  SecretMeeting meeting(4711);
  CHECK_FALSE(meeting.find().has_value());
  meeting.leave(Secret::random());
  const Secret second = Secret::random();
  meeting.leave(second);
  REQUIRE(meeting.find().has_value());
  CHECK(SecretMeeting(4711).find()->key() == second.key());
  struct stat facts {};
  REQUIRE(stat(meeting.path().c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  CHECK_FALSE(SecretMeeting(4712).find().has_value());

  chmod(meeting.path().c_str(), 0644);
  CHECK_THROWS_WITH(meeting.find(), ContainsSubstring("0644"));
  meeting.remove();
  CHECK_FALSE(meeting.find().has_value());

  const std::string folder = runtime + "/tutti";
  REQUIRE(mkdir(folder.c_str(), 0755) == 0);
  CHECK_THROWS_WITH(meeting.leave(second), ContainsSubstring("mode 0700"));
  rmdir(folder.c_str());
  unsetenv("XDG_RUNTIME_DIR");
  CHECK(rmdir(runtime.c_str()) == 0);
}
