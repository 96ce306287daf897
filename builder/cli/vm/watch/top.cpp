// imgforge vm top: what the running machines use, live.
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/frame/columns.hpp"
#include "builder/cli/frame/terminal.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/metrics/sampler.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Json;
using machines::Sampler;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{1500};  // for the answers of all machines
constexpr milliseconds kStep{100};
constexpr std::size_t kLongestName = 12;
// ECMA-48, and xterm's second screen: the table goes away again.
constexpr const char* kBegin = "\x1b[?1049h\x1b[?25l";
constexpr const char* kEnd = "\x1b[?25h\x1b[?1049l";
constexpr const char* kHome = "\x1b[H";
constexpr const char* kClearLine = "\x1b[K";
constexpr const char* kClearBelow = "\x1b[J";

struct Arguments {
  bool once = false;
  unsigned interval = 2;
};

/// "0", "512", "1.2K", "34M": at most five columns.
std::string short_size(double bytes) {
  constexpr std::string_view units = "KMGT";
  if (bytes < 1000) return fmt::format("{:.0f}", bytes);
  std::size_t unit = 0;
  for (bytes /= 1024; bytes >= 1000 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  return fmt::format("{:.{}f}{}", bytes, bytes < 9.95 ? 1 : 0, units[unit]);
}

template <class Value>
std::string size_or_dash(const std::optional<Value>& value) {
  return value ? short_size(static_cast<double>(*value)) : "-";
}

std::string ready_text(const Json& status) {
  for (const Json& state : status.at("states"))
    if (state.at("name") == "ready") return seconds_text(state.at("seconds").get<double>());
  return "-";
}

/// All machines and a sampler for each that is looked at again and again.
class Watch {
 public:
  explicit Watch(const Context& context) : context_(context) {}

  struct Row {
    std::string name;
    std::string state;
    std::optional<machines::Look> look;
  };

  std::vector<Row> look() {
    std::map<std::string, Sampler> kept;
    std::vector<Row> rows;
    const std::vector<machines::Entry> entries = machine_registry().entries();
    for (const machines::Entry& entry : entries) {
      auto node = samplers_.extract(entry.name);
      const auto at =
          node ? kept.insert(std::move(node)).position : kept.try_emplace(entry.name, entry.folder).first;
      at->second.ask();
    }
    samplers_ = std::move(kept);
    const auto deadline = Sampler::Clock::now() + kPatience;
    for (const machines::Entry& entry : entries) {
      Row row{entry.name, state_of(entry), samplers_.at(entry.name).take(deadline, context_.cancel)};
      if (row.state == "running")
        row.state = reached_state(row.look ? std::optional(row.look->status) : std::nullopt);
      rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  const Context& context_;
  std::map<std::string, Sampler> samplers_;
};

std::string table_of(const std::vector<Watch::Row>& rows, const Style& style) {
  std::vector<std::vector<std::string>> table{
      {"NAME", "STATE", "CPU", "USED", "GIVEN", "READ", "WRITE", "IN", "OUT", "READY"}};
  for (const Watch::Row& row : rows) {
    std::vector<std::string> cells{cut_to_columns(row.name, kLongestName), row.state};
    if (row.look) {
      const machines::Use& use = row.look->use;
      cells.push_back(use.processor ? fmt::format("{:.0f}%", *use.processor * 100) : "-");
      for (const auto& bytes : {use.resident, use.given}) cells.push_back(size_or_dash(bytes));
      for (const auto& rate : {use.bytes_read, use.bytes_written, use.received, use.sent})
        cells.push_back(size_or_dash(rate));
      cells.push_back(ready_text(row.look->status));
    }
    table.push_back(std::move(cells));
  }
  return text_table(table, style, {2, 3, 4, 5, 6, 7, 8, 9});
}

Json json_of(const std::vector<Watch::Row>& rows) {
  Json machines = Json::array();
  for (const Watch::Row& row : rows) {
    Json machine{{"name", row.name}, {"state", row.state}};
    if (row.look) {
      machine["states"] = row.look->status.at("states");
      machine["use"] = machines::as_json(row.look->use);
    }
    machines.push_back(std::move(machine));
  }
  return {{"schema", 1}, {"machines", machines}};
}

void wait(const Context& context, milliseconds time) {
  const auto end = Sampler::Clock::now() + time;
  while (!context.cancel.cancelled() && Sampler::Clock::now() < end)
    ::usleep(static_cast<useconds_t>(kStep.count() * 1000));
}

void draw(const std::string& table) {
  const ScreenSize size = size_of_terminal(STDOUT_FILENO);
  std::string out = kHome;
  std::size_t shown = 0;
  std::size_t begin = 0;
  while (begin < table.size() && shown + 1 < size.rows) {
    const std::size_t end = table.find('\n', begin);
    // Colours only begin and end the heading, which always fits where the terminal has 80 columns.
    out += cut_to_columns(std::string_view(table).substr(begin, end - begin), size.columns) + kClearLine +
           "\r\n";
    begin = end + 1;
    ++shown;
  }
  print(out + kClearBelow);
}

int follow(Context& context, Watch& watch, milliseconds interval) {
  print(kBegin);
  try {
    while (!context.cancel.cancelled()) {
      draw(table_of(watch.look(), Style(Colour::kOff)));
      wait(context, interval);
    }
  } catch (const core::Error& error) {
    print(kEnd);
    if (error.kind() != core::Kind::kInterrupted) throw;
    return 0;
  }
  print(kEnd);
  return 0;
}

int top(Context& context, const Arguments& arguments) {
  Watch watch(context);
  const milliseconds interval = std::chrono::seconds(arguments.interval);
  const bool live = !arguments.once && !context.options.json && is_capable_terminal(STDOUT_FILENO);
  if (live) return follow(context, watch, interval);
  watch.look();
  wait(context, interval);
  const std::vector<Watch::Row> rows = watch.look();
  if (rows.empty() && !context.options.json)
    context.progress.note("there are no machines: imgforge vm run makes one");
  print(context.options.json ? core::print_json(json_of(rows)) : table_of(rows, context.out));
  return 0;
}

}  // namespace

void declare_vm_top(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("top", "show what the machines use: processor, memory, disk, network");
  set.flag("--once", arguments->once, "print one table and end, as without a terminal");
  set.option("--interval", arguments->interval, "seconds between two looks").between(1, 3600).show_default();
  set.set_footer(
      "CPU: 100% is one core. USED is the host's memory, GIVEN what the guest may use. READ, WRITE (disk), "
      "IN and\n"
      "OUT (network, where the guest's agent tells) are bytes a second. READY is how long its start took.");
  set.set_runner([arguments](Context& context) { return top(context, *arguments); });
}

}  // namespace imgforge::cli
