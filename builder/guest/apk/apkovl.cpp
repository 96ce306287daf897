#include "builder/guest/apk/apkovl.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include "builder/guest/apk/apk_text.hpp"
#include "builder/guest/operations.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

constexpr const char* kWorld = "/etc/apk/world";
/// Without it Alpine's initramfs takes the runlevels to be complete as the archive has them.
constexpr const char* kDefaultServices = "/etc/.default_boot_services";
/// What Alpine's initramfs installs whether or not it is named.
constexpr std::string_view kAlwaysThere = "alpine-base";

}  // namespace

std::string apkovl_name(const recipe::ResolvedRecipe& recipe) {
  return (recipe.hostname.empty() ? "localhost" : recipe.hostname) + ".apkovl.tar.gz";
}

void write_apkovl(const recipe::ResolvedRecipe& recipe, const Facts& facts, std::int64_t epoch,
                  const std::filesystem::path& tar) {
  Accounts accounts({facts.text("/etc/passwd"), facts.text("/etc/group"), facts.text("/etc/shadow")});
  Overlay overlay(facts, epoch);
  Customisation job{recipe, facts, accounts, overlay};
  for (const Operation& operation : operations()) {
    core::while_doing(fmt::format("customising: {}", operation.name), [&] { operation.apply(job); });
  }
  if (!overlay.has(kWorld)) {
    const std::vector<std::string> world = next_world(kAlwaysThere, recipe.packages.add, {});
    overlay.add_file(kWorld, core::join(world, "\n") + "\n", {0644, 0, 0});
  }
  if (!overlay.has(kDefaultServices)) overlay.add_file(kDefaultServices, "", {0644, 0, 0});
  core::Fd file = core::open_file(tar, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  overlay.write(file.get(), tar.native());
  file.close(tar.native());
}

}  // namespace imgforge::guest
