#include "builder/lock/vendor.hpp"

#include <fmt/format.h>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/lock_arguments.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  BuildArguments build;
  std::filesystem::path recipe;
  std::filesystem::path target;
  std::filesystem::path signing_key;
  PassphraseArguments passphrase;
  std::filesystem::path repository_key;
  bool is_unsigned = false;
};

int vendor(Context& context, const Arguments& arguments) {
  const lock::Lock lock = require_lock(arguments.recipe);
  const signing::Signer signer = arguments.is_unsigned
                                     ? signing::Signer()
                                     : make_signer(context, arguments.signing_key, arguments.passphrase);
  BuildTools tools(context, arguments.build);
  const std::filesystem::path file = lock::lock_path(arguments.recipe);
  std::optional<signing::ApkSigner> repository_key;
  if (!arguments.repository_key.empty()) repository_key.emplace(arguments.repository_key);
  core::Activity activity = context.progress.begin("vendor");
  tools.toolbox().activity = &activity;
  const lock::VendorResult result =
      lock::vendor(tools.toolbox().fetch_context(),
                   {lock, file, arguments.target, signer, repository_key ? &*repository_key : nullptr});
  activity.done();
  if (result.indexes_missing > 0 && !repository_key) {
    context.progress.warn(
        fmt::format("{} of {} indexes were not kept when the lock was made elsewhere: builds "
                    "do not need them, apk on this folder does",
                    result.indexes_missing, lock.indexes.size()));
  }
  context.progress.note(fmt::format(
      "{} · {} files, {} · next: imgforge build {} --vendor {}", arguments.target.native(), result.files,
      core::Bytes{result.bytes}.human(), arguments.recipe.native(), arguments.target.native()));
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"directory", arguments.target.native()},
                            {"files", result.files},
                            {"bytes", result.bytes},
                            {"signed", static_cast<bool>(signer)},
                            {"indexes_missing", result.indexes_missing}}));
  }
  return 0;
}

}  // namespace

Runner declare_vendor(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("recipe", arguments->recipe, "recipe file (YAML) with a lock beside it").required();
  set.positional("dir", arguments->target, "folder to write, or to replace if it was vendored").required();
  set.flag("--offline", arguments->build.offline, "use no network: everything must be cached");
  set.option("--signing-key", arguments->signing_key,
             "secret key to sign the sums with [the only one of imgforge key show]");
  set.option("--apk-key", arguments->repository_key,
             "RSA key (NAME.rsa) to sign indexes of just these packages with, so that stock apk installs "
             "from the folder");
  declare_passphrase(set, arguments->passphrase);
  set.flag("--unsigned", arguments->is_unsigned, "do not sign the sums");
  return [arguments](Context& context) { return vendor(context, *arguments); };
}

}  // namespace imgforge::cli
