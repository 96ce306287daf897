// What convert, compress and resize share: the release they read, how the new one is called and signed, and
// what is said of it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/derive/derive.hpp"

namespace imgforge::cli {

struct DeriveArguments {
  std::string release;
  std::string version;
  bool promote = false;
  bool is_unsigned = false;
  std::filesystem::path signing_key;
  PassphraseArguments passphrase;
  std::string builder_id;
  std::vector<std::string> public_keys;
};

std::shared_ptr<DeriveArguments> declare_derive(OptionSet& set);

/// One of the functions of derive.hpp with the rest of its arguments.
using Derive = std::function<artifacts::PublishResult(stages::Toolbox&, artifacts::Store&,
                                                      const derive::DeriveRequest&)>;
/// Opens the store, runs `body` and prints the release that came out. Returns the exit code.
int run_derivation(Context& context, const DeriveArguments& arguments, const Derive& body);

}  // namespace imgforge::cli
