#include "builder/stages/model_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/plan/plan.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"

namespace imgforge::stages {
namespace {

std::string digest(const std::string& text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text).hex();
}

/// The list before, as it was recorded.
struct Before {
  std::uint64_t serial = 0;
  std::string rows;  ///< their digest
  std::string text;  ///< digest of the whole
  std::string signature;
};

class Memory {
 public:
  Memory(const StepCache& steps, const std::string& line, const std::string& public_key)
      : steps_(steps),
        step_{plan::StepKind::kModels, line, "", "list of models", {{"list", "models.list"}}, {}},
        inputs_{{"line", line}, {"key", public_key}},
        key_(plan::fingerprint(step_, inputs_, core::Json::object())) {}

  std::optional<Before> recall() const {
    const auto known = steps_.find(key_);
    if (!known || !known->contains("serial")) return std::nullopt;
    return Before{known->at("serial"), known->at("rows"), known->at("text"), known->at("minisig")};
  }
  void remember(const Before& list) const {
    steps_.store(
        step_, key_, plan::canonical_text(step_, inputs_, core::Json::object()),
        {{"serial", list.serial}, {"rows", list.rows}, {"text", list.text}, {"minisig", list.signature}});
  }

 private:
  const StepCache& steps_;
  plan::Step step_;
  core::Json inputs_;
  plan::Fingerprint key_;
};

}  // namespace

ModelList numbered_list(const StepCache& steps, const std::string& line, const std::string& rows,
                        const ListSigner& signer, std::optional<std::uint64_t> fixed) {
  const Memory memory(steps, line, signer.public_key);
  const std::optional<Before> before = memory.recall();
  const bool changed = before && before->rows != digest(rows);
  ModelList out;
  if (fixed) {
    out.serial = *fixed;
    if (before && (before->serial > *fixed || (changed && before->serial == *fixed)))
      out.clash = before->serial;
  } else if (before && !changed) {
    out.serial = before->serial;
  } else {
    const auto now =
        static_cast<std::uint64_t>(std::max<std::int64_t>(signer.time.time_since_epoch().count(), 1));
    out.serial = before ? std::max(now, before->serial + 1) : now;
  }
  out.text = fmt::format("# serial: {}\n{}", out.serial, rows);
  if (before && before->text == digest(out.text) && !signer.time_is_given) {
    out.signature = before->signature;
    return out;
  }
  if (signer.sign) out.signature = signer.sign("models.list", out.text);
  memory.remember({out.serial, digest(rows), digest(out.text), out.signature});
  return out;
}

}  // namespace imgforge::stages
