#include "builder/cli/trust/verify/verify_all.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "builder/cli/arguments/store_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::Finding;
using artifacts::FsckReport;

core::Json as_json(const FsckReport& report) {
  core::Json rows = core::Json::array();
  for (const Finding& finding : report.findings) {
    rows.push_back({{"damage", artifacts::damage_name(finding.damage)},
                    {"note", artifacts::is_note(finding.damage)},
                    {"path", core::escaped(finding.path.native(), 4096)},
                    {"line", finding.line},
                    {"version", finding.version},
                    {"detail", finding.detail}});
  }
  return {{"schema", 1},           {"verified", report.ok()},
          {"lines", report.lines}, {"releases", report.releases},
          {"files", report.files}, {"bytes", report.bytes},
          {"findings", rows}};
}

std::string as_text(const FsckReport& report, const std::filesystem::path& root, const Style& style,
                    double seconds) {
  std::string text;
  for (const Finding& finding : report.findings) {
    const bool note = artifacts::is_note(finding.damage);
    const std::filesystem::path shown = finding.path.lexically_relative(root);
    text += fmt::format("  {} {:<10} {}: {}\n", note ? style.warn("!") : style.bad("✗"),
                        artifacts::damage_name(finding.damage), core::escaped(shown.native(), 400),
                        core::escaped(finding.detail));
  }
  const auto bad = std::count_if(report.findings.begin(), report.findings.end(),
                                 [](const Finding& finding) { return !artifacts::is_note(finding.damage); });
  const std::string what =
      fmt::format("{} releases in {} lines, {} files, {} in {}", report.releases, report.lines, report.files,
                  core::Bytes{report.bytes}.human(), seconds_text(seconds));
  return text + (bad == 0 ? fmt::format("  {}: {}\n", style.good("verified"), what)
                          : fmt::format("  {}: {} problem{}; {}\n", style.bad("not verified"), bad,
                                        bad == 1 ? "" : "s", what));
}

}  // namespace

int verify_all(Context& context, artifacts::SignatureCheck signature, artifacts::Digests digests) {
  const auto start = std::chrono::steady_clock::now();
  const artifacts::Store store = open_store(context);
  artifacts::FsckOptions options;
  options.signature = std::move(signature);
  options.digests = digests;
  options.cancel = context.cancel;
  core::Activity activity = context.progress.begin("store");
  options.progress = [&](std::uint64_t done, std::uint64_t all) {
    activity.count({.done = done, .total = all});
  };
  const FsckReport report = artifacts::check_store(store, options);
  activity.done();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  print(context.options.json ? core::print_json(as_json(report))
                             : as_text(report, store.root(), context.out, seconds));
  return report.ok() ? 0 : core::exit_code(core::Kind::kIntegrity);
}

}  // namespace imgforge::cli
