// The one exception type of imgforge. An Error says what failed (kind + message), where in the
// user's file (mark), during what (context chain, inner first) and what to do next (hint). It is
// thrown where the fault is known, given context at step boundaries, and caught by the command
// dispatcher alone; adapters translate third-party errors into it. No text of it carries what URLs must not
// show: user names, passwords, queries.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace imgforge::core {

/// Fault classes. Each has a name (`E_FETCH`) shown in `--json` and maps to one process exit code.
enum class Kind {
  kInternal,     ///< a fault of imgforge itself or an unexpected failure
  kUsage,        ///< wrong command line
  kRecipe,       ///< the recipe is wrong
  kFetch,        ///< a source could not be fetched
  kIntegrity,    ///< digest, size or identity differs from what was promised
  kSignature,    ///< missing, malformed or untrusted signature; unusable key
  kArchive,      ///< malformed archive
  kUnsafe,       ///< well-formed input that policy refuses: path escapes, budgets
  kPackage,      ///< a package cannot be resolved or installed
  kAppliance,    ///< the libguestfs appliance did not start, died or hung
  kCustomize,    ///< a customise operation or run step failed inside the guest
  kImage,        ///< an image cannot be made or is damaged
  kBoot,         ///< an image did not boot as expected
  kStore,        ///< the output directory is not as it should be
  kLocked,       ///< somebody else holds the lock
  kIo,           ///< an input/output error of the host
  kNoSpace,      ///< disk, quota or inodes exhausted
  kPermission,   ///< the host denied access
  kTimeout,      ///< a deadline passed
  kMachine,      ///< the machine lacks a tool, kernel or firmware
  kInterrupted,  ///< cancelled by the user
};

/// Why something that was to be verified is refused: one a refusal, stable, for programs that read `--json`.
enum class Reason {
  kNone,            ///< not a refusal, or one that needs no further name
  kUnsigned,        ///< there is no signature
  kMalformed,       ///< it cannot be read as what it should be
  kUnknownKey,      ///< no trusted key made it
  kBadSignature,    ///< the bytes or their signature were changed
  kRevokedKey,      ///< the key was revoked
  kExpired,         ///< the time of a key or of a document is over
  kNotYetValid,     ///< it has not begun
  kBelowThreshold,  ///< fewer distinct keys signed than have to
  kMissing,         ///< a file that was promised is not there
  kSizeMismatch,    ///< it has another size
  kDigestMismatch,  ///< it has other bytes
  kWrongSubject,    ///< it is genuine, and of something else
  kRollback,        ///< something newer was seen before
  kYanked,          ///< its publisher withdrew it
  kPolicy,          ///< a policy asks for more
};
/// `bad_signature` and so on; empty for kNone.
std::string_view reason_name(Reason reason);

/// `E_...` name of a kind.
std::string_view kind_name(Kind kind);
/// Process exit code of a kind: 1 failed, 2 usage or recipe, 3 verification, 4 machine, 5 fetch, 130.
int exit_code(Kind kind);

/// A place in a user's text file. Lines and columns count from 1; `text` is the whole source line and
/// `length` how many characters of it the mark covers (0: unknown).
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;
  int length = 0;
  std::string text;
};

class Error : public std::exception {
 public:
  Error(Kind kind, std::string message);
  // Every unit throws: what that takes is generated once, in error.cpp.
  Error(const Error&);
  Error(Error&&) noexcept;
  Error& operator=(const Error&);
  Error& operator=(Error&&) noexcept;
  ~Error() override;

  Error& hint(std::string text);
  Error& at(Mark mark);
  /// Adds an outer step, as in "while building profile minimal" (without the word "while").
  Error& context(std::string step);
  /// Log lines quoted under the message (already escaped), such as a tool's last output.
  Error& quote(std::string lines);

  Error& reason(Reason reason);

  Kind kind() const noexcept { return kind_; }
  Reason reason() const noexcept { return reason_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }
  const std::string& quote() const noexcept { return quote_; }
  const std::optional<Mark>& mark() const noexcept { return mark_; }
  const std::vector<std::string>& contexts() const noexcept { return context_; }
  const char* what() const noexcept override;

 private:
  Kind kind_;
  Reason reason_ = Reason::kNone;
  std::string message_;
  std::string hint_;
  std::string quote_;
  std::optional<Mark> mark_;
  std::vector<std::string> context_;
};

/// Runs `body`; an Error that escapes gains `step` as context.
template <class Body>
decltype(auto) while_doing(std::string step, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (Error& error) {
    error.context(std::move(step));
    throw;
  }
}

/// Error for a failed system call: picks kNoSpace, kPermission or kIo from `error_number`.
Error system_error(int error_number, std::string_view action, std::string_view object);

}  // namespace imgforge::core
