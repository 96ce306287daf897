// Strict reading of one JSON object: every member is taken by name and type, and what nobody took is an
// error. Private to manifest.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/json.hpp"

namespace imgforge::artifacts {

class JsonObject {
 public:
  /// `where` is the path shown in errors, such as "artifacts[2]". Throws kIntegrity unless it is an object.
  JsonObject(const core::Json& value, std::string where);

  /// Whether there is such a member; it is not taken by that.
  bool has(const char* member) const { return value_.contains(member); }
  std::string text(const char* member);
  std::uint64_t number(const char* member);
  bool truth(const char* member);
  core::Digest digest(const char* member, core::HashAlgorithm algorithm);
  JsonObject object(const char* member);
  /// Members as they come, for maps with free names.
  const core::Json& members() const { return value_; }
  const core::Json& array(const char* member, std::size_t limit);
  template <class Row>
  std::vector<Row> rows(const char* member, std::size_t limit, const std::function<Row(JsonObject&)>& read) {
    std::vector<Row> result;
    const core::Json& list = array(member, limit);
    for (std::size_t i = 0; i < list.size(); ++i) {
      JsonObject row(list[i], path_of(member) + "[" + std::to_string(i) + "]");
      result.push_back(read(row));
      row.finish();
    }
    return result;
  }
  std::vector<std::string> texts(const char* member, std::size_t limit);
  /// Throws when a member was not taken.
  void finish() const;
  [[noreturn]] void refuse(const std::string& member, const std::string& why) const;

 private:
  const core::Json& take(const char* member);
  std::string path_of(const std::string& member) const;

  const core::Json& value_;
  std::string where_;
  std::set<std::string> taken_;
};

}  // namespace imgforge::artifacts
