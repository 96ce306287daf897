// A command for a running machine and its answer, through the folder that both share or, without one, by the
// guest agent.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "builder/machines/agent/agent.hpp"
#include "builder/machines/registry/settings.hpp"
#include "builder/machines/shared/audit_log.hpp"
#include "builder/machines/shared/report.hpp"

namespace imgforge::machines {

/// The share whose tag is "shared"; null without one.
const Share* shared_share(const Settings& settings);

enum class Way { kFolder, kAgent };

struct Route {
  Way way = Way::kFolder;
  std::string why;  ///< why it is not the folder that there is; empty: nothing to say
};

/// The folder, when there is one that the machine may write and has written since it started, or when there
/// is nothing else; else the agent, when the machine has it open. Throws kUsage when neither can be.
Route route_to(const Settings& settings, const std::filesystem::path& machine_folder, bool agent_open);

struct Conversation {
  const Settings& settings;
  std::filesystem::path machine_folder;
  std::chrono::milliseconds patience;
  const core::CancelToken& cancel;
  /// Told what is strange: answers to commands that were never sent, bytes that were passed over.
  std::function<void(const std::string&)> warn;
};

/// Writes the order into the folder and waits for its answer. Throws kTimeout, kBoot when the machine ends
/// before, kUnsafe when the files of the folder are not files.
Answer ask_by_folder(const Conversation& conversation, AuditLog& audit, const std::string& order);
/// Lets the agent carry it out. Throws what the agent's errors are, and kIntegrity for an answer to something
/// else.
Answer ask_by_agent(const Conversation& conversation, AuditLog& audit, Agent& agent,
                    const std::string& order);

}  // namespace imgforge::machines
