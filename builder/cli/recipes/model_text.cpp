#include "builder/cli/recipes/model_text.hpp"

#include <fmt/format.h>

#include "core/bytes.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

std::string clean(const std::string& text) {
  return core::escaped(text, 300);
}

std::string count_of(std::uint64_t number) {
  const auto value = static_cast<double>(number);
  if (number >= 1'000'000'000) return fmt::format("{:.1f} billion", value / 1e9);
  if (number >= 1'000'000) return fmt::format("{:.1f} million", value / 1e6);
  return std::to_string(number);
}

std::string row(const char* name, const std::string& value) {
  return value.empty() ? std::string() : fmt::format("  {:<14} {}\n", name, value);
}

}  // namespace

std::string model_facts(const models::Model& model) {
  std::string text(models::format_name(model.summary.format));
  if (model.summary.parameters) text += ", " + count_of(*model.summary.parameters) + " parameters";
  if (!model.summary.quantization.empty()) text += ", " + clean(model.summary.quantization);
  return text + " · " + core::Bytes{model.size()}.human();
}

std::string model_row(const models::Model& model, bool cached) {
  return fmt::format("{:<24} {:<14} {:<48} {:<14} {}{}\n", model.name, model.version, model_facts(model),
                     clean(model.licence), clean(model.source.text), cached ? "" : "   not in the cache");
}

std::string summary_sheet(const models::Summary& summary) {
  std::string text =
      row("format", std::string(models::format_name(summary.format)) +
                        (summary.format_version.empty() ? "" : " " + clean(summary.format_version)));
  text += row("size", core::Bytes{summary.size}.human());
  text += row("name", clean(summary.name));
  text += row("architecture", clean(summary.architecture));
  if (summary.parameters) text += row("parameters", count_of(*summary.parameters));
  if (summary.context_length) text += row("context", fmt::format("{} tokens", *summary.context_length));
  text += row("quantization", clean(summary.quantization));
  text += row("tokenizer", clean(summary.tokenizer));
  text += row("licence", clean(summary.licence));
  for (const models::TensorType& type : summary.types) {
    text += row("tensors",
                fmt::format("{} of {} · {}", type.tensors, type.name, core::Bytes{type.bytes}.human()));
  }
  for (const auto& [key, value] : summary.notes) text += row(clean(key).c_str(), clean(value));
  for (const std::string& warning : summary.warnings) text += row("note", clean(warning));
  return text;
}

std::string model_sheet(const models::Model& model) {
  std::string text = row("source", clean(model.source.text));
  text += row("revision", clean(model.revision));
  text += row("licence", clean(model.licence));
  text += row("sha256", model.digest().hex());
  text += row("purl", clean(model.package_url()));
  for (const models::ModelFile& file : model.files) {
    text += row("file", fmt::format("{} · {}", clean(file.path), core::Bytes{file.size.value_or(0)}.human()));
  }
  return text + summary_sheet(model.summary);
}

std::string recipe_lines(const models::Model& model) {
  std::string text =
      fmt::format("models:\n  - name: {}\n    source: \"{}\"\n    sha256: \"{}\"\n    size: {}\n", model.name,
                  model.source.text, model.digest().hex(), model.size());
  if (!model.licence.empty()) text += fmt::format("    licence: \"{}\"\n", clean(model.licence));
  return text;
}

}  // namespace imgforge::cli
