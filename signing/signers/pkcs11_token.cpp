#include "signing/signers/pkcs11_token.hpp"

#include <fmt/format.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;

constexpr CK_ULONG kMaxSlots = 1024;
constexpr std::size_t kMaxAnswer = 256;

Error failed(const std::string& why) {
  return Error(Kind::kSignature, why);
}

/// What people can do something about; the rest is named by its number.
std::string name_of(CK_RV result) {
  switch (result) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      return "the PIN is wrong";
    case CKR_PIN_LOCKED:
      return "the PIN is locked";
    case CKR_PIN_EXPIRED:
      return "the PIN has expired";
    case CKR_USER_PIN_NOT_INITIALIZED:
      return "no PIN was set yet";
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_DEVICE_REMOVED:
      return "the token was taken out";
    case CKR_MECHANISM_INVALID:
      return "it does not make signatures of this kind";
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
      return "the key may not sign";
    case CKR_BUFFER_TOO_SMALL:
      return "an answer of another length";
    default:
      return core::escaped(::p11_kit_strerror(result), 80) + fmt::format(" (0x{:x})", result);
  }
}

void require(CK_RV result, const char* step) {
  if (result != CKR_OK) throw failed(fmt::format("{}: {}", step, name_of(result)));
}

/// All modules that the URI may mean, started.
class Modules {
 public:
  explicit Modules(const Pkcs11Uri& uri) {
    if (const char* path = ::p11_kit_uri_get_module_path(uri.get()); path != nullptr) {
      // Unmanaged: this process has no other user of it.
      CK_FUNCTION_LIST* module = ::p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);
      if (module == nullptr) throw failed("cannot load the module " + core::escaped(path, 200));
      one_ = {module, nullptr};
      require(::p11_kit_module_initialize(module), "cannot start the module");
      return;
    }
    all_ = ::p11_kit_modules_load_and_initialize(0);
    if (all_ == nullptr) throw failed("p11-kit has no module");
  }
  Modules(const Modules&) = delete;
  Modules& operator=(const Modules&) = delete;

  /// Ends with a null pointer.
  CK_FUNCTION_LIST** begin() { return all_ != nullptr ? all_ : one_.data(); }

 private:
  // They are not ended: the process is, and a module that hangs then would take the answer with it.
  CK_FUNCTION_LIST** all_ = nullptr;
  std::array<CK_FUNCTION_LIST*, 2> one_{};
};

struct Slot {
  CK_FUNCTION_LIST* module = nullptr;
  CK_SLOT_ID id = 0;
  CK_TOKEN_INFO token{};
};

void add_slots(CK_FUNCTION_LIST* module, const Pkcs11Uri& uri, std::vector<Slot>& found) {
  CK_INFO info{};
  if (module->C_GetInfo(&info) != CKR_OK || ::p11_kit_uri_match_module_info(uri.get(), &info) == 0) return;
  if (const char* name = ::p11_kit_uri_get_module_name(uri.get()); name != nullptr) {
    const core::Handle<&::free, char> own(::p11_kit_module_get_name(module));
    if (!own || std::string_view(own.get()) != name) return;
  }
  CK_ULONG count = 0;
  if (module->C_GetSlotList(CK_TRUE, nullptr, &count) != CKR_OK || count == 0) return;
  if (count > kMaxSlots) throw failed(fmt::format("a module with {} tokens", count));
  std::vector<CK_SLOT_ID> ids(count);
  require(module->C_GetSlotList(CK_TRUE, ids.data(), &count), "cannot list the tokens");
  ids.resize(std::min<std::size_t>(count, ids.size()));
  for (const CK_SLOT_ID id : ids) {
    CK_SLOT_INFO slot{};
    Slot row{module, id, {}};
    if (module->C_GetSlotInfo(id, &slot) != CKR_OK || module->C_GetTokenInfo(id, &row.token) != CKR_OK)
      continue;
    const CK_SLOT_ID wanted = ::p11_kit_uri_get_slot_id(uri.get());
    if ((row.token.flags & CKF_TOKEN_INITIALIZED) != 0 &&
        (wanted == static_cast<CK_SLOT_ID>(-1) || wanted == id) &&
        ::p11_kit_uri_match_slot_info(uri.get(), &slot) != 0 &&
        ::p11_kit_uri_match_token_info(uri.get(), &row.token) != 0)
      found.push_back(row);
  }
}

Slot find_slot(Modules& modules, const Pkcs11Uri& uri) {
  std::vector<Slot> found;
  for (CK_FUNCTION_LIST** module = modules.begin(); *module != nullptr; ++module)
    add_slots(*module, uri, found);
  if (found.empty()) throw failed("no token is what the URI says");
  if (found.size() > 1) throw failed(fmt::format("{} tokens are what the URI says", found.size()));
  return found.front();
}

template <class T>
CK_ATTRIBUTE attribute_of(CK_ATTRIBUTE_TYPE type, T& value) {
  return {type, &value, sizeof value};
}

/// One session with one token.
class Session {
 public:
  explicit Session(const Slot& slot) : module_(slot.module) {
    require(module_->C_OpenSession(slot.id, CKF_SERIAL_SESSION, nullptr, nullptr, &handle_),
            "cannot open the token");
  }

  void log_in(CK_USER_TYPE user, const SecretBytes& pin) {
    // No PIN: the token has keys of its own to enter it.
    SecretBytes copy(pin.view());
    const CK_RV result = module_->C_Login(handle_, user, copy.empty() ? nullptr : copy.data(), copy.size());
    if (result != CKR_USER_ALREADY_LOGGED_IN) require(result, "cannot log in");
  }

  /// The one key of this class and kind that the URI names; nothing when there is none.
  std::optional<CK_OBJECT_HANDLE> find(const Pkcs11Uri& uri, CK_OBJECT_CLASS kind_of_object, TokenKey kind) {
    CK_KEY_TYPE type = kind == TokenKey::kEd25519 ? CKK_EC_EDWARDS : CKK_EC;
    std::vector<CK_ATTRIBUTE> wanted{attribute_of(CKA_CLASS, kind_of_object),
                                     attribute_of(CKA_KEY_TYPE, type)};
    for (const CK_ATTRIBUTE_TYPE name : {CKA_LABEL, CKA_ID}) {
      if (const CK_ATTRIBUTE* given = ::p11_kit_uri_get_attribute(uri.get(), name)) wanted.push_back(*given);
    }
    require(module_->C_FindObjectsInit(handle_, wanted.data(), wanted.size()), "cannot look for the key");
    std::array<CK_OBJECT_HANDLE, 2> found{};
    CK_ULONG count = 0;
    require(module_->C_FindObjects(handle_, found.data(), found.size(), &count), "cannot look for the key");
    require(module_->C_FindObjectsFinal(handle_), "cannot look for the key");
    if (count > 1) throw failed("several keys of the token are what the URI says");
    if (count == 0) return std::nullopt;
    return found.front();
  }

  /// Empty where the object has none.
  std::string read(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
    std::string bytes(kMaxAnswer, '\0');
    CK_ATTRIBUTE wanted{type, bytes.data(), bytes.size()};
    const CK_RV result = module_->C_GetAttributeValue(handle_, object, &wanted, 1);
    if (result == CKR_ATTRIBUTE_TYPE_INVALID || result == CKR_ATTRIBUTE_SENSITIVE) return {};
    require(result, "cannot read the key");
    if (wanted.ulValueLen > bytes.size()) throw failed("an answer of another length");
    bytes.resize(wanted.ulValueLen);
    return bytes;
  }

  std::string sign(CK_OBJECT_HANDLE key, TokenKey kind, const SecretBytes& pin, std::string_view message) {
    const std::string always = read(key, CKA_ALWAYS_AUTHENTICATE);
    CK_MECHANISM mechanism{kind == TokenKey::kEd25519 ? CKM_EDDSA : CKM_ECDSA, nullptr, 0};
    require(module_->C_SignInit(handle_, &mechanism, key), "it does not sign");
    if (always.size() == sizeof(CK_BBOOL) && always.front() != CK_FALSE) log_in(CKU_CONTEXT_SPECIFIC, pin);
    std::string in(message);
    std::string out(kMaxAnswer, '\0');
    CK_ULONG size = out.size();
    require(module_->C_Sign(handle_, reinterpret_cast<unsigned char*>(in.data()), in.size(),
                            reinterpret_cast<unsigned char*>(out.data()), &size),
            "it does not sign");
    if (size > out.size()) throw failed("an answer of another length");
    out.resize(size);
    return out;
  }

 private:
  CK_FUNCTION_LIST* module_;
  CK_SESSION_HANDLE handle_ = 0;
};

/// A field of fixed width, filled with blanks.
std::string label_of(const CK_TOKEN_INFO& token) {
  const std::string text(reinterpret_cast<const char*>(token.label), sizeof token.label);
  return core::escaped(core::trimmed(text), 80);
}

}  // namespace

TokenFacts look_at_token(const Pkcs11Uri& uri) {
  Modules modules(uri);
  const Slot slot = find_slot(modules, uri);
  TokenFacts facts;
  facts.label = label_of(slot.token);
  facts.needs_pin = (slot.token.flags & CKF_LOGIN_REQUIRED) != 0 &&
                    (slot.token.flags & CKF_PROTECTED_AUTHENTICATION_PATH) == 0;
  return facts;
}

std::string public_point_of_token(const Pkcs11Uri& uri, TokenKey kind) {
  Modules modules(uri);
  const Slot slot = find_slot(modules, uri);
  Session session(slot);
  const auto key = session.find(uri, CKO_PUBLIC_KEY, kind);
  return key ? session.read(*key, CKA_EC_POINT) : std::string();
}

std::string sign_by_token(const Pkcs11Uri& uri, TokenKey kind, const SecretBytes& pin,
                          std::string_view message) {
  Modules modules(uri);
  const Slot slot = find_slot(modules, uri);
  Session session(slot);
  if ((slot.token.flags & CKF_LOGIN_REQUIRED) != 0) session.log_in(CKU_USER, pin);
  const auto key = session.find(uri, CKO_PRIVATE_KEY, kind);
  if (!key) throw failed("the token does not hold the key");
  return message.empty() ? std::string() : session.sign(*key, kind, pin, message);
}

}  // namespace imgforge::signing
