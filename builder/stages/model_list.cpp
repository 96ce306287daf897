#include "builder/stages/model_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/fingerprint.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"
#include "core/record.hpp"

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
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("serial", self.serial);
    visit("rows", self.rows);
    visit("text", self.text);
    visit("minisig", self.signature);
  }
};

class Memory {
 public:
  Memory(engine::Cache& steps, const std::string& line, const std::string& public_key)
      : steps_(steps),
        id_(line + "/list of models"),
        canonical_(core::Json({{"list", "models.list"}, {"line", line}, {"key", public_key}}).dump()),
        key_(engine::fingerprint_of(canonical_)) {}

  std::optional<Before> recall() const {
    const auto known = steps_.find(key_);
    if (!known) return std::nullopt;
    try {
      return core::read_record<Before>(core::parse_json(*known, "the list before"), "result");
    } catch (const core::Error&) {
      return std::nullopt;
    }
  }
  void remember(const Before& list) const {
    steps_.store(id_, key_, canonical_, core::write_record(list).dump());
  }

 private:
  engine::Cache& steps_;
  std::string id_;
  std::string canonical_;
  core::Digest key_;
};

}  // namespace

ModelList numbered_list(engine::Cache& steps, const std::string& line, const std::string& rows,
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
