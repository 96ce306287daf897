#include "core/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include "core/text.hpp"

namespace imgforge::core {
namespace {

struct KindRow {
  Kind kind;
  std::string_view name;
  int exit_code;
};

constexpr std::array kKinds{
    KindRow{Kind::kInternal, "E_INTERNAL", 1},
    KindRow{Kind::kUsage, "E_USAGE", 2},
    KindRow{Kind::kRecipe, "E_RECIPE", 2},
    KindRow{Kind::kFetch, "E_FETCH", 5},
    KindRow{Kind::kIntegrity, "E_INTEGRITY", 3},
    KindRow{Kind::kSignature, "E_SIGNATURE", 3},
    KindRow{Kind::kArchive, "E_ARCHIVE", 3},
    KindRow{Kind::kUnsafe, "E_UNSAFE", 3},
    KindRow{Kind::kPackage, "E_PACKAGE", 1},
    KindRow{Kind::kAppliance, "E_APPLIANCE", 1},
    KindRow{Kind::kCustomize, "E_CUSTOMIZE", 1},
    KindRow{Kind::kImage, "E_IMAGE", 1},
    KindRow{Kind::kBoot, "E_BOOT", 1},
    KindRow{Kind::kStore, "E_STORE", 1},
    KindRow{Kind::kLocked, "E_LOCKED", 1},
    KindRow{Kind::kIo, "E_IO", 1},
    KindRow{Kind::kNoSpace, "E_NOSPACE", 1},
    KindRow{Kind::kPermission, "E_PERM", 1},
    KindRow{Kind::kTimeout, "E_TIMEOUT", 1},
    KindRow{Kind::kMachine, "E_MACHINE", 4},
    KindRow{Kind::kInterrupted, "E_INTERRUPTED", 130},
};

constexpr std::array<std::string_view, 16> kReasons{
    "",
    "unsigned",
    "malformed",
    "unknown_key",
    "bad_signature",
    "revoked_key",
    "expired",
    "not_yet_valid",
    "below_threshold",
    "missing",
    "size_mismatch",
    "digest_mismatch",
    "wrong_subject",
    "rollback",
    "yanked",
    "policy",
};
static_assert(kReasons.size() == static_cast<std::size_t>(Reason::kPolicy) + 1);

const KindRow& row_of(Kind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  return kKinds.front();
}

}  // namespace

std::string_view reason_name(Reason reason) {
  return kReasons.at(static_cast<std::size_t>(reason));
}

std::string_view kind_name(Kind kind) {
  return row_of(kind).name;
}

int exit_code(Kind kind) {
  return row_of(kind).exit_code;
}

Error system_error(int error_number, std::string_view action, std::string_view object) {
  Kind kind = Kind::kIo;
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      kind = Kind::kNoSpace;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      kind = Kind::kPermission;
      break;
    default:
      break;
  }
  return Error(kind, std::string(action) + " " + std::string(object) + ": " + std::strerror(error_number));
}

Error::Error(Kind kind, std::string message) : kind_(kind), message_(masked_urls(std::move(message))) {}
Error::Error(const Error&) = default;
Error::Error(Error&&) noexcept = default;
Error& Error::operator=(const Error&) = default;
Error& Error::operator=(Error&&) noexcept = default;
Error::~Error() = default;

Error& Error::reason(Reason reason) {
  reason_ = reason;
  return *this;
}

Error& Error::hint(std::string text) {
  hint_ = masked_urls(std::move(text));
  return *this;
}

Error& Error::at(Mark mark) {
  if (mark_) return *this;
  mark_ = std::move(mark);
  mark_->text = masked_urls(std::move(mark_->text));
  return *this;
}

Error& Error::context(std::string step) {
  context_.push_back(std::move(step));
  return *this;
}

Error& Error::quote(std::string lines) {
  quote_ = masked_urls(std::move(lines));
  return *this;
}

const char* Error::what() const noexcept {
  return message_.c_str();
}

}  // namespace imgforge::core
