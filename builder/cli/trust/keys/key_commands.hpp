// The commands below `imgforge key` that are in files of their own.
#pragma once

#include "builder/cli/frame/options.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::cli {

/// list, show.
void declare_key_list(OptionSet& set);
/// trust, introduce, rotate, threshold, revoke.
void declare_key_trust(OptionSet& set);
/// `key attach`.
void declare_key_attach(OptionSet& set);

/// What all folders say of a key, put together as it counts: its roles are those that it has now.
signing::KeyRule rule_of(const signing::TrustStore& trust, const signing::PublicKey& key);

}  // namespace imgforge::cli
