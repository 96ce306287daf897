// One rule about a key as JSON, strictly read: shared by a folder's trust.json and by statements that
// introduce keys. Errors are kSignature with Reason::kMalformed.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/json.hpp"
#include "signing/trust/key_rules.hpp"

namespace imgforge::signing {

core::Error malformed_rules(std::string_view what);

/// An object with these members and no others.
void require_members(const core::Json& object, std::initializer_list<std::string_view> known,
                     std::string_view where);
/// A member that is a text.
const std::string& text_of(const core::Json& object, const char* name);
/// A member that is a time such as 2026-11-20T01:02:03Z.
core::UnixTime time_of(const core::Json& object, const char* name);
/// The same; nothing when it is absent.
std::optional<core::UnixTime> optional_time(const core::Json& object, const char* name);

KeyRule parse_rule(const core::Json& object);
core::Json rule_json(const KeyRule& rule);
Role role_of(std::string_view name);

}  // namespace imgforge::signing
