#include "builder/steps/namespaces.hpp"

#include "builder/guest/namespaces/namespace_sandbox.hpp"

namespace imgforge::steps {

std::unique_ptr<guest::PendingSandbox> start_namespaces(stages::Toolbox& tools,
                                                        const guest::SandboxRequest& request) {
  guest::NamespaceOptions options;
  options.work_dir = request.work_dir;
  options.abandoned = tools.scratch();
  options.cancel = tools.cancel;
  return guest::start_in_namespaces(std::move(options));
}

}  // namespace imgforge::steps
