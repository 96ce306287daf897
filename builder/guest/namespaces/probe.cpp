#include "builder/guest/namespaces/probe.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <system_error>

#include "builder/guest/namespaces/common/message.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/container.hpp"
#include "builder/guest/namespaces/inside/init.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {
namespace {

Ids try_it(const std::filesystem::path& folder, Ids ids) {
  const core::TempDir files(folder, "namespaces-probe");
  for (const char* name : {kRootFolder, kIncomingFolder}) std::filesystem::create_directory(files / name);
  give_to_root(files / kRootFolder);
  const Container container({files.path(), {}, {core::mib(64), {}}, ids, {}});
  send_message(container.socket(), {request::kTry});
  const std::optional<Message> answer = receive_message(container.socket());
  if (!answer) throw core::Error(core::Kind::kAppliance, "the sandbox died");
  if (is_error(*answer)) throw error_of(*answer);
  return container.ids();
}

}  // namespace

std::string NamespaceProbe::failure() const {
  if (works) return {};
  if (error_number == 0) return step;
  return fmt::format("{}: {}", step, std::generic_category().message(error_number));
}

NamespaceProbe probe_namespaces(const std::filesystem::path& folder, Ids ids) {
  try {
    return {true, std::string(name_of(try_it(folder, ids)))};
  } catch (const StepFailure& failure) {
    return {false, {}, std::string(step_name(failure.step)), failure.error_number, mend_of(failure)};
  } catch (const core::Error& error) {
    return {false, {}, error.message(), 0, error.hint()};
  }
}

}  // namespace imgforge::guest
