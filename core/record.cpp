#include "core/record.hpp"

namespace imgforge::core::record {

void refuse(const std::string& where, const char* expected) {
  throw Error(Kind::kIntegrity, where + " is not " + expected);
}

void read(const Json& json, const std::string& where, Digest& out) {
  if (!json.is_string()) refuse(where, "a sha256");
  if (json.get_ref<const std::string&>().empty()) {
    out = Digest();
    return;
  }
  out = Digest::from_hex(HashAlgorithm::kSha256, json.get<std::string>());
}

}  // namespace imgforge::core::record
