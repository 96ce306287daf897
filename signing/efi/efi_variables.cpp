#include "signing/efi/efi_variables.hpp"

#include <chrono>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

constexpr std::string_view kX509Type = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072";
constexpr std::string_view kPkcs7Type = "4aafd29d-68df-49ee-8aa9-347d375665a7";
constexpr std::string_view kGlobalVariable = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
constexpr std::string_view kImageSecurityDatabase = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/// NON_VOLATILE, BOOTSERVICE_ACCESS, RUNTIME_ACCESS, TIME_BASED_AUTHENTICATED_WRITE_ACCESS
constexpr std::uint32_t kAttributes = 0x27;
constexpr std::uint16_t kCertificateRevision = 0x0200;
constexpr std::uint16_t kCertificateTypeGuid = 0x0EF1;

template <class Number>
void put(Bytes& out, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) {
    out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> (8 * i)));
  }
}

template <class Range>
void append(Bytes& out, const Range& range) {
  out.insert(out.end(), range.begin(), range.end());
}

/// EFI_TIME; for signed variables all beyond seconds is zero.
Bytes efi_time(core::UnixTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  Bytes out;
  put(out, static_cast<std::uint16_t>(static_cast<int>(date.year())));
  put(out, static_cast<std::uint8_t>(static_cast<unsigned>(date.month())));
  put(out, static_cast<std::uint8_t>(static_cast<unsigned>(date.day())));
  put(out, static_cast<std::uint8_t>(clock.hours().count()));
  put(out, static_cast<std::uint8_t>(clock.minutes().count()));
  put(out, static_cast<std::uint8_t>(clock.seconds().count()));
  out.resize(16);
  return out;
}

std::string_view vendor_of(EfiVariable variable) {
  return variable == EfiVariable::kSignatureDatabase ? kImageSecurityDatabase : kGlobalVariable;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

EfiGuid parse_guid(std::string_view text) {
  // Where the bytes of the text go.
  constexpr std::array<std::size_t, 16> kOrder = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  const auto malformed = [&] {
    return core::Error(core::Kind::kSignature, "\"" + core::escaped(text) + "\" is no GUID");
  };
  if (text.size() != 36) throw malformed();
  EfiGuid guid{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < guid.size(); ++i) {
    if (at == 8 || at == 13 || at == 18 || at == 23) {
      if (text[at++] != '-') throw malformed();
    }
    const int high = hex_value(text[at++]);
    const int low = hex_value(text[at++]);
    if (high < 0 || low < 0) throw malformed();
    guid[kOrder[i]] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return guid;
}

Bytes signature_list(const EfiGuid& owner, const Bytes& certificate_der) {
  const std::size_t signature_size = owner.size() + certificate_der.size();
  Bytes out;
  append(out, parse_guid(kX509Type));
  put(out, static_cast<std::uint32_t>(28 + signature_size));
  put(out, std::uint32_t{0});  // no header
  put(out, static_cast<std::uint32_t>(signature_size));
  append(out, owner);
  append(out, certificate_der);
  return out;
}

std::string_view variable_name(EfiVariable variable) {
  switch (variable) {
    case EfiVariable::kPlatformKey:
      return "PK";
    case EfiVariable::kKeyExchangeKey:
      return "KEK";
    case EfiVariable::kSignatureDatabase:
      return "db";
  }
  throw core::Error(core::Kind::kInternal, "unknown firmware variable");
}

Bytes signed_variable(EfiVariable variable, core::UnixTime time, const Bytes& content,
                      const EfiSigner& signer) {
  Bytes message;
  for (const char c : variable_name(variable)) put(message, static_cast<std::uint16_t>(c));
  append(message, parse_guid(vendor_of(variable)));
  put(message, kAttributes);
  append(message, efi_time(time));
  append(message, content);
  const Bytes signature = signer.sign_message(message);

  Bytes out = efi_time(time);
  put(out, static_cast<std::uint32_t>(24 + signature.size()));
  put(out, kCertificateRevision);
  put(out, kCertificateTypeGuid);
  append(out, parse_guid(kPkcs7Type));
  append(out, signature);
  append(out, content);
  return out;
}

}  // namespace imgforge::signing
