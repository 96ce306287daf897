// What convert, compress and resize share: the release they read, how the new one is called and signed, and
// what is said of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "builder/cli/keys.hpp"
#include "builder/cli/store_arguments.hpp"
#include "builder/stages/derive.hpp"

namespace imgforge::cli {

struct DeriveArguments {
  std::string release;
  std::string version;
  bool promote = false;
  bool is_unsigned = false;
  std::filesystem::path signing_key;
  PassphraseArguments passphrase;
  std::vector<std::string> public_keys;
};

std::shared_ptr<DeriveArguments> declare_derive(OptionSet& set);

/// Opens the store, runs `body` and prints the release that came out. Returns the exit code.
int derive(
    Context& context, const DeriveArguments& arguments,
    const std::function<artifacts::PublishResult(artifacts::Store&, const stages::DeriveRequest&)>& body);

}  // namespace imgforge::cli
