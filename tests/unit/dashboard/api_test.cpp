// What the API answers, with commands that only record what they are.
#include "builder/dashboard/api.hpp"

#include <gtest/gtest.h>

#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::dashboard {
namespace {

class ApiTest : public ::testing::Test {
 protected:
  ApiTest()
      : folder_(std::filesystem::temp_directory_path(), "dashboard"),
        registry_(folder_ / "machines"),
        watcher_(registry_, [](const std::string&) {}),
        api_(registry_, watcher_, [this](const std::vector<std::string>& words) {
          ran_.push_back(core::join(words, " "));
          return next_;
        }) {
    std::filesystem::create_directories(folder_ / "machines" / "project");  // damaged, but there
  }

  Answer ask(const std::string& method, const std::string& path, const std::string& body = "") {
    Request request;
    request.method = method;
    const std::size_t query = path.find('?');
    request.path = path.substr(0, query);
    if (query != std::string::npos) request.query = path.substr(query + 1);
    request.body = body;
    return api_.answer(request);
  }

  core::TempDir folder_;
  machines::Registry registry_;
  Watcher watcher_;
  std::vector<std::string> ran_;
  core::ProcessResult next_{0, "{\"schema\": 1}", ""};
  Api api_;
};

TEST_F(ApiTest, EachChangeIsACommand) {
  for (const auto& [what, commands] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"start", {"start project --for process"}},
           {"stop", {"stop project"}},
           {"kill", {"stop project --kill"}},
           {"restart", {"stop project", "start project --for process"}},
           {"snapshots/one/restore", {"snapshot restore project -- one"}}}) {
    ran_.clear();
    EXPECT_EQ(ask("POST", "/api/v1/machines/project/" + what).status, 200) << what;
    EXPECT_EQ(ran_, commands);
    EXPECT_EQ(ask("GET", "/api/v1/machines/project/" + what).status, 405) << what;
  }
  ran_.clear();
  EXPECT_EQ(ask("POST", "/api/v1/machines/project/snapshots", R"({"name": "--one"})").status, 201);
  EXPECT_EQ(ran_, std::vector<std::string>{"snapshot create project -- --one"});
  ran_.clear();
  EXPECT_EQ(ask("DELETE", "/api/v1/machines/project/snapshots/--one").status, 200);
  EXPECT_EQ(ran_, std::vector<std::string>{"snapshot remove project -- --one"});
}

TEST_F(ApiTest, WhatIsWrongIsRefusedBeforeAnythingRuns) {
  struct Row {
    const char* method;
    const char* path;
    const char* body;
    int status;
  };
  for (const Row& row : {Row{"GET", "/api/v1/", "", 404},
                         Row{"GET", "/api/v1/nothing", "", 404},
                         Row{"GET", "/api/v1/machines/other", "", 404},
                         Row{"POST", "/api/v1/machines/..", "", 404},
                         Row{"POST", "/api/v1/machines/--kill/stop", "", 404},
                         Row{"POST", "/api/v1/machines/project/explode", "", 404},
                         Row{"POST", "/api/v1/machines/project/start/x", "", 404},
                         Row{"POST", "/api/v1/machines/project", "", 405},
                         Row{"POST", "/api/v1/machines", "", 405},
                         Row{"DELETE", "/api/v1/machines/project", "", 405},
                         Row{"DELETE", "/api/v1/machines/project/stop", "", 405},
                         Row{"DELETE", "/api/v1/machines/project/snapshots", "", 405},
                         Row{"POST", "/api/v1/machines/project/snapshots/one", "", 405},
                         Row{"GET", "/api/v1/machines/project/snapshots/one", "", 405},
                         Row{"DELETE", "/api/v1/machines/other/snapshots/one", "", 404},
                         Row{"DELETE", "/api/v1/machines/project/snapshots/one", R"({"a": 1})", 400},
                         Row{"POST", "/api/v1/machines/project/start", "{", 400},
                         Row{"POST", "/api/v1/machines/project/start", "[]", 400},
                         Row{"POST", "/api/v1/machines/project/start", R"({"for": "ready"})", 400},
                         Row{"POST", "/api/v1/machines/project/snapshots", "", 400},
                         Row{"POST", "/api/v1/machines/project/snapshots", R"({"name": 1})", 400},
                         Row{"GET", "/api/v1/machines/project/log?lines=x", "", 400},
                         Row{"GET", "/api/v1/machines/project/log?lines=0", "", 400}}) {
    const Answer answer = ask(row.method, row.path, row.body);
    EXPECT_EQ(answer.status, row.status) << row.path << row.body;
    EXPECT_EQ(core::parse_json(answer.body, "answer").at("error").at("code"), "E_USAGE");
  }
  EXPECT_TRUE(ran_.empty());
}

TEST_F(ApiTest, ACommandsFailureIsTheAnswer) {
  next_ = {1, "", "a line\n{\"schema\":1,\"error\":{\"code\":\"E_LOCKED\",\"message\":\"it runs\"}}\n"};
  const Answer answer = ask("POST", "/api/v1/machines/project/start");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(core::parse_json(answer.body, "answer").at("error").at("message"), "it runs");
  next_ = {139, "", "Segmentation fault\n"};
  EXPECT_EQ(ask("POST", "/api/v1/machines/project/start").status, 500);
  ran_.clear();
  EXPECT_EQ(ask("POST", "/api/v1/machines/project/restart").status, 500);
  EXPECT_EQ(ran_.size(), 1U) << "what could not be stopped is not started";
}

TEST_F(ApiTest, MachinesAreThereWithoutAPage) {
  const core::Json rows = core::parse_json(ask("GET", "/api/v1/machines").body, "answer").at("machines");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.at(0).at("name"), "project");
  EXPECT_EQ(rows.at(0).at("state"), "damaged");
}

}  // namespace
}  // namespace imgforge::dashboard
