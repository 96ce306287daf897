#include "builder/machines/group/membership.hpp"

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::machines {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

Membership membership_of(const fs::path& folder) {
  const fs::path file = folder / kGroupFile;
  std::error_code error;
  if (fs::symlink_status(file, error).type() == fs::file_type::not_found) return {};
  const auto damaged = [&](const std::string& why) {
    return Error(Kind::kIntegrity, core::escaped(file.native()) + " is damaged: " + core::escaped(why, 160));
  };
  const std::string text = core::read_text_file(file, 1 << 20);
  try {
    const Json json = core::parse_json(text, kGroupFile);
    if (json.at("schema") != 1) throw Error(Kind::kIntegrity, "schema is not 1");
    return {json.at("group").get<std::string>(), json.at("wanted")};
  } catch (const Json::exception& fault) {
    throw damaged(fault.what());
  } catch (const Error& fault) {
    throw damaged(fault.message());
  }
}

void keep_membership(const fs::path& folder, const std::string& group, const Wanted& wanted) {
  core::write_file_atomically(
      folder / kGroupFile,
      core::print_json(
          {{"schema", 1}, {"group", group}, {"member", wanted.member}, {"wanted", wanted.record()}}),
      0600);
}

}  // namespace imgforge::machines
