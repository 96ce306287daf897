#include <fmt/format.h>

#include <algorithm>

#include "artifacts/store/journal.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using artifacts::JournalEntry;

struct Arguments {
  std::vector<std::string> lines;
  std::size_t last = 0;
};

core::Json as_json(const JournalEntry& entry) {
  return {{"time", entry.time},        {"user", entry.user},       {"host", entry.host},
          {"pid", entry.pid},          {"command", entry.command}, {"line", entry.line},
          {"version", entry.version},  {"outcome", entry.outcome}, {"detail", entry.detail},
          {"imgforge", entry.imgforge}};
}

int log(Context& context, const Arguments& arguments) {
  const artifacts::Store store = open_store(context);
  artifacts::Journal journal = artifacts::read_journal(store.root());
  std::vector<JournalEntry>& entries = journal.entries;
  if (!arguments.lines.empty()) {
    std::erase_if(entries, [&](const JournalEntry& entry) {
      return std::find(arguments.lines.begin(), arguments.lines.end(), entry.line) == arguments.lines.end();
    });
  }
  std::reverse(entries.begin(), entries.end());
  if (arguments.last != 0 && entries.size() > arguments.last) entries.resize(arguments.last);
  if (journal.damaged != 0) {
    context.progress.warn(fmt::format("{} line{} of the journal cannot be read", journal.damaged,
                                      journal.damaged == 1 ? "" : "s"));
  }
  if (context.options.json) {
    core::Json rows = core::Json::array();
    for (const JournalEntry& entry : entries) rows.push_back(as_json(entry));
    print(core::print_json({{"schema", 1}, {"entries", rows}, {"damaged", journal.damaged}}));
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"TIME", "WHO", "COMMAND", "LINE", "VERSION", "OUTCOME", "DETAIL"}};
  for (const JournalEntry& entry : entries) {
    rows.push_back({entry.time, entry.user + "@" + entry.host, entry.command, entry.line, entry.version,
                    entry.outcome, entry.detail});
  }
  if (rows.size() == 1) {
    context.progress.note("the journal is empty");
  } else {
    print(text_table(rows, context.out));
  }
  return 0;
}

}  // namespace

Runner declare_log(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("line", arguments->lines, "only changes of these lines [all]");
  set.option("--last", arguments->last, "only the newest N changes");
  set.set_footer(
      "Newest first. The journal is a record for people; nothing is decided by it.\n"
      "Example: imgforge log --last 10");
  return [arguments](Context& context) { return log(context, *arguments); };
}

}  // namespace imgforge::cli
