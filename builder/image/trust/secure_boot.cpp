#include "builder/image/trust/secure_boot.hpp"

#include <fmt/format.h>

#include "builder/image/trust/pe.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

constexpr std::uint64_t kLargestProgram = 1u << 30;

}  // namespace

void sign_efi_program(const std::filesystem::path& program, const std::filesystem::path& output,
                      const signing::EfiSigner& signer) {
  const PeFile file(core::read_text_file(program, kLargestProgram), program.native());
  if (file.is_signed()) {
    throw core::Error(core::Kind::kImage, core::escaped(program.native()) + " is signed already");
  }
  core::write_new_file(output, file.with_signature(signer.sign_program(file.authenticode_sha256())));
}

void verify_efi_program(const std::filesystem::path& program, const std::filesystem::path& certificate,
                        core::ProcessRunner& processes, const core::CancelToken& cancel) {
  core::Command command;
  command.program = "sbverify";
  command.args = {"--cert", std::filesystem::absolute(certificate).native(),
                  std::filesystem::absolute(program).native()};
  const core::ProcessResult result = processes.run(command, cancel);
  if (result.exit_code == 0 && result.out.find("Signature verification OK") != std::string::npos) return;
  throw core::Error(core::Kind::kSignature,
                    fmt::format("{} is not signed by the key of {}", core::escaped(program.native()),
                                core::escaped(certificate.native())))
      .quote(core::tail_lines(result.err));
}

std::string enrolment_line(Enrolment enrolment) {
  switch (enrolment) {
    case Enrolment::kNone:
      return "secure-boot-enroll off\n";
    case Enrolment::kOffered:
      return "secure-boot-enroll manual\n";
    case Enrolment::kForced:
      break;
  }
  return "secure-boot-enroll force\n";
}

std::vector<MediumFile> enrolment_files(const std::filesystem::path& keys) {
  std::vector<MediumFile> files;
  for (const char* name : {"PK.auth", "KEK.auth", "db.auth"}) {
    files.push_back({fmt::format("loader/keys/auto/{}", name), keys / name});
  }
  return files;
}

}  // namespace imgforge::image
